// The gradient of the pointwise part of an LSTM step, portable: the truth for the other columns.
#pragma once

#include <cmath>

#include "../lstm_backward_table.hpp"
#include "lstm_scalar.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void lstm_backward_step(const Context&, const LstmBackwardArguments<T>& a, std::int64_t b_begin,
                        std::int64_t b_end) {
  const std::int64_t H = a.H;
  for (std::int64_t b = b_begin; b < b_end; ++b) {
    const T* x = a.gates_x + b * 4 * H;
    const T* h = a.gates_h + b * 4 * H;
    T* dgates = a.dgates + b * 4 * H;
    for (std::int64_t n = 0; n < H; ++n) {
      const T i = sigmoid(x[n] + h[n]), f = sigmoid(x[H + n] + h[H + n]);
      const T g = std::tanh(x[2 * H + n] + h[2 * H + n]), o = sigmoid(x[3 * H + n] + h[3 * H + n]);
      const T c = a.c[b * H + n], t = std::tanh(f * c + i * g);
      const T dh = a.dh != nullptr ? a.dh[b * H + n] : T(0);
      const T dc_out = a.dc_out != nullptr ? a.dc_out[b * H + n] : T(0);
      const T dcell = dc_out + dh * o * (T(1) - t * t);
      dgates[n] = dcell * g * (i * (T(1) - i));
      dgates[H + n] = dcell * c * (f * (T(1) - f));
      dgates[2 * H + n] = dcell * i * (T(1) - g * g);
      dgates[3 * H + n] = dh * t * (o * (T(1) - o));
      a.dc[b * H + n] = dcell * f;
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LstmBackwardKernels<T>& table) {
  table.step = &scalar::lstm_backward_step<T>;
}

}  // namespace imu2music::inline v0::kernels
