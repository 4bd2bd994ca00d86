// Every CPU column of Adam.
#pragma once

#include "adam_avx2.hpp"
#include "adam_avx512.hpp"
#include "adam_scalar.hpp"
#include "dispatch.hpp"
