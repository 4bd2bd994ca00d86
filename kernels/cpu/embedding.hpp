// Every CPU column of token embedding.
#pragma once

#include "dispatch.hpp"
#include "embedding_scalar.hpp"
