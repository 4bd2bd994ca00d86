// The embedding table's gradient, portable: the truth for the other columns.
#pragma once

#include "../embedding_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void embedding_backward(const Context&, const T* dy, const std::int64_t* ids, T* dtable, std::int64_t rows,
                        std::int64_t d_begin, std::int64_t d_end, std::int64_t D) {
  for (std::int64_t n = 0; n < rows; ++n) {
    const T* from = dy + n * D;
    T* to = dtable + ids[n] * D;
    for (std::int64_t d = d_begin; d < d_end; ++d) to[d] += from[d];
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, EmbeddingBackwardKernels<T>& table) {
  table.backward = &scalar::embedding_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
