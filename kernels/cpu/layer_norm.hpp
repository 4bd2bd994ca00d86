// Every CPU column of layer normalisation.
#pragma once

#include "dispatch.hpp"
#include "layer_norm_avx2.hpp"
#include "layer_norm_avx512.hpp"
#include "layer_norm_scalar.hpp"
