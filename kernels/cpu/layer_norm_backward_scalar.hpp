// Layer normalisation's gradients, portable: the truth for the other columns.
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
    T sum = 0;
    for (std::int64_t d = 0; d < D; ++d) sum += s(d);
    const T mean = sum / static_cast<T>(D);
    T squares = 0;
    for (std::int64_t d = 0; d < D; ++d) squares += (s(d) - mean) * (s(d) - mean);
    const T u = T(1) / std::sqrt(squares / static_cast<T>(D) + eps);
    T g_sum = 0, gh_sum = 0;
    for (std::int64_t d = 0; d < D; ++d) {
      const T g = gamma[d] * dyi[d];
      g_sum += g;
      gh_sum += g * ((s(d) - mean) * u);
    }
    const T g_mean = g_sum / static_cast<T>(D), gh_mean = gh_sum / static_cast<T>(D);
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
    T gamma_sum = 0, beta_sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t i = row * D + d;
      const T s = r != nullptr ? x[i] + r[i] : x[i];
      gamma_sum += dy[i] * ((s - statistics[2 * row]) * statistics[2 * row + 1]);
      beta_sum += dy[i];
    }
    if (dgamma != nullptr) dgamma[d] += gamma_sum;
    if (dbeta != nullptr) dbeta[d] += beta_sum;
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LayerNormBackwardKernels<T>& table) {
  table.input = &scalar::layer_norm_input_gradient<T>;
  table.parameters = &scalar::layer_norm_parameter_gradient<T>;
}

}  // namespace imu2music::inline v0::kernels
