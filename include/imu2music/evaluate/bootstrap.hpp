// How far a figure would vary with other recordings: percentile intervals of the bootstrap, by recording.
//
// Windows of one recording resemble each other, so what is drawn anew is recordings: of G recordings, G are
// drawn with replacement, the figure is computed of them, and this is repeated. The interval holds the middle
// `level` of the figures so found (quantiles interpolated linearly).
//
// The figure is a function of weights, statistic(weights): weights[g] says how often recording g was drawn,
// so figures that are made of sums over recordings cost O(G) each. It says with NaN that the recordings drawn
// give no figure; such draws do not count. The draws depend on the seed alone. There is no interval with
// fewer than two recordings, or where less than half of the draws gave a figure: it would tell nothing.
//
// Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 (more than one unit of
// data) and 13 (percentiles).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "imu2music/core/finite_math.hpp"
#include "imu2music/core/random.hpp"

namespace imu2music::inline v0 {

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  int resamples = 1000;
  double level = 0.95;
  std::uint64_t seed = 0;
};

// The value below which the share q of `sorted`, not empty, lies.
inline double quantile(std::span<const double> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

template <class Statistic>
std::optional<Interval> bootstrap_interval(std::size_t recordings, const Statistic& statistic,
                                           const BootstrapOptions& options = {}) {
  if (recordings < 2) return std::nullopt;
  std::vector<double> found, weights(recordings);
  found.reserve(static_cast<std::size_t>(std::max(options.resamples, 0)));
  for (int r = 0; r < options.resamples; ++r) {
    Philox random(options.seed, static_cast<std::uint64_t>(r));
    std::fill(weights.begin(), weights.end(), 0.0);
    for (std::size_t g = 0; g < recordings; ++g)
      weights[random.below(static_cast<std::uint32_t>(recordings))] += 1;
    const double value = statistic(std::span<const double>(weights));
    if (std::isfinite(value)) found.push_back(value);
  }
  if (found.empty() || 2 * found.size() < static_cast<std::size_t>(options.resamples)) return std::nullopt;
  std::sort(found.begin(), found.end());
  const double tail = (1 - options.level) / 2;
  return Interval{quantile(found, tail), quantile(found, 1 - tail)};
}

}  // namespace imu2music::inline v0
