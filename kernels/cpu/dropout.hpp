// Every CPU column of dropout.
#pragma once

#include "dispatch.hpp"
#include "dropout_avx2.hpp"
#include "dropout_avx512.hpp"
#include "dropout_scalar.hpp"
