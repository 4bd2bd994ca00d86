// Every CPU column of the activations' gradient.
#pragma once

#include "activation_backward_avx2.hpp"
#include "activation_backward_avx512.hpp"
#include "activation_backward_scalar.hpp"
#include "dispatch.hpp"
