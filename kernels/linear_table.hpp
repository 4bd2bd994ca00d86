// The affine map of every dense layer:
//
//   y[m][n] = activation(sum_k x[m][k] W[n][k] + b[n])
//
// x: [M, K] with row stride x_stride, or in segments (below); W: [N, K], packed; b: [N] or null; y: [M, N]
// with row stride y_stride. y overlaps nothing else. Cost: M N K multiply-adds.
//
// Packed, W stands in panels of 64 neighbouring n, each [K][64], so that a kernel reads it from front to back
// with lanes over n; the last panel is 32 or 64 wide, filled up with zeros. It is kept
//   plain   as it is
//   bf16    rounded to the nearest bfloat16, ties to even: 16-bit words; lane l of each 32 columns' 16
//           double words holds column l below and column 16 + l above
//   int8    as integers q = W[n][k] / scale[n] rounded to nearest, scale[n] = max_k |W[n][k]| / 127
// and multiplied in the precision of x whichever it is; the sums of int8 get their scale at the end. A device
// keeps a packed W [N, K] row-major instead, in any of these formats (bf16 in order); what is packed on one
// device is read there only.
//
// In segments, x[m][k] stands at x + m x_stride + k / segment segment_step + k mod segment: a convolution
// along the rows of x is the affine map of the rows that each output looks at, read where they lie. In
// sequences, m / sequence sequence_step + m mod sequence x_stride stands in place of m x_stride.
//
// An element is one sum over k, multiply-adds in rising order, whatever M, N and the range asked for are. So
// one row computed by itself (a decoding step) has the same bits as that row computed among others, and
// results do not depend on how the range is split among threads. On a device it is several such sums, by the
// sizes alone.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

enum class WeightFormat { plain, bf16, int8 };

constexpr std::int64_t linear_panel = 64;  // columns
constexpr std::int64_t linear_group = 32;  // a panel is one or two of these wide

// The width of the panel that begins at column n, a multiple of linear_panel, of N.
constexpr std::int64_t linear_panel_width(std::int64_t N, std::int64_t n) {
  return N - n > linear_group ? linear_panel : linear_group;
}

// How many numbers the packed weight has.
constexpr std::int64_t linear_packed_size(std::int64_t N, std::int64_t K) {
  return (N + linear_group - 1) / linear_group * linear_group * K;
}

// Bytes a number; plain: those of T.
constexpr std::int64_t bytes_of(WeightFormat format, std::int64_t plain) {
  return format == WeightFormat::plain ? plain : format == WeightFormat::bf16 ? 2 : 1;
}

template <class T>
struct LinearArguments {
  const T* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t segment = 0, segment_step = 0;    // 0: all of a row of x in one piece; else a divisor of K
  std::int64_t sequence = 0, sequence_step = 0;  // rows of a sequence, 0: one; where the table has sequences
  const void* W = nullptr;                       // packed, in `format`
  WeightFormat format = WeightFormat::plain;
  const T* scale = nullptr;  // [N]; of int8
  const T* b = nullptr;
  T* y = nullptr;
  std::int64_t y_stride = 0;
  std::int64_t K = 0, N = 0;
  Activation activation = Activation::none;
  T slope = 0;  // of leaky_relu
};

// W: [N, K] row-major → packed; scale: [N] for int8, else null.
template <class T>
struct LinearPackArguments {
  const T* W = nullptr;
  std::int64_t K = 0, N = 0;
  WeightFormat format = WeightFormat::plain;
  void* packed = nullptr;
  T* scale = nullptr;
};

// Columns are asked for in whole panels: n_begin is a multiple of linear_panel, n_end one too or N.
template <class T>
struct LinearKernels {
  bool row_major = false;  // packed is [N, K]: a plain W is its own packing
  bool sequences = false;
  // Columns n_begin..n_end. The bits are those of every other column of this table, the order aside.
  void (*pack)(const Context& context, const LinearPackArguments<T>& arguments, std::int64_t n_begin,
               std::int64_t n_end) = nullptr;
  // Rows m_begin..m_end of y, columns n_begin..n_end.
  void (*forward)(const Context& context, const LinearArguments<T>& arguments, std::int64_t m_begin,
                  std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
