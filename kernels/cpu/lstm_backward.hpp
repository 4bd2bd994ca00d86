// Every CPU column of the LSTM step's gradient.
#pragma once

#include "dispatch.hpp"
#include "lstm_backward_avx2.hpp"
#include "lstm_backward_avx512.hpp"
#include "lstm_backward_scalar.hpp"
