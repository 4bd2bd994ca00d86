// Decoding on the device: one cooperative launch for many tokens.
//
// A token is a row of matrix-vector products with attention between them, each of which needs all of what
// comes before; a barrier over the grid stands at every such place, 5 a layer (8 with a memory) and 1 a
// token. Everything short is done by every block for itself, which saves barriers: residual sums and layer
// norms of D numbers, merging the parts of attention, and the choice of the next id, for which all blocks see
// the same logits and so agree.
//
//   products    rows of W are shared out over all warps of the grid, 1, 2 or 4 rows at a time so that every
//               warp has some; a warp's lanes lie along the row, 16 bytes each. A warp asks for its first
//               weights before the barrier in front of the product: they do not depend on it.
//   attention   a block takes one head and decode_tile keys; a warp takes decode_part of them, its lanes in
//               groups along a key's row, each group with a softmax of its own in one pass (running maximum).
//               Parts are merged in the block, tiles by whoever needs the result. q (k + Er) needs one
//               product for both terms.
//   the choice  by one warp over the logits in shared memory; ranks, where they are wanted, by counting,
//               with all.
//
// Sums are taken in an order that does not depend on the grid, so every machine gives the same bits.
//
// Traffic of a token: all weights once, from L2 where they fit there, and 3 T D (2 T D of the memory) numbers
// of keys, values and Er a layer.
//
// What blocks write for each other is read past L1 (__ldcg); weights through the read-only path (__ldg).
#pragma once

#include <cooperative_groups.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "../decode_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

