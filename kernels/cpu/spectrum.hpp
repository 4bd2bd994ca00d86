// Every CPU column of the magnitude spectrum.
#pragma once

#include "dispatch.hpp"
#include "spectrum_scalar.hpp"
