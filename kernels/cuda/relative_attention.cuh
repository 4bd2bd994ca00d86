// Attention with relative positions on the device, every head of every sequence in one launch.
//
// A block takes 16 queries of one head and walks the keys in tiles of 32. A tile's keys and values stand in shared
// memory, and beside them the 47 rows of Er that the block's queries meet in it: the skew happens inside the tile. A
// warp has two queries; a lane scores one key of the tile, then owns every 32nd number of the result. The maximum and
// the sum run along, so no [T, S] matrix is formed. Tiles that a causal block cannot see are not read.
//
// Reads: keys and values once a block of 16 queries, Er's band likewise; writes out and log_sum_exp once.
//
// Where the context asks for bfloat16 and the width is one of 16, 32, 64 and 128, relative_attention_bf16.cuh takes over.
#pragma once

#include "../relative_attention_table.hpp"
#include "launch.cuh"
#include "relative_attention_bf16.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int attention_queries = 16, attention_keys = 32, attention_warps = 8;
constexpr int attention_band = attention_queries + attention_keys - 1;  // distances met in a tile

// Whether query i, at position p among the keys, sees key j.
__device__ __forceinline__ bool sees(const RelativeAttentionBatch<float>& a, std::int64_t b, std::int64_t i,
                                     std::int64_t p, std::int64_t j) {
  if (j >= a.S || (a.causal && j > p)) return false;
  if (a.key_masked != nullptr && a.key_masked[b * a.S + j] != 0) return false;
  if (a.key_first == nullptr) return true;
  return j >= a.key_first[b * a.queries + i] && j < a.key_last[b * a.queries + i];
}

// Parts: numbers of the result that a lane owns, at least K / 32.
template <int Parts>
__global__ void relative_attention_forward_kernel(RelativeAttentionBatch<float> a) {
  const int K = static_cast<int>(a.K), row = K + 1;  // odd strides for even K: lanes meet different banks
  auto* q_tile = reinterpret_cast<float*>(dynamic_shared());  // [queries][K]
  float* k_tile = q_tile + attention_queries * K;             // [keys][K + 1]
  float* v_tile = k_tile + attention_keys * row;              // [keys][K]
  float* er_tile = v_tile + attention_keys * K;               // [band][K + 1]
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  constexpr int threads = 32 * attention_warps, per_warp = attention_queries / attention_warps;
  const std::int64_t blocks = (a.queries + attention_queries - 1) / attention_queries;
  const std::int64_t n = blockIdx.x / blocks, b = n / a.H, h = n % a.H;
  const std::int64_t i0 = (blockIdx.x % blocks) * attention_queries;
  const std::int64_t head = h * K;
  for (int e = thread; e < attention_queries * K; e += threads) {
    const std::int64_t i = i0 + e / K;
    q_tile[e] = i < a.queries ? a.q[(b * a.queries + i) * a.q_stride + head + e % K] : 0.0f;
  }
  float sum[per_warp], most[per_warp], out[per_warp][Parts];
#pragma unroll
  for (int m = 0; m < per_warp; ++m) {
    sum[m] = 0, most[m] = -INFINITY;
#pragma unroll
    for (int c = 0; c < Parts; ++c) out[m][c] = 0;
  }
  const std::int64_t last_query = i0 + attention_queries < a.queries ? i0 + attention_queries : a.queries;
  std::int64_t end = a.S;
  if (a.causal && a.query_offset + last_query < end) end = a.query_offset + last_query;
  for (std::int64_t j0 = 0; j0 < end; j0 += attention_keys) {
    __syncthreads();
    for (int e = thread; e < attention_keys * K; e += threads) {
      const std::int64_t j = j0 + e / K;
      const bool there = j < a.S;
      k_tile[e / K * row + e % K] = there ? a.k[(b * a.S + j) * a.k_stride + head + e % K] : 0.0f;
      v_tile[e] = there ? a.v[(b * a.S + j) * a.v_stride + head + e % K] : 0.0f;
    }
    if (a.er != nullptr)
      for (int e = thread; e < attention_band * K; e += threads) {
        // Band row t: key minus query of t - (attention_queries - 1) beyond j0 - (query_offset + i0).
        const std::int64_t distance = a.query_offset + i0 - j0 + attention_queries - 1 - e / K;
        er_tile[e / K * row + e % K] =
            distance >= 0 && distance < a.L ? a.er[(a.L - 1 - distance) * K + e % K] : 0.0f;
      }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < per_warp; ++m) {
      const int local = warp * per_warp + m;
      const std::int64_t i = i0 + local, p = a.query_offset + i, j = j0 + lane;
      const bool seen = i < a.queries && sees(a, b, i, p, j);
      float score = -INFINITY;
      if (seen) {
        const float* query = q_tile + local * K;
        const float* key = k_tile + lane * row;
        float dot = 0;
        if (a.er != nullptr && j <= p) {
          const float* er = er_tile + (lane - local + attention_queries - 1) * row;
          for (int d = 0; d < K; ++d) dot += query[d] * (key[d] + er[d]);
        } else {
          for (int d = 0; d < K; ++d) dot += query[d] * key[d];
        }
        score = dot * a.scale;
      }
      const float tile_most = warp_max(score);
      if (tile_most == -INFINITY) continue;  // alike in all lanes
      const float highest = tile_most > most[m] ? tile_most : most[m];
      const float correction = most[m] == -INFINITY ? 0.0f : expf(most[m] - highest);
      const float weight = seen ? expf(score - highest) : 0.0f;
      sum[m] = sum[m] * correction + warp_sum(weight);
      most[m] = highest;
#pragma unroll
      for (int c = 0; c < Parts; ++c) out[m][c] *= correction;
      for (int t = 0; t < attention_keys; ++t) {
        const float w = __shfl_sync(whole_warp, weight, t);
#pragma unroll
        for (int c = 0; c < Parts; ++c)
          if (c * 32 + lane < K) out[m][c] += w * v_tile[t * K + c * 32 + lane];
      }
    }
  }
