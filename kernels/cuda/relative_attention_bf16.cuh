// Attention with relative positions on tensor cores: operands rounded to bfloat16, sums and the softmax in float32.
//
// A block takes 64 queries of one head, a warp 16 of them, and walks the keys in tiles of 64 (32 where K is 128: all
// must fit 99 KiB). A tile's keys and values stand in shared memory in bfloat16, and beside them the rows of Er that
// the block's queries meet in it, a band as wide as both tiles together of which only what is new is read: the rest
// stays from the tile before, in a ring. Of the product of its queries with the band a warp needs the 16 + keys columns
// of its own rows; it lays these and the scores down in shared memory and adds them along the diagonals there: the
// skew. Two lanes share a query's row. The weights go back to shared memory as bfloat16 for the product with the values,
// whose sums stay in registers: a query's row is measured from a reference that only moves when its maximum has risen
// by more than 8, so that they are seldom scaled anew. No [T, S] matrix is formed.
//
// Tiles that none of the block's queries sees are not read. Reads: keys, values and Er once a block of 64 queries;
// writes out and log_sum_exp once.
//
// Sources: Dao 2023, FlashAttention-2 (arXiv:2307.08691); the relative term in its skewed form, Huang et al. 2018
// (arXiv:1809.04281, section 3.4.1).
#pragma once

#include <cuda_bf16.h>
#include <mma.h>

#include <cstdint>
#include <type_traits>

#include "../relative_attention_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int tensor_queries = 64, tensor_warps = 4, tensor_threads = 32 * tensor_warps;
constexpr std::int64_t tensor_least_queries = 9;  // fewer are a decoding step's: tiles would be all but empty

inline bool fits_tensor_attention(const Context& context, const RelativeAttentionBatch<float>& a) {
  return context.matrices == MatrixPrecision::bf16 && a.queries >= tensor_least_queries &&
         (a.K == 16 || a.K == 32 || a.K == 64 || a.K == 128);
}

// keys: of a tile, or distances, of which the gradient of Er has as many.
template <int K>
struct TensorTile {
  static constexpr int keys = K <= 64 ? 64 : 32;
  static constexpr int row = K + 8;  // numbers from one row of a tile to the next: lanes meet different banks
  static constexpr int band = tensor_queries + keys, pieces = band / keys;
  static constexpr int window = 16 + keys;  // columns of the band, of which a warp's rows meet all but one
  static constexpr int score_row = keys + 4, window_row = window + 4;
  static constexpr int warp_room = 16 * (score_row + window_row);  // floats
  static constexpr int weight_row = keys + 8, skewed_row = window + 8;
  static constexpr int chunk = K < 64 ? K : 64, chunk_row = chunk + 4;  // columns of a result that pass at a time
  static_assert(16 * chunk_row <= warp_room && 16 * (weight_row + skewed_row) <= 2 * warp_room);
};

template <class Use, class Layout>
using TensorOperand = nvcuda::wmma::fragment<Use, 16, 16, 16, __nv_bfloat16, Layout>;
using TensorLeft = TensorOperand<nvcuda::wmma::matrix_a, nvcuda::wmma::row_major>;
using TensorLeftTurned = TensorOperand<nvcuda::wmma::matrix_a, nvcuda::wmma::col_major>;
using TensorRight = TensorOperand<nvcuda::wmma::matrix_b, nvcuda::wmma::row_major>;
using TensorRightTurned = TensorOperand<nvcuda::wmma::matrix_b, nvcuda::wmma::col_major>;
using TensorSums = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;

// Rows first..first + count - 1 of K numbers, those outside 0..rows - 1 as zeros, rounded into a tile.
template <int K>
__device__ __forceinline__ void tensor_load(const float* from, std::int64_t stride, std::int64_t first, int count,
                                            std::int64_t rows, bool aligned, __nv_bfloat16* tile) {
  constexpr int across = K / 4;
  for (int e = static_cast<int>(threadIdx.x); e < count * across; e += tensor_threads) {
    const int r = e / across, c = e % across * 4;
    const std::int64_t at = first + r;
    float4 x = make_float4(0, 0, 0, 0);
    if (at >= 0 && at < rows) {
      const float* p = from + at * stride + c;
      x = aligned ? *reinterpret_cast<const float4*>(p) : make_float4(p[0], p[1], p[2], p[3]);
    }
    auto* to = reinterpret_cast<__nv_bfloat162*>(tile + r * TensorTile<K>::row + c);
    to[0] = __floats2bfloat162_rn(x.x, x.y);
    to[1] = __floats2bfloat162_rn(x.z, x.w);
  }
}

