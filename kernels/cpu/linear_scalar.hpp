// The affine map, portable: the truth for the other columns.
//
// The sum over k is kept in `lanes` partial sums, k going to number k mod lanes, which are then added in
// pairs: an order that depends on K alone and that a compiler can put into vectors.
#pragma once

#include "../linear_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// sum_k x[k] w[k]
template <class T>
T dot(const T* x, const T* w, std::int64_t K) {
  constexpr int lanes = 8;
  T sums[lanes] = {};
  std::int64_t k = 0;
  for (; k + lanes <= K; k += lanes)
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += x[k + lane] * w[k + lane];
  for (int lane = 0; k + lane < K; ++lane) sums[lane] += x[k + lane] * w[k + lane];
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

template <class T>
void linear_forward(const Context&, const LinearArguments<T>& a, std::int64_t m_begin, std::int64_t m_end,
                    std::int64_t n_begin, std::int64_t n_end) {
  for (std::int64_t m = m_begin; m < m_end; ++m)
    for (std::int64_t n = n_begin; n < n_end; ++n) {
      T sum = dot(a.x + m * a.x_stride, a.W + n * a.K, a.K);
      if (a.b != nullptr) sum += a.b[n];
      a.y[m * a.y_stride + n] = activate(sum, a.activation, a.slope);
    }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LinearKernels<T>& table) {
  table.forward = &scalar::linear_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
