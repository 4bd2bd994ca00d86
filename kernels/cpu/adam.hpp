// Every CPU column of Adam.
#pragma once

#include "adam_scalar.hpp"
#include "dispatch.hpp"
