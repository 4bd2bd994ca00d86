// Every CPU column of batch normalisation in training mode.
#pragma once

#include "batch_norm_backward_avx2.hpp"
#include "batch_norm_backward_avx512.hpp"
#include "batch_norm_backward_scalar.hpp"
#include "dispatch.hpp"
