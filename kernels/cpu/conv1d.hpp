// Every CPU column of the one-dimensional convolution.
#pragma once

#include "conv1d_avx2.hpp"
#include "conv1d_avx512.hpp"
#include "conv1d_scalar.hpp"
#include "dispatch.hpp"
