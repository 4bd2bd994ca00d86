// Every CPU column of the LSTM step's gradient.
#pragma once

#include "dispatch.hpp"
#include "lstm_backward_scalar.hpp"
