// Every CPU column of graph convolution's gradient in the weights.
#pragma once

#include "dispatch.hpp"
#include "graph_conv_backward_avx2.hpp"
#include "graph_conv_backward_avx512.hpp"
#include "graph_conv_backward_scalar.hpp"
