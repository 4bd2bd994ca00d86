// Every CPU column of layer normalisation's gradients.
#pragma once

#include "dispatch.hpp"
#include "layer_norm_backward_avx2.hpp"
#include "layer_norm_backward_avx512.hpp"
#include "layer_norm_backward_scalar.hpp"
