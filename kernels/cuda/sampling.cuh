// Choosing a token on the device, by one block, which leaves it there.
//
// Each thread has a stretch of neighbouring ids; sums over all of them are those of the stretches in order, by warps
// and then over the warps, so they and the choice are the same every time. The CPU adds in another order: the same u
// picks the same id unless it falls within rounding of the border between two.
//
// Ranks, where top-k or top-p want them, are counted: an id's is the number of likelier ones, V compares each.
// Weights are kept in shared memory where there is room for them, else in a scratch block. Reads logits once, V times
// where they are ranked (from the caches).
#pragma once

#include <cstddef>
#include <cstdint>

#include "../sampling_table.hpp"
#include "launch.cuh"
#include "scratch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int sampling_threads = 256, sampling_warps = sampling_threads / 32;

// What the block's threads tell each other.
struct SamplingExchange {
  double sums[sampling_warps];
  float values[sampling_warps];
  int ids[sampling_warps];
};

// The sum over the threads before this one; total: over all.
template <class T>
__device__ __forceinline__ T sampling_sum_before(T x, SamplingExchange& exchange, T& total) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  T inclusive = x;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const T other = __shfl_up_sync(whole_warp, inclusive, step);
    if (lane >= step) inclusive += other;
  }
  T before = __shfl_up_sync(whole_warp, inclusive, 1);
  if (lane == 0) before = 0;
  if (lane == 31) exchange.sums[warp] = static_cast<double>(inclusive);
  __syncthreads();
  total = 0;
  T of_warps = 0;
  for (int w = 0; w < sampling_warps; ++w) {
    if (w == warp) of_warps = total;
    total += static_cast<T>(exchange.sums[w]);
  }
  __syncthreads();
  return of_warps + before;
}

__device__ __forceinline__ int sampling_largest(int x, SamplingExchange& exchange) {
  x = warp_max(x);
  if (threadIdx.x % 32 == 0) exchange.ids[threadIdx.x / 32] = x;
  __syncthreads();
  for (int w = 0; w < sampling_warps; ++w) x = max(x, exchange.ids[w]);
  __syncthreads();
  return x;
}

// The stretch of ids of this thread.
struct SamplingStretch {
  int begin, end;
};
__device__ __forceinline__ SamplingStretch sampling_stretch(int count) {
  const int each = (count + sampling_threads - 1) / sampling_threads, begin = static_cast<int>(threadIdx.x) * each;
  return {min(begin, count), min(begin + each, count)};
}

__device__ __forceinline__ bool sampling_allows(const std::uint8_t* allowed, int id) {
  return allowed == nullptr || allowed[id] != 0;
}

// The smallest id of the largest logit allowed, -1: none is.
__device__ inline int sampling_argmax(const float* logits, const std::uint8_t* allowed, int V,
                                      SamplingExchange& exchange) {
  const SamplingStretch own = sampling_stretch(V);
  float value = 0;
  int id = -1;
  for (int i = own.begin; i < own.end; ++i)
    if (sampling_allows(allowed, i) && (id < 0 || logits[i] > value)) value = logits[i], id = i;
  const auto take = [&](float other, int other_id) {
    if (other_id >= 0 && (id < 0 || other > value || (other == value && other_id < id))) value = other, id = other_id;
  };
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(whole_warp, value, step);
    const int other_id = __shfl_xor_sync(whole_warp, id, step);
    take(other, other_id);
  }
  if (threadIdx.x % 32 == 0) exchange.values[threadIdx.x / 32] = value, exchange.ids[threadIdx.x / 32] = id;
  __syncthreads();
  for (int w = 0; w < sampling_warps; ++w) take(exchange.values[w], exchange.ids[w]);
  __syncthreads();
  return id;
}

