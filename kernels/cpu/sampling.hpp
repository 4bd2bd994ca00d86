// Every CPU column of choosing a token.
#pragma once

#include "dispatch.hpp"
#include "sampling_scalar.hpp"
