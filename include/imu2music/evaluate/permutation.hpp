// Whether music is likelier under the motion it was played with than under another: the conditioning gap.
//
//   NLL   = −Σ_i s_ii / Σ_i n_i                      s_ij = log p(y_i | x_j), n_i tokens of y_i
//   NLL_b = −Σ_i s_{i,π_b(i)} / Σ_i n_i              π_b a derangement across recordings, b = 1..B
//   Δ     = mean_b NLL_b − NLL                       nats a token
//   p     = (1 + #{NLL_b <= NLL}) / (B + 1)
//
// Δ ≈ 0: the model ignores its input, however good its NLL. Every π_b gives each music a motion of another
// recording; with strata (bow strokes, say) also of the same stratum, which asks for more than telling strata
// apart. No forward passes but those of the scores are needed.
//
// Which windows take part: those in whose stratum another recording stands. π_b is a permutation of windows,
// drawn by shuffling and exchanging at random what fell on its own recording; every derangement can come.
// Where one recording holds more than half of a stratum no derangement exists: there each window draws a
// motion of another recording by itself, and `with_repetition` says so. Draws depend on the seed alone.
//
// How far p can be trusted. Windows of one recording resemble each other, and exchanging them one by one
// takes them for independent: of music and motion that had nothing to do with one another but in which
// windows of a recording were alike, p <= 0.05 came in 25 to 30 % of 2000 trials (5 to 32 recordings of 6
// windows). With Exchange::recordings all windows of a recording go to another one together, each drawing a
// window there: 7 to 10 % (32 and 5 recordings). It is not 5 % because one's own recording is never among
// those drawn, which tells most where there are few. So read the second p, and Δ with an interval by
// recording, beside the first.
//
// Cost O(B K + windows to exchange · K). Errors: ShapeError for lists that do not fit the scores, [K, K].
// Source of p: B. Phipson, G. Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol.
// Biol. 9 (2010).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/evaluate/retrieval.hpp"

namespace imu2music::inline v0 {

// What changes places: windows each by themselves, or all windows of a recording together.
enum class Exchange { windows, recordings };

// Draws, again and again, a motion of another recording for every window.
class Derangements {
 public:
  // recording[i], stratum[i]: of window i, any numbers; strata none: one stratum.
  explicit Derangements(std::span<const std::size_t> recording, std::span<const std::size_t> stratum = {},
                        Exchange exchange = Exchange::windows) {
    if (!stratum.empty() && stratum.size() != recording.size())
      throw ShapeError("[derangements] " + std::to_string(recording.size()) + " recordings and " +
                       std::to_string(stratum.size()) + " strata");
    std::map<std::size_t, std::map<std::size_t, std::vector<std::size_t>>> strata;
    for (std::size_t i = 0; i < recording.size(); ++i)
      strata[stratum.empty() ? 0 : stratum[i]][recording[i]].push_back(i);
    for (const auto& [name, recordings] : strata) {
      if (recordings.size() < 2) continue;
      std::size_t most = 0, members = 0;
      Stratum added;
      for (const auto& [which, windows] : recordings) {
        const std::size_t units = exchange == Exchange::windows ? windows.size() : 1;
        for (std::size_t u = 0; u < units; ++u) {
          added.units.push_back(exchange == Exchange::windows ? std::vector<std::size_t>{windows[u]}
                                                              : windows);
          added.recording.push_back(which);
        }
        most = std::max(most, units);
        members += units;
        windows_.insert(windows_.end(), windows.begin(), windows.end());
      }
      added.permutes = 2 * most <= members;
      with_repetition_ = with_repetition_ || !added.permutes;
      strata_.push_back(std::move(added));
    }
    std::sort(windows_.begin(), windows_.end());
    window_count_ = recording.size();
  }

  const std::vector<std::size_t>& windows() const { return windows_; }  // that take part, rising
  bool with_repetition() const { return with_repetition_; }

