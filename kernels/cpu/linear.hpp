// Every CPU column of the affine map.
#pragma once

#include "dispatch.hpp"
#include "linear_scalar.hpp"
