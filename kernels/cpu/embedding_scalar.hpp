// Token embedding plus position, portable: the truth for the other columns.
#pragma once

#include "../embedding_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void embedding_forward(const Context&, const std::int64_t* ids, const T* table, const T* positions,
                       std::int64_t first_position, T* y, std::int64_t row_begin, std::int64_t row_end,
                       std::int64_t length, std::int64_t D) {
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    const T* token = table + ids[n] * D;
    T* yn = y + n * D;
    if (positions == nullptr) {
      for (std::int64_t d = 0; d < D; ++d) yn[d] = token[d];
    } else {
      const T* position = positions + (first_position + n % length) * D;
      for (std::int64_t d = 0; d < D; ++d) yn[d] = token[d] + position[d];
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, EmbeddingKernels<T>& table) {
  table.forward = &scalar::embedding_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
