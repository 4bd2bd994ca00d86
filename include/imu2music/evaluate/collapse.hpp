// Whether different motion gives different music, or a model writes the same whatever it is given.
//
//   d(a, b) = edit distance / max(|a|, |b|)    0 where both are empty
//   across  = mean d of outputs for different inputs, same number of draw
//   within  = mean d of outputs for one input, different draws
//   ratio   = across / within
//
// 1: inputs differ no more than draws do, the model has collapsed. Undefined where the draws of every input
// are alike (greedy decoding). Draws must be independent, those for different inputs too, or the ratio says
// nothing.
//
// outputs[i][s]: the ids of draw s for input i, the same number of draws for all. recording[i]: where input i
// comes from, 0..G-1; sums are kept by recording, so that weights (bootstrap.hpp) can be applied: a recording
// drawn twice stands for two like it, and a pair of recordings counts by the product of their weights.
//
// Cost: K² S / 2 + K S² / 2 edit distances of K inputs and S draws, O(|a| |b|) each. Errors: ShapeError where
// the numbers of draws or the lengths of the lists differ.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"

namespace imu2music::inline v0 {

// How many insertions, deletions and replacements lead from a to b.
inline std::size_t token_distance(std::span<const int> a, std::span<const int> b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

inline double normalised_distance(std::span<const int> a, std::span<const int> b) {
  const std::size_t longer = std::max(a.size(), b.size());
  return longer == 0 ? 0 : static_cast<double>(token_distance(a, b)) / static_cast<double>(longer);
}

class Collapse {
 public:
  using Outputs = std::vector<std::vector<int>>;  // of one input, by draw

  Collapse(std::span<const Outputs> outputs, std::span<const std::size_t> recording, std::size_t recordings)
      : recordings_(recordings),
        across_(recordings * recordings),
        within_(recordings),
        inputs_(static_cast<std::int64_t>(outputs.size())) {
    if (recording.size() != outputs.size())
      throw ShapeError("[collapse] " + std::to_string(outputs.size()) + " inputs and " +
                       std::to_string(recording.size()) + " recordings");
    const std::size_t draws = outputs.empty() ? 0 : outputs[0].size();
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].size() != draws || recording[i] >= recordings)
        throw ShapeError("[collapse] input " + std::to_string(i) + " has " +
                         std::to_string(outputs[i].size()) + " draws and recording " +
                         std::to_string(recording[i]) + "; " + std::to_string(draws) +
                         " draws and a recording below " + std::to_string(recordings) + " are right");
    std::set<std::vector<int>> different;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      for (std::size_t s = 0; s < draws; ++s) {
        if (s == 0) different.insert(outputs[i][s]);
        for (std::size_t other = s + 1; other < draws; ++other)
          within_[recording[i]].add(normalised_distance(outputs[i][s], outputs[i][other]));
        for (std::size_t j = i + 1; j < outputs.size(); ++j)
          across_[std::min(recording[i], recording[j]) * recordings_ + std::max(recording[i], recording[j])]
              .add(normalised_distance(outputs[i][s], outputs[j][s]));
      }
    }
    unique_ = static_cast<std::int64_t>(different.size());
  }

  // Each NaN where there is nothing to take the mean of. weights: [G]; none: every recording once.
  double across(std::span<const double> weights = {}) const {
    Sum sum;
    for (std::size_t g = 0; g < recordings_; ++g)
      for (std::size_t h = g; h < recordings_; ++h) {
        const double weight = g == h ? weight_of(weights, g) : weight_of(weights, g) * weight_of(weights, h);
        sum.add(across_[g * recordings_ + h], weight);
      }
    return sum.mean();
  }
  double within(std::span<const double> weights = {}) const {
    Sum sum;
    for (std::size_t g = 0; g < recordings_; ++g) sum.add(within_[g], weight_of(weights, g));
    return sum.mean();
  }
  double ratio(std::span<const double> weights = {}) const {
    const double draws = within(weights);
    return draws > 0 ? across(weights) / draws : std::numeric_limits<double>::quiet_NaN();
  }

  std::int64_t inputs() const { return inputs_; }
  std::int64_t unique() const { return unique_; }  // different outputs among the first draws

 private:
  struct Sum {
    double total = 0, count = 0;
    void add(double value) { total += value, count += 1; }
    void add(const Sum& more, double weight) { total += weight * more.total, count += weight * more.count; }
    double mean() const { return count > 0 ? total / count : std::numeric_limits<double>::quiet_NaN(); }
  };
  static double weight_of(std::span<const double> weights, std::size_t g) {
    return weights.empty() ? 1 : weights[g];
  }

  std::size_t recordings_;
  std::vector<Sum> across_;  // [G, G], the lower index first
  std::vector<Sum> within_;  // [G]
  std::int64_t inputs_, unique_ = 0;
};

}  // namespace imu2music::inline v0
