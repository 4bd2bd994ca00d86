// Every CPU column of the mean along the last axis.
#pragma once

#include "dispatch.hpp"
#include "mean_avx2.hpp"
#include "mean_avx512.hpp"
#include "mean_scalar.hpp"
