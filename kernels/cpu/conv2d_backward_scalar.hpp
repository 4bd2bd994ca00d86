// The gradients of the two-dimensional convolution, portable: the truth for the other columns.
#pragma once

#include <algorithm>

#include "../conv2d_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// The outputs begin..end whose input j stride + offset lies in 0..size-1.
struct Conv2dReach {
  std::int64_t begin, end;
};

inline Conv2dReach conv2d_reach(std::int64_t offset, std::int64_t stride, std::int64_t size,
                                std::int64_t out) {
  const std::int64_t begin = offset < 0 ? (-offset + stride - 1) / stride : 0;
  const std::int64_t end =
      offset < size ? std::min(out, (size - offset + stride - 1) / stride) : std::int64_t{0};
  return {begin, end};
}

template <class T>
void conv2d_backward_input(const Context&, const Conv2dBackwardArguments<T>& a, std::int64_t plane_begin,
                           std::int64_t plane_end) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane) {
    const std::int64_t b = plane / a.C, c = plane % a.C;
    T* dx = a.dx + plane * a.H * a.W;
    std::fill(dx, dx + a.H * a.W, T(0));
    for (std::int64_t o = 0; o < a.O; ++o) {
      const T* dy = a.dy + (b * a.O + o) * a.out_h * a.out_w;
      for (std::int64_t u = 0; u < a.kernel_h; ++u) {
        const Conv2dReach rows = conv2d_reach(u - a.pad_h, a.stride_h, a.H, a.out_h);
        for (std::int64_t v = 0; v < a.kernel_w; ++v) {
          const T weight = a.w[((o * a.C + c) * a.kernel_h + u) * a.kernel_w + v];
          const std::int64_t offset = v - a.pad_w;
          const Conv2dReach columns = conv2d_reach(offset, a.stride_w, a.W, a.out_w);
          for (std::int64_t i = rows.begin; i < rows.end; ++i) {
            T* row = dx + (i * a.stride_h + u - a.pad_h) * a.W;
            for (std::int64_t j = columns.begin; j < columns.end; ++j)
              row[j * a.stride_w + offset] += weight * dy[i * a.out_w + j];
          }
        }
      }
    }
  }
}

template <class T>
void conv2d_backward_weight(const Context&, const Conv2dBackwardArguments<T>& a, std::int64_t o_begin,
                            std::int64_t o_end) {
  const std::int64_t plane = a.out_h * a.out_w;
  for (std::int64_t o = o_begin; o < o_end; ++o) {
    if (a.db != nullptr) {
      T sum = 0;
      for (std::int64_t b = 0; b < a.B; ++b)
        for (std::int64_t n = 0; n < plane; ++n) sum += a.dy[(b * a.O + o) * plane + n];
      a.db[o] += sum;
    }
    if (a.dw == nullptr) continue;
    for (std::int64_t c = 0; c < a.C; ++c)
      for (std::int64_t u = 0; u < a.kernel_h; ++u) {
        const Conv2dReach rows = conv2d_reach(u - a.pad_h, a.stride_h, a.H, a.out_h);
        for (std::int64_t v = 0; v < a.kernel_w; ++v) {
          const std::int64_t offset = v - a.pad_w;
          const Conv2dReach columns = conv2d_reach(offset, a.stride_w, a.W, a.out_w);
          T sum = 0;
          for (std::int64_t b = 0; b < a.B; ++b) {
            const T* dy = a.dy + (b * a.O + o) * plane;
            const T* x = a.x + (b * a.C + c) * a.H * a.W;
            for (std::int64_t i = rows.begin; i < rows.end; ++i) {
              const T* row = x + (i * a.stride_h + u - a.pad_h) * a.W;
              for (std::int64_t j = columns.begin; j < columns.end; ++j)
                sum += dy[i * a.out_w + j] * row[j * a.stride_w + offset];
            }
          }
          a.dw[((o * a.C + c) * a.kernel_h + u) * a.kernel_w + v] += sum;
        }
      }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, Conv2dBackwardKernels<T>& table) {
  table.input = &scalar::conv2d_backward_input<T>;
  table.weight = &scalar::conv2d_backward_weight<T>;
}

}  // namespace imu2music::inline v0::kernels