// n rounded up.
__host__ __device__ constexpr std::int64_t decode_rounded(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

__device__ __forceinline__ int decode_lesser(int a, int b) { return a < b ? a : b; }

constexpr int decode_part = 16;  // keys that one warp takes at a time
constexpr int decode_parts = decode_tile / decode_part;
constexpr int decode_most_threads = 512;
constexpr int decode_held = 4;  // 16-byte loads that a lane has under way

// ---- weights ----

struct DecodeFloat {
  using Number = float;
  using Vector = float4;
  struct Operand {
    float4 x;
  };
  static constexpr int width = 4;
  static __device__ __forceinline__ Operand operand(const float* x) { return {*reinterpret_cast<const float4*>(x)}; }
  static __device__ __forceinline__ float add_product(Vector w, const Operand& o, float sum) {
    return fmaf(w.w, o.x.w, fmaf(w.z, o.x.z, fmaf(w.y, o.x.y, fmaf(w.x, o.x.x, sum))));
  }
};

struct DecodeBfloat16 {
  using Number = __nv_bfloat16;
  using Vector = uint4;
  struct Operand {
    float4 low, high;
  };
  static constexpr int width = 8;
  static __device__ __forceinline__ Operand operand(const float* x) {
    return {*reinterpret_cast<const float4*>(x), *reinterpret_cast<const float4*>(x + 4)};
  }
  // Two numbers a word, the first in its lower half.
  static __device__ __forceinline__ float first(unsigned word) { return __uint_as_float(word << 16); }
  static __device__ __forceinline__ float second(unsigned word) { return __uint_as_float(word & 0xffff0000u); }
  static __device__ __forceinline__ float add_product(Vector w, const Operand& o, float sum) {
    sum = fmaf(second(w.x), o.low.y, fmaf(first(w.x), o.low.x, sum));
    sum = fmaf(second(w.y), o.low.w, fmaf(first(w.y), o.low.z, sum));
    sum = fmaf(second(w.z), o.high.y, fmaf(first(w.z), o.high.x, sum));
    return fmaf(second(w.w), o.high.w, fmaf(first(w.w), o.high.z, sum));
  }
};

// ---- what a block keeps ----

struct DecodeBlock {
  float* x = nullptr;        // the residual stream
  float* sums = nullptr;     // before a layer norm
  float* operand = nullptr;  // of a product, where it is not x
  float* parts = nullptr;    // [decode_parts, Kp + 2] of attention
  float* logits = nullptr;   // [V] each
  float* weights = nullptr;
  float* sorted = nullptr;
  std::int32_t* rank = nullptr;
  std::int32_t* occurrences = nullptr;
  DecodeCarry* carry = nullptr;
  DecodeLayer* layers = nullptr;
};

// Cuts a block's shared memory up; returns how much there must be.
__host__ __device__ inline std::size_t decode_layout(const DecodeModel& m, unsigned char* memory,
                                                     DecodeBlock& block) {
  std::size_t used = 0;
  const auto take = [&](auto*& at, std::int64_t count) {
    using Element = std::remove_reference_t<decltype(*at)>;
    at = memory == nullptr ? nullptr : reinterpret_cast<Element*>(memory + used);
    used += static_cast<std::size_t>(decode_rounded(count * static_cast<std::int64_t>(sizeof(Element)), 16));
  };
  const std::int64_t widest = m.D > m.F ? m.D : m.F, Kp = decode_rounded(m.D / m.H, 4);
  take(block.carry, 1);
  take(block.layers, m.layers);
  take(block.x, decode_rounded(m.D, decode_padding));
  take(block.sums, decode_rounded(m.D, decode_padding));
  take(block.operand, decode_rounded(widest, decode_padding));
  take(block.parts, decode_parts * (Kp + 2));
  take(block.logits, m.V);
  take(block.weights, m.V);
  take(block.sorted, m.V);
  take(block.rank, m.V);
  take(block.occurrences, m.V);
  return used;
}

// ---- products ----

// Rows that a warp takes at a time: as few as leave none over, so that all warps of the grid work.
__device__ __forceinline__ int decode_rows(int outputs, int warps) {
  return outputs <= warps ? 1 : outputs <= 2 * warps ? 2 : 4;
}

// Asks for vectors first_vector.. of a group of `rows` rows from `row` on; lanes and rows beyond the matrix
// get none, or a row twice.
template <class W>
__device__ __forceinline__ void decode_fetch(const DecodeMatrix& matrix, int rows, int row, int first_vector,
                                             typename W::Vector (&held)[decode_held]) {
  const int lane = threadIdx.x % 32, vectors = matrix.stride / W::width, steps = decode_held / rows;
  const auto* weight = static_cast<const typename W::Number*>(matrix.weight);
#pragma unroll
  for (int i = 0; i < decode_held; ++i) {
    const int v = first_vector + i % steps * 32 + lane;
    const int at = decode_lesser(row + i / steps, matrix.outputs - 1);
    if (v < vectors)
      held[i] = __ldg(reinterpret_cast<const typename W::Vector*>(weight + std::int64_t{at} * matrix.stride) + v);
  }
}

// Adds over the warp, for all rows at once: with each exchange a lane gives away half of the rows that it has
// left. Lane n gets the sum of row decode_row_of<Rows>(n). Pairs are added in one order whatever Rows is.
template <int Rows>
__device__ __forceinline__ float decode_reduce(const float (&sum)[Rows], int lane) {
  float left;
  if constexpr (Rows == 4) {
    const bool upper = lane & 16, upper_half = lane & 8;
    const float a = (upper ? sum[2] : sum[0]) + __shfl_xor_sync(whole_warp, upper ? sum[0] : sum[2], 16);
    const float b = (upper ? sum[3] : sum[1]) + __shfl_xor_sync(whole_warp, upper ? sum[1] : sum[3], 16);
    left = (upper_half ? b : a) + __shfl_xor_sync(whole_warp, upper_half ? a : b, 8);
  } else {
    if constexpr (Rows == 2) {
      const bool upper = lane & 16;
      left = (upper ? sum[1] : sum[0]) + __shfl_xor_sync(whole_warp, upper ? sum[0] : sum[1], 16);
    } else {
      left = sum[0] + __shfl_xor_sync(whole_warp, sum[0], 16);
    }
    left += __shfl_xor_sync(whole_warp, left, 8);
  }
#pragma unroll
  for (int step = 4; step > 0; step /= 2) left += __shfl_xor_sync(whole_warp, left, step);
  return left;
}
template <int Rows>
__device__ __forceinline__ int decode_row_of(int lane) {
  return Rows == 4 ? lane / 8 : Rows == 2 ? lane / 16 : 0;
}

// write(row, W[row] x + b[row]) for the rows of this warp. held: what decode_fetch() gave for its first
// group.
template <class W, int Rows, class Write>
__device__ __forceinline__ void decode_multiply(const DecodeMatrix& matrix, const float* x, int first_group,
                                                int groups, typename W::Vector (&held)[decode_held],
                                                const Write& write) {
  constexpr int steps = decode_held / Rows;
  const int lane = threadIdx.x % 32, vectors = matrix.stride / W::width;
  for (int row = first_group * Rows; row < matrix.outputs; row += groups * Rows) {
    const int mine = row + decode_row_of<Rows>(lane);
    const bool writes = lane % (32 / Rows) == 0 && mine < matrix.outputs;
    const float bias = writes ? __ldg(matrix.bias + mine) : 0.0f;
    float sum[Rows] = {};
    for (int first = 0;;) {
#pragma unroll
      for (int s = 0; s < steps; ++s) {
        const int v = first + s * 32 + lane;
        if (v >= vectors) continue;
        const typename W::Operand operand = W::operand(x + v * W::width);
#pragma unroll
        for (int r = 0; r < Rows; ++r) sum[r] = W::add_product(held[r * steps + s], operand, sum[r]);
      }
      first += steps * 32;
      if (first >= vectors) break;
      decode_fetch<W>(matrix, Rows, row, first, held);
    }
    if (row + groups * Rows < matrix.outputs) decode_fetch<W>(matrix, Rows, row + groups * Rows, 0, held);
    const float total = decode_reduce<Rows>(sum, lane);
    if (writes) write(mine, total + bias);
  }
}

// ---- layer norm ----

// y = norm(s) by the whole block, both in shared memory and apart; every warp forms the sums for itself.
__device__ __forceinline__ void decode_normalise(const float* s, float* y, const DecodeNorm& norm, int D) {
  const int lane = threadIdx.x % 32;
  float sum = 0;
  for (int d = lane; d < D; d += 32) sum += s[d];
  const float mean = warp_sum(sum) / static_cast<float>(D);
  float squares = 0;
  for (int d = lane; d < D; d += 32) squares += (s[d] - mean) * (s[d] - mean);
  const float scale = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(D) + norm.eps);
  for (int d = threadIdx.x; d < D; d += blockDim.x)
    y[d] = (s[d] - mean) * scale * __ldg(norm.gamma + d) + __ldg(norm.beta + d);
}

