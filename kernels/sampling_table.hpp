// Choosing a token from logits.
//
//   argmax           the smallest id whose logit is the largest among those allowed
//   softmax_weights  weights[i] = exp((logits[i] - max) / temperature), 0 where not allowed, where max is the
//                    largest allowed logit and ids that have it weigh 1; returns the sum of the weights
//   pick             the smallest id with weights[0] + ... + weights[id] > u total and weights[id] > 0
//                    (inversion of the cumulative distribution, u in [0, 1)), within the rounding of the
//                    sums; the last id of positive weight where rounding leaves none
//
//   sample           all of this, narrowed by top-k, top-p and min-p as generate/sampler.hpp says, without
//                    the host's waiting for it; greedy: argmax. Devices only
//
// logits, weights: [V]; allowed: [V], nonzero where the id may be chosen, or null: all. At least one id must
// be allowed. A logit of -infinity is never chosen while a finite one is allowed. On the CPU argmax passes
// over NaN; otherwise none may occur (the caller checks). argmax without an allowed id and pick without a
// positive weight give -1, and so does sample. On a device all arrays lie there; argmax, softmax_weights and
// pick wait for their result, sample leaves it in *token, which lies there too.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct SampleOptions {
  bool greedy = false;
  T temperature = 1;
  std::int64_t top_k = 0;  // 0: all
  double top_p = 1;        // 1: all
  T min_p = 0;
};

template <class T>
struct SamplingKernels {
  std::int64_t (*argmax)(const Context& context, const T* logits, const std::uint8_t* allowed,
                         std::int64_t V) = nullptr;
  T(*softmax_weights)
  (const Context& context, const T* logits, const std::uint8_t* allowed, T* weights, std::int64_t V,
   T temperature) = nullptr;
  std::int64_t (*pick)(const Context& context, const T* weights, T total, T u, std::int64_t V) = nullptr;
  void (*sample)(const Context& context, const T* logits, const std::uint8_t* allowed, std::int64_t V,
                 const SampleOptions<T>& options, T u, std::int32_t* token) = nullptr;  // or null: none
};

}  // namespace imu2music::inline v0::kernels
