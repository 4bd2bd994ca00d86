// Choosing a token from logits.
//
//   argmax           the smallest id whose logit is the largest among those allowed
//   softmax_weights  weights[i] = exp((logits[i] - max) / temperature), 0 where not allowed, where max is the
//                    largest allowed logit and ids that have it weigh 1; returns the sum of the weights
//   pick             the smallest id with weights[0] + ... + weights[id] > u total and weights[id] > 0
//                    (inversion of the cumulative distribution, u in [0, 1)), within the rounding of the
//                    sums; the last id of positive weight where rounding leaves none
//
// logits, weights: [V]; allowed: [V], nonzero where the id may be chosen, or null: all. At least one id must
// be allowed. A logit of -infinity is never chosen while a finite one is allowed; NaN must not occur (the
// caller checks). argmax without an allowed id and pick without a positive weight give -1.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct SamplingKernels {
  std::int64_t (*argmax)(const Context& context, const T* logits, const std::uint8_t* allowed,
                         std::int64_t V) = nullptr;
  T(*softmax_weights)
  (const Context& context, const T* logits, const std::uint8_t* allowed, T* weights, std::int64_t V,
   T temperature) = nullptr;
  std::int64_t (*pick)(const Context& context, const T* weights, T total, T u, std::int64_t V) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