// to[16][16 Count] = left[16][K] right(n)^T, right(n): 16 rows of K numbers, for columns 16 n onwards.
template <int K, int Count, class Right>
__device__ __forceinline__ void tensor_products(const __nv_bfloat16* left, const Right& right, float* to, int to_row) {
  TensorSums sums[Count];
#pragma unroll
  for (int n = 0; n < Count; ++n) nvcuda::wmma::fill_fragment(sums[n], 0.0f);
#pragma unroll
  for (int k = 0; k < K; k += 16) {
    TensorLeft a;
    nvcuda::wmma::load_matrix_sync(a, left + k, TensorTile<K>::row);
#pragma unroll
    for (int n = 0; n < Count; ++n) {
      TensorRightTurned b;
      nvcuda::wmma::load_matrix_sync(b, right(n) + k, TensorTile<K>::row);
      nvcuda::wmma::mma_sync(sums[n], a, b, sums[n]);
    }
  }
#pragma unroll
  for (int n = 0; n < Count; ++n)
    nvcuda::wmma::store_matrix_sync(to + 16 * n, sums[n], static_cast<unsigned>(to_row), nvcuda::wmma::mem_row_major);
}

// Where the band's row t begins, for t a multiple of 16; the band's first piece stands in the ring's piece `base`.
template <int K>
__device__ __forceinline__ const __nv_bfloat16* tensor_band_row(const __nv_bfloat16* ring, int base, int t) {
  using Tile = TensorTile<K>;
  return ring + ((base + t / Tile::keys) % Tile::pieces * Tile::keys + t % Tile::keys) * Tile::row;
}

// The n-th of a lane's columns, Width / 2 in one of the two halves of its row. Neighbouring lanes begin at different
// ones, so that they meet different banks.
template <int Width>
__device__ __forceinline__ int tensor_column(int lane, int n) {
  constexpr int half = Width / 2;
  return lane % 2 * half + ((n + lane % 2 - lane / 2 * 2 + 2 * half) & (half - 1));
}

// The keys that query i sees, but for masked ones: first..last - 1.
__device__ __forceinline__ void tensor_sight(const RelativeAttentionBatch<float>& a, std::int64_t b, std::int64_t i,
                                             int& first, int& last) {
  first = last = 0;
  if (i >= a.queries) return;
  std::int64_t begin = 0, end = a.S;
  if (a.causal && a.query_offset + i + 1 < end) end = a.query_offset + i + 1;
  if (a.key_first != nullptr) {
    const std::int64_t f = a.key_first[b * a.queries + i], l = a.key_last[b * a.queries + i];
    if (f > begin) begin = f;
    if (l < end) end = l;
  }
  if (begin >= end) return;
  first = static_cast<int>(begin);
  last = static_cast<int>(end);
}

// Over the block's queries: where the first of them begins to see, and where the last one ends. ends: 2 tensor_warps
// numbers of shared memory; a barrier stands inside.
__device__ __forceinline__ void tensor_block_sight(int first, int last, int* ends, int& begin, int& end) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int most = warp_max(last), least = -warp_max(last > first ? -first : -0x7fffffff);
  if (threadIdx.x % 32 == 0) ends[warp] = least, ends[tensor_warps + warp] = most;
  __syncthreads();
  begin = ends[0], end = ends[tensor_warps];
#pragma unroll
  for (int w = 1; w < tensor_warps; ++w) {
    begin = min(begin, ends[w]);
    end = max(end, ends[tensor_warps + w]);
  }
}

// flags[n]: whether key first + n may be seen by nobody.
__device__ __forceinline__ void tensor_masks(const RelativeAttentionBatch<float>& a, std::int64_t b,
                                             std::int64_t first, int count, unsigned char* flags) {
  for (int n = static_cast<int>(threadIdx.x); n < count; n += tensor_threads) {
    const std::int64_t j = first + n;
    flags[n] = j < 0 || j >= a.S || (a.key_masked != nullptr && a.key_masked[b * a.S + j] != 0);
  }
}

// Writes a warp's 16 rows of sums times `factor`, its lane's row's, to rows 0..count - 1 of `to`. room: the warp's.
template <int K, int Columns>
__device__ __forceinline__ void tensor_write(const TensorSums (&sums)[Columns / 16], float factor, float* room,
                                             float* to, std::int64_t stride, std::int64_t count) {
  using Tile = TensorTile<K>;
  constexpr int chunk = Columns < Tile::chunk ? Columns : Tile::chunk;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int first = 0; first < Columns; first += chunk) {
    __syncwarp();
#pragma unroll
    for (int n = 0; n < chunk; n += 16)
      nvcuda::wmma::store_matrix_sync(room + n, sums[(first + n) / 16], static_cast<unsigned>(Tile::chunk_row),
                                      nvcuda::wmma::mem_row_major);
    __syncwarp();
#pragma unroll 4
    for (int e = lane; e < 16 * chunk; e += 32) {
      const int r = e / chunk, c = e % chunk;
      const float own = __shfl_sync(whole_warp, factor, 2 * r);
      if (r < count) to[r * stride + first + c] = room[r * Tile::chunk_row + c] * own;
    }
  }
  __syncwarp();
}

