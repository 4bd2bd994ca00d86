// How likely a model finds music: negative log-likelihoods, pooled over tokens.
//
//   NLL    = −Σ log p(y_i) / N          nats a token, over the N tokens that are not padding; not a mean
//                                       of batches
//   bits/s = −Σ log2 p(y_i) / Σ seconds comparable from one vocabulary to another
//
// Sums are kept by kind of event (note_on, time_shift, …), so there is an NLL of each.
//
// Unigram: p(id) = (count(id) + 1) / (all + V), what one knows of an id without what came before it or the
// motion.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"

namespace imu2music::inline v0 {

inline constexpr std::size_t event_kinds = static_cast<std::size_t>(EventKind::cut) + 1;

constexpr std::string_view to_string(EventKind kind) {
  constexpr std::array<std::string_view, event_kinds> names = {
      "note_on", "note_off", "velocity", "time_shift", "sos", "eos", "pad", "continued", "cut"};
  return names[static_cast<std::size_t>(kind)];
}

// Of an id of vocabulary 1 or 2, which agree on the ids that both have.
inline EventKind event_kind(std::int64_t id) { return EventVocabulary2::kind(static_cast<int>(id)); }

struct LikelihoodSums {
  std::array<double, event_kinds> nats{};  // −log p
  std::array<double, event_kinds> tokens{};
  double seconds = 0;

  void add(std::int64_t id, double negative_log_p) {
    const auto kind = static_cast<std::size_t>(event_kind(id));
    nats[kind] += negative_log_p;
    tokens[kind] += 1;
  }
  void add(const LikelihoodSums& more, double weight = 1) {
    for (std::size_t k = 0; k < event_kinds; ++k) {
      nats[k] += weight * more.nats[k];
      tokens[k] += weight * more.tokens[k];
    }
    seconds += weight * more.seconds;
  }

  double all_nats() const { return sum(nats); }
  double all_tokens() const { return sum(tokens); }
  // Each NaN where there is nothing to divide by.
  double nll() const { return all_nats() / some(all_tokens()); }
  double nll(EventKind kind) const {
    return nats[static_cast<std::size_t>(kind)] / some(tokens[static_cast<std::size_t>(kind)]);
  }
  double bits_per_second() const { return all_nats() / std::numbers::ln2 / some(seconds); }

 private:
  static double sum(const std::array<double, event_kinds>& values) {
    double total = 0;
    for (double v : values) total += v;
    return total;
  }
  static double some(double count) { return count > 0 ? count : std::numeric_limits<double>::quiet_NaN(); }
};

class Unigram {
 public:
  explicit Unigram(std::int64_t vocabulary) : counts_(static_cast<std::size_t>(vocabulary), 0) {}

  void count(std::int64_t id) {
    if (id < 0 || static_cast<std::size_t>(id) >= counts_.size())
      throw ShapeError("[unigram] id " + std::to_string(id) + " of " + std::to_string(counts_.size()));
    ++counts_[static_cast<std::size_t>(id)];
    ++all_;
  }
  std::int64_t all() const { return all_; }
  double negative_log_p(std::int64_t id) const {
    return std::log(static_cast<double>(all_) + static_cast<double>(counts_.size())) -
           std::log(static_cast<double>(counts_.at(static_cast<std::size_t>(id)) + 1));
  }

 private:
  std::vector<std::int64_t> counts_;
  std::int64_t all_ = 0;
};

}  // namespace imu2music::inline v0
