// Every CPU column of the gradient of attention with relative positions.
#pragma once

#include "dispatch.hpp"
#include "relative_attention_backward_avx2.hpp"
#include "relative_attention_backward_avx512.hpp"
#include "relative_attention_backward_scalar.hpp"
