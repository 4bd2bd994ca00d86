// Every CPU column of two-dimensional cross-correlation.
#pragma once

#include "conv2d_avx2.hpp"
#include "conv2d_avx512.hpp"
#include "conv2d_scalar.hpp"
#include "dispatch.hpp"
