// Every CPU column of the residual sum.
#pragma once

#include "add_avx2.hpp"
#include "add_avx512.hpp"
#include "add_scalar.hpp"
#include "dispatch.hpp"
