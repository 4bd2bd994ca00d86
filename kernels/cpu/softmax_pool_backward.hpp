// Every CPU column of the softmax-weighted mean's gradient.
#pragma once

#include "dispatch.hpp"
#include "softmax_pool_backward_avx2.hpp"
#include "softmax_pool_backward_avx512.hpp"
#include "softmax_pool_backward_scalar.hpp"
