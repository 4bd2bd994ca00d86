// Every CPU column of graph convolution.
#pragma once

#include "dispatch.hpp"
#include "graph_conv_avx2.hpp"
#include "graph_conv_avx512.hpp"
#include "graph_conv_scalar.hpp"
