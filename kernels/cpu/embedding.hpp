// Every CPU column of token embedding.
#pragma once

#include "dispatch.hpp"
#include "embedding_avx2.hpp"
#include "embedding_avx512.hpp"
#include "embedding_scalar.hpp"
