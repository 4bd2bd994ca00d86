// Every CPU column of what convolutions along frames move about.
#pragma once

#include "conv1d_layout_scalar.hpp"
#include "dispatch.hpp"
