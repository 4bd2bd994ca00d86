// Every CPU column of one-dimensional convolution.
#pragma once

#include "conv1d_scalar.hpp"
#include "dispatch.hpp"
