// Every CPU column of choosing a token.
#pragma once

#include "dispatch.hpp"
#include "sampling_avx2.hpp"
#include "sampling_avx512.hpp"
#include "sampling_scalar.hpp"
