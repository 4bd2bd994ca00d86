// Magnitude spectra of short rows under the Hann window w[n] = (1 - cos(2 pi n / L)) / 2:
//
//   y[r][k] = | sum_n w[n] x[r][n] exp(-2 pi i k n / L) | / (L / 2),   k = 0 .. L / 2 rounded down
//
// L / 2 is the sum of w, so that a constant 1 gives y[0] = 1. x: [R, L]; y: [R, L / 2 + 1]. window: [L], w
// over its sum; cosine, sine: [L], of 2 pi n / L; the caller's, on the device where the kernel runs there.
// waves: [L, 2, spectrum_stride(L)], cosine and sine of 2 pi k n / L, zeros past the last k; for the CPU's
// columns with lanes over k. Each inner product in double, in the order of n.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

// L / 2 + 1 rounded up to whole vectors.
constexpr std::int64_t spectrum_stride(std::int64_t L) { return (L / 2 + 8) / 8 * 8; }

template <class T>
struct SpectrumArguments {
  const T* x = nullptr;
  const double* window = nullptr;
  const double* cosine = nullptr;
  const double* sine = nullptr;
  const double* waves = nullptr;
  T* y = nullptr;
  std::int64_t length = 0;  // L
};

template <class T>
struct SpectrumKernels {
  // Rows r_begin..r_end.
  void (*forward)(const Context& context, const SpectrumArguments<T>& arguments, std::int64_t r_begin,
                  std::int64_t r_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
