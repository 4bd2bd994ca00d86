// Every CPU column of the affine map.
#pragma once

#include "dispatch.hpp"
#include "linear_avx2.hpp"
#include "linear_avx512.hpp"
#include "linear_scalar.hpp"