template <int K>
__global__ void __launch_bounds__(tensor_threads)
    relative_attention_bf16_kernel(RelativeAttentionBatch<float> a, bool aligned) {
  namespace wmma = nvcuda::wmma;
  using Tile = TensorTile<K>;
  constexpr int keys = Tile::keys, own = keys / 2;
  constexpr float slack = 8;  // weights of e^8 at most
  __shared__ int ends[2 * tensor_warps];
  __shared__ unsigned char masked[keys];
  auto* q_tile = reinterpret_cast<__nv_bfloat16*>(dynamic_shared());  // [queries][row]
  __nv_bfloat16* k_tile = q_tile + tensor_queries * Tile::row;        // [keys][row]
  __nv_bfloat16* v_tile = k_tile + keys * Tile::row;                  // [keys][row]
  __nv_bfloat16* ring = v_tile + keys * Tile::row;                    // [band][row], where there is Er
  auto* rooms = reinterpret_cast<float*>(ring + (a.er != nullptr ? Tile::band * Tile::row : 0));
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32, r = lane / 2;
  float* scores = rooms + warp * Tile::warp_room;      // [16][score_row]
  float* relative = scores + 16 * Tile::score_row;     // [16][window_row]
  auto* weights = reinterpret_cast<__nv_bfloat16*>(scores);  // [16][weight_row], after both
  const __nv_bfloat16* queries = q_tile + 16 * warp * Tile::row;

  const std::int64_t blocks = (a.queries + tensor_queries - 1) / tensor_queries;
  const std::int64_t n = blockIdx.x / blocks, b = n / a.H, head = n % a.H * K;
  const std::int64_t i0 = (blocks - 1 - blockIdx.x % blocks) * tensor_queries;  // the longest rows first
  int first, last, begin, end;
  tensor_sight(a, b, i0 + 16 * warp + r, first, last);
  tensor_block_sight(first, last, ends, begin, end);
  tensor_load<K>(a.q + b * a.queries * a.q_stride + head, a.q_stride, i0, tensor_queries, a.queries, aligned, q_tile);

  TensorSums out[K / 16];
#pragma unroll
  for (int m = 0; m < K / 16; ++m) wmma::fill_fragment(out[m], 0.0f);
  float reference = -INFINITY, sum = 0;
  int base = 0;
  bool ring_is_full = false;
  for (int j0 = begin / keys * keys; j0 < end; j0 += keys) {
    __syncthreads();
    tensor_load<K>(a.k + b * a.S * a.k_stride + head, a.k_stride, j0, keys, a.S, aligned, k_tile);
    tensor_load<K>(a.v + b * a.S * a.v_stride + head, a.v_stride, j0, keys, a.S, aligned, v_tile);
    tensor_masks(a, b, j0, keys, masked);
    if (a.er != nullptr) {
      // Band row t: keys t - (queries - 1) beyond j0 - (query_offset + i0), from Er's row band_first + t.
      const std::int64_t band_first = a.L - 1 - (a.query_offset + i0 - j0 + tensor_queries - 1);
      if (ring_is_full) base = (base + 1) % Tile::pieces;
#pragma unroll
      for (int piece = 0; piece < Tile::pieces; ++piece)
        if (!ring_is_full || piece == Tile::pieces - 1)
          tensor_load<K>(a.er, K, band_first + piece * keys, keys, a.L, aligned,
                         ring + (base + piece) % Tile::pieces * keys * Tile::row);
      ring_is_full = true;
    }
    __syncthreads();

    tensor_products<K, keys / 16>(
        queries, [&](int m) { return k_tile + 16 * m * Tile::row; }, scores, Tile::score_row);
    if (a.er != nullptr)
      tensor_products<K, Tile::window / 16>(
          queries, [&](int m) { return tensor_band_row<K>(ring, base, 48 - 16 * warp + 16 * m); }, relative,
          Tile::window_row);
    __syncwarp();
    float weight[own], most = -INFINITY;
#pragma unroll
    for (int m = 0; m < own; ++m) {
      const int c = tensor_column<keys>(lane, m);
      weight[m] = -INFINITY;
      if (j0 + c >= first && j0 + c < last && masked[c] == 0) {
        float score = scores[r * Tile::score_row + c];
        if (a.er != nullptr) score += relative[r * Tile::window_row + c - r + 15];
        weight[m] = score * a.scale;
      }
      most = fmaxf(most, weight[m]);
    }
    most = fmaxf(most, __shfl_xor_sync(whole_warp, most, 1));
    float correction = 1;
    if (most > reference + slack || (reference == -INFINITY && most > -INFINITY)) {
      if (reference > -INFINITY) correction = __expf(reference - most);
      reference = most;
    }
    __syncwarp();  // all have read their scores
    if (__any_sync(whole_warp, correction != 1)) {
      sum *= correction;
#pragma unroll
      for (int from = 0; from < K; from += Tile::chunk) {
#pragma unroll
        for (int m = 0; m < Tile::chunk; m += 16)
          wmma::store_matrix_sync(scores + m, out[(from + m) / 16], static_cast<unsigned>(Tile::chunk_row),
                                  wmma::mem_row_major);
        __syncwarp();
#pragma unroll 4
        for (int e = lane; e < 16 * Tile::chunk; e += 32)
          scores[e / Tile::chunk * Tile::chunk_row + e % Tile::chunk] *=
              __shfl_sync(whole_warp, correction, 2 * (e / Tile::chunk));
        __syncwarp();
#pragma unroll
        for (int m = 0; m < Tile::chunk; m += 16)
          wmma::load_matrix_sync(out[(from + m) / 16], scores + m, static_cast<unsigned>(Tile::chunk_row),
                                 wmma::mem_row_major);
        __syncwarp();
      }
    }
#pragma unroll
    for (int m = 0; m < own; ++m) {
      const float w = weight[m] > -INFINITY ? __expf(weight[m] - reference) : 0.0f;
      sum += w;
      weights[r * Tile::weight_row + tensor_column<keys>(lane, m)] = __float2bfloat16(w);
    }
    __syncwarp();
#pragma unroll
    for (int k = 0; k < keys; k += 16) {
      TensorLeft w;
      wmma::load_matrix_sync(w, weights + k, Tile::weight_row);
#pragma unroll
      for (int m = 0; m < K / 16; ++m) {
        TensorRight v;
        wmma::load_matrix_sync(v, v_tile + k * Tile::row + 16 * m, Tile::row);
        wmma::mma_sync(out[m], w, v, out[m]);
      }
    }
    __syncwarp();
  }

  sum += __shfl_xor_sync(whole_warp, sum, 1);
  const std::int64_t i = i0 + 16 * warp;
  tensor_write<K, K>(out, sum > 0 ? 1 / sum : 0.0f, scores, a.out + (b * a.queries + i) * a.out_stride + head,
                     a.out_stride, a.queries - i);
  if (lane % 2 == 0 && i + r < a.queries && a.log_sum_exp != nullptr)
    a.log_sum_exp[n * a.queries + i + r] = sum > 0 ? reference + logf(sum) : -INFINITY;
}

