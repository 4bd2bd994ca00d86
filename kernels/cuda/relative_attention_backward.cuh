// The gradient of attention with relative positions on the device, every head of every sequence, in four launches
// without a [T, S] matrix and without atomics: a run gives the same bits again.
//
//   delta   a warp a query
//   dq      16 queries a block, tiles of 32 keys: a warp has two queries, a lane scores one key, then owns every 32nd
//           number of dq
//   dk, dv  16 keys a block, tiles of 32 queries, the same the other way round
//   dEr     16 distances a block, of a part of the heads, tiles of 32 queries and of the keys that they meet at these
//           distances: a warp has two distances, a lane scores one query. The parts are added in order
//
// Probabilities are computed anew from the softmax's normaliser, three times in all.
#pragma once

#include "../relative_attention_backward_table.hpp"
#include "relative_attention.cuh"
#include "relative_attention_backward_bf16.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void attention_delta_kernel(RelativeAttentionBackwardBatch<float> a) {
  const std::int64_t rows = a.forward.B * a.forward.queries, heads = a.forward.H;
  const std::int64_t task = std::int64_t{blockIdx.x} * attention_warps + threadIdx.x / 32;
  if (task >= rows * heads) return;  // whole warps
  const std::int64_t row = task / heads, h = task % heads, K = a.forward.K;
  const float* dout = a.dout + row * a.dout_stride + h * K;
  const float* out = a.forward.out + row * a.forward.out_stride + h * K;
  float sum = 0;
  for (std::int64_t d = threadIdx.x % 32; d < K; d += 32) sum += dout[d] * out[d];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0)
    a.delta[(row / a.forward.queries * heads + h) * a.forward.queries + row % a.forward.queries] = sum;
}

// q . (k + er) and dout . v over rows of K numbers; er may be null.
__device__ __forceinline__ void gradient_dots(const float* q, const float* k, const float* er, const float* dout,
                                              const float* v, int K, float& score, float& dp) {
  score = dp = 0;
  if (er != nullptr)
    for (int d = 0; d < K; ++d) score += q[d] * (k[d] + er[d]), dp += dout[d] * v[d];
  else
    for (int d = 0; d < K; ++d) score += q[d] * k[d], dp += dout[d] * v[d];
}

