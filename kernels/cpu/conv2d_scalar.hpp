// Two-dimensional cross-correlation, portable: the truth for the other columns.
#pragma once

#include <algorithm>

#include "../conv2d_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// One row of an output plane: each weight adds its multiple of a stretch of an input row, so that the inner
// loop runs along the width; outputs whose input lies in the padding are left out of that loop.
template <class T>
void conv2d_row(const Conv2dArguments<T>& a, std::int64_t plane, std::int64_t i) {
  const std::int64_t b = plane / a.O, o = plane % a.O;
  T* y = a.y + (plane * a.out_h + i) * a.out_w;
  std::fill(y, y + a.out_w, a.bias != nullptr ? a.bias[o] : T(0));
  for (std::int64_t c = 0; c < a.C; ++c)
    for (std::int64_t u = 0; u < a.kernel_h; ++u) {
      const std::int64_t row = i * a.stride_h + u - a.pad_h;
      if (row < 0 || row >= a.H) continue;
      const T* x = a.x + ((b * a.C + c) * a.H + row) * a.W;
      const T* w = a.w + ((o * a.C + c) * a.kernel_h + u) * a.kernel_w;
      for (std::int64_t v = 0; v < a.kernel_w; ++v) {
        // 0 <= j stride + v - pad < W
        const std::int64_t before = a.pad_w - v, after = a.W + a.pad_w - v;
        const std::int64_t begin = before > 0 ? (before + a.stride_w - 1) / a.stride_w : 0;
        const std::int64_t end =
            after > 0 ? std::min(a.out_w, (after + a.stride_w - 1) / a.stride_w) : std::int64_t{0};
        const T weight = w[v];
        if (a.stride_w == 1)
          for (std::int64_t j = begin; j < end; ++j) y[j] += weight * x[j - before];
        else
          for (std::int64_t j = begin; j < end; ++j) y[j] += weight * x[j * a.stride_w - before];
      }
    }
  const T scale = a.scale != nullptr ? a.scale[o] : T(1);
  const T shift = a.scale != nullptr && a.shift != nullptr ? a.shift[o] : T(0);
  for (std::int64_t j = 0; j < a.out_w; ++j) y[j] = activate(y[j] * scale + shift, a.activation, a.slope);
}

template <class T>
void conv2d_forward(const Context&, const Conv2dArguments<T>& a, std::int64_t plane_begin,
                    std::int64_t plane_end) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane)
    for (std::int64_t i = 0; i < a.out_h; ++i) conv2d_row(a, plane, i);
}

}  // namespace scalar

template <class T>
void install(ScalarTag, Conv2dKernels<T>& table) {
  table.forward = &scalar::conv2d_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
