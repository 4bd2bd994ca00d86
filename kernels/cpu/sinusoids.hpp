// Every CPU column of sinusoids.
#pragma once

#include "dispatch.hpp"
#include "sinusoids_scalar.hpp"
