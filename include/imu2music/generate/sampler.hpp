// The next token from logits: greedy, or drawn at a temperature.
//
//   p_i = exp(l_i / temperature) / sum_j exp(l_j / temperature) over the allowed ids; u uniform in [0, 1)
//   picks by inversion of the cumulative distribution.
//
// The random stream is Philox, keyed by seed and stream (one stream a window), so tokens depend on the seed
// alone and not on threads. No allocation after construction.
#pragma once

#include <cmath>
#include <cpu/sampling.hpp>
#include <cstdint>

#include "imu2music/core/context.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

struct SamplerOptions {
  bool greedy = false;
  double temperature = 1;  // > 0; ignored where greedy
  std::uint64_t seed = 0;
};

template <class T>
class Sampler {
 public:
  // Throws InputError for a temperature that is not above 0.
  Sampler(std::int64_t vocabulary, const SamplerOptions& options)
      : options_(options), random_(options.seed), weights_(Shape{vocabulary}) {
    if (!options.greedy && !(options.temperature > 0 && std::isfinite(options.temperature)))
      throw InputError("temperature " + std::to_string(options.temperature) +
                       " cannot be sampled at; use a number above 0, or greedy");
  }

  // Starts another independent random stream.
  void start(std::uint64_t stream) { random_ = Philox(options_.seed, stream); }

  // logits: [V]; allowed: [V], nonzero where an id may be chosen, or null: all.
  std::int64_t choose(const Context& context, const T* logits, const std::uint8_t* allowed) {
    const std::int64_t V = weights_.size();
    const auto& table = context.table<kernels::SamplingKernels<T>>();
    if (options_.greedy) return table.argmax(context.kernel(), logits, allowed, V);
    const T total = table.softmax_weights(context.kernel(), logits, allowed, weights_.data(), V,
                                          static_cast<T>(options_.temperature));
    // 24 bits: exact in float, and below 1.
    const T u = static_cast<T>(random_.uint32() >> 8) * static_cast<T>(0x1p-24);
    return table.pick(context.kernel(), weights_.data(), total, u, V);
  }

 private:
  SamplerOptions options_;
  Philox random_;
  Tensor<T> weights_;
};

}  // namespace imu2music::inline v0