// ---- attention ----

struct DecodeAttention {
  const float* q;
  const float* keys;           // [H, rows, Kp]
  const float* values;         // [H, rows, Kp]
  const float* er;             // Er's row of key 0, where key j adds row j; or null
  const std::uint8_t* masked;  // by key, or null
  float* partial;              // [H, tiles, Kp + 4]: a tile's sum of values, then its maximum and sum of weights
  int H, K, Kp, rows;
  int begin, end;  // the keys that are seen, at least one
  float scale;

  __device__ __forceinline__ int first_tile() const { return begin / decode_tile; }
  __device__ __forceinline__ int tiles() const { return (end + decode_tile - 1) / decode_tile - first_tile(); }
};

__device__ __forceinline__ float4 decode_scaled(float4 v, float by) {
  return make_float4(v.x * by, v.y * by, v.z * by, v.w * by);
}
__device__ __forceinline__ float4 decode_added(float4 v, float4 w, float times) {
  return make_float4(v.x + w.x * times, v.y + w.y * times, v.z + w.z * times, v.w + w.w * times);
}
// exp(score - top), 0 for a score of -infinity.
__device__ __forceinline__ float decode_share(float score, float top) {
  return score == -INFINITY ? 0.0f : expf(score - top);
}

// The tiles of this block. parts: [decode_parts, Kp + 2] of shared memory.
__device__ __forceinline__ void decode_attend(const DecodeAttention& a, float* parts) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  const int vectors = a.Kp / 4, tiles = a.tiles(), part_stride = a.Kp + 2;
  int lanes = 1;  // of a group: along a key's row
  while (lanes < vectors) lanes *= 2;
  const int groups = 32 / lanes, group = lane / lanes, column = lane % lanes;
  const float4 nothing = make_float4(0, 0, 0, 0);
  for (int task = blockIdx.x; task < a.H * tiles; task += gridDim.x) {
    const int h = task / tiles, tile_begin = (a.first_tile() + task % tiles) * decode_tile;
    const std::int64_t head = std::int64_t{h} * a.rows;
    float4 q = nothing;
    if (column < vectors)
      q = decode_scaled(__ldcg(reinterpret_cast<const float4*>(a.q + h * a.Kp) + column), a.scale);
    for (int part = warp; part < decode_parts; part += warps) {
      const int part_begin = tile_begin + part * decode_part;
      const int part_end = decode_lesser(part_begin + decode_part, a.end);
      float top = -INFINITY, weight = 0;
      float4 out = nothing;
      for (int j0 = part_begin; j0 < part_end; j0 += 4 * groups) {
        float4 k[4], v[4];
        float score[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int j = j0 + i * groups + group;
          const bool there = j >= a.begin && j < part_end;
          k[i] = v[i] = nothing;
          score[i] = there && (a.masked == nullptr || __ldcg(a.masked + j) == 0) ? 0.0f : -INFINITY;
          if (!there || column >= vectors) continue;
          k[i] = __ldcg(reinterpret_cast<const float4*>(a.keys + (head + j) * a.Kp) + column);
          v[i] = __ldcg(reinterpret_cast<const float4*>(a.values + (head + j) * a.Kp) + column);
          if (a.er != nullptr)
            k[i] =
                decode_added(k[i], __ldg(reinterpret_cast<const float4*>(a.er + std::int64_t{j} * a.Kp) + column), 1);
        }
        float highest = top;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float product = q.x * k[i].x + q.y * k[i].y + q.z * k[i].z + q.w * k[i].w;
          for (int step = lanes / 2; step > 0; step /= 2) product += __shfl_xor_sync(whole_warp, product, step);
          score[i] += product;
          highest = fmaxf(highest, score[i]);
        }
        const float fade = decode_share(top, highest);
        weight *= fade;
        out = decode_scaled(out, fade);
        top = highest;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float share = decode_share(score[i], highest);
          weight += share;
          out = decode_added(out, v[i], share);
        }
      }
      for (int step = lanes; step < 32; step *= 2) {
        const float other_top = __shfl_xor_sync(whole_warp, top, step);
        const float other_weight = __shfl_xor_sync(whole_warp, weight, step);
        const float4 other =
            make_float4(__shfl_xor_sync(whole_warp, out.x, step), __shfl_xor_sync(whole_warp, out.y, step),
                        __shfl_xor_sync(whole_warp, out.z, step), __shfl_xor_sync(whole_warp, out.w, step));
        const float highest = fmaxf(top, other_top);
        const float mine = decode_share(top, highest), theirs = decode_share(other_top, highest);
        top = highest;
        weight = weight * mine + other_weight * theirs;
        out = decode_added(decode_scaled(out, mine), other, theirs);
      }
      float* to = parts + part * part_stride;
      if (group == 0 && column < vectors) {
        to[4 * column] = out.x;
        to[4 * column + 1] = out.y;
        to[4 * column + 2] = out.z;
        to[4 * column + 3] = out.w;
      }
      if (lane == 0) {
        to[a.Kp] = top;
        to[a.Kp + 1] = weight;
      }
    }
    __syncthreads();
    float* to = a.partial + std::int64_t{task} * (a.Kp + 4);
    for (int c = threadIdx.x; c < part_stride; c += blockDim.x) {
      float top = -INFINITY, sum = 0;
      for (int part = 0; part < decode_parts; ++part) top = fmaxf(top, parts[part * part_stride + a.Kp]);
      for (int part = 0; part < decode_parts; ++part)
        sum += parts[part * part_stride + c] * decode_share(parts[part * part_stride + a.Kp], top);
      to[c] = c == a.Kp ? top : sum;
    }
    __syncthreads();
  }
}

