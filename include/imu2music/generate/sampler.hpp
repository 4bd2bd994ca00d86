// The next token from logits l: greedy, or drawn from a softmax that may be narrowed first.
//
// What is done, in this order; each step sees only what the one before has left:
//   1. repetition penalty r   l_i ← l_i / r where l_i > 0, else l_i · r, for every id i among the last
//                             N chosen (once, however often it occurs there)
//   2. mask                   ids that are not allowed are out
//   3. temperature t          w_i = exp((l_i − max l) / t), so the likeliest id weighs 1
//   4. top-k                  the k largest l_i stay, the smaller id first where two are equal
//   5. top-p                  in that order, the fewest ids that together hold at least the share p of the
//                             weight that is left
//   6. min-p                  ids with w_i < min_p are out: those less likely than min_p times the likeliest
// One of the ids left is drawn with probability w_i / Σ w. At least one id, the likeliest, always stays.
// Greedy takes the largest l_i after steps 1 and 2; steps 3 to 6 would not change it.
//
// The random stream is Philox, keyed by seed and stream (one stream a window), so tokens depend on the seed
// alone and not on threads. No allocation after construction. Cost O(V + N), and O(V log V) with top-k or
// top-p.
//
// Sources: Keskar et al. 2019, arXiv:1909.05858, section 4.1 (penalty; the sign rule keeps a penalty from
// raising a negative logit); Fan et al. 2018, arXiv:1805.04833 (top-k); Holtzman et al. 2020,
// arXiv:1904.09751 (top-p); Nguyen et al. 2024, arXiv:2407.01082 (min-p).
#pragma once

#include <algorithm>
#include <cmath>
#include <cpu/sampling.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/generate/sampler_options.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// Throws InputError for the first option outside its range, naming it.
inline void check_sampler_options(const SamplerOptions& options) {
  const auto refuse = [](const std::string& what, const std::string& remedy) {
    throw InputError(what + "; " + remedy);
  };
  if (!options.greedy && !(options.temperature > 0 && std::isfinite(options.temperature)))
    refuse("a temperature of " + number_text(options.temperature) + " cannot be sampled at",
           "use a number above 0, or greedy");
  if (options.top_k < 0)
    refuse("top-k " + std::to_string(options.top_k) + " is negative", "use 1 or more, or 0 for every id");
  if (!(options.top_p > 0 && options.top_p <= 1))
    refuse("top-p " + number_text(options.top_p) + " is no share of the probability",
           "use a number above 0 and up to 1, which keeps every id");
  if (!(options.min_p >= 0 && options.min_p <= 1))
    refuse("min-p " + number_text(options.min_p) + " is no ratio to the largest probability",
           "use a number from 0, which keeps every id, to 1");
  if (!(options.repetition_penalty >= 1e-3 && options.repetition_penalty <= 1e3))
    refuse("repetition penalty " + number_text(options.repetition_penalty) + " cannot be applied",
           "use a number from 0.001 to 1000; 1 is none, 1.2 is strong");
  if (options.repetition_window < 1 || options.repetition_window > (std::int64_t{1} << 20))
    refuse("repetition window " + std::to_string(options.repetition_window) + " is out of range",
           "use 1 to 1048576 events");
}

// The temperature, finite in T too: a logit of -infinity over an infinite one would be no number.
template <class T>
T temperature_in(const SamplerOptions& options) {
  return static_cast<T>(std::min(options.temperature, static_cast<double>(std::numeric_limits<T>::max())));
}

template <class T>
class Sampler {
 public:
  // Throws InputError for an option outside its range, ShapeError for a vocabulary without ids.
  Sampler(std::int64_t vocabulary, const SamplerOptions& options) : options_(options), random_(options.seed) {
    detail::require(vocabulary >= 1, "sampler",
                    [&] { return "a vocabulary of " + std::to_string(vocabulary) + " ids"; });
    check_sampler_options(options);
    weights_.resize(static_cast<std::size_t>(vocabulary));
    table();  // now, not with the first choice
    if (penalises()) {
      penalised_.resize(static_cast<std::size_t>(vocabulary));
      recent_.resize(static_cast<std::size_t>(options.repetition_window));
      occurrences_.resize(static_cast<std::size_t>(vocabulary));
    }
    if (ranks()) order_.resize(static_cast<std::size_t>(vocabulary));
  }

  // Starts another independent random stream, with nothing chosen yet.
  void start(std::uint64_t stream) {
    random_ = Philox(options_.seed, stream);
    std::fill(occurrences_.begin(), occurrences_.end(), 0);
    recent_count_ = 0;
  }

