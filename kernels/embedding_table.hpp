// Token embedding plus position, with n = b length + t:
//
//   y[n] = table[ids[n]] + positions[first_position + n % length]
//
// ids: [B, length], each in [0, V) (the caller checks); table: [V, D]; positions: [at least first_position +
// length, D] or null; y: [B, length, D].
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct EmbeddingKernels {
  // Rows n_begin..n_end of y.
  void (*forward)(const Context& context, const std::int64_t* ids, const T* table, const T* positions,
                  std::int64_t first_position, T* y, std::int64_t row_begin, std::int64_t row_end,
                  std::int64_t length, std::int64_t D) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
