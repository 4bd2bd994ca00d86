// Every CPU column of the LSTM step.
#pragma once

#include "dispatch.hpp"
#include "lstm_avx2.hpp"
#include "lstm_avx512.hpp"
#include "lstm_scalar.hpp"
