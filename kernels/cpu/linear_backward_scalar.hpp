// The affine map's gradients, portable: the truth for the other columns.
//
// Every sum runs in rising order. The loops over k are innermost, so that a compiler can put them into
// vectors without touching that order.
#pragma once

#include "../linear_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void linear_input_gradient(const Context&, const LinearInputGradientArguments<T>& a, std::int64_t m_begin,
                           std::int64_t m_end) {
  for (std::int64_t m = m_begin; m < m_end; ++m) {
    T* dx = a.dx + m * a.dx_stride;
    for (std::int64_t k = 0; k < a.K; ++k) dx[k] = 0;
    for (std::int64_t n = 0; n < a.N; ++n) {
      const T g = a.dy[m * a.dy_stride + n];
      const T* w = a.W + n * a.K;
      for (std::int64_t k = 0; k < a.K; ++k) dx[k] += g * w[k];
    }
  }
}

template <class T>
void linear_weight_gradient(const Context&, const LinearWeightGradientArguments<T>& a, std::int64_t n_begin,
                            std::int64_t n_end) {
  constexpr std::int64_t width = 64;
  if (a.dW != nullptr)
    for (std::int64_t first = 0; first < a.K; first += width) {
      const std::int64_t count = first + width < a.K ? width : a.K - first;
      for (std::int64_t n = n_begin; n < n_end; ++n) {
        T sums[width] = {};
        for (std::int64_t m = 0; m < a.M; ++m) {
          const T g = a.dy[m * a.dy_stride + n];
          const T* x = a.x + m * a.x_stride + first;
          for (std::int64_t k = 0; k < count; ++k) sums[k] += g * x[k];
        }
        for (std::int64_t k = 0; k < count; ++k) a.dW[n * a.K + first + k] += sums[k];
      }
    }
  if (a.db != nullptr)
    for (std::int64_t n = n_begin; n < n_end; ++n) {
      T sum = 0;
      for (std::int64_t m = 0; m < a.M; ++m) sum += a.dy[m * a.dy_stride + n];
      a.db[n] += sum;
    }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LinearBackwardKernels<T>& table) {
  table.input = &scalar::linear_input_gradient<T>;
  table.weight = &scalar::linear_weight_gradient<T>;
}

}  // namespace imu2music::inline v0::kernels
