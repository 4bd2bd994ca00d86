// The gradients of dense layers, and of convolutions along rows, on the device: products as in gemm.cuh, large ones
// by cuBLAS, whose order of sums is the same every time on one device. The bias's gradient is formed from up to 256
// parts of the rows, added in order.
//
// The weight's gradient reads dy and x once for each of the other's tiles; the bias's reads dy once.
#pragma once

#include "../linear_backward_table.hpp"
#include "gemm.cuh"

namespace imu2music::inline v0::kernels::cuda {

inline void linear_input_gradient(const Context& context, const LinearInputGradientArguments<float>& a,
                                  std::int64_t m_begin, std::int64_t m_end) {
  const std::int64_t M = m_end - m_begin;
  if (M <= 0 || a.K <= 0) return;
  const float* dy = a.dy + m_begin * a.dy_stride;
  float* dx = a.dx + m_begin * a.dx_stride;
  if (!gemm_is_large(M, a.K, a.N))
    return gemm<float, true, false>(context, "linear_input_gradient", gemm_operand(dy, a.dy_stride, a.N),
                                    gemm_operand(a.W, a.K, a.K), gemm_result(dx, a.dx_stride), M, a.K, a.N);
  const CublasOperand<float> left(context, dy, M, a.N, a.dy_stride), right(context, a.W, a.N, a.K, a.K);
  cublas_gemm(context, left, CUBLAS_OP_N, right, CUBLAS_OP_N, dx, a.dx_stride, M, a.K, a.N, 0);
}

// ---- sums of columns --------------------------------------------------------------------------------------------

constexpr int column_sums_warps = 8;

// Block (c, p) adds rows p rows_a_part .. of columns 32 c .. + 31: warps by turns, then over the warps in order. With
// one part the sums are added to db, else they are left in partial, [parts, N].
__global__ void __launch_bounds__(32 * column_sums_warps)
    column_sums_kernel(const float* __restrict__ dy, std::int64_t stride, float* db, float* partial, int M, int N,
                       int rows_a_part) {
  __shared__ float shared[column_sums_warps][32];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int n = static_cast<int>(blockIdx.x) * 32 + lane;
  const int begin = static_cast<int>(blockIdx.y) * rows_a_part, end = min(M, begin + rows_a_part);
  float sum = 0;
  if (n < N)
#pragma unroll 4
    for (int m = begin + warp; m < end; m += column_sums_warps) sum += dy[m * stride + n];
  shared[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || n >= N) return;
  float total = 0;
#pragma unroll
  for (int w = 0; w < column_sums_warps; ++w) total += shared[w][lane];
  if (partial == nullptr)
    db[n] += total;
  else
    partial[std::int64_t{blockIdx.y} * N + n] = total;
}

__global__ void __launch_bounds__(32 * column_sums_warps)
    add_column_sums_kernel(const float* __restrict__ partial, float* db, int parts, int N) {
  const int n = static_cast<int>(blockIdx.x) * 32 * column_sums_warps + static_cast<int>(threadIdx.x);
  if (n >= N) return;
  float sum = 0;
#pragma unroll 8
  for (int part = 0; part < parts; ++part) sum += partial[std::int64_t{part} * N + n];
  db[n] += sum;
}

inline void add_column_sums(const Context& context, const float* dy, std::int64_t stride, float* db,
                            std::int64_t rows, std::int64_t columns) {
  constexpr int least_rows = 128, most_parts = 256;
  const int M = gemm_size(rows), N = gemm_size(columns);
  const int rows_a_part = std::max(least_rows, (M + most_parts - 1) / most_parts);
  const int parts = (M + rows_a_part - 1) / rows_a_part;
  if (parts == 0) return;
  const dim3 grid(blocks_for(N, 32), static_cast<unsigned>(parts));
  if (parts == 1)
    return launch(context, "column_sums", column_sums_kernel, grid, 32 * column_sums_warps, dy, stride, db, nullptr,
                  M, N, rows_a_part);
  const Scratch partial(context, std::int64_t{parts} * N * std::int64_t{sizeof(float)});
  launch(context, "column_sums", column_sums_kernel, grid, 32 * column_sums_warps, dy, stride, db,
         partial.as<float>(), M, N, rows_a_part);
  launch(context, "add_column_sums", add_column_sums_kernel, blocks_for(N, 32 * column_sums_warps),
         32 * column_sums_warps, partial.as<float>(), db, parts, N);
}

inline void linear_weight_gradient(const Context& context, const LinearWeightGradientArguments<float>& a,
                                   std::int64_t n_begin, std::int64_t n_end) {
  const std::int64_t N = n_end - n_begin;
  if (N <= 0) return;
  const float* dy = a.dy + n_begin;
  if (a.db != nullptr) add_column_sums(context, dy, a.dy_stride, a.db + n_begin, a.M, N);
  if (a.dW == nullptr || a.K <= 0 || a.M <= 0) return;
  const GemmOperand x = gemm_operand(a.x, a.x_stride, a.K, a.segment, a.segment_step, a.sequence, a.sequence_step);
  GemmResult result = gemm_result(a.dW + n_begin * a.K, a.K);
  result.add = true;
  if (a.taps > 1) {
    result.taps = gemm_size(a.taps);
    result.channels = gemm_size(a.K / a.taps);
  }
  if (!x.is_plain(a.K) || result.taps != 0 || !gemm_is_large(N, a.K, a.M))
    return gemm<float, false, false>(context, "linear_weight_gradient", gemm_operand(dy, a.dy_stride, N), x, result,
                                     N, a.K, a.M);
  const CublasOperand<float> left(context, dy, a.M, N, a.dy_stride), right(context, a.x, a.M, a.K, a.x_stride);
  cublas_gemm(context, left, CUBLAS_OP_T, right, CUBLAS_OP_N, result.y, a.K, N, a.K, a.M, 1);
}

inline void install(LinearBackwardKernels<float>& table) {
  table.input = &linear_input_gradient;
  table.weight = &linear_weight_gradient;
  table.sequences = true;
}

}  // namespace imu2music::inline v0::kernels::cuda
