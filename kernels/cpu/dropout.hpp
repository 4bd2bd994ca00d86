// Every CPU column of dropout.
#pragma once

#include "dispatch.hpp"
#include "dropout_scalar.hpp"
