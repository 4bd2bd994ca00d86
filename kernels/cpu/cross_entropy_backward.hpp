// Every CPU column of the negative log-likelihood's gradient.
#pragma once

#include "cross_entropy_backward_avx2.hpp"
#include "cross_entropy_backward_avx512.hpp"
#include "cross_entropy_backward_scalar.hpp"
#include "dispatch.hpp"
