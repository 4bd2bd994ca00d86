// Every CPU column of the affine map's gradients.
#pragma once

#include "dispatch.hpp"
#include "linear_backward_scalar.hpp"
