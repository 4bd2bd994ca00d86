// Every CPU column of batch normalisation.
#pragma once

#include "batch_norm_avx2.hpp"
#include "batch_norm_avx512.hpp"
#include "batch_norm_scalar.hpp"
#include "dispatch.hpp"