  // Takes up an id that was not chosen here, so that the repetition penalty knows of it.
  void observe(std::int64_t id) {
    if (!penalises() || id < 0 || id >= static_cast<std::int64_t>(weights_.size())) return;
    const std::size_t slot = recent_count_++ % recent_.size();
    if (recent_count_ > recent_.size()) --occurrences_[recent_[slot]];
    recent_[slot] = static_cast<std::size_t>(id);
    ++occurrences_[recent_[slot]];
  }

  // logits: [V]; allowed: [V], nonzero where an id may be chosen, or null: all. Throws Error where no id can
  // be chosen: none is allowed, or the logits hold no numbers.
  std::int64_t choose(const Context& context, const T* logits, const std::uint8_t* allowed) {
    const auto V = static_cast<std::int64_t>(weights_.size());
    if (penalises()) logits = penalise(logits);
    std::int64_t id = -1;
    if (options_.greedy) {
      id = table().argmax(context.kernel(), logits, allowed, V);
    } else {
      T total = table().softmax_weights(context.kernel(), logits, allowed, weights_.data(), V,
                                        temperature_in<T>(options_));
      if (total > 0) {
        if (ranks() || options_.min_p > 0) total = narrow(logits);
        // 24 bits: exact in float, and below 1.
        const T u = static_cast<T>(random_.uint32() >> 8) * static_cast<T>(0x1p-24);
        id = table().pick(context.kernel(), weights_.data(), total, u, V);
      }
    }
    if (id < 0) throw Error("[sampler] no id can be chosen: none is allowed, or the logits are not numbers");
    observe(id);
    return id;
  }

  const SamplerOptions& options() const { return options_; }
  // What the last draw was made from: the weight of each id, not normalised, 0 where it was out. [V]
  std::span<const T> weights() const { return weights_; }

 private:
  // Logits are on the CPU.
  static const kernels::SamplingKernels<T>& table() {
    active_isa();
    return kernels::cpu_table<kernels::SamplingKernels<T>>();
  }
  bool penalises() const { return options_.repetition_penalty != 1; }
  bool ranks() const { return options_.top_k > 0 || options_.top_p < 1; }

  const T* penalise(const T* logits) {
    const T penalty = static_cast<T>(options_.repetition_penalty);
    for (std::size_t i = 0; i < penalised_.size(); ++i) {
      const T l = logits[i];
      penalised_[i] = occurrences_[i] == 0 ? l : l > 0 ? l / penalty : l * penalty;
    }
    return penalised_.data();
  }

  // Steps 4 to 6 on the weights, all at least 0 and the largest 1; returns the sum of those left.
  T narrow(const T* logits) {
    const auto weight = [&](std::size_t id) -> T& { return weights_[id]; };
    const std::size_t V = weights_.size();
    if (ranks()) {
      // Ids without weight are out already, and with them whatever is not a number.
      std::size_t count = 0;
      for (std::size_t id = 0; id < V; ++id)
        if (weight(id) > 0) order_[count++] = id;
      const auto likelier = [&](std::size_t a, std::size_t b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
      };
      const auto begin = order_.begin(), end = begin + static_cast<std::ptrdiff_t>(count);
      std::size_t kept = count;
      if (options_.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(options_.top_k));
      std::partial_sort(begin, begin + static_cast<std::ptrdiff_t>(kept), end, likelier);
      if (options_.top_p < 1) {
        double sum = 0;
        for (std::size_t n = 0; n < kept; ++n) sum += static_cast<double>(weight(order_[n]));
        const double enough = options_.top_p * sum;
        double held = 0;
        for (std::size_t n = 0; n < kept; ++n) {
          held += static_cast<double>(weight(order_[n]));
          if (held >= enough) kept = n + 1;
        }
      }
      for (std::size_t n = kept; n < count; ++n) weight(order_[n]) = 0;
    }
    const T least = static_cast<T>(options_.min_p);
    T total = 0;
    for (std::size_t id = 0; id < V; ++id) {
      if (!(weight(id) >= least)) weight(id) = 0;  // what is not a number goes too
      total += weight(id);
    }
    return total;
  }

  SamplerOptions options_;
  Philox random_;
  std::vector<T> weights_;
  std::vector<std::size_t> order_;         // ids by likelihood
  std::vector<T> penalised_;               // logits after step 1
  std::vector<std::size_t> recent_;        // a ring of the last ids
  std::vector<std::int32_t> occurrences_;  // of each id in the ring
  std::size_t recent_count_ = 0;           // ids ever taken up
};

}  // namespace imu2music::inline v0
