// Every CPU column of the softmax-weighted mean.
#pragma once

#include "dispatch.hpp"
#include "softmax_pool_avx2.hpp"
#include "softmax_pool_avx512.hpp"
#include "softmax_pool_scalar.hpp"
