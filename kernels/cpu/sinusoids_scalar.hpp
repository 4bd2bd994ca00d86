// Sinusoids of moments, portable.
#pragma once

#include <cmath>

#include "../sinusoids_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void sinusoids_forward(const Context&, const double* u, const double* rates, T* y, std::int64_t n_begin,
                       std::int64_t n_end, std::int64_t D) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    T* row = y + n * D;
    for (std::int64_t c = 0; c < D; ++c) {
      const double angle = u[n] * rates[c / 2];
      row[c] = static_cast<T>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, SinusoidsKernels<T>& table) {
  table.forward = &scalar::sinusoids_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
