// Every CPU column of the mean's gradient.
#pragma once

#include "dispatch.hpp"
#include "mean_backward_scalar.hpp"
