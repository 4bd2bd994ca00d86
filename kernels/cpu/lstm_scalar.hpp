// The pointwise part of an LSTM step, portable: the truth for the other columns.
#pragma once

#include <cmath>

#include "../lstm_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

template <class T>
void lstm_step(const Context&, const T* gates_x, const T* gates_h, const T* c, T* h_out, T* c_out,
               std::int64_t b_begin, std::int64_t b_end, std::int64_t H) {
  for (std::int64_t b = b_begin; b < b_end; ++b) {
    const T* x = gates_x + b * 4 * H;
    const T* h = gates_h + b * 4 * H;
    for (std::int64_t n = 0; n < H; ++n) {
      const T input = sigmoid(x[n] + h[n]), forget = sigmoid(x[H + n] + h[H + n]);
      const T candidate = std::tanh(x[2 * H + n] + h[2 * H + n]),
              output = sigmoid(x[3 * H + n] + h[3 * H + n]);
      const T cell = forget * c[b * H + n] + input * candidate;
      c_out[b * H + n] = cell;
      h_out[b * H + n] = output * std::tanh(cell);
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LstmKernels<T>& table) {
  table.step = &scalar::lstm_step<T>;
}

}  // namespace imu2music::inline v0::kernels
