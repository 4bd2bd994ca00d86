// Every CPU column of the two-dimensional convolution's gradients.
#pragma once

#include "conv2d_backward_scalar.hpp"
#include "dispatch.hpp"
