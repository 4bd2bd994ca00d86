// The gradient of attention with relative positions on tensor cores (relative_attention_bf16.cuh): operands rounded to
// bfloat16, sums in float32; no [T, S] matrix, no atomics, the same bits every time. A warp has 16 queries of a tile
// and computes their weights p and gradients ds anew from the softmax's normaliser; both go to shared memory in
// bfloat16 as operands of the products that follow.
//
//   dq      a block owns 64 queries and walks the keys: dq += ds k, and ds along the diagonals with the band of Er
//   dk, dv  a block owns a tile of keys and walks the queries: dk += ds^T q, dv += p^T dout
//   dEr     a block owns as many distances as a tile has keys, of a part of the heads, and walks their queries. Of
//           queries i and these distances the keys are a band, as rows of Er are of queries and keys: the same skew
//           the other way round. ds by distances, dEr += ds^T q. The parts are added in order at the end
//
// Reads: keys, values and Er once a block of 64 queries; queries and dout once a tile of keys; all of them once a tile
// of distances.
#pragma once

#include <algorithm>

#include "../relative_attention_backward_table.hpp"
#include "relative_attention_bf16.cuh"
#include "scratch.cuh"

namespace imu2music::inline v0::kernels::cuda {

// What a lane knows of its query: whom it sees, and the numbers that its gradients are made with.
struct TensorQuery {
  int first = 0, last = 0;
  float log_sum_exp = 0, delta = 0;
};
__device__ __forceinline__ TensorQuery tensor_query(const RelativeAttentionBackwardBatch<float>& a, std::int64_t n,
                                                    std::int64_t i) {
  TensorQuery query;
  tensor_sight(a.forward, n / a.forward.H, i, query.first, query.last);
  if (query.last > query.first) {
    query.log_sum_exp = a.forward.log_sum_exp[n * a.forward.queries + i];
    query.delta = a.delta[n * a.forward.queries + i];
  }
  return query;
}

// A warp's 16 queries and a tile of keys from j0 on: its lane's p and ds, by tensor_column(). The room is free
// afterwards.
template <int K>
__device__ __forceinline__ void tensor_gradients(const TensorQuery& query, float scale, bool related, int j0,
                                                 const __nv_bfloat16* queries, const __nv_bfloat16* douts,
                                                 const __nv_bfloat16* k_tile, const __nv_bfloat16* v_tile,
                                                 const __nv_bfloat16* ring, int base, const unsigned char* masked,
                                                 float* room, float (&p)[TensorTile<K>::keys / 2],
                                                 float (&ds)[TensorTile<K>::keys / 2]) {
  using Tile = TensorTile<K>;
  constexpr int keys = Tile::keys, own = keys / 2;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32, r = lane / 2;
  float* relative = room + 16 * Tile::score_row;
  tensor_products<K, keys / 16>(
      queries, [&](int m) { return k_tile + 16 * m * Tile::row; }, room, Tile::score_row);
  if (related)
    tensor_products<K, Tile::window / 16>(
        queries, [&](int m) { return tensor_band_row<K>(ring, base, 48 - 16 * warp + 16 * m); }, relative,
        Tile::window_row);
  __syncwarp();
#pragma unroll
  for (int m = 0; m < own; ++m) {
    const int c = tensor_column<keys>(lane, m);
    p[m] = 0;
    if (j0 + c >= query.first && j0 + c < query.last && masked[c] == 0) {
      float score = room[r * Tile::score_row + c];
      if (related) score += relative[r * Tile::window_row + c - r + 15];
      p[m] = __expf(score * scale - query.log_sum_exp);
    }
  }
  __syncwarp();
  tensor_products<K, keys / 16>(
      douts, [&](int m) { return v_tile + 16 * m * Tile::row; }, room, Tile::score_row);
  __syncwarp();
#pragma unroll
  for (int m = 0; m < own; ++m)
    ds[m] = scale * p[m] * (room[r * Tile::score_row + tensor_column<keys>(lane, m)] - query.delta);
  __syncwarp();
}

template <int K>
__global__ void __launch_bounds__(tensor_threads)
    attention_query_gradient_bf16_kernel(RelativeAttentionBackwardBatch<float> a, bool aligned) {
  namespace wmma = nvcuda::wmma;
  using Tile = TensorTile<K>;
  constexpr int keys = Tile::keys, own = keys / 2;
  const RelativeAttentionBatch<float>& f = a.forward;
  __shared__ int ends[2 * tensor_warps];
  __shared__ unsigned char masked[keys];
  auto* q_tile = reinterpret_cast<__nv_bfloat16*>(dynamic_shared());  // [queries][row]
  __nv_bfloat16* dout_tile = q_tile + tensor_queries * Tile::row;     // [queries][row]
  __nv_bfloat16* k_tile = dout_tile + tensor_queries * Tile::row;     // [keys][row]
  __nv_bfloat16* v_tile = k_tile + keys * Tile::row;                  // [keys][row]
  __nv_bfloat16* ring = v_tile + keys * Tile::row;                    // [band][row], where there is Er
  auto* rooms = reinterpret_cast<float*>(ring + (f.er != nullptr ? Tile::band * Tile::row : 0));
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32, r = lane / 2;
  float* room = rooms + warp * Tile::warp_room;
  auto* straight = reinterpret_cast<__nv_bfloat16*>(room);      // ds: [16][weight_row]
  __nv_bfloat16* skewed = straight + 16 * Tile::weight_row;     // ds by rows of the band: [16][skewed_row]

  const std::int64_t blocks = (f.queries + tensor_queries - 1) / tensor_queries;
  const std::int64_t n = blockIdx.x / blocks, b = n / f.H, head = n % f.H * K;
  const std::int64_t i0 = (blocks - 1 - blockIdx.x % blocks) * tensor_queries, i = i0 + 16 * warp;
  const TensorQuery query = tensor_query(a, n, i + r);
  int begin, end;
  tensor_block_sight(query.first, query.last, ends, begin, end);
  tensor_load<K>(f.q + b * f.queries * f.q_stride + head, f.q_stride, i0, tensor_queries, f.queries, aligned, q_tile);
  tensor_load<K>(a.dout + b * f.queries * a.dout_stride + head, a.dout_stride, i0, tensor_queries, f.queries, aligned,
                 dout_tile);
  TensorSums dq[K / 16];
#pragma unroll
  for (int m = 0; m < K / 16; ++m) wmma::fill_fragment(dq[m], 0.0f);
  int base = 0;
  bool ring_is_full = false;
  for (int j0 = begin / keys * keys; j0 < end; j0 += keys) {
    __syncthreads();
    tensor_load<K>(f.k + b * f.S * f.k_stride + head, f.k_stride, j0, keys, f.S, aligned, k_tile);
    tensor_load<K>(f.v + b * f.S * f.v_stride + head, f.v_stride, j0, keys, f.S, aligned, v_tile);
    tensor_masks(f, b, j0, keys, masked);
    if (f.er != nullptr) {
      const std::int64_t band_first = f.L - 1 - (i0 - j0 + tensor_queries - 1);
      if (ring_is_full) base = (base + 1) % Tile::pieces;
#pragma unroll
      for (int piece = 0; piece < Tile::pieces; ++piece)
        if (!ring_is_full || piece == Tile::pieces - 1)
          tensor_load<K>(f.er, K, band_first + piece * keys, keys, f.L, aligned,
                         ring + (base + piece) % Tile::pieces * keys * Tile::row);
      ring_is_full = true;
    }
    __syncthreads();

    float p[own], ds[own];
    tensor_gradients<K>(query, f.scale, f.er != nullptr, j0, q_tile + 16 * warp * Tile::row,
                        dout_tile + 16 * warp * Tile::row, k_tile, v_tile, ring, base, masked, room, p, ds);
#pragma unroll
    for (int m = 0; m < own; ++m) {
      const int c = tensor_column<keys>(lane, m);
      const __nv_bfloat16 rounded = __float2bfloat16(ds[m]);
      straight[r * Tile::weight_row + c] = rounded;
      if (f.er != nullptr) skewed[r * Tile::skewed_row + c - r + 15] = rounded;
    }
    if (f.er != nullptr) {
      // Columns that no key of the row has.
      if (lane % 2 == 0)
        for (int t = 0; t < 15 - r; ++t) skewed[r * Tile::skewed_row + t] = __float2bfloat16(0.0f);
      else
        for (int t = keys + 15 - r; t < Tile::window; ++t) skewed[r * Tile::skewed_row + t] = __float2bfloat16(0.0f);
    }
    __syncwarp();
#pragma unroll
    for (int k = 0; k < keys; k += 16) {
      TensorLeft left;
      wmma::load_matrix_sync(left, straight + k, Tile::weight_row);
#pragma unroll
      for (int m = 0; m < K / 16; ++m) {
        TensorRight right;
        wmma::load_matrix_sync(right, k_tile + k * Tile::row + 16 * m, Tile::row);
        wmma::mma_sync(dq[m], left, right, dq[m]);
      }
    }
    if (f.er != nullptr)
#pragma unroll
      for (int t = 0; t < Tile::window; t += 16) {
        TensorLeft left;
        wmma::load_matrix_sync(left, skewed + t, Tile::skewed_row);
#pragma unroll
        for (int m = 0; m < K / 16; ++m) {
          TensorRight right;
          wmma::load_matrix_sync(right, tensor_band_row<K>(ring, base, 48 - 16 * warp + t) + 16 * m, Tile::row);
          wmma::mma_sync(dq[m], left, right, dq[m]);
        }
      }
    __syncwarp();
  }
  tensor_write<K, K>(dq, 1.0f, room, a.dq + (b * f.queries + i) * a.dq_stride + head, a.dq_stride, f.queries - i);
}

// How the products with 64 queries that a tile of keys, or of distances, is owed are shared out: a warp has 16 of its
// rows and, where there are more warps than these, a part of the columns.
template <int K>
struct TensorShare {
  static constexpr int groups = TensorTile<K>::keys / 16, columns = K / (tensor_warps / groups);
  static_assert(tensor_warps % groups == 0 && columns % 16 == 0);
};

// sums[16][columns] += left^T right over 64 queries, 16 of which each warp keeps in its room, `room_step` numbers after
// the one before; left: [query][row of the result].
template <int K>
__device__ __forceinline__ void tensor_add_turned(const __nv_bfloat16* left, int left_row, int room_step,
                                                  const __nv_bfloat16* right,
                                                  TensorSums (&sums)[TensorShare<K>::columns / 16]) {
#pragma unroll
  for (int w = 0; w < tensor_warps; ++w) {
    TensorLeftTurned x;
    nvcuda::wmma::load_matrix_sync(x, left + w * room_step, static_cast<unsigned>(left_row));
#pragma unroll
    for (int m = 0; m < TensorShare<K>::columns / 16; ++m) {
      TensorRight y;
      nvcuda::wmma::load_matrix_sync(y, right + 16 * w * TensorTile<K>::row + 16 * m, TensorTile<K>::row);
      nvcuda::wmma::mma_sync(sums[m], x, y, sums[m]);
    }
  }
}

template <int K>
__global__ void __launch_bounds__(tensor_threads)
    attention_key_gradient_bf16_kernel(RelativeAttentionBackwardBatch<float> a, bool aligned) {
  namespace wmma = nvcuda::wmma;
  using Tile = TensorTile<K>;
  using Share = TensorShare<K>;
  constexpr int keys = Tile::keys, own = keys / 2, steps = tensor_queries / keys;
  const RelativeAttentionBatch<float>& f = a.forward;
  __shared__ unsigned char masked[keys];
  auto* k_tile = reinterpret_cast<__nv_bfloat16*>(dynamic_shared());  // [keys][row]
  __nv_bfloat16* v_tile = k_tile + keys * Tile::row;                  // [keys][row]
  __nv_bfloat16* q_tile = v_tile + keys * Tile::row;                  // [queries][row]
  __nv_bfloat16* dout_tile = q_tile + tensor_queries * Tile::row;     // [queries][row]
  __nv_bfloat16* ring = dout_tile + tensor_queries * Tile::row;       // [band][row], where there is Er
  auto* rooms = reinterpret_cast<float*>(ring + (f.er != nullptr ? Tile::band * Tile::row : 0));
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32, r = lane / 2;
  float* room = rooms + warp * Tile::warp_room;
  auto* ps = reinterpret_cast<__nv_bfloat16*>(room);       // [16][weight_row]
  __nv_bfloat16* dss = ps + 16 * Tile::weight_row;         // [16][weight_row]
  auto* all = reinterpret_cast<__nv_bfloat16*>(rooms);
  const int group = warp % Share::groups, column = warp / Share::groups * Share::columns;

  const std::int64_t blocks = (f.S + keys - 1) / keys;
  const std::int64_t n = blockIdx.x / blocks, b = n / f.H, head = n % f.H * K;
  const int j0 = static_cast<int>(blockIdx.x % blocks) * keys;
  tensor_load<K>(f.k + b * f.S * f.k_stride + head, f.k_stride, j0, keys, f.S, aligned, k_tile);
  tensor_load<K>(f.v + b * f.S * f.v_stride + head, f.v_stride, j0, keys, f.S, aligned, v_tile);
  tensor_masks(f, b, j0, keys, masked);
  TensorSums dk[Share::columns / 16], dv[Share::columns / 16];
#pragma unroll
  for (int m = 0; m < Share::columns / 16; ++m) {
    wmma::fill_fragment(dk[m], 0.0f);
    wmma::fill_fragment(dv[m], 0.0f);
  }
  int base = 0;
  bool ring_is_full = false;
  for (std::int64_t i0 = f.causal ? j0 / tensor_queries * tensor_queries : 0; i0 < f.queries; i0 += tensor_queries) {
    __syncthreads();
    tensor_load<K>(f.q + b * f.queries * f.q_stride + head, f.q_stride, i0, tensor_queries, f.queries, aligned,
                   q_tile);
    tensor_load<K>(a.dout + b * f.queries * a.dout_stride + head, a.dout_stride, i0, tensor_queries, f.queries,
                   aligned, dout_tile);
    if (f.er != nullptr) {
      // The band moves towards Er's beginning, 64 rows at a time.
      const std::int64_t band_first = f.L - 1 - (i0 - j0 + tensor_queries - 1);
      if (ring_is_full) base = (base + Tile::pieces - steps) % Tile::pieces;
#pragma unroll
      for (int piece = 0; piece < Tile::pieces; ++piece)
        if (!ring_is_full || piece < steps)
          tensor_load<K>(f.er, K, band_first + piece * keys, keys, f.L, aligned,
                         ring + (base + piece) % Tile::pieces * keys * Tile::row);
      ring_is_full = true;
    }
    __syncthreads();

    float p[own], ds[own];
    tensor_gradients<K>(tensor_query(a, n, i0 + 16 * warp + r), f.scale, f.er != nullptr, j0,
                        q_tile + 16 * warp * Tile::row, dout_tile + 16 * warp * Tile::row, k_tile, v_tile, ring, base,
                        masked, room, p, ds);
#pragma unroll
    for (int m = 0; m < own; ++m) {
      const int at = r * Tile::weight_row + tensor_column<keys>(lane, m);
      ps[at] = __float2bfloat16(p[m]);
      dss[at] = __float2bfloat16(ds[m]);
    }
    __syncthreads();
    tensor_add_turned<K>(all + 16 * group, Tile::weight_row, 2 * Tile::warp_room, dout_tile + column, dv);
    tensor_add_turned<K>(all + 16 * Tile::weight_row + 16 * group, Tile::weight_row, 2 * Tile::warp_room,
                         q_tile + column, dk);
  }
  __syncthreads();
  const std::int64_t j = j0 + 16 * group;
  tensor_write<K, Share::columns>(dk, 1.0f, room, a.dk + (b * f.S + j) * a.dk_stride + head + column, a.dk_stride,
                                  f.S - j);
  tensor_write<K, Share::columns>(dv, 1.0f, room, a.dv + (b * f.S + j) * a.dv_stride + head + column, a.dv_stride,
                                  f.S - j);
}

// partial[part][distance][K]. Block d + part distance_blocks: distances d keys onwards of heads part, part + parts, ...
template <int K>
__global__ void __launch_bounds__(tensor_threads)
    attention_position_gradient_bf16_kernel(RelativeAttentionBackwardBatch<float> a, bool aligned,
                                            int distance_blocks, int parts, float* partial) {
  namespace wmma = nvcuda::wmma;
  using Tile = TensorTile<K>;
  using Share = TensorShare<K>;
  constexpr int distances = Tile::keys, own = distances / 2, span = tensor_queries + distances;
  const RelativeAttentionBatch<float>& f = a.forward;
  __shared__ unsigned char masked[span];
  auto* er_tile = reinterpret_cast<__nv_bfloat16*>(dynamic_shared());  // [distances][row], the longest first
  __nv_bfloat16* q_tile = er_tile + distances * Tile::row;             // [queries][row]
  __nv_bfloat16* dout_tile = q_tile + tensor_queries * Tile::row;      // [queries][row]
  __nv_bfloat16* key_tile = dout_tile + tensor_queries * Tile::row;    // [span][row]: keys, then values
  auto* rooms = reinterpret_cast<float*>(key_tile + span * Tile::row);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32, r = lane / 2;
  float* relative = rooms + warp * Tile::warp_room;     // [16][score_row]: by distances
  float* scores = relative + 16 * Tile::score_row;      // [16][window_row]: by keys
  auto* dss = reinterpret_cast<__nv_bfloat16*>(relative);  // [16][weight_row], after both
  auto* all = reinterpret_cast<__nv_bfloat16*>(rooms);
  const int group = warp % Share::groups, column = warp / Share::groups * Share::columns;
  const __nv_bfloat16* queries = q_tile + 16 * warp * Tile::row;
  // Of query i0 + s, distance d0 + distances - 1 - e belongs to key s + e + 1 of the span, and a warp's keys are those
  // from its first query's number on.
  const auto own_keys = [&](int m) { return key_tile + (16 * warp + 16 * m) * Tile::row; };

  const int part = static_cast<int>(blockIdx.x) / distance_blocks;
  const std::int64_t d0 = static_cast<std::int64_t>(static_cast<int>(blockIdx.x) % distance_blocks) * distances;
  tensor_load<K>(f.er, K, f.L - d0 - distances, distances, f.L, aligned, er_tile);
  TensorSums sums[Share::columns / 16];
#pragma unroll
  for (int m = 0; m < Share::columns / 16; ++m) wmma::fill_fragment(sums[m], 0.0f);
  for (std::int64_t n = part; n < f.B * f.H; n += parts) {
    const std::int64_t b = n / f.H, head = n % f.H * K;
    for (std::int64_t i0 = d0 / tensor_queries * tensor_queries; i0 < f.queries; i0 += tensor_queries) {
      const std::int64_t key0 = i0 - d0 - distances;  // the span's first
      __syncthreads();
      tensor_load<K>(f.q + b * f.queries * f.q_stride + head, f.q_stride, i0, tensor_queries, f.queries, aligned,
                     q_tile);
      tensor_load<K>(a.dout + b * f.queries * a.dout_stride + head, a.dout_stride, i0, tensor_queries, f.queries,
                     aligned, dout_tile);
      tensor_load<K>(f.k + b * f.S * f.k_stride + head, f.k_stride, key0, span, f.S, aligned, key_tile);
      tensor_masks(f, b, key0, span, masked);
      __syncthreads();
      const TensorQuery query = tensor_query(a, n, i0 + 16 * warp + r);
      tensor_products<K, distances / 16>(
          queries, [&](int m) { return er_tile + 16 * m * Tile::row; }, relative, Tile::score_row);
      tensor_products<K, Tile::window / 16>(queries, own_keys, scores, Tile::window_row);
      __syncwarp();
      float p[own];
#pragma unroll
      for (int m = 0; m < own; ++m) {
        const int e = tensor_column<distances>(lane, m), s = 16 * warp + r + e + 1;
        const std::int64_t j = key0 + s;
        p[m] = 0;
        if (j >= query.first && j < query.last && masked[s] == 0)
          p[m] = __expf((scores[r * Tile::window_row + r + e + 1] + relative[r * Tile::score_row + e]) * f.scale -
                        query.log_sum_exp);
      }
      __syncthreads();  // the keys have been read
      tensor_load<K>(f.v + b * f.S * f.v_stride + head, f.v_stride, key0, span, f.S, aligned, key_tile);
      __syncthreads();
      tensor_products<K, Tile::window / 16>(dout_tile + 16 * warp * Tile::row, own_keys, scores, Tile::window_row);
      __syncwarp();
#pragma unroll
      for (int m = 0; m < own; ++m) {
        const int e = tensor_column<distances>(lane, m);
        const float ds = f.scale * p[m] * (scores[r * Tile::window_row + r + e + 1] - query.delta);
        dss[r * Tile::weight_row + e] = __float2bfloat16(ds);  // where `relative` was
      }
      __syncthreads();
      tensor_add_turned<K>(all + 16 * group, Tile::weight_row, 2 * Tile::warp_room, q_tile + column, sums);
    }
  }
  __syncthreads();
  // Row e of the sums is distance d0 + distances - 1 - e: written upwards from the block's last one.
  const std::int64_t last = part * static_cast<std::int64_t>(distance_blocks) * distances + d0 + distances - 1;
  tensor_write<K, Share::columns>(sums, 1.0f, relative, partial + (last - 16 * group) * K + column, -K, 16);
}

// Into how many parts the heads are cut where `blocks` blocks own all distances.
inline std::int64_t attention_position_parts(std::int64_t blocks, std::int64_t heads) {
  constexpr std::int64_t blocks_wanted = 528, most_parts = 64;
  if (blocks == 0) return 0;
  const std::int64_t parts = (blocks_wanted + blocks - 1) / blocks;
  return std::min({parts, most_parts, heads});
}

// dEr of `count` distances from 0 on: the parts in order.
__global__ void attention_add_positions_kernel(const float* __restrict__ partial, float* dEr, std::int64_t L,
                                               std::int64_t K, std::int64_t count, std::int64_t part, int parts) {
  const std::int64_t e = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (e >= count * K) return;
  float sum = 0;
  for (int m = 0; m < parts; ++m) sum += partial[m * part + e];
  dEr[(L - 1 - e / K) * K + e % K] += sum;
}

// delta is there.
inline void relative_attention_backward_bf16(const Context& context, const RelativeAttentionBackwardBatch<float>& a) {
  const RelativeAttentionBatch<float>& f = a.forward;
  const bool aligned =
      tensor_aligned(f) && reinterpret_cast<std::uintptr_t>(a.dout) % 16 == 0 && a.dout_stride % 4 == 0;
  with_tensor_width(f.K, [&](auto width) {
    constexpr int K = width;
    using Tile = TensorTile<K>;
    constexpr std::int64_t keys = Tile::keys;
    const auto bytes = [](std::int64_t rows) {
      return LaunchOptions{
          .shared = static_cast<std::size_t>(rows * Tile::row * 2 + tensor_warps * Tile::warp_room * 4)};
    };
    const LaunchOptions options = bytes(2 * tensor_queries + 2 * keys + (f.er != nullptr ? Tile::band : 0));
    launch(context, "attention_query_gradient_bf16", attention_query_gradient_bf16_kernel<K>,
           static_cast<unsigned>(f.B * f.H * ((f.queries + tensor_queries - 1) / tensor_queries)), tensor_threads,
           options, a, aligned);
    launch(context, "attention_key_gradient_bf16", attention_key_gradient_bf16_kernel<K>,
           static_cast<unsigned>(f.B * f.H * ((f.S + keys - 1) / keys)), tensor_threads, options, a, aligned);
    if (a.dEr == nullptr || f.er == nullptr) return;
    const std::int64_t met = f.queries < f.L ? f.queries : f.L, blocks = (met + keys - 1) / keys;
    const std::int64_t parts = attention_position_parts(blocks, f.B * f.H);
    if (parts == 0) return;
    const std::int64_t part = blocks * keys * K;
    const Scratch partial(context, parts * part * std::int64_t{sizeof(float)});
    launch(context, "attention_position_gradient_bf16", attention_position_gradient_bf16_kernel<K>,
           static_cast<unsigned>(blocks * parts), tensor_threads, bytes(3 * tensor_queries + 2 * keys), a, aligned,
           static_cast<int>(blocks), static_cast<int>(parts), partial.as<float>());
    launch(context, "attention_add_positions", attention_add_positions_kernel, blocks_for(met * K, 256), 256,
           partial.as<float>(), a.dEr, f.L, f.K, met, part, static_cast<int>(parts));
  });
}

}  // namespace imu2music::inline v0::kernels::cuda