  // motion_of[i] for every window that takes part; the others are left as they are.
  void draw(Philox& random, std::vector<std::size_t>& motion_of) const {
    motion_of.resize(window_count_);
    std::vector<std::size_t> drawn, candidates;
    const auto one_of = [&](const std::vector<std::size_t>& list) {
      return list[random.below(static_cast<std::uint32_t>(list.size()))];
    };
    for (const Stratum& stratum : strata_) {
      const std::vector<std::size_t>& from = stratum.recording;
      const std::size_t n = from.size();
      drawn.resize(n);
      std::iota(drawn.begin(), drawn.end(), std::size_t{0});
      if (stratum.permutes)
        for (std::size_t k = n; k > 1; --k)
          std::swap(drawn[k - 1], drawn[random.below(static_cast<std::uint32_t>(k))]);
      for (std::size_t k = 0; k < n; ++k) {
        if (from[drawn[k]] != from[k]) continue;
        candidates.clear();
        for (std::size_t other = 0; other < n; ++other)
          if (stratum.permutes ? from[drawn[other]] != from[k] && from[drawn[k]] != from[other]
                               : from[other] != from[k])
            candidates.push_back(other);
        const std::size_t chosen = one_of(candidates);
        if (stratum.permutes)
          std::swap(drawn[k], drawn[chosen]);
        else
          drawn[k] = chosen;
      }
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t i : stratum.units[k]) motion_of[i] = one_of(stratum.units[drawn[k]]);
    }
  }

 private:
  struct Stratum {
    std::vector<std::vector<std::size_t>> units;  // windows that change places together
    std::vector<std::size_t> recording;           // of each unit
    bool permutes = false;
  };
  std::vector<std::size_t> windows_;
  std::vector<Stratum> strata_;
  std::size_t window_count_ = 0;
  bool with_repetition_ = false;
};

struct PermutationTest {
  double nll = 0, delta = 0, p = 1;  // nats a token
  std::vector<double> null_nll;      // NLL_b, [B]
  std::vector<std::size_t> windows;  // that took part
  std::vector<double> window_delta;  // mean_b (s_ii − s_{i,π_b(i)}) of each of them, nats
  std::vector<std::int64_t> tokens;  // of each of them
  bool with_repetition = false;

  // Δ with the weight of each window's recording; NaN where all weights are 0.
  double weighted_delta(std::span<const std::size_t> recording, std::span<const double> weights) const {
    double nats = 0, count = 0;
    for (std::size_t w = 0; w < windows.size(); ++w) {
      const double weight = weights[recording[windows[w]]];
      nats += weight * window_delta[w];
      count += weight * static_cast<double>(tokens[w]);
    }
    return nats / count;
  }
};

// Nothing where no window can be given the motion of another recording.
inline std::optional<PermutationTest> permutation_test(const Tensor<double>& scores,
                                                       std::span<const std::int64_t> tokens,
                                                       std::span<const std::size_t> recording,
                                                       std::span<const std::size_t> stratum, int permutations,
                                                       std::uint64_t seed,
                                                       Exchange exchange = Exchange::windows) {
  const std::int64_t K = check_scores(scores);
  if (static_cast<std::int64_t>(tokens.size()) != K || static_cast<std::int64_t>(recording.size()) != K)
    throw ShapeError("[permutation_test] scores of " + std::to_string(K) + " windows, " +
                     std::to_string(tokens.size()) + " numbers of tokens and " +
                     std::to_string(recording.size()) + " recordings");
  const Derangements derangements(recording, stratum, exchange);
  if (derangements.windows().empty()) return std::nullopt;
  const auto score = [&](std::size_t i, std::size_t j) {
    return scores[static_cast<std::int64_t>(i) * K + static_cast<std::int64_t>(j)];
  };
  PermutationTest test;
  test.windows = derangements.windows();
  test.with_repetition = derangements.with_repetition();
  test.window_delta.assign(test.windows.size(), 0.0);
  double own = 0;
  std::int64_t count = 0;
  for (std::size_t i : test.windows) {
    own += score(i, i);
    count += tokens[i];
    test.tokens.push_back(tokens[i]);
  }
  test.nll = -own / static_cast<double>(count);
  Philox random(seed);
  std::vector<std::size_t> motion_of;
  std::int64_t as_good = 0;
  for (int b = 0; b < permutations; ++b) {
    derangements.draw(random, motion_of);
    double sum = 0;
    for (std::size_t w = 0; w < test.windows.size(); ++w) {
      const std::size_t i = test.windows[w];
      sum += score(i, motion_of[i]);
      test.window_delta[w] += (score(i, i) - score(i, motion_of[i])) / permutations;
    }
    test.null_nll.push_back(-sum / static_cast<double>(count));
    as_good += test.null_nll.back() <= test.nll;
  }
  double delta = 0;
  for (double d : test.window_delta) delta += d;
  test.delta = delta / static_cast<double>(count);
  test.p = static_cast<double>(1 + as_good) / static_cast<double>(permutations + 1);
  return test;
}

}  // namespace imu2music::inline v0
