// Magnitude spectra of short rows on the device: a thread a bin, in double as on the CPU. A row is read from memory
// once and by its other threads from the caches.
#pragma once

#include "../spectrum_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int spectrum_threads = 128;

__global__ void spectrum_kernel(SpectrumArguments<float> a, std::int64_t r_begin, std::int64_t r_end) {
  const std::int64_t bins = a.length / 2 + 1, at = std::int64_t{blockIdx.x} * spectrum_threads + threadIdx.x;
  const std::int64_t row = r_begin + at / bins, k = at % bins;
  if (row >= r_end) return;
  double real = 0, imaginary = 0;
  std::int64_t phase = 0;  // k n modulo the length
  for (std::int64_t n = 0; n < a.length; ++n) {
    const double x = a.window[n] * static_cast<double>(a.x[row * a.length + n]);
    real += x * a.cosine[phase];
    imaginary -= x * a.sine[phase];
    phase += k;
    if (phase >= a.length) phase -= a.length;
  }
  a.y[row * bins + k] = static_cast<float>(hypot(real, imaginary));
}

inline void spectrum_forward(const Context& context, const SpectrumArguments<float>& arguments, std::int64_t r_begin,
                             std::int64_t r_end) {
  const std::int64_t threads = (r_end - r_begin) * (arguments.length / 2 + 1);
  launch(context, "spectrum", spectrum_kernel, blocks_for(threads, spectrum_threads), spectrum_threads, arguments,
         r_begin, r_end);
}

inline void install(SpectrumKernels<float>& table) { table.forward = &spectrum_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
