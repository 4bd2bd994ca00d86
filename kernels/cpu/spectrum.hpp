// Every CPU column of the magnitude spectrum.
#pragma once

#include "dispatch.hpp"
#include "spectrum_avx2.hpp"
#include "spectrum_avx512.hpp"
#include "spectrum_scalar.hpp"