// The attended row, [D], from the tiles of all blocks; zeros where a head saw nothing.
__device__ __forceinline__ void decode_merge(const DecodeAttention& a, float* y) {
  const int tiles = a.tiles();
  for (int d = threadIdx.x; d < a.H * a.K; d += blockDim.x) {
    const int h = d / a.K, c = d % a.K;
    const float* from = a.partial + std::int64_t{h} * tiles * (a.Kp + 4);
    float top = -INFINITY, sum = 0, weight = 0;
    for (int tile = 0; tile < tiles; ++tile) top = fmaxf(top, __ldcg(from + tile * (a.Kp + 4) + a.Kp));
    for (int tile = 0; tile < tiles; ++tile) {
      const float* part = from + tile * (a.Kp + 4);
      const float share = decode_share(__ldcg(part + a.Kp), top);
      sum += __ldcg(part + c) * share;
      weight += __ldcg(part + a.Kp + 1) * share;
    }
    y[d] = weight > 0 ? sum / weight : 0.0f;
  }
}

// ---- positions ----

// The position of musical time: its functions in double take many registers, so they stand apart.
__device__ __noinline__ float decode_time_position(double u, const double* rates, int d) {
  const double angle = u * rates[d / 2];
  return static_cast<float>(d % 2 == 0 ? sin(angle) : cos(angle));
}

// What of the memory the token at time_s sees, first and end (models/musical_time.hpp).
__device__ inline void decode_sight(const DecodeModel& m, double time_s, int S, int& begin, int& end) {
  begin = 0;
  end = S;
  if (!m.bounded_sight) return;
  const double last_token = S - 1, rounding = 1e-9;
  double first = fmax(0.0, ceil(m.token_rate * (time_s - m.lookback_s) - rounding));
  double last = fmin(last_token, floor(m.token_rate * (time_s + m.lookahead_s) + rounding));
  if (first > last) first = last = fmin(fmax(round(m.token_rate * time_s), 0.0), last_token);
  begin = static_cast<int>(first);
  end = static_cast<int>(last) + 1;
}

// ---- the choice of an id ----

// Word n of a stream (core/random.hpp).
__device__ inline std::uint32_t decode_random_word(std::uint64_t seed, std::uint64_t stream, std::uint64_t n) {
  const std::uint64_t block = n / 4;
  std::uint32_t c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32),
                c2 = static_cast<std::uint32_t>(stream), c3 = static_cast<std::uint32_t>(stream >> 32),
                k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const std::uint32_t high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const int word = static_cast<int>(n % 4);
  return word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
}

__device__ __forceinline__ bool decode_has(const std::uint32_t* set, int pitch) {
  return set[pitch / 32] >> (pitch % 32) & 1u;
}

// What generate/event_grammar.hpp says of an id.
__device__ __forceinline__ bool decode_allows(const DecodeModel& m, const DecodeOptions& o, const DecodeCarry& carry,
                                              int id) {
  if (o.allowed != nullptr && o.allowed[id] == 0) return false;
  const int kind = m.kind[id], pitch = m.pitch[id] % decode_pitches;
  if (kind == decode_note_off && o.note_off_needs_note_on)
    return decode_has(carry.sounding, pitch) && !decode_has(carry.awaited, pitch);
  if (kind == decode_continued && o.checks_continued)
    return carry.at_start != 0 &&
           (decode_has(carry.awaited, pitch) || (o.may_begin_continued && !decode_has(carry.sounding, pitch)));
  return true;
}

// Takes up the id chosen, by one thread.
__device__ inline void decode_push(const DecodeModel& m, const DecodeOptions& o, const DecodeState& state,
                                   DecodeBlock& block, int id) {
  DecodeCarry& carry = *block.carry;
  if (o.repetition_penalty != 1.0f) {
    if (carry.count >= o.repetition_window)
      --block.occurrences[__ldcg(state.chosen + carry.count - o.repetition_window)];
    ++block.occurrences[id];
  }
  if (blockIdx.x == 0) state.chosen[carry.count] = id;
  ++carry.count;
  carry.token = id;
  const int kind = m.kind[id], pitch = m.pitch[id] % decode_pitches, word = pitch / 32;
  const std::uint32_t bit = 1u << (pitch % 32);
  if (kind == decode_continued) {
    if (carry.at_start == 0) return;
    if (carry.sounding[word] & bit)
      carry.awaited[word] &= ~bit;
    else
      carry.sounding[word] |= bit;
  } else if (kind != decode_passed_over && kind != decode_velocity) {
    carry.at_start = 0;
    for (int w = 0; w < decode_pitches / 32; ++w) {  // what was not continued is over
      carry.sounding[w] &= ~carry.awaited[w];
      carry.awaited[w] = 0;
    }
    if (kind == decode_note_on) carry.sounding[word] |= bit;
    if (kind == decode_note_off) carry.sounding[word] &= ~bit;
    if (kind == decode_time_shift) carry.music_time_s += m.shift_s[id];
    if (kind == decode_end) carry.ended = 1;
  }
  if (carry.music_time_s >= o.most_s) carry.ended = 1;
}

