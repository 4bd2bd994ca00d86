// What convolutions along frames move about, portable.
#pragma once

#include <algorithm>

#include "../conv1d_layout_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void conv1d_matrix(const Context&, const T* w, T* matrix, std::int64_t O, std::int64_t C,
                   std::int64_t kernel) {
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t u = 0; u < kernel; ++u)
        matrix[(o * kernel + u) * C + c] = w[(o * C + c) * kernel + u];
}

template <class T>
void conv1d_turned(const Context&, const T* w, T* turned, std::int64_t O, std::int64_t C,
                   std::int64_t kernel) {
  for (std::int64_t c = 0; c < C; ++c)
    for (std::int64_t u = 0; u < kernel; ++u)
      for (std::int64_t o = 0; o < O; ++o)
        turned[(c * kernel + u) * O + o] = w[(o * C + c) * kernel + kernel - 1 - u];
}

template <class T>
void conv1d_pad(const Context&, const T* x, T* frames, std::int64_t L, std::int64_t C, std::int64_t before,
                std::int64_t padded, std::int64_t b_begin, std::int64_t b_end) {
  for (std::int64_t b = b_begin; b < b_end; ++b) {
    T* to = frames + b * padded * C;
    std::fill_n(to, before * C, T(0));
    std::copy_n(x + b * L * C, L * C, to + before * C);
    std::fill_n(to + (before + L) * C, (padded - before - L) * C, T(0));
  }
}

template <class T>
void conv1d_gather(const Context&, const Conv1dGatherArguments<T>& a, std::int64_t b_begin,
                   std::int64_t b_end) {
  for (std::int64_t b = b_begin; b < b_end; ++b) {
    std::fill_n(a.dx + b * a.L * a.C, a.L * a.C, T(0));
    for (std::int64_t j = 0; j < a.out; ++j)
      for (std::int64_t u = 0; u < a.kernel; ++u) {
        const std::int64_t i = j * a.stride + u * a.dilation - a.pad_left;
        if (i < 0 || i >= a.L) continue;
        const T* column = a.columns + ((b * a.out + j) * a.kernel + u) * a.C;
        T* frame = a.dx + (b * a.L + i) * a.C;
        for (std::int64_t c = 0; c < a.C; ++c) frame[c] += column[c];
      }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, Conv1dLayoutKernels<T>& table) {
  table.matrix = &scalar::conv1d_matrix<T>;
  table.turned = &scalar::conv1d_turned<T>;
  table.pad = &scalar::conv1d_pad<T>;
  table.gather = &scalar::conv1d_gather<T>;
}

}  // namespace imu2music::inline v0::kernels
