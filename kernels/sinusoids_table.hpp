// Sinusoids of moments, the positional encoding of Vaswani et al. 2017 (arXiv:1706.03762, section 3.5) at any
// time:
//
//   y[n][c] = sin(u[n] rates[c / 2]) for even c, cos(u[n] rates[c / 2]) for odd c
//
// u: [N]; rates: [(D + 1) / 2]; y: [N, D]. Angles and functions in double, whatever T.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct SinusoidsKernels {
  // Rows n_begin..n_end.
  void (*forward)(const Context& context, const double* u, const double* rates, T* y, std::int64_t n_begin,
                  std::int64_t n_end, std::int64_t D) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