// Sum of x over the lanes before this one.
template <class T>
__device__ __forceinline__ T decode_before(T x, int lane) {
  T sum = x;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const T other = __shfl_up_sync(whole_warp, sum, step);
    if (lane >= step) sum += other;
  }
  const T before = __shfl_up_sync(whole_warp, sum, 1);
  return lane == 0 ? T(0) : before;
}
__device__ __forceinline__ int decode_least(int x) { return -warp_max(-x); }

// Of the ids by rank, how many stay with the share top_p of the first `kept`. One warp.
__device__ inline int decode_enough(const DecodeBlock& block, int kept, double top_p, int lane) {
  const int each = (kept + 31) / 32, begin = decode_lesser(lane * each, kept),
            end = decode_lesser(begin + each, kept);
  double mine = 0;
  for (int n = begin; n < end; ++n) mine += static_cast<double>(block.sorted[n]);
  const double enough = top_p * warp_sum(mine);
  double held = decode_before(mine, lane);
  int found = kept;
  for (int n = begin; n < end && found == kept; ++n) {
    held += static_cast<double>(block.sorted[n]);
    if (held >= enough) found = n + 1;
  }
  return decode_least(found);
}

// The id with weights up to it above u times their sum. One warp.
__device__ inline int decode_pick(const DecodeBlock& block, int V, float u, int lane) {
  const int each = (V + 31) / 32, begin = decode_lesser(lane * each, V), end = decode_lesser(begin + each, V);
  float mine = 0;
  int last = -1;
  for (int i = begin; i < end; ++i) {
    mine += block.weights[i];
    if (block.weights[i] > 0) last = i;
  }
  const float threshold = u * warp_sum(mine);
  float sum = decode_before(mine, lane);
  int found = V;
  for (int i = begin; i < end && found == V; ++i) {
    sum += block.weights[i];
    if (sum > threshold && block.weights[i] > 0) found = i;
  }
  found = decode_least(found);
  return found < V ? found : warp_max(last);
}

// Chooses from state.logits as generate/sampler.hpp does, and takes the id up; carry.ended says how it went.
// All of the block, which has it in step before and after.
__device__ __noinline__ void decode_choose(const DecodeModel& m, const DecodeOptions& o, const DecodeState& state) {
  DecodeBlock block;
  decode_layout(m, dynamic_shared(), block);
  const int lane = threadIdx.x % 32, V = m.V;
  const DecodeCarry& carry = *block.carry;
  if (carry.count < o.forced_count) {
    const int id = o.forced[carry.count];
    __syncthreads();
    if (threadIdx.x == 0) decode_push(m, o, state, block, id);
    __syncthreads();
    return;
  }
  for (int i = threadIdx.x; i < V; i += blockDim.x) {
    const float l = __ldcg(state.logits + i);
    block.logits[i] = block.occurrences[i] == 0 ? l : l > 0 ? l / o.repetition_penalty : l * o.repetition_penalty;
    block.rank[i] = decode_allows(m, o, carry, i) ? 1 : 0;
  }
  __syncthreads();
  const bool ranks = !o.greedy && (o.top_k > 0 || o.top_p < 1);
  int id = -1;
  if (threadIdx.x < 32) {
    float top = -INFINITY;
    for (int i = lane; i < V; i += 32)
      if (block.rank[i] != 0) top = fmaxf(top, block.logits[i]);
    top = warp_max(top);
    if (o.greedy) {
      int first = V;
      for (int i = lane; i < V && first == V; i += 32)
        if (block.rank[i] != 0 && block.logits[i] == top) first = i;
      first = decode_least(first);
      id = first < V ? first : -1;
    } else {
      // Logits equal to the largest weigh 1 by definition, be it infinite.
      for (int i = lane; i < V; i += 32) {
        const float l = block.logits[i];
        block.weights[i] = block.rank[i] == 0 ? 0.0f : l == top ? 1.0f : expf((l - top) / o.temperature);
      }
    }
  }
  __syncthreads();
  if (ranks)
    for (int i = threadIdx.x; i < V; i += blockDim.x) {
      const float w = block.weights[i], l = block.logits[i];
      int before = 0;
      for (int other = 0; other < V; ++other) {
        const float theirs = block.logits[other];
        before += block.weights[other] > 0 && (theirs > l || (theirs == l && other < i)) ? 1 : 0;
      }
      if (!(w > 0)) before = V;
      block.rank[i] = before;
      if (before < V) block.sorted[before] = w;
    }
  __syncthreads();
  if (threadIdx.x < 32) {
    if (!o.greedy) {
      float total = 0;
      int positive = 0;
      for (int i = lane; i < V; i += 32) {
        total += block.weights[i];
        positive += block.weights[i] > 0 ? 1 : 0;
      }
      total = warp_sum(total);
      positive = warp_sum(positive);
      if (total > 0) {  // not so where a logit is no number
        int kept = V;
        if (ranks) {
          kept = o.top_k > 0 && o.top_k < positive ? static_cast<int>(o.top_k) : positive;
          if (o.top_p < 1) kept = decode_enough(block, kept, o.top_p, lane);
        }
        for (int i = lane; i < V; i += 32)
          if ((ranks && block.rank[i] >= kept) || !(block.weights[i] >= o.min_p)) block.weights[i] = 0;
        __syncwarp();
        const float u =
            static_cast<float>(decode_random_word(o.seed, o.stream, carry.draws) >> 8) * (1.0f / (1 << 24));
        id = decode_pick(block, V, u, lane);
      }
    }
    __syncwarp();
    if (threadIdx.x == 0) {
      if (!o.greedy && id >= 0) ++block.carry->draws;
      if (id >= 0)
        decode_push(m, o, state, block, id);
      else
        block.carry->ended = 2;
    }
  }
  __syncthreads();
}