#pragma unroll
  for (int m = 0; m < per_warp; ++m) {
    const std::int64_t i = i0 + warp * per_warp + m;
    if (i >= a.queries) continue;
    const float scale = sum[m] > 0 ? 1 / sum[m] : 0.0f;
#pragma unroll
    for (int c = 0; c < Parts; ++c)
      if (c * 32 + lane < K)
        a.out[(b * a.queries + i) * a.out_stride + head + c * 32 + lane] = out[m][c] * scale;
    if (lane == 0 && a.log_sum_exp != nullptr)
      a.log_sum_exp[n * a.queries + i] = sum[m] > 0 ? most[m] + logf(sum[m]) : -INFINITY;
  }
}

inline void relative_attention_forward(const Context& context, const RelativeAttentionBatch<float>& a) {
  if (fits_tensor_attention(context, a)) return relative_attention_bf16(context, a);
  const std::int64_t blocks = a.B * a.H * ((a.queries + attention_queries - 1) / attention_queries);
  const auto kernel = a.K <= 32   ? relative_attention_forward_kernel<1>
                      : a.K <= 64 ? relative_attention_forward_kernel<2>
                      : a.K <= 128 ? relative_attention_forward_kernel<4>
                                   : relative_attention_forward_kernel<8>;
  const std::size_t numbers = attention_queries * a.K + attention_keys * (2 * a.K + 1) + attention_band * (a.K + 1);
  launch(context, "relative_attention_forward", kernel, static_cast<unsigned>(blocks), 32 * attention_warps,
         LaunchOptions{.shared = numbers * sizeof(float)}, a);
}

inline void install(RelativeAttentionKernels<float>& table) { table.forward_batch = &relative_attention_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
