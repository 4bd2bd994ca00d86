// Magnitude spectra of short rows, portable.
#pragma once

#include <cmath>

#include "../spectrum_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void spectrum_forward(const Context&, const SpectrumArguments<T>& a, std::int64_t r_begin,
                      std::int64_t r_end) {
  const std::int64_t bins = a.length / 2 + 1;
  for (std::int64_t row = r_begin; row < r_end; ++row)
    for (std::int64_t k = 0; k < bins; ++k) {
      double real = 0, imaginary = 0;
      for (std::int64_t n = 0; n < a.length; ++n) {
        const double x = a.window[n] * static_cast<double>(a.x[row * a.length + n]);
        const std::int64_t phase = k * n % a.length;
        real += x * a.cosine[phase];
        imaginary -= x * a.sine[phase];
      }
      a.y[row * bins + k] = static_cast<T>(std::hypot(real, imaginary));
    }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, SpectrumKernels<T>& table) {
  table.forward = &scalar::spectrum_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
