// Every CPU column of graph convolution's gradient in the weights.
#pragma once

#include "dispatch.hpp"
#include "graph_conv_backward_scalar.hpp"
