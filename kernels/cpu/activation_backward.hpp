// Every CPU column of the activations' gradient.
#pragma once

#include "activation_backward_scalar.hpp"
#include "dispatch.hpp"
