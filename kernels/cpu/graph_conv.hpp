// Every CPU column of graph convolution.
#pragma once

#include "dispatch.hpp"
#include "graph_conv_scalar.hpp"
