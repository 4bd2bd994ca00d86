// Every CPU column of attention with relative positions.
#pragma once

#include "dispatch.hpp"
#include "relative_attention_avx2.hpp"
#include "relative_attention_avx512.hpp"
#include "relative_attention_scalar.hpp"
