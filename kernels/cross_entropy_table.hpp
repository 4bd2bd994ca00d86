// Negative log-likelihood of one target a row:
//
//   nll[n] = log sum_v exp(logits[n][v]) - logits[n][target[n]],   0 where target[n] = ignore
//
// logits: [N, V]; targets: [N], each in [0, V) or equal to `ignore` (the caller checks); nll: [N].
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct CrossEntropyKernels {
  // Rows row_begin..row_end.
  void (*forward)(const Context& context, const T* logits, const std::int64_t* targets, T* nll,
                  std::int64_t row_begin, std::int64_t row_end, std::int64_t V,
                  std::int64_t ignore) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