// ---- the kernel ----

// Keys of self-attention, up to position p, and of the memory.
__device__ __forceinline__ DecodeAttention decode_attention(const DecodeModel& m, const DecodeState& state, int layer,
                                                            const float* er, bool cross, int p, int begin, int end) {
  DecodeAttention a;
  const int K = m.D / m.H, Kp = static_cast<int>(decode_rounded(K, 4));
  a.H = m.H;
  a.K = K;
  a.Kp = Kp;
  a.q = state.q;
  a.partial = state.partial;
  a.rows = cross ? state.S_most : m.L;
  const std::int64_t before = std::int64_t{layer} * m.H * a.rows * Kp;
  a.keys = (cross ? state.memory_keys : state.keys) + before;
  a.values = (cross ? state.memory_values : state.values) + before;
  a.er = cross ? nullptr : er + std::int64_t{m.L - 1 - p} * Kp;  // key j: row L - 1 - (p - j)
  a.masked = cross || m.pad < 0 ? nullptr : state.masked;
  a.begin = cross ? begin : 0;
  a.end = cross ? end : p + 1;
  a.scale = 1.0f / sqrtf(static_cast<float>(K));
  return a;
}

template <class W>
__global__ void __launch_bounds__(decode_most_threads, 1)
    decode_kernel(const __grid_constant__ DecodeModel m, const __grid_constant__ DecodeState state,
                  const __grid_constant__ DecodeOptions options, std::int32_t tokens) {
  const cooperative_groups::grid_group grid = cooperative_groups::this_grid();
  DecodeBlock block;
  const std::size_t shared = decode_layout(m, dynamic_shared(), block);
  // Padding is multiplied by weights of zero, so it must be finite.
  for (std::size_t i = threadIdx.x; i < shared / sizeof(float); i += blockDim.x)
    reinterpret_cast<float*>(dynamic_shared())[i] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < m.layers; i += blockDim.x) block.layers[i] = m.layer[i];
  for (int i = threadIdx.x; i < m.V; i += blockDim.x)
    block.occurrences[i] = options.choose && options.repetition_penalty != 1.0f ? state.occurrences[i] : 0;
  if (threadIdx.x == 0) {
    *block.carry = *state.carry;
    if (options.first_token >= 0) block.carry->token = options.first_token;
  }
  __syncthreads();

  const int lane_warp = threadIdx.x / 32, warps_a_block = blockDim.x / 32;
  const int warps = static_cast<int>(gridDim.x) * warps_a_block;
  // Neighbouring rows go to different blocks, so that a short matrix is shared out over all of them.
  const int warp = lane_warp * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
  const int K = m.D / m.H, Kp = static_cast<int>(decode_rounded(K, 4));
  const int products_a_layer = m.has_memory ? 6 : 4, products = m.layers * products_a_layer + 1;
  const auto kind_of = [&](int n) {
    if (n == products - 1) return static_cast<int>(decode_logits);
    const int k = n % products_a_layer;
    return !m.has_memory && k >= decode_cross_q ? k + 2 : k;
  };
  const auto matrix_of = [&](int n) -> const DecodeMatrix& {
    return n == products - 1 ? m.logits : block.layers[n / products_a_layer].products[kind_of(n)];
  };
  typename W::Vector held[decode_held] = {};
  const auto fetch = [&](int n) {
    const DecodeMatrix& matrix = matrix_of(n);
    const int rows = decode_rows(matrix.outputs, warps);
    decode_fetch<W>(matrix, rows, warp * rows, 0, held);
  };

  fetch(0);
  for (int t = 0; t < tokens; ++t) {
    const int p = block.carry->position, token = block.carry->token;
    if (p >= m.L) break;
    const double time_s = block.carry->token_time_s + m.shift_s[token];
    int sight_begin, sight_end;
    decode_sight(m, time_s, state.S, sight_begin, sight_end);
    if (m.pad >= 0 && blockIdx.x == 0 && threadIdx.x == 0) state.masked[p] = token == m.pad;
    __syncthreads();
    if (threadIdx.x == 0) {
      block.carry->position = p + 1;
      block.carry->token_time_s = time_s;
    }

    for (int n = 0; n < products; ++n) {
      const int kind = kind_of(n), layer = decode_lesser(n / products_a_layer, m.layers - 1);
      const DecodeLayer& weights = block.layers[layer];
      const float* operand = block.x;
      if (n > 0) grid.sync();
      if (kind == decode_out || kind == decode_cross_out) {
        const DecodeAttention a =
            decode_attention(m, state, layer, weights.Er, kind == decode_cross_out, p, sight_begin, sight_end);
        decode_attend(a, block.parts);
        grid.sync();
        decode_merge(a, block.operand);
        operand = block.operand;
      } else if (kind == decode_ff2) {
        for (int f = threadIdx.x; f < m.F; f += blockDim.x) block.operand[f] = __ldcg(state.hidden + f);
        operand = block.operand;
      } else if (n == 0) {
        for (int d = threadIdx.x; d < m.D; d += blockDim.x) {
          const float position = m.positions != nullptr ? __ldg(m.positions + std::int64_t{p} * m.D + d)
                                                        : decode_time_position(m.token_rate * time_s, m.rates, d);
          block.x[d] = __ldg(m.embedding + std::int64_t{token} * m.D + d) + position;
        }
      } else {
        // The norm that ends the part of a layer before this product.
        const DecodeNorm& norm = kind == decode_qkv       ? block.layers[layer - 1].norms[2]
                                 : kind == decode_cross_q ? weights.norms[0]
                                 : kind == decode_ff1     ? weights.norms[m.has_memory ? 1 : 0]
                                                          : weights.norms[2];
        for (int d = threadIdx.x; d < m.D; d += blockDim.x) block.sums[d] = __ldcg(state.sum + d) + block.x[d];
        __syncthreads();
        decode_normalise(block.sums, block.x, norm, m.D);
        if (kind == decode_logits) {
          __syncthreads();
          decode_normalise(block.x, block.operand, m.final_norm, m.D);
          operand = block.operand;
        }
      }
      __syncthreads();

      const auto write = [&](int row, float y) {
        if (kind == decode_qkv) {
          const int part = row / m.D, d = row - part * m.D, h = d / K, c = d - h * K;
          if (part == 0) {
            state.q[h * Kp + c] = y;
          } else {
            float* rows = part == 1 ? state.keys : state.values;
            rows[((std::int64_t{layer} * m.H + h) * m.L + p) * Kp + c] = y;
          }
        } else if (kind == decode_cross_q) {
          const int h = row / K;
          state.q[h * Kp + row - h * K] = y;
        } else if (kind == decode_ff1) {
          state.hidden[row] = y > 0 ? y : 0.0f;
        } else if (kind == decode_logits) {
          state.logits[row] = y;
        } else {
          state.sum[row] = y;
        }
      };
      const DecodeMatrix& matrix = matrix_of(n);
      const int rows = decode_rows(matrix.outputs, warps);
      if (rows == 1)
        decode_multiply<W, 1>(matrix, operand, warp, warps, held, write);
      else if (rows == 2)
        decode_multiply<W, 2>(matrix, operand, warp, warps, held, write);
      else
        decode_multiply<W, 4>(matrix, operand, warp, warps, held, write);
      fetch(n + 1 < products ? n + 1 : 0);
    }
    if (!options.choose) break;
    grid.sync();
    decode_choose(m, options, state);
    if (block.carry->ended != 0) break;
  }

  // Every block has passed a barrier since it read these.
  __syncthreads();
  if (blockIdx.x == 0) {
    if (threadIdx.x == 0) *state.carry = *block.carry;
    if (options.choose && options.repetition_penalty != 1.0f)
      for (int i = threadIdx.x; i < m.V; i += blockDim.x) state.occurrences[i] = block.occurrences[i];
  }
}

