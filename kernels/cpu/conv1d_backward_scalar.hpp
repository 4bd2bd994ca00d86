// The gradients of the one-dimensional convolution, portable: the truth for the other columns.
#pragma once

#include <algorithm>

#include "../conv1d_backward_table.hpp"
#include "conv1d_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void conv1d_backward_input(const Context&, const Conv1dBackwardArguments<T>& a, std::int64_t plane_begin,
                           std::int64_t plane_end) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane) {
    const std::int64_t b = plane / a.C, c = plane % a.C;
    T* dx = a.dx + plane * a.L;
    std::fill(dx, dx + a.L, T(0));
    for (std::int64_t o = 0; o < a.O; ++o) {
      const T* dy = a.dy + (b * a.O + o) * a.out;
      for (std::int64_t u = 0; u < a.kernel; ++u) {
        const T weight = a.w[(o * a.C + c) * a.kernel + u];
        const std::int64_t offset = u * a.dilation - a.pad_left;
        const Conv1dReach reach = conv1d_reach(offset, a.stride, a.L, a.out);
        for (std::int64_t j = reach.begin; j < reach.end; ++j) dx[j * a.stride + offset] += weight * dy[j];
      }
    }
  }
}

template <class T>
void conv1d_backward_weight(const Context&, const Conv1dBackwardArguments<T>& a, std::int64_t o_begin,
                            std::int64_t o_end) {
  for (std::int64_t o = o_begin; o < o_end; ++o) {
    if (a.db != nullptr) {
      T sum = 0;
      for (std::int64_t b = 0; b < a.B; ++b)
        for (std::int64_t j = 0; j < a.out; ++j) sum += a.dy[(b * a.O + o) * a.out + j];
      a.db[o] += sum;
    }
    if (a.dw == nullptr) continue;
    for (std::int64_t c = 0; c < a.C; ++c)
      for (std::int64_t u = 0; u < a.kernel; ++u) {
        const std::int64_t offset = u * a.dilation - a.pad_left;
        const Conv1dReach reach = conv1d_reach(offset, a.stride, a.L, a.out);
        T sum = 0;
        for (std::int64_t b = 0; b < a.B; ++b) {
          const T* dy = a.dy + (b * a.O + o) * a.out;
          const T* x = a.x + (b * a.C + c) * a.L;
          for (std::int64_t j = reach.begin; j < reach.end; ++j) sum += dy[j] * x[j * a.stride + offset];
        }
        a.dw[(o * a.C + c) * a.kernel + u] += sum;
      }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, Conv1dBackwardKernels<T>& table) {
  table.input = &scalar::conv1d_backward_input<T>;
  table.weight = &scalar::conv1d_backward_weight<T>;
}

}  // namespace imu2music::inline v0::kernels
