// The negative log-likelihood of one target a row, the same with smoothed targets, and the gradient of the
// latter. With p = softmax(logits[n]), t = targets[n] and smoothing e:
//
//   q[v]          = (1 - e) [v = t] + e / V
//   nll[n]        = -log p[t]
//   loss[n]       = -sum_v q[v] log p[v]
//   dlogits[n][v] = scale (p[v] - q[v])
//
// and 0 in all three where targets[n] = ignore.
//
// logits, dlogits: [N, V], dlogits may be logits or null; targets: [N], each in [0, V) or equal to `ignore`
// (the caller checks); sums: [N, 2], nll and loss of every row.
//
// Smoothing: Szegedy et al. 2016, Rethinking the Inception Architecture (arXiv:1512.00567, section 7).
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct CrossEntropyBackwardArguments {
  const T* logits = nullptr;
  const std::int64_t* targets = nullptr;
  T* dlogits = nullptr;
  double* sums = nullptr;
  std::int64_t V = 0;
  std::int64_t ignore = 0;
  T smoothing = 0;
  T scale = 1;
};

template <class T>
struct CrossEntropyBackwardKernels {
  // Rows row_begin..row_end.
  void (*backward)(const Context& context, const CrossEntropyBackwardArguments<T>& arguments,
                   std::int64_t row_begin, std::int64_t row_end) = nullptr;
  // totals[0] += the rows' nll, totals[1] += their losses; null on the CPU, where the host adds them.
  void (*add_up)(const Context& context, const double* sums, std::int64_t rows, double* totals) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