struct DecodeGrid {
  int blocks, warps;
};

// How many warps the model keeps busy: each should have about 2 KiB of a layer's largest product, for a
// product's time is that of its memory's latency below that. Fewer blocks make cheaper barriers; attention
// wants one for each head.
inline DecodeGrid decode_grid(const DecodeModel& model, int most_blocks) {
  constexpr std::int64_t bytes_a_warp = 2048, usual_warps = 8;
  const std::int64_t rows = 3 * model.D > model.F ? 3 * model.D : model.F;
  const std::int64_t warps = (rows * model.D * (model.bf16 ? 2 : 4) + bytes_a_warp - 1) / bytes_a_warp;
  std::int64_t blocks = (warps + usual_warps - 1) / usual_warps;
  if (blocks < model.H) blocks = model.H;
  if (blocks > most_blocks) blocks = most_blocks;
  std::int64_t warps_a_block = (warps + blocks - 1) / blocks;
  if (warps_a_block < 2) warps_a_block = 2;
  if (warps_a_block > decode_most_threads / 32) warps_a_block = decode_most_threads / 32;
  return {static_cast<int>(blocks), static_cast<int>(warps_a_block)};
}

template <class W>
void decode_launch(const Context& context, const DecodeModel& model, const DecodeState& state,
                   const DecodeOptions& options, std::int32_t tokens) {
  static const cudaDeviceProp properties = [] {
    cudaDeviceProp p;
    IMU2MUSIC_CUDA_CHECK(cudaGetDeviceProperties(&p, 0));
    return p;
  }();
  DecodeBlock unused;
  const std::size_t shared = decode_layout(model, nullptr, unused);
  allow_shared(reinterpret_cast<const void*>(&decode_kernel<W>), "decode", shared);
  int resident = 0;
  IMU2MUSIC_CUDA_CHECK(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, decode_kernel<W>, decode_most_threads, shared));
  if (resident < 1) throw DeviceFailure("no block of the kernel that decodes fits this device");
  const DecodeGrid grid = decode_grid(model, resident * properties.multiProcessorCount);
  launch(context, "decode", decode_kernel<W>, static_cast<unsigned>(grid.blocks),
         static_cast<unsigned>(32 * grid.warps), LaunchOptions{.shared = shared, .cooperative = true}, model, state,
         options, tokens);
}

