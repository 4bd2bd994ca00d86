// Every CPU column of batch normalisation as an affine map.
#pragma once

#include "batch_norm_map_scalar.hpp"
#include "dispatch.hpp"
