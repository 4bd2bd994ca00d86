// Every CPU column of running statistics.
#pragma once

#include "dispatch.hpp"
#include "moving_average_scalar.hpp"
