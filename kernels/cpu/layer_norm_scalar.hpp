// Layer normalisation, portable: the truth for the other columns. Sums are in double: one float after
// another, over rows of some thousand numbers, loses what the vector columns' many short sums keep.
#pragma once

#include <cmath>

#include "../layer_norm_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void layer_norm_forward(const Context&, const T* x, const T* r, const T* gamma, const T* beta, T* y,
                        std::int64_t row_begin, std::int64_t row_end, std::int64_t D, T eps) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const T* xi = x + row * D;
    const T* ri = r != nullptr ? r + row * D : nullptr;
    T* yi = y + row * D;
    double sum = 0;
    for (std::int64_t d = 0; d < D; ++d) {
      T s = ri != nullptr ? xi[d] + ri[d] : xi[d];
      yi[d] = s;
      sum += static_cast<double>(s);
    }
    const T mean = static_cast<T>(sum / static_cast<double>(D));
    double square_sum = 0;
    for (std::int64_t d = 0; d < D; ++d)
      square_sum += static_cast<double>(yi[d] - mean) * static_cast<double>(yi[d] - mean);
    const T scale = T(1) / std::sqrt(static_cast<T>(square_sum / static_cast<double>(D)) + eps);
    for (std::int64_t d = 0; d < D; ++d) yi[d] = (yi[d] - mean) * scale * gamma[d] + beta[d];
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, LayerNormKernels<T>& table) {
  table.forward = &scalar::layer_norm_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
