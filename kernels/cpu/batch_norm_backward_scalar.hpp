// Batch normalisation in training mode, portable: the truth for the other columns.
#pragma once

#include <cmath>

#include "../batch_norm_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// The sum of squares is corrected for the rounding of the mean.
template <class T>
void batch_norm_statistics(const Context&, const T* x, T* mean, T* variance, std::int64_t c_begin,
                           std::int64_t c_end, std::int64_t B, std::int64_t C, std::int64_t P) {
  const double n = static_cast<double>(B * P);
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    double sum = 0, squares = 0, rest = 0;
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t i = 0; i < P; ++i) sum += static_cast<double>(x[(b * C + c) * P + i]);
    const T center = static_cast<T>(sum / n);
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t i = 0; i < P; ++i) {
        const double d = static_cast<double>(x[(b * C + c) * P + i] - center);
        squares += d * d;
        rest += d;
      }
    mean[c] = center;
    variance[c] = static_cast<T>(squares / n - (rest / n) * (rest / n));
  }
}

template <class T>
void batch_norm_backward(const Context&, const BatchNormBackwardArguments<T>& a, std::int64_t c_begin,
                         std::int64_t c_end) {
  const double n = static_cast<double>(a.B * a.P);
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    const T mean = a.mean[c];
    const double r = 1 / std::sqrt(static_cast<double>(a.variance[c]) + a.eps);
    double sum = 0, products = 0;  // of dy, and of dy (x - mean)
    for (std::int64_t b = 0; b < a.B; ++b)
      for (std::int64_t i = (b * a.C + c) * a.P; i < (b * a.C + c + 1) * a.P; ++i) {
        sum += static_cast<double>(a.dy[i]);
        products += static_cast<double>(a.dy[i] * (a.x[i] - mean));
      }
    if (a.dgamma != nullptr) a.dgamma[c] += static_cast<T>(products * r);
    if (a.dbeta != nullptr) a.dbeta[c] += static_cast<T>(sum);
    // dx = scale dy + slope (x - mean) + shift
    const double gamma_r = static_cast<double>(a.gamma[c]) * r;
    const T scale = static_cast<T>(gamma_r), slope = static_cast<T>(-gamma_r * r * r * products / n);
    const T shift = static_cast<T>(-gamma_r * sum / n);
    for (std::int64_t b = 0; b < a.B; ++b)
      for (std::int64_t i = (b * a.C + c) * a.P; i < (b * a.C + c + 1) * a.P; ++i)
        a.dx[i] = scale * a.dy[i] + (slope * (a.x[i] - mean) + shift);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, BatchNormBackwardKernels<T>& table) {
  table.statistics = &scalar::batch_norm_statistics<T>;
  table.backward = &scalar::batch_norm_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