// Every thread writes the weights of its stretch; returns their sum.
__device__ inline float sampling_weights(const float* logits, const std::uint8_t* allowed, float* weights, int V,
                                         float temperature, SamplingExchange& exchange) {
  const SamplingStretch own = sampling_stretch(V);
  float top = __uint_as_float(0xff800000u);  // - infinity
  for (int i = own.begin; i < own.end; ++i)
    if (sampling_allows(allowed, i) && logits[i] > top) top = logits[i];
  top = warp_max(top);
  if (threadIdx.x % 32 == 0) exchange.values[threadIdx.x / 32] = top;
  __syncthreads();
  for (int w = 0; w < sampling_warps; ++w) top = fmaxf(top, exchange.values[w]);
  __syncthreads();
  float sum = 0, total = 0;
  for (int i = own.begin; i < own.end; ++i) {
    const float weight = !sampling_allows(allowed, i) ? 0.0f
                         : logits[i] == top           ? 1.0f
                                                      : expf((logits[i] - top) / temperature);
    weights[i] = weight;
    sum += weight;
  }
  sampling_sum_before(sum, exchange, total);
  return total;
}

// The smallest id where the sum of the weights up to it goes above `threshold`; the last one with a weight where none
// does; -1 where none has a weight.
__device__ inline int sampling_pick(const float* weights, float threshold, int V, SamplingExchange& exchange) {
  const SamplingStretch own = sampling_stretch(V);
  float of_stretch = 0, total = 0;
  for (int i = own.begin; i < own.end; ++i)
    if (weights[i] > 0) of_stretch += weights[i];
  const float before = sampling_sum_before(of_stretch, exchange, total);
  float sum = 0;
  int last = -1, found = -1;
  for (int i = own.begin; i < own.end && found < 0; ++i) {
    if (!(weights[i] > 0)) continue;
    sum += weights[i];
    last = i;
    if (before + sum > threshold) found = i;
  }
  // The smallest one found is the largest when counted down from V.
  const int first = V - sampling_largest(found < 0 ? 0 : V - found, exchange);
  last = sampling_largest(last, exchange);
  return first < V ? first : last;
}

// Takes the weights of all ids out but those that top-k, top-p and min-p leave; returns the sum of what is left.
// sorted: [V] and rank: [V], used where ids are ranked.
__device__ inline float sampling_narrow(const float* logits, float* weights, float* sorted, int* rank, int V,
                                        const SampleOptions<float>& options, SamplingExchange& exchange) {
  const SamplingStretch own = sampling_stretch(V);
  const bool ranks = options.top_k > 0 || options.top_p < 1;
  int kept = V;
  if (ranks) {
    __syncthreads();  // weights of all stretches
    int with_weight = 0, count = 0;
    for (int i = own.begin; i < own.end; ++i) {
      if (!(weights[i] > 0)) continue;
      ++with_weight;
      int likelier = 0;
      for (int j = 0; j < V; ++j)
        likelier += weights[j] > 0 && (logits[j] > logits[i] || (logits[j] == logits[i] && j < i));
      rank[i] = likelier;
      sorted[likelier] = weights[i];
    }
    sampling_sum_before(with_weight, exchange, count);  // and its barriers show sorted to all
    kept = options.top_k > 0 && options.top_k < count ? static_cast<int>(options.top_k) : count;
    if (options.top_p < 1) {
      const SamplingStretch ordered = sampling_stretch(kept);
      double of_stretch = 0, total = 0;
      for (int n = ordered.begin; n < ordered.end; ++n) of_stretch += static_cast<double>(sorted[n]);
      double held = sampling_sum_before(of_stretch, exchange, total);
      int most = kept;
      for (int n = ordered.begin; n < ordered.end && most == kept; ++n) {
        held += static_cast<double>(sorted[n]);
        if (held >= options.top_p * total) most = n + 1;
      }
      kept = V - sampling_largest(V - most, exchange);
    }
  }
  float sum = 0, total = 0;
  for (int i = own.begin; i < own.end; ++i) {
    if ((ranks && weights[i] > 0 && rank[i] >= kept) || !(weights[i] >= options.min_p)) weights[i] = 0;
    sum += weights[i];
  }
  sampling_sum_before(sum, exchange, total);
  return total;
}

