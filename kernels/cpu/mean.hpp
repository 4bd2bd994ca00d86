// Every CPU column of the mean along the last axis.
#pragma once

#include "dispatch.hpp"
#include "mean_scalar.hpp"
