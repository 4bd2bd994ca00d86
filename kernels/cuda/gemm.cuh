// Products of matrices on the device, for dense layers, convolutions along rows and their gradients:
//
//   y[m][n] (=|+=) activation(scale[n] sum_k a(m, k) b(n, k) + bias[n])
//
// An operand stands in rows of memory, and either a row holds all k of one output or all outputs of one k; in both
// its numbers may stand in segments and its rows in sequences (linear_table.hpp), so that a convolution is read where
// it lies. b may be in float32, bfloat16 or 8-bit integers; sums are float32.
//
// A block of 256 threads computes a square tile of y, 64 or 128 wide, a thread 4 by 4 or 8 by 8 of it in pieces of
// four neighbours. Each step's numbers go through one of two pieces of shared memory, turned so that k is the row,
// and are fetched, four at a time where they are aligned, while the step before is multiplied. Where there are few
// tiles and many k, blocks share a tile's k and a second kernel adds their sums in order. How a product is cut
// depends on its sizes alone, so results are the same every time and on every device.
//
// Reads a once for each column of tiles and b once for each row of them; writes y once.
//
// Large products of plain matrices go to cuBLAS, in the precision that the context asks for (MatrixPrecision).
#pragma once

#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "activation.cuh"
#include "launch.cuh"
#include "runtime.cuh"
#include "scratch.cuh"

namespace imu2music::inline v0::kernels::cuda {

// Products with at least so many multiply-adds are worth cuBLAS's start.
constexpr std::int64_t cublas_multiply_adds = std::int64_t{1} << 24;

// ---- operands ---------------------------------------------------------------------------------------------------

// Numbers of rows and columns fit an int with room to spare; offsets need 64 bits.
inline int gemm_size(std::int64_t size) {
  if (size < 0 || size > std::int64_t{1} << 30)
    throw DeviceFailure("[cuda] a matrix with " + std::to_string(size) +
                        " rows or columns is beyond the device's kernels");
  return static_cast<int>(size);
}

struct GemmOperand {
  const void* data = nullptr;
  std::int64_t row_stride = 0;     // numbers, as all steps
  std::int64_t sequence_step = 0;  // from a sequence's first row to the next one's
  std::int64_t segment_step = 0;
  int sequence = 0;      // rows of a sequence; 0: all rows are row_stride apart
  int segment = 0;       // numbers of a segment; 0: a row is in one piece
  int first = 0;         // row 0 is the operand's row `first`
  bool aligned = false;  // groups of four that begin at a multiple of four: aligned and in one piece