// Whether rows can be read four numbers at a time.
inline bool tensor_aligned(const RelativeAttentionBatch<float>& a) {
  const auto in_fours = [](const float* p, std::int64_t stride) {
    return reinterpret_cast<std::uintptr_t>(p) % 16 == 0 && stride % 4 == 0;
  };
  return in_fours(a.q, a.q_stride) && in_fours(a.k, a.k_stride) && in_fours(a.v, a.v_stride) && in_fours(a.er, 0);
}

// run(std::integral_constant<int, K>).
template <class Run>
void with_tensor_width(std::int64_t K, const Run& run) {
  if (K == 16)
    run(std::integral_constant<int, 16>());
  else if (K == 32)
    run(std::integral_constant<int, 32>());
  else if (K == 64)
    run(std::integral_constant<int, 64>());
  else
    run(std::integral_constant<int, 128>());
}

inline void relative_attention_bf16(const Context& context, const RelativeAttentionBatch<float>& a) {
  with_tensor_width(a.K, [&](auto width) {
    constexpr int K = width;
    using Tile = TensorTile<K>;
    const std::int64_t rows = tensor_queries + 2 * Tile::keys + (a.er != nullptr ? Tile::band : 0);
    const std::size_t shared = static_cast<std::size_t>(rows * Tile::row * 2 + tensor_warps * Tile::warp_room * 4);
    const std::int64_t blocks = (a.queries + tensor_queries - 1) / tensor_queries;
    launch(context, "relative_attention_bf16", relative_attention_bf16_kernel<K>,
           static_cast<unsigned>(a.B * a.H * blocks), tensor_threads, LaunchOptions{.shared = shared}, a,
           tensor_aligned(a));
  });
}

}  // namespace imu2music::inline v0::kernels::cuda
