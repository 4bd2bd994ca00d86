// Every CPU column of the one-dimensional convolution's gradients.
#pragma once

#include "conv1d_backward_scalar.hpp"
#include "dispatch.hpp"
