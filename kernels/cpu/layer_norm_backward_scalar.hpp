// Layer normalisation's gradients, portable: the truth for the other columns. Sums are in double, as those of
// layer_norm_scalar.hpp.
#pragma once

#include <cmath>

#include "../layer_norm_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void layer_norm_input_gradient(const Context&, const T* dy, const T* x, const T* r, const T* gamma, T* ds,
                               T* statistics, std::int64_t row_begin, std::int64_t row_end, std::int64_t D,
                               T eps) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const T* xi = x + row * D;
    const T* ri = r != nullptr ? r + row * D : nullptr;
    const T* dyi = dy + row * D;
    T* dsi = ds + row * D;
    const auto s = [&](std::int64_t d) { return ri != nullptr ? xi[d] + ri[d] : xi[d]; };
    const auto mean_of = [&](const auto& term) {
      double sum = 0;
      for (std::int64_t d = 0; d < D; ++d) sum += static_cast<double>(term(d));
      return static_cast<T>(sum / static_cast<double>(D));
    };
    const T mean = mean_of(s);
    const T u =
        T(1) / std::sqrt(mean_of([&](std::int64_t d) { return (s(d) - mean) * (s(d) - mean); }) + eps);
    const T g_mean = mean_of([&](std::int64_t d) { return gamma[d] * dyi[d]; });
    const T gh_mean = mean_of([&](std::int64_t d) { return gamma[d] * dyi[d] * ((s(d) - mean) * u); });
    for (std::int64_t d = 0; d < D; ++d)
      dsi[d] = u * (gamma[d] * dyi[d] - g_mean - (s(d) - mean) * u * gh_mean);
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = u;
  }
}

template <class T>
void layer_norm_parameter_gradient(const Context&, const T* dy, const T* x, const T* r, const T* statistics,
                                   T* dgamma, T* dbeta, std::int64_t rows, std::int64_t d_begin,
                                   std::int64_t d_end, std::int64_t D) {
  for (std::int64_t d = d_begin; d < d_end; ++d) {
    double gamma_sum = 0, beta_sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t i = row * D + d;
      const T s = r != nullptr ? x[i] + r[i] : x[i];
      gamma_sum += static_cast<double>(dy[i] * ((s - statistics[2 * row]) * statistics[2 * row + 1]));
      beta_sum += static_cast<double>(dy[i]);
    }
    if (dgamma != nullptr) dgamma[d] += static_cast<T>(gamma_sum);
    if (dbeta != nullptr) dbeta[d] += static_cast<T>(beta_sum);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LayerNormBackwardKernels<T>& table) {
  table.input = &scalar::layer_norm_input_gradient<T>;
  table.parameters = &scalar::layer_norm_parameter_gradient<T>;
}

}  // namespace imu2music::inline v0::kernels
