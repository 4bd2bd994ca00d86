// Every CPU column of the residual sum.
#pragma once

#include "add_scalar.hpp"
#include "dispatch.hpp"
