// One-dimensional cross-correlation, portable: the truth for the other columns.
#pragma once

#include <algorithm>

#include "../conv1d_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// The outputs begin..end whose input j stride + offset lies in 0..L-1.
struct Conv1dReach {
  std::int64_t begin, end;
};

inline Conv1dReach conv1d_reach(std::int64_t offset, std::int64_t stride, std::int64_t L, std::int64_t out) {
  const std::int64_t begin = offset < 0 ? (-offset + stride - 1) / stride : 0;
  const std::int64_t end = offset < L ? std::min(out, (L - offset + stride - 1) / stride) : std::int64_t{0};
  return {begin, end};
}

template <class T>
void conv1d_forward(const Context&, const Conv1dArguments<T>& a, std::int64_t plane_begin,
                    std::int64_t plane_end) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane) {
    const std::int64_t b = plane / a.O, o = plane % a.O;
    T* y = a.y + plane * a.out;
    std::fill(y, y + a.out, a.bias != nullptr ? a.bias[o] : T(0));
    for (std::int64_t c = 0; c < a.C; ++c)
      for (std::int64_t u = 0; u < a.kernel; ++u) {
        const T* x = a.x + (b * a.C + c) * a.L;
        const T weight = a.w[(o * a.C + c) * a.kernel + u];
        const std::int64_t offset = u * a.dilation - a.pad_left;
        const Conv1dReach reach = conv1d_reach(offset, a.stride, a.L, a.out);
        for (std::int64_t j = reach.begin; j < reach.end; ++j) y[j] += weight * x[j * a.stride + offset];
      }
    for (std::int64_t j = 0; j < a.out; ++j) y[j] = activate(y[j], a.activation, a.slope);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, Conv1dKernels<T>& table) {
  table.forward = &scalar::conv1d_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
