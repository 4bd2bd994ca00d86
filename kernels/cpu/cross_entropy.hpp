// Every CPU column of the negative log-likelihood.
#pragma once

#include "cross_entropy_avx2.hpp"
#include "cross_entropy_avx512.hpp"
#include "cross_entropy_scalar.hpp"
#include "dispatch.hpp"
