// The gradients of the affine map y = x W^T + b (linear_table.hpp):
//
//   dx[m][k]  = sum_n dy[m][n] W[n][k]
//   dW[n][k] += sum_m dy[m][n] x[m][k]
//   db[n]    += sum_m dy[m][n]
//
// dy: [M, N] with row stride dy_stride; W, dW: [N, K] row-major; db: [N]; x, dx: [M, K] with row strides
// x_stride and dx_stride; x may stand in segments and sequences (linear_table.hpp), and dW with `taps` in the
// order of a convolution's weight: [N, K / taps, taps], k = tap K / taps + channel. The results overlap
// nothing else. Cost: M N K multiply-adds for dx and as many for dW.
//
// An element's sum runs in an order that depends on the length of the sum alone, so no bit depends on the
// range asked for: dx is split among threads by rows, dW and db by outputs.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct LinearInputGradientArguments {
  const T* dy = nullptr;
  std::int64_t dy_stride = 0;
  const T* W = nullptr;
  T* dx = nullptr;
  std::int64_t dx_stride = 0;
  std::int64_t N = 0, K = 0;
};

template <class T>
struct LinearWeightGradientArguments {
  const T* dy = nullptr;
  std::int64_t dy_stride = 0;
  const T* x = nullptr;  // may be null where dW is
  std::int64_t x_stride = 0;
  // All 0 but where the table has sequences.
  std::int64_t segment = 0, segment_step = 0;
  std::int64_t sequence = 0, sequence_step = 0;
  std::int64_t taps = 0;
  T* dW = nullptr;  // or null: not wanted
  T* db = nullptr;  // or null: not wanted
  std::int64_t M = 0, K = 0;
};

template <class T>
struct LinearBackwardKernels {
  bool sequences = false;
  // Rows m_begin..m_end of dx.
  void (*input)(const Context& context, const LinearInputGradientArguments<T>& arguments,
                std::int64_t m_begin, std::int64_t m_end) = nullptr;
  // Rows n_begin..n_end of dW and elements n_begin..n_end of db.
  void (*weight)(const Context& context, const LinearWeightGradientArguments<T>& arguments,
                 std::int64_t n_begin, std::int64_t n_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
