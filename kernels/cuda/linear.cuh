// The affine map of dense layers on the device. A packed weight is [N, K] row-major in its format, so that a plain
// one is used as it stands.
//
//   up to 8 rows   a warp or several an output: lanes lie along a row of W, 16 bytes each where rows are aligned, and
//                  multiply them with all rows of x, which the caches hold. W is read once: what decoding costs.
//   large          cuBLAS, then scale, bias and activation on its result where there are any
//   else           gemm.cuh
#pragma once

#include "../linear_table.hpp"
#include "gemm.cuh"

namespace imu2music::inline v0::kernels::cuda {

// ---- few rows ---------------------------------------------------------------------------------------------------

constexpr int linear_most_few_rows = 8;
constexpr int linear_warps = 8;  // a block

// 16 bytes of a row of W, in fours of numbers.
__device__ __forceinline__ float4 linear_four(const uint4& words, int, float) {
  return make_float4(__uint_as_float(words.x), __uint_as_float(words.y), __uint_as_float(words.z),
                     __uint_as_float(words.w));
}
__device__ __forceinline__ float4 linear_four(const uint4& words, int n, __nv_bfloat16) {
  const unsigned first = n == 0 ? words.x : words.z, second = n == 0 ? words.y : words.w;
  return make_float4(gemm_lower_bfloat16(first), gemm_upper_bfloat16(first), gemm_lower_bfloat16(second),
                     gemm_upper_bfloat16(second));
}
__device__ __forceinline__ float4 linear_four(const uint4& words, int n, std::int8_t) {
  const unsigned word = n == 0 ? words.x : n == 1 ? words.y : n == 2 ? words.z : words.w;
  return make_float4(gemm_byte(word, 0), gemm_byte(word, 1), gemm_byte(word, 2), gemm_byte(word, 3));
}

// `sharing` neighbouring warps share an output's k by turns. M <= Rows.
template <class Number, int Rows>
__global__ void __launch_bounds__(32 * linear_warps)
    linear_few_rows_kernel(GemmOperand x, GemmOperand w, GemmResult result, int M, int N, int K, int sharing,
                           bool in_vectors) {
  constexpr int width = 16 / static_cast<int>(sizeof(Number));
  __shared__ float partial[linear_warps][Rows];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int n = static_cast<int>(blockIdx.x) * (linear_warps / sharing) + warp / sharing, share = warp % sharing;
  const Number* row = static_cast<const Number*>(w.data) + gemm_row_offset(w, min(n, N - 1));
  std::int64_t rows[Rows];
  float sums[Rows];
#pragma unroll
  for (int m = 0; m < Rows; ++m) {
    rows[m] = gemm_row_offset(x, min(m, M - 1));
    sums[m] = 0;
  }
  if (in_vectors) {
    const uint4* vectors = reinterpret_cast<const uint4*>(row);
#pragma unroll 2
    for (int v = share * 32 + lane; v < K / width; v += sharing * 32) {
      const uint4 words = __ldg(vectors + v);
#pragma unroll
      for (int i = 0; i < width / 4; ++i) {
        const float4 four = linear_four(words, i, Number{});
        const int k = v * width + 4 * i;
#pragma unroll
        for (int m = 0; m < Rows; ++m) {
          const float4 xs = gemm_four<float>(x, rows[m], k, K);
          sums[m] += four.x * xs.x;
          sums[m] += four.y * xs.y;
          sums[m] += four.z * xs.z;
          sums[m] += four.w * xs.w;
        }
      }
    }
  } else {
    for (int k = share * 32 + lane; k < K; k += sharing * 32) {
      const float number = gemm_number(row[k]);
      const std::int64_t column = gemm_column_offset(x, k);
#pragma unroll
      for (int m = 0; m < Rows; ++m) sums[m] += number * static_cast<const float*>(x.data)[rows[m] + column];
    }
  }
#pragma unroll
  for (int m = 0; m < Rows; ++m) {
    sums[m] = warp_sum(sums[m]);
    if (lane == 0) partial[warp][m] = sums[m];
  }
  __syncthreads();
  if (share != 0 || n >= N || lane >= M) return;
  float sum = 0;
  for (int other = 0; other < sharing; ++other) sum += partial[warp + other][lane];
  gemm_store(result, lane, n, sum);
}

template <class Number>
void linear_few_rows(const Context& context, const GemmOperand& x, const GemmOperand& w, const GemmResult& result,
                     int M, int N, int K) {
  constexpr int width = 16 / static_cast<int>(sizeof(Number)), warps_wanted = 2048;
  const bool in_vectors =
      K % width == 0 && w.row_stride % width == 0 && reinterpret_cast<std::uintptr_t>(w.data) % 16 == 0;
  int sharing = 1;
  while (sharing < linear_warps && std::int64_t{N} * sharing < warps_wanted &&
         K > std::int64_t{32} * (in_vectors ? width : 1) * sharing)
    sharing *= 2;
  launch(context, "linear_few_rows",
         M == 1   ? linear_few_rows_kernel<Number, 1>
         : M == 2 ? linear_few_rows_kernel<Number, 2>
         : M <= 4 ? linear_few_rows_kernel<Number, 4>
                  : linear_few_rows_kernel<Number, 8>,
         blocks_for(N, linear_warps / sharing), 32 * linear_warps, x, w, result, M, N, K, sharing, in_vectors);
}

// ---- all rows ---------------------------------------------------------------------------------------------------

template <class Number>
void linear_rows(const Context& context, const LinearArguments<float>& a, const Number* W, std::int64_t m_begin,
                 std::int64_t M, std::int64_t n_begin, std::int64_t N) {
  if (M <= 0 || N <= 0) return;
  GemmOperand x = gemm_operand(a.x, a.x_stride, a.K, a.segment, a.segment_step, a.sequence, a.sequence_step);
  x.first = gemm_size(m_begin);
  GemmOperand w = gemm_operand(W + n_begin * a.K, a.K, a.K);
  GemmResult result = gemm_result(a.y + m_begin * a.y_stride + n_begin, a.y_stride);
  result.scale = a.format == WeightFormat::int8 ? a.scale + n_begin : nullptr;
  result.bias = a.b == nullptr ? nullptr : a.b + n_begin;
  result.activation = a.activation;
  result.slope = a.slope;
  if (M <= linear_most_few_rows)
    return linear_few_rows<Number>(context, x, w, result, static_cast<int>(M), gemm_size(N), gemm_size(a.K));
  if (!x.is_plain(a.K) || !gemm_is_large(M, N, a.K))
    return gemm<Number, true, true>(context, "linear", x, w, result, M, N, a.K);
  const CublasOperand<float> left(context, a.x + m_begin * a.x_stride, M, a.K, a.x_stride);
  const CublasOperand<Number> right(context, W + n_begin * a.K, N, a.K, a.K);
  cublas_gemm(context, left, CUBLAS_OP_N, right, CUBLAS_OP_T, result.y, result.stride, M, N, a.K, 0);
  if (result.scale != nullptr || result.bias != nullptr || result.activation != Activation::none)
    launch(context, "linear_finish", gemm_finish_kernel, gemm_rows_grid(M, N), dim3(gemm_row_lanes, gemm_row_warps),
           result, gemm_size(M), gemm_size(N));
}

inline void linear_forward(const Context& context, const LinearArguments<float>& a, std::int64_t m_begin,
                           std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end) {
  const std::int64_t M = m_end - m_begin, N = n_end - n_begin;
  if (a.format == WeightFormat::bf16)
    linear_rows(context, a, static_cast<const __nv_bfloat16*>(a.W), m_begin, M, n_begin, N);
  else if (a.format == WeightFormat::int8)
    linear_rows(context, a, static_cast<const std::int8_t*>(a.W), m_begin, M, n_begin, N);
  else
    linear_rows(context, a, static_cast<const float*>(a.W), m_begin, M, n_begin, N);
}

// ---- packing ----------------------------------------------------------------------------------------------------

// A warp a row.
__global__ void __launch_bounds__(32 * linear_warps)
    linear_pack_int8_kernel(const float* __restrict__ W, std::int8_t* __restrict__ packed, float* __restrict__ scale,
                            int N, int K) {
  const int n = static_cast<int>(blockIdx.x) * linear_warps + static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (n >= N) return;
  W += std::int64_t{n} * K;
  packed += std::int64_t{n} * K;
  float largest = 0;
  for (int k = lane; k < K; k += 32) largest = fmaxf(largest, fabsf(W[k]));
  const float unit = __fdiv_rn(warp_max(largest), 127.0f);
  for (int k = lane; k < K; k += 32)
    packed[k] = unit > 0 ? static_cast<std::int8_t>(rintf(__fdiv_rn(W[k], unit))) : std::int8_t{0};
  if (lane == 0) scale[n] = unit;
}

inline void linear_pack(const Context& context, const LinearPackArguments<float>& a, std::int64_t n_begin,
                        std::int64_t n_end) {
  const std::int64_t N = n_end - n_begin;
  if (N <= 0 || a.K <= 0) return;
  const float* W = a.W + n_begin * a.K;
  if (a.format == WeightFormat::int8)
    launch(context, "linear_pack_int8", linear_pack_int8_kernel, blocks_for(N, linear_warps), 32 * linear_warps, W,
           static_cast<std::int8_t*>(a.packed) + n_begin * a.K, a.scale + n_begin, gemm_size(N), gemm_size(a.K));
  else if (a.format == WeightFormat::bf16)
    gemm_convert(context, W, a.K, static_cast<__nv_bfloat16*>(a.packed) + n_begin * a.K, N, a.K);
  else
    copy_on_device(context, static_cast<float*>(a.packed) + n_begin * a.K, W,
                   static_cast<std::size_t>(N * a.K) * sizeof(float));
}

inline void install(LinearKernels<float>& table) {
  table.pack = &linear_pack;
  table.forward = &linear_forward;
  table.row_major = true;
  table.sequences = true;
}

}  // namespace imu2music::inline v0::kernels::cuda
