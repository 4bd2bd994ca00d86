// Choosing a token from logits.
//
//   argmax:          the smallest id whose logit is the largest among those allowed
//   softmax_weights: weights[i] = exp((logits[i] - max) / temperature), 0 where not allowed; returns their
//   sum pick:            the smallest id with weights[0] + ... + weights[id] > u total and weights[id] > 0
//   (inversion of
//                    the cumulative distribution, u in [0, 1)); the last id of positive weight where rounding
//                    leaves none
//
// logits, weights: [V]; allowed: [V], nonzero where the id may be chosen, or null: all. At least one id must
// be allowed. A logit of -infinity is never chosen while a finite one is allowed; NaN must not occur (the
// caller checks).
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct SamplingKernels {
  std::int64_t (*argmax)(const Context& context, const T* logits, const std::uint8_t* allowed,
                         std::int64_t V) = nullptr;
  T (*softmax_weights)
  (const Context& context, const T* logits, const std::uint8_t* allowed, T* weights, std::int64_t V,
   T temperature) = nullptr;
  std::int64_t (*pick)(const Context& context, const T* weights, T total, T u, std::int64_t V) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