// memory: for weights, sorted and rank, or null: in shared memory.
__global__ void __launch_bounds__(sampling_threads)
    sampling_kernel(const float* __restrict__ logits, const std::uint8_t* __restrict__ allowed, float* memory, int V,
                    SampleOptions<float> options, float u, std::int32_t* token) {
  __shared__ SamplingExchange exchange;
  float* weights = memory != nullptr ? memory : reinterpret_cast<float*>(dynamic_shared());
  int id = -1;
  if (options.greedy) {
    id = sampling_argmax(logits, allowed, V, exchange);
  } else {
    float total = sampling_weights(logits, allowed, weights, V, options.temperature, exchange);
    if (total > 0) {
      if (options.top_k > 0 || options.top_p < 1 || options.min_p > 0)
        total = sampling_narrow(logits, weights, weights + V, reinterpret_cast<int*>(weights + 2 * std::int64_t{V}),
                                V, options, exchange);
      id = sampling_pick(weights, u * total, V, exchange);
    }
  }
  if (threadIdx.x == 0) *token = id;
}

inline void sampling_sample(const Context& context, const float* logits, const std::uint8_t* allowed, std::int64_t V,
                            const SampleOptions<float>& options, float u, std::int32_t* token) {
  constexpr std::int64_t most_shared = 44 << 10;
  const std::int64_t bytes = options.greedy ? 0 : 3 * V * std::int64_t{sizeof(float)};
  const auto run = [&](float* memory, std::int64_t shared) {
    launch(context, "sample", sampling_kernel, 1, sampling_threads,
           LaunchOptions{.shared = static_cast<std::size_t>(shared)}, logits, allowed, memory, static_cast<int>(V),
           options, u, token);
  };
  if (bytes <= most_shared) return run(nullptr, bytes);
  const Scratch memory(context, bytes);
  run(memory.as<float>(), 0);
}

// ---- step by step, for a host that waits ------------------------------------------------------------------------

__global__ void __launch_bounds__(sampling_threads)
    softmax_weights_kernel(const float* __restrict__ logits, const std::uint8_t* __restrict__ allowed, float* weights,
                           int V, float temperature, float* total) {
  __shared__ SamplingExchange exchange;
  const float sum = sampling_weights(logits, allowed, weights, V, temperature, exchange);
  if (threadIdx.x == 0) *total = sum;
}

__global__ void __launch_bounds__(sampling_threads)
    pick_kernel(const float* __restrict__ weights, int V, float threshold, std::int32_t* token) {
  __shared__ SamplingExchange exchange;
  const int id = sampling_pick(weights, threshold, V, exchange);
  if (threadIdx.x == 0) *token = id;
}

inline std::int64_t argmax(const Context& context, const float* logits, const std::uint8_t* allowed, std::int64_t V) {
  const Scratch token(context, sizeof(std::int32_t));
  sampling_sample(context, logits, allowed, V, {.greedy = true}, 0, token.as<std::int32_t>());
  std::int32_t id = -1;
  download(context, &id, token.as<void>(), sizeof id);
  return id;
}

inline float softmax_weights(const Context& context, const float* logits, const std::uint8_t* allowed, float* weights,
                             std::int64_t V, float temperature) {
  const Scratch total(context, sizeof(float));
  launch(context, "softmax_weights", softmax_weights_kernel, 1, sampling_threads, logits, allowed, weights,
         static_cast<int>(V), temperature, total.as<float>());
  float sum = 0;
  download(context, &sum, total.as<void>(), sizeof sum);
  return sum;
}

inline std::int64_t pick(const Context& context, const float* weights, float total, float u, std::int64_t V) {
  const Scratch token(context, sizeof(std::int32_t));
  launch(context, "pick", pick_kernel, 1, sampling_threads, weights, static_cast<int>(V), u * total,
         token.as<std::int32_t>());
  std::int32_t id = -1;
  download(context, &id, token.as<void>(), sizeof id);
  return id;
}

inline void install(SamplingKernels<float>& table) {
  table.argmax = &argmax;
  table.softmax_weights = &softmax_weights;
  table.pick = &pick;
  table.sample = &sampling_sample;
}

}  // namespace imu2music::inline v0::kernels::cuda
