// Every CPU column of the embedding table's gradient.
#pragma once

#include "dispatch.hpp"
#include "embedding_backward_avx2.hpp"
#include "embedding_backward_avx512.hpp"
#include "embedding_backward_scalar.hpp"
