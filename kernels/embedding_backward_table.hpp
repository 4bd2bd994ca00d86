// The gradient of a token embedding's table (embedding_table.hpp):
//
//   dtable[ids[n]] += dy[n]   for n = 0, 1, ...
//
// dy: [rows, D]; ids: [rows], each in [0, V) (the caller checks); dtable: [V, D]. Several rows may hold one
// token, so threads share out columns. Every column of kernels gives the same bits.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct EmbeddingBackwardKernels {
  // Elements d_begin..d_end of every row of dtable.
  void (*backward)(const Context& context, const T* dy, const std::int64_t* ids, T* dtable, std::int64_t rows,
                   std::int64_t d_begin, std::int64_t d_end, std::int64_t D) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