  // Rows of `columns` numbers that do not overlap, all at one distance: what cuBLAS reads.
  bool is_plain(std::int64_t columns) const { return sequence == 0 && segment == 0 && row_stride >= columns; }
};

// What does not cut rows of `columns` numbers is no segment, and what leaves rows at equal distances no sequence.
template <class Number>
GemmOperand gemm_operand(const Number* data, std::int64_t row_stride, std::int64_t columns, std::int64_t segment = 0,
                         std::int64_t segment_step = 0, std::int64_t sequence = 0, std::int64_t sequence_step = 0) {
  GemmOperand o;
  o.data = data;
  o.row_stride = row_stride;
  if (segment > 0 && segment < columns && segment_step != segment) {
    o.segment = gemm_size(segment);
    o.segment_step = segment_step;
  }
  if (sequence > 0 && sequence_step != sequence * row_stride) {
    o.sequence = gemm_size(sequence);
    o.sequence_step = sequence_step;
  }
  o.aligned = reinterpret_cast<std::uintptr_t>(data) % (4 * sizeof(Number)) == 0 && o.row_stride % 4 == 0 &&
              o.sequence_step % 4 == 0 && o.segment % 4 == 0 && o.segment_step % 4 == 0;
  return o;
}

__device__ __forceinline__ std::int64_t gemm_row_offset(const GemmOperand& o, int row) {
  row += o.first;
  if (o.sequence == 0) return row * o.row_stride;
  const int sequence = row / o.sequence;
  return sequence * o.sequence_step + (row - sequence * o.sequence) * o.row_stride;
}
__device__ __forceinline__ std::int64_t gemm_column_offset(const GemmOperand& o, int column) {
  if (o.segment == 0) return column;
  const int segment = column / o.segment;
  return segment * o.segment_step + (column - segment * o.segment);
}

__device__ __forceinline__ float gemm_number(float x) { return x; }
__device__ __forceinline__ float gemm_number(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float gemm_number(std::int8_t x) { return static_cast<float>(x); }

// Two numbers a word, the first in its lower half.
__device__ __forceinline__ float gemm_lower_bfloat16(unsigned word) { return __uint_as_float(word << 16); }
__device__ __forceinline__ float gemm_upper_bfloat16(unsigned word) { return __uint_as_float(word & 0xffff0000u); }
__device__ __forceinline__ float gemm_byte(unsigned word, int n) {
  return static_cast<float>(static_cast<std::int8_t>(word >> 8 * n & 0xffu));
}

__device__ __forceinline__ float4 gemm_aligned_four(const float* at) { return *reinterpret_cast<const float4*>(at); }
__device__ __forceinline__ float4 gemm_aligned_four(const __nv_bfloat16* at) {
  const uint2 words = *reinterpret_cast<const uint2*>(at);
  return make_float4(gemm_lower_bfloat16(words.x), gemm_upper_bfloat16(words.x), gemm_lower_bfloat16(words.y),
                     gemm_upper_bfloat16(words.y));
}
__device__ __forceinline__ float4 gemm_aligned_four(const std::int8_t* at) {
  const unsigned word = *reinterpret_cast<const unsigned*>(at);
  return make_float4(gemm_byte(word, 0), gemm_byte(word, 1), gemm_byte(word, 2), gemm_byte(word, 3));
}

// Columns column..column + 3 of the row at `row`, 0 from `columns` on; column: a multiple of four.
template <class Number>
__device__ __forceinline__ float4 gemm_four(const GemmOperand& o, std::int64_t row, int column, int columns) {
  const Number* at = static_cast<const Number*>(o.data) + row;
  if (o.aligned && column + 4 <= columns) return gemm_aligned_four(at + gemm_column_offset(o, column));
  float x[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) x[i] = column + i < columns ? gemm_number(at[gemm_column_offset(o, column + i)]) : 0.0f;
  return make_float4(x[0], x[1], x[2], x[3]);
}

// ---- results ----------------------------------------------------------------------------------------------------

struct GemmResult {
  float* y = nullptr;
  std::int64_t stride = 0;
  const float* scale = nullptr;  // [N] or null
  const float* bias = nullptr;   // [N] or null
  Activation activation = Activation::none;
  float slope = 0;
  bool add = false;
  bool aligned = false;  // groups of four of y that begin at a multiple of four
  // Column n of a row goes to n % channels taps + n / channels, where there are taps (else 0): the order in which
  // convolutions keep their weights.
  int taps = 0, channels = 0;
  float* partial = nullptr;  // [splits][M][N] where blocks share the sums, then nothing else is written
};

inline GemmResult gemm_result(float* y, std::int64_t stride) {
  GemmResult r;
  r.y = y;
  r.stride = stride;
  r.aligned = reinterpret_cast<std::uintptr_t>(y) % 16 == 0 && stride % 4 == 0;
  return r;
}

__device__ __forceinline__ float gemm_finished(const GemmResult& r, int n, float sum) {
  if (r.scale != nullptr) sum *= r.scale[n];
  if (r.bias != nullptr) sum += r.bias[n];
  return activate(sum, r.activation, r.slope);
}

__device__ __forceinline__ void gemm_store(const GemmResult& r, int m, int n, float sum) {
  float* at = r.y + m * r.stride + (r.taps == 0 ? n : std::int64_t{n % r.channels} * r.taps + n / r.channels);
  const float finished = gemm_finished(r, n, sum);
  *at = r.add ? *at + finished : finished;
}

// ---- the product ------------------------------------------------------------------------------------------------

constexpr int gemm_threads = 256;  // 16 by 16
// k of a step: few where a thread has many sums, for the sake of its registers.
template <int Per>
constexpr int gemm_depth = Per == 8 ? 8 : 16;
constexpr int gemm_most_depth = 16;

// Brings the numbers of one operand's tile, 16 Per outputs by the k of a step, to shared memory.
template <class Number, bool RowsAreOutputs, int Per>
struct GemmLoader {
  static constexpr int tile = 16 * Per, depth = gemm_depth<Per>, fours = tile * depth / 4 / gemm_threads;
  static constexpr int across = RowsAreOutputs ? depth / 4 : tile / 4;  // fours in a row of the tile
  std::int64_t rows[RowsAreOutputs ? fours : 1];
  float4 held[fours];

  __device__ __forceinline__ static int tile_row(int i) {
    return (static_cast<int>(threadIdx.x) + i * gemm_threads) / across;
  }
  __device__ __forceinline__ static int tile_column(int i) {
    return (static_cast<int>(threadIdx.x) + i * gemm_threads) % across * 4;
  }

  // The tile begins at output `first` of `count`.
  __device__ __forceinline__ void begin(const GemmOperand& o, int first, int count) {
    if constexpr (RowsAreOutputs)
#pragma unroll
      for (int i = 0; i < fours; ++i) rows[i] = gemm_row_offset(o, min(first + tile_row(i), count - 1));
  }
  __device__ __forceinline__ void fetch(const GemmOperand& o, int first, int count, int k, int k_end) {
#pragma unroll
    for (int i = 0; i < fours; ++i) {
      const int row = tile_row(i), column = tile_column(i);
      if constexpr (RowsAreOutputs)
        held[i] = gemm_four<Number>(o, rows[i], k + column, first + row < count ? k_end : 0);
      else
        held[i] = k + row < k_end ? gemm_four<Number>(o, gemm_row_offset(o, k + row), first + column, count)
                                  : make_float4(0, 0, 0, 0);
    }
  }
  __device__ __forceinline__ void put(float (*piece)[tile + 4]) const {
#pragma unroll
    for (int i = 0; i < fours; ++i) {
      const int row = tile_row(i), column = tile_column(i);
      if constexpr (RowsAreOutputs) {
        piece[column][row] = held[i].x;
        piece[column + 1][row] = held[i].y;
        piece[column + 2][row] = held[i].z;
        piece[column + 3][row] = held[i].w;
      } else {
        *reinterpret_cast<float4*>(&piece[row][column]) = held[i];
      }
    }
  }
};

// Of the tile, a thread has outputs 64 g + 4 t .. + 3 for g < Per / 4, t its place in the block's row or column.
template <class Number, bool ARowsAreOutputs, bool BRowsAreOutputs, int Per>
__global__ void __launch_bounds__(gemm_threads, 2)
    gemm_kernel(GemmOperand a, GemmOperand b, GemmResult result, int M, int N, int K, int split) {
  static_assert(Per == 4 || Per == 8);
  constexpr int tile = 16 * Per, depth = gemm_depth<Per>;
  alignas(16) __shared__ float as[2][depth][tile + 4];
  alignas(16) __shared__ float bs[2][depth][tile + 4];
  const int thread = static_cast<int>(threadIdx.x), tm = thread / 16 * 4, tn = thread % 16 * 4;
  const int first_m = static_cast<int>(blockIdx.x) * tile, first_n = static_cast<int>(blockIdx.y) * tile;
  const int k_begin = static_cast<int>(blockIdx.z) * split, k_end = min(K, k_begin + split);

  float sums[Per][Per];
#pragma unroll
  for (int i = 0; i < Per; ++i)
#pragma unroll
    for (int j = 0; j < Per; ++j) sums[i][j] = 0;

  GemmLoader<float, ARowsAreOutputs, Per> load_a;
  GemmLoader<Number, BRowsAreOutputs, Per> load_b;
  load_a.begin(a, first_m, M);
  load_b.begin(b, first_n, N);
  load_a.fetch(a, first_m, M, k_begin, k_end);
  load_b.fetch(b, first_n, N, k_begin, k_end);
  load_a.put(as[0]);
  load_b.put(bs[0]);
  __syncthreads();
  int piece = 0;
  for (int k = k_begin; k < k_end; k += depth) {
    const bool more = k + depth < k_end;
    if (more) {
      load_a.fetch(a, first_m, M, k + depth, k_end);
      load_b.fetch(b, first_n, N, k + depth, k_end);
    }
#pragma unroll
    for (int step = 0; step < depth; ++step) {
      float x[Per], w[Per];
#pragma unroll
      for (int g = 0; g < Per / 4; ++g) {
        const float4 xs = *reinterpret_cast<const float4*>(&as[piece][step][64 * g + tm]);
        const float4 ws = *reinterpret_cast<const float4*>(&bs[piece][step][64 * g + tn]);
        x[4 * g] = xs.x, x[4 * g + 1] = xs.y, x[4 * g + 2] = xs.z, x[4 * g + 3] = xs.w;
        w[4 * g] = ws.x, w[4 * g + 1] = ws.y, w[4 * g + 2] = ws.z, w[4 * g + 3] = ws.w;
      }
#pragma unroll
      for (int i = 0; i < Per; ++i)
#pragma unroll
        for (int j = 0; j < Per; ++j) sums[i][j] += x[i] * w[j];
    }
    // Nobody reads the other piece: all have passed the last barrier.
    if (more) {
      load_a.put(as[1 - piece]);
      load_b.put(bs[1 - piece]);
    }
    __syncthreads();
    piece = 1 - piece;
  }

  float* partial = result.partial == nullptr ? nullptr : result.partial + std::int64_t{blockIdx.z} * M * N;
  const bool in_fours = partial != nullptr ? N % 4 == 0 : result.aligned && !result.add && result.taps == 0;
#pragma unroll
  for (int i = 0; i < Per; ++i) {
    const int m = first_m + i / 4 * 64 + tm + i % 4;
    if (m >= M) continue;
#pragma unroll
    for (int j = 0; j < Per; j += 4) {
      const int n = first_n + j / 4 * 64 + tn;
      if (in_fours && n + 4 <= N) {
        float4 four = make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
        float* at = nullptr;
        if (partial != nullptr) {
          at = partial + std::int64_t{m} * N + n;
        } else {
          four.x = gemm_finished(result, n, four.x);
          four.y = gemm_finished(result, n + 1, four.y);
          four.z = gemm_finished(result, n + 2, four.z);
          four.w = gemm_finished(result, n + 3, four.w);
          at = result.y + m * result.stride + n;
        }
        *reinterpret_cast<float4*>(at) = four;
        continue;
      }
#pragma unroll
      for (int l = 0; l < 4; ++l) {
        if (n + l >= N) continue;
        if (partial != nullptr)
          partial[std::int64_t{m} * N + n + l] = sums[i][j + l];
        else
          gemm_store(result, m, n + l, sums[i][j + l]);
      }
    }
  }
}

// Adds the blocks' shares in order.
__global__ void __launch_bounds__(gemm_threads) gemm_add_kernel(GemmResult result, int M, int N, int splits) {
  const std::int64_t count = std::int64_t{M} * N, at = std::int64_t{blockIdx.x} * gemm_threads + threadIdx.x;
  if (at >= count) return;
  float sum = 0;
#pragma unroll 4
  for (int split = 0; split < splits; ++split) sum += result.partial[split * count + at];
  const int m = static_cast<int>(at / N);
  gemm_store(result, m, static_cast<int>(at - std::int64_t{m} * N), sum);
}

// How a product is cut.
struct GemmPlan {
  int per = 4;     // tile / 16
  int splits = 1;  // of K
  int split = 0;   // k of each, a multiple of gemm_most_depth
};
inline GemmPlan gemm_plan(int M, int N, int K) {
  constexpr std::int64_t blocks_wanted = 132;  // a multiprocessor each
  constexpr std::int64_t least_split = 128;    // k that are worth a block and another reading of its sums
  constexpr std::int64_t most_splits = 64;
  const auto tiles = [&](std::int64_t tile) { return (M + tile - 1) / tile * ((N + tile - 1) / tile); };
  const std::int64_t shares = std::clamp<std::int64_t>(K / least_split, 1, most_splits);
  GemmPlan plan;
  // Tiles of 128 where they leave enough blocks and little of them is empty.
  if (M > 64 && N > 64 && tiles(128) * shares >= blocks_wanted && tiles(128) * 4 <= tiles(64) * 5 / 4 + 4)
    plan.per = 8;
  const std::int64_t blocks = std::max<std::int64_t>(tiles(16 * plan.per), 1);
  const std::int64_t wanted = std::clamp<std::int64_t>((2 * blocks_wanted + blocks - 1) / blocks, 1, shares);
  const std::int64_t steps = (K + gemm_most_depth - 1) / gemm_most_depth;
  plan.split = static_cast<int>(std::max<std::int64_t>((steps + wanted - 1) / wanted, 1) * gemm_most_depth);
  plan.splits = static_cast<int>(std::max<std::int64_t>((K + std::int64_t{plan.split} - 1) / plan.split, 1));
  return plan;
}

// a: M outputs; b: N outputs, of Number.
template <class Number, bool ARowsAreOutputs, bool BRowsAreOutputs>
void gemm(const Context& context, const char* name, const GemmOperand& a, const GemmOperand& b, GemmResult result,
          std::int64_t outputs_m, std::int64_t outputs_n, std::int64_t depth) {
  const int M = gemm_size(outputs_m), N = gemm_size(outputs_n), K = gemm_size(depth);
  if (M == 0 || N == 0) return;
  const GemmPlan plan = gemm_plan(M, N, K);
  const auto run = [&] {
    const dim3 grid(blocks_for(M, 16 * plan.per), blocks_for(N, 16 * plan.per), static_cast<unsigned>(plan.splits));
    launch(context, name,
           plan.per == 8 ? gemm_kernel<Number, ARowsAreOutputs, BRowsAreOutputs, 8>
                         : gemm_kernel<Number, ARowsAreOutputs, BRowsAreOutputs, 4>,
           grid, gemm_threads, a, b, result, M, N, K, plan.split);
  };
  if (plan.splits == 1) return run();
  const Scratch partial(context, std::int64_t{plan.splits} * M * N * std::int64_t{sizeof(float)});
  result.partial = partial.as<float>();
  run();
  launch(context, name, gemm_add_kernel, blocks_for(std::int64_t{M} * N, gemm_threads), gemm_threads, result, M, N,
         plan.splits);
}

// ---- conversions and what follows a product of cuBLAS -----------------------------------------------------------

constexpr int gemm_row_lanes = 32, gemm_row_warps = 8, gemm_row_steps = 4;  // a block: 8 rows of 128 columns

inline dim3 gemm_rows_grid(std::int64_t rows, std::int64_t columns) {
  return dim3(blocks_for(rows, gemm_row_warps), blocks_for(columns, gemm_row_lanes * gemm_row_steps));
}

__device__ __forceinline__ void gemm_convert(float x, float& to) { to = x; }
__device__ __forceinline__ void gemm_convert(float x, __nv_bfloat16& to) { to = __float2bfloat16(x); }

template <class From, class To>
__global__ void gemm_convert_kernel(const From* __restrict__ x, std::int64_t stride, To* __restrict__ y, int rows,
                                    int columns) {
  const int row = static_cast<int>(blockIdx.x) * gemm_row_warps + static_cast<int>(threadIdx.y);
  if (row >= rows) return;
#pragma unroll
  for (int i = 0; i < gemm_row_steps; ++i) {
    const int column =
        (static_cast<int>(blockIdx.y) * gemm_row_steps + i) * gemm_row_lanes + static_cast<int>(threadIdx.x);
    if (column < columns)
      gemm_convert(gemm_number(x[row * stride + column]), y[std::int64_t{row} * columns + column]);
  }
}

// x: [rows, columns] with a row stride → y: [rows, columns] without gaps.
template <class From, class To>
void gemm_convert(const Context& context, const From* x, std::int64_t stride, To* y, std::int64_t rows,
                  std::int64_t columns) {
  launch(context, "gemm_convert", gemm_convert_kernel<From, To>, gemm_rows_grid(rows, columns),
         dim3(gemm_row_lanes, gemm_row_warps), x, stride, y, gemm_size(rows), gemm_size(columns));
}

__global__ void gemm_finish_kernel(GemmResult result, int M, int N) {
  const int m = static_cast<int>(blockIdx.x) * gemm_row_warps + static_cast<int>(threadIdx.y);
  if (m >= M) return;
#pragma unroll
  for (int i = 0; i < gemm_row_steps; ++i) {
    const int n =
        (static_cast<int>(blockIdx.y) * gemm_row_steps + i) * gemm_row_lanes + static_cast<int>(threadIdx.x);
    if (n >= N) continue;
    float* at = result.y + m * result.stride + n;
    *at = gemm_finished(result, n, *at);
  }
}

// ---- cuBLAS -----------------------------------------------------------------------------------------------------

inline bool gemm_is_large(std::int64_t M, std::int64_t N, std::int64_t K) {
  return M > 0 && N > 0 && K > 0 &&
         static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K) >=
             static_cast<double>(cublas_multiply_adds);
}

// A matrix in the type that a product of cuBLAS reads: as it stands, or converted into a scratch block.
template <class Number>
class CublasOperand {
 public:
  CublasOperand(const Context& context, const Number* data, std::int64_t rows, std::int64_t columns,
                std::int64_t stride)
      : type(context.matrices == MatrixPrecision::bf16 ? CUDA_R_16BF : CUDA_R_32F) {
    const bool bf16 = type == CUDA_R_16BF;
    if ((std::is_same_v<Number, float> && !bf16) || (std::is_same_v<Number, __nv_bfloat16> && bf16)) {
      this->data = data;
      this->stride = gemm_size(stride);
      return;
    }
    converted_.emplace(context, rows * columns * std::int64_t{bf16 ? 2 : 4});
    if (bf16)
      gemm_convert(context, data, stride, converted_->template as<__nv_bfloat16>(), rows, columns);
    else
      gemm_convert(context, data, stride, converted_->template as<float>(), rows, columns);
    this->data = converted_->template as<void>();
    this->stride = gemm_size(columns);
  }

  const void* data = nullptr;
  cudaDataType_t type;
  int stride = 0;

 private:
  std::optional<Scratch> converted_;
};

// y[m][n] = beta y[m][n] + sum_k op(a)[m][k] op(b)[k][n], all row-major: to cuBLAS, which counts columns first, the
// product of the turned matrices in turned order.
template <class A, class B>
void cublas_gemm(const Context& context, const CublasOperand<A>& a, cublasOperation_t op_a, const CublasOperand<B>& b,
                 cublasOperation_t op_b, float* y, std::int64_t stride, std::int64_t M, std::int64_t N,
                 std::int64_t K, float beta) {
  const float alpha = 1;
  const cublasComputeType_t compute =
      context.matrices == MatrixPrecision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  IMU2MUSIC_CUDA_CHECK(cublasGemmEx(queue_of(context).cublas(), op_b, op_a, gemm_size(N), gemm_size(M), gemm_size(K),
                                    &alpha, b.data, b.type, b.stride, a.data, a.type, a.stride, &beta, y, CUDA_R_32F,
                                    gemm_size(stride), compute, CUBLAS_GEMM_DEFAULT));
}

}  // namespace imu2music::inline v0::kernels::cuda