template <int Parts>
__global__ void attention_query_gradient_kernel(RelativeAttentionBackwardBatch<float> a) {
  const RelativeAttentionBatch<float>& f = a.forward;
  const int K = static_cast<int>(f.K), row = K + 1;
  auto* q_tile = reinterpret_cast<float*>(dynamic_shared());  // [queries][K]
  float* dout_tile = q_tile + attention_queries * K;          // [queries][K]
  float* k_tile = dout_tile + attention_queries * K;          // [keys][K + 1]
  float* v_tile = k_tile + attention_keys * row;              // [keys][K + 1]
  float* er_tile = v_tile + attention_keys * row;             // [band][K + 1]
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  constexpr int threads = 32 * attention_warps, per_warp = attention_queries / attention_warps;
  const std::int64_t blocks = (f.queries + attention_queries - 1) / attention_queries;
  const std::int64_t n = blockIdx.x / blocks, b = n / f.H, head = n % f.H * K;
  const std::int64_t i0 = (blockIdx.x % blocks) * attention_queries;
  for (int e = thread; e < attention_queries * K; e += threads) {
    const std::int64_t i = i0 + e / K;
    const bool there = i < f.queries;
    q_tile[e] = there ? f.q[(b * f.queries + i) * f.q_stride + head + e % K] : 0.0f;
    dout_tile[e] = there ? a.dout[(b * f.queries + i) * a.dout_stride + head + e % K] : 0.0f;
  }
  float dq[per_warp][Parts] = {};
  std::int64_t end = f.S;
  const std::int64_t last_query = i0 + attention_queries < f.queries ? i0 + attention_queries : f.queries;
  if (f.causal && last_query < end) end = last_query;
  for (std::int64_t j0 = 0; j0 < end; j0 += attention_keys) {
    __syncthreads();
    for (int e = thread; e < attention_keys * K; e += threads) {
      const std::int64_t j = j0 + e / K;
      const bool there = j < f.S;
      k_tile[e / K * row + e % K] = there ? f.k[(b * f.S + j) * f.k_stride + head + e % K] : 0.0f;
      v_tile[e / K * row + e % K] = there ? f.v[(b * f.S + j) * f.v_stride + head + e % K] : 0.0f;
    }
    if (f.er != nullptr)
      for (int e = thread; e < attention_band * K; e += threads) {
        const std::int64_t distance = i0 - j0 + attention_queries - 1 - e / K;
        er_tile[e / K * row + e % K] =
            distance >= 0 && distance < f.L ? f.er[(f.L - 1 - distance) * K + e % K] : 0.0f;
      }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < per_warp; ++m) {
      const int local = warp * per_warp + m, band = lane - local + attention_queries - 1;
      const std::int64_t i = i0 + local, j = j0 + lane;
      const bool related = f.er != nullptr && j <= i;
      float ds = 0;
      if (i < f.queries && sees(f, b, i, i, j)) {
        float score, dp;
        gradient_dots(q_tile + local * K, k_tile + lane * row, related ? er_tile + band * row : nullptr,
                      dout_tile + local * K, v_tile + lane * row, K, score, dp);
        const std::int64_t at = n * f.queries + i;
        ds = f.scale * expf(score * f.scale - f.log_sum_exp[at]) * (dp - a.delta[at]);
      }
      for (int t = 0; t < attention_keys; ++t) {
        const float g = __shfl_sync(whole_warp, ds, t);
        const bool with_er = f.er != nullptr && j0 + t <= i;
        const float* er = er_tile + (t - local + attention_queries - 1) * row;
#pragma unroll
        for (int c = 0; c < Parts; ++c) {
          const int d = c * 32 + lane;
          if (d < K) dq[m][c] += g * (with_er ? k_tile[t * row + d] + er[d] : k_tile[t * row + d]);
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < per_warp; ++m) {
    const std::int64_t i = i0 + warp * per_warp + m;
    if (i >= f.queries) continue;
#pragma unroll
    for (int c = 0; c < Parts; ++c)
      if (c * 32 + lane < K) a.dq[(b * f.queries + i) * a.dq_stride + head + c * 32 + lane] = dq[m][c];
  }
}

template <int Parts>
__global__ void attention_key_gradient_kernel(RelativeAttentionBackwardBatch<float> a) {
  const RelativeAttentionBatch<float>& f = a.forward;
  const int K = static_cast<int>(f.K), row = K + 1;
  auto* k_tile = reinterpret_cast<float*>(dynamic_shared());  // [16 keys][K]
  float* v_tile = k_tile + attention_queries * K;             // [16 keys][K]
  float* q_tile = v_tile + attention_queries * K;             // [32 queries][K + 1]
  float* dout_tile = q_tile + attention_keys * row;           // [32 queries][K + 1]
  float* er_tile = dout_tile + attention_keys * row;          // [band][K + 1]
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  constexpr int own = attention_queries, tile = attention_keys;
  constexpr int threads = 32 * attention_warps, per_warp = own / attention_warps;
  const std::int64_t blocks = (f.S + own - 1) / own;
  const std::int64_t n = blockIdx.x / blocks, b = n / f.H, head = n % f.H * K;
  const std::int64_t j0 = (blockIdx.x % blocks) * own;
  for (int e = thread; e < own * K; e += threads) {
    const std::int64_t j = j0 + e / K;
    const bool there = j < f.S;
    k_tile[e] = there ? f.k[(b * f.S + j) * f.k_stride + head + e % K] : 0.0f;
    v_tile[e] = there ? f.v[(b * f.S + j) * f.v_stride + head + e % K] : 0.0f;
  }
  float dk[per_warp][Parts] = {}, dv[per_warp][Parts] = {};
  for (std::int64_t i0 = f.causal ? j0 / tile * tile : 0; i0 < f.queries; i0 += tile) {
    __syncthreads();
    for (int e = thread; e < tile * K; e += threads) {
      const std::int64_t i = i0 + e / K;
      const bool there = i < f.queries;
      q_tile[e / K * row + e % K] = there ? f.q[(b * f.queries + i) * f.q_stride + head + e % K] : 0.0f;
      dout_tile[e / K * row + e % K] = there ? a.dout[(b * f.queries + i) * a.dout_stride + head + e % K] : 0.0f;
    }
    if (f.er != nullptr)
      for (int e = thread; e < attention_band * K; e += threads) {
        const std::int64_t distance = i0 - j0 + e / K - (own - 1);
        er_tile[e / K * row + e % K] =
            distance >= 0 && distance < f.L ? f.er[(f.L - 1 - distance) * K + e % K] : 0.0f;
      }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < per_warp; ++m) {
      const int local = warp * per_warp + m;
      const std::int64_t i = i0 + lane, j = j0 + local;
      const bool related = f.er != nullptr && j <= i;
      float p = 0, ds = 0;
      if (i < f.queries && sees(f, b, i, i, j)) {
        float score, dp;
        gradient_dots(q_tile + lane * row, k_tile + local * K,
                      related ? er_tile + (lane - local + own - 1) * row : nullptr, dout_tile + lane * row,
                      v_tile + local * K, K, score, dp);
        const std::int64_t at = n * f.queries + i;
        p = expf(score * f.scale - f.log_sum_exp[at]);
        ds = f.scale * p * (dp - a.delta[at]);
      }
      for (int t = 0; t < tile; ++t) {
        const float weight = __shfl_sync(whole_warp, p, t), g = __shfl_sync(whole_warp, ds, t);
#pragma unroll
        for (int c = 0; c < Parts; ++c) {
          const int d = c * 32 + lane;
          if (d < K) {
            dk[m][c] += g * q_tile[t * row + d];
            dv[m][c] += weight * dout_tile[t * row + d];
          }
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < per_warp; ++m) {
    const std::int64_t j = j0 + warp * per_warp + m;
    if (j >= f.S) continue;
#pragma unroll
    for (int c = 0; c < Parts; ++c) {
      const int d = c * 32 + lane;
      if (d >= K) continue;
      a.dk[(b * f.S + j) * a.dk_stride + head + d] = dk[m][c];
      a.dv[(b * f.S + j) * a.dv_stride + head + d] = dv[m][c];
    }
  }
}

// partial[part][distance][K]. Block d + part distance_blocks: 16 distances d onwards of heads part, part + parts, ...
template <int Parts>
__global__ void attention_position_gradient_kernel(RelativeAttentionBackwardBatch<float> a, int distance_blocks,
                                                   int parts, float* __restrict__ partial) {
  const RelativeAttentionBatch<float>& f = a.forward;
  const int K = static_cast<int>(f.K), row = K + 1;
  constexpr int own = attention_queries, tile = attention_keys, span = attention_band;
  auto* er_tile = reinterpret_cast<float*>(dynamic_shared());  // [16 distances][K]
  float* q_tile = er_tile + own * K;                           // [32 queries][K + 1]
  float* dout_tile = q_tile + tile * row;                      // [32 queries][K + 1]
  float* k_tile = dout_tile + tile * row;                      // [span][K + 1]: key t is query t - 15, d0 before it
  float* v_tile = k_tile + span * row;                         // [span][K + 1]
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  constexpr int threads = 32 * attention_warps, per_warp = own / attention_warps;
  const int part = static_cast<int>(blockIdx.x) / distance_blocks;
  const std::int64_t d0 = std::int64_t{static_cast<int>(blockIdx.x) % distance_blocks} * own;
  for (int e = thread; e < own * K; e += threads) {
    const std::int64_t distance = d0 + e / K;
    er_tile[e] = distance < f.L ? f.er[(f.L - 1 - distance) * K + e % K] : 0.0f;
  }
  float sum[per_warp][Parts] = {};
  for (std::int64_t n = part; n < f.B * f.H; n += parts) {
    const std::int64_t b = n / f.H, head = n % f.H * K;
    for (std::int64_t i0 = d0 / tile * tile; i0 < f.queries; i0 += tile) {
      const std::int64_t j0 = i0 - d0 - (own - 1);
      __syncthreads();
      for (int e = thread; e < tile * K; e += threads) {
        const std::int64_t i = i0 + e / K;
        const bool there = i < f.queries;
        q_tile[e / K * row + e % K] = there ? f.q[(b * f.queries + i) * f.q_stride + head + e % K] : 0.0f;
        dout_tile[e / K * row + e % K] = there ? a.dout[(b * f.queries + i) * a.dout_stride + head + e % K] : 0.0f;
      }
      for (int e = thread; e < span * K; e += threads) {
        const std::int64_t j = j0 + e / K;
        const bool there = j >= 0 && j < f.S;
        k_tile[e / K * row + e % K] = there ? f.k[(b * f.S + j) * f.k_stride + head + e % K] : 0.0f;
        v_tile[e / K * row + e % K] = there ? f.v[(b * f.S + j) * f.v_stride + head + e % K] : 0.0f;
      }
      __syncthreads();
#pragma unroll
      for (int m = 0; m < per_warp; ++m) {
        const int local = warp * per_warp + m, key = lane - local + own - 1;
        const std::int64_t i = i0 + lane, j = j0 + key;
        float ds = 0;
        if (i < f.queries && j >= 0 && sees(f, b, i, i, j)) {
          float score, dp;
          gradient_dots(q_tile + lane * row, k_tile + key * row, er_tile + local * K, dout_tile + lane * row,
                        v_tile + key * row, K, score, dp);
          const std::int64_t at = n * f.queries + i;
          ds = f.scale * expf(score * f.scale - f.log_sum_exp[at]) * (dp - a.delta[at]);
        }
        for (int t = 0; t < tile; ++t) {
          const float g = __shfl_sync(whole_warp, ds, t);
#pragma unroll
          for (int c = 0; c < Parts; ++c)
            if (c * 32 + lane < K) sum[m][c] += g * q_tile[t * row + c * 32 + lane];
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < per_warp; ++m) {
    const std::int64_t at = (std::int64_t{part} * distance_blocks * own + d0 + warp * per_warp + m) * K;
#pragma unroll
    for (int c = 0; c < Parts; ++c)
      if (c * 32 + lane < K) partial[at + c * 32 + lane] = sum[m][c];
  }
}

inline void relative_attention_backward(const Context& context, const RelativeAttentionBackwardBatch<float>& a) {
  const RelativeAttentionBatch<float>& f = a.forward;
  const auto pick = [&](auto one, auto two, auto four, auto eight) {
    return f.K <= 32 ? one : f.K <= 64 ? two : f.K <= 128 ? four : eight;
  };
  constexpr int threads = 32 * attention_warps;
  launch(context, "attention_delta", attention_delta_kernel, blocks_for(f.B * f.queries * f.H, attention_warps),
         threads, a);
  if (fits_tensor_attention(context, f)) return relative_attention_backward_bf16(context, a);
  const std::size_t tiles = 2 * attention_queries * f.K + (2 * attention_keys + attention_band) * (f.K + 1);
  const LaunchOptions options{.shared = tiles * sizeof(float)};
  launch(context, "attention_query_gradient",
         pick(attention_query_gradient_kernel<1>, attention_query_gradient_kernel<2>,
              attention_query_gradient_kernel<4>, attention_query_gradient_kernel<8>),
         static_cast<unsigned>(f.B * f.H * ((f.queries + attention_queries - 1) / attention_queries)), threads,
         options, a);
  launch(context, "attention_key_gradient",
         pick(attention_key_gradient_kernel<1>, attention_key_gradient_kernel<2>, attention_key_gradient_kernel<4>,
              attention_key_gradient_kernel<8>),
         static_cast<unsigned>(f.B * f.H * ((f.S + attention_queries - 1) / attention_queries)), threads, options, a);
  if (a.dEr == nullptr || f.er == nullptr) return;
  const std::int64_t met = f.queries < f.L ? f.queries : f.L;
  const std::int64_t blocks = (met + attention_queries - 1) / attention_queries;
  const std::int64_t parts = attention_position_parts(blocks, f.B * f.H);
  if (parts == 0) return;
  const std::int64_t part = blocks * attention_queries * f.K;
  const Scratch partial(context, parts * part * std::int64_t{sizeof(float)});
  const std::size_t position_tiles =
      attention_queries * f.K + (2 * attention_keys + 2 * attention_band) * (f.K + 1);
  launch(context, "attention_position_gradient",
         pick(attention_position_gradient_kernel<1>, attention_position_gradient_kernel<2>,
              attention_position_gradient_kernel<4>, attention_position_gradient_kernel<8>),
         static_cast<unsigned>(blocks * parts), threads, LaunchOptions{.shared = position_tiles * sizeof(float)}, a,
         static_cast<int>(blocks), static_cast<int>(parts), partial.as<float>());
  launch(context, "attention_add_positions", attention_add_positions_kernel, blocks_for(met * f.K, 256), 256,
         partial.as<float>(), a.dEr, f.L, f.K, met, part, static_cast<int>(parts));
}

inline void install(RelativeAttentionBackwardKernels<float>& table) {
  table.backward_batch = &relative_attention_backward;
}

}  // namespace imu2music::inline v0::kernels::cuda
