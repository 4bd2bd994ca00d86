// Every CPU column of the affine map's gradients.
#pragma once

#include "dispatch.hpp"
#include "linear_backward_avx2.hpp"
#include "linear_backward_avx512.hpp"
#include "linear_backward_scalar.hpp"
