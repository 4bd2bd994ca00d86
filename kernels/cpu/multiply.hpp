// Every CPU column of products element by element.
#pragma once

#include "dispatch.hpp"
#include "multiply_scalar.hpp"