inline void decode_run(const Context& context, const DecodeModel& model, const DecodeState& state,
                       const DecodeOptions& options, std::int32_t tokens) {
  if (model.bf16)
    decode_launch<DecodeBfloat16>(context, model, state, options, tokens);
  else
    decode_launch<DecodeFloat>(context, model, state, options, tokens);
}

// ---- the memory's keys and values ----

constexpr int decode_memory_rows = 8;  // of the memory, in shared memory at once
constexpr int decode_memory_warps = 8;

// A block: decode_memory_rows rows of the memory and the outputs o, o + 1, .. of one layer, a warp an output
// at a time. Grid: x outputs, y rows, z layers. Weights are read once for every decode_memory_rows rows.
template <class W>
__global__ void __launch_bounds__(32 * decode_memory_warps)
    decode_remember_kernel(const __grid_constant__ DecodeModel m, const __grid_constant__ DecodeState state,
                           const float* __restrict__ memory, std::int32_t S) {
  const int layer = static_cast<int>(blockIdx.z), first_row = static_cast<int>(blockIdx.y) * decode_memory_rows;
  const DecodeMatrix matrix = m.layer[layer].cross_kv;
  const int rows = decode_lesser(decode_memory_rows, S - first_row), lane = threadIdx.x % 32, K = m.D / m.H;
  const int Kp = static_cast<int>(decode_rounded(K, 4)), vectors = matrix.stride / W::width;
  auto* x = reinterpret_cast<float*>(dynamic_shared());  // [decode_memory_rows, stride]
  for (int i = threadIdx.x; i < decode_memory_rows * matrix.stride; i += blockDim.x) {
    const int row = i / matrix.stride, d = i - row * matrix.stride;
    x[i] = row < rows && d < m.D ? memory[std::int64_t{first_row + row} * m.D + d] : 0.0f;
  }
  __syncthreads();
  const int warps = static_cast<int>(gridDim.x) * decode_memory_warps;
  for (int o = static_cast<int>(blockIdx.x) * decode_memory_warps + static_cast<int>(threadIdx.x) / 32;
       o < matrix.outputs; o += warps) {
    const auto* weight = reinterpret_cast<const typename W::Vector*>(
        static_cast<const typename W::Number*>(matrix.weight) + std::int64_t{o} * matrix.stride);
    float sum[decode_memory_rows] = {};
    for (int v = lane; v < vectors; v += 32) {
      const typename W::Vector w = __ldg(weight + v);
#pragma unroll
      for (int r = 0; r < decode_memory_rows; ++r)
        sum[r] = W::add_product(w, W::operand(x + r * matrix.stride + v * W::width), sum[r]);
    }
    const int part = o / m.D, d = o - part * m.D, h = d / K, c = d - h * K;
    float* to = (part == 0 ? state.memory_keys : state.memory_values) +
                ((std::int64_t{layer} * m.H + h) * state.S_most + first_row) * Kp + c;
    const float bias = matrix.bias[o];
#pragma unroll
    for (int r = 0; r < decode_memory_rows; ++r) {
      const float total = warp_sum(sum[r]) + bias;
      if (lane == 0 && r < rows) to[std::int64_t{r} * Kp] = total;
    }
  }
}

inline void decode_remember(const Context& context, const DecodeModel& model, const DecodeState& state,
                            const float* memory, std::int32_t S) {
  const std::int64_t stride = decode_rounded(model.D, decode_padding);
  const LaunchOptions options{.shared = static_cast<std::size_t>(decode_memory_rows * stride) * sizeof(float)};
  const dim3 grid(blocks_for(2 * model.D, 4 * decode_memory_warps), blocks_for(S, decode_memory_rows),
                  static_cast<unsigned>(model.layers));
  launch(context, "decode_remember",
         model.bf16 ? decode_remember_kernel<DecodeBfloat16> : decode_remember_kernel<DecodeFloat>, grid,
         32 * decode_memory_warps, options, model, state, memory, S);
}

inline void install(DecodeKernels& table) {
  table.run = &decode_run;
  table.remember = &decode_remember;
}

}  // namespace imu2music::inline v0::kernels::cuda
