// How generated music differs from real music as a whole, whatever it was written for.
//
// Distributions over windows of four things, each a histogram with these bins:
//   pitch class          12, of every note
//   note count           of a window: 0, 1, 2, 3, 4–5, 6–7, 8–11, 12–15, 16–23, 24–31, 32–47, 48–63, 64
//                        and more
//   inter-onset interval within a window, between onsets that follow one another, those that fall
//                        together left out: 18 bins a half octave wide from 2^-6 s to 2^3 s; shorter and
//                        longer ones in the outermost
//   range                highest less lowest pitch of a window with notes: 2 semitones a bin, 48 and more
//                        in the last
// For a pair of histograms p (real) and q (generated), each normalised:
//   overlap area  Σ_b min(p_b, q_b), 1 where they are alike; 0 where one is empty, NaN where both are
//   KL            Σ_b p_b ln(p_b / q_b), nats, after adding half a count to every bin of both; NaN where
//                 both are empty
//
// Of a window with notes:
//   pitch-class entropy  −Σ p_c log2 p_c, bits: 0 for one pitch class, 3.58 for all twelve alike
//   scale consistency    the largest share of notes, over the twelve major scales, that lie in the scale
//
// NDB/k: windows as points (ln(1 + notes), mean log2 interval, mean pitch, range and the twelve shares of
// pitch classes, all standardised by the real ones, the shares as light as one together; what a window lacks
// is the mean). Real points are divided into k bins by k-means; a bin is different where the shares of real
// and of generated points in it differ by a two-proportion z test at the 5 % level. k = 10, or one for every
// five real windows; NaN below two.
//
// Sums are kept by recording so that weights can be applied (bootstrap.hpp). Cost: O(notes log notes), and
// k-means. Errors: ShapeError for lists that do not fit one another. Sources: L.-C. Yang, A. Lerch, "On the
// evaluation of generative models in music", Neural Comput. Appl. 32 (2020); E. Richardson, Y. Weiss, "On
// GANs and GMMs", NeurIPS 2018 (NDB); D. Arthur, S. Vassilvitskii, "k-means++", SODA 2007.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct MusicHistograms {
  static constexpr std::array<double, 12> note_count_edges = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

  std::array<double, 12> pitch_class{};
  std::array<double, 13> note_count{};
  std::array<double, 18> interval{};
  std::array<double, 25> range{};

  void add(const MusicHistograms& more, double weight = 1) {
    const auto each = [weight](auto& sums, const auto& values) {
      for (std::size_t b = 0; b < sums.size(); ++b) sums[b] += weight * values[b];
    };
    each(pitch_class, more.pitch_class);
    each(note_count, more.note_count);
    each(interval, more.interval);
    each(range, more.range);
  }
};

// What is told of one window.
struct WindowMusic {
  MusicHistograms histograms;
  std::int64_t notes = 0;
  double pitch_class_entropy = 0, scale_consistency = 0;  // with notes only
  double mean_pitch = 0, range = 0;                       // with notes only
  double mean_log2_interval = 0;                          // with intervals only
  std::int64_t intervals = 0;
};

inline WindowMusic window_music(std::span<const Note> notes) {
  WindowMusic music;
  music.notes = static_cast<std::int64_t>(notes.size());
  MusicHistograms& h = music.histograms;
  const auto count = static_cast<double>(notes.size());
  const auto bin = std::upper_bound(h.note_count_edges.begin(), h.note_count_edges.end(), count);
  h.note_count[static_cast<std::size_t>(bin - h.note_count_edges.begin())] += 1;
  if (notes.empty()) return music;

  int lowest = 127, highest = 0;
  std::vector<double> onsets;
  for (const Note& note : notes) {
    h.pitch_class[static_cast<std::size_t>(((note.pitch % 12) + 12) % 12)] += 1;
    lowest = std::min(lowest, note.pitch);
    highest = std::max(highest, note.pitch);
    music.mean_pitch += note.pitch / count;
    onsets.push_back(note.start);
  }
  music.range = highest - lowest;
  h.range[std::min<std::size_t>(static_cast<std::size_t>(highest - lowest) / 2, h.range.size() - 1)] += 1;
  std::sort(onsets.begin(), onsets.end());
  for (std::size_t i = 1; i < onsets.size(); ++i) {
    const double interval = onsets[i] - onsets[i - 1];
    if (!(interval > 0)) continue;
    const double place = std::floor(2 * (std::log2(interval) + 6));
    h.interval[static_cast<std::size_t>(std::clamp(place, 0.0, 17.0))] += 1;
    music.mean_log2_interval += std::log2(interval);
    ++music.intervals;
  }
  if (music.intervals > 0) music.mean_log2_interval /= static_cast<double>(music.intervals);
  for (double n : h.pitch_class)
    if (n > 0) music.pitch_class_entropy -= n / count * std::log2(n / count);
  for (std::size_t tonic = 0; tonic < 12; ++tonic) {
    double inside = 0;
    for (std::size_t step : {0u, 2u, 4u, 5u, 7u, 9u, 11u}) inside += h.pitch_class[(tonic + step) % 12];
    music.scale_consistency = std::max(music.scale_consistency, inside / count);
  }
  return music;
}

template <std::size_t N>
double overlap_area(const std::array<double, N>& real, const std::array<double, N>& generated) {
  double p = 0, q = 0, overlap = 0;
  for (std::size_t b = 0; b < N; ++b) p += real[b], q += generated[b];
  if (!(p > 0) && !(q > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (!(p > 0 && q > 0)) return 0;
  for (std::size_t b = 0; b < N; ++b) overlap += std::min(real[b] / p, generated[b] / q);
  return overlap;
}

template <std::size_t N>
double kl_divergence(const std::array<double, N>& real, const std::array<double, N>& generated) {
  constexpr double added = 0.5;
  double p = added * N, q = added * N, divergence = 0;
  for (std::size_t b = 0; b < N; ++b) p += real[b], q += generated[b];
  if (!(p > added * N) && !(q > added * N)) return std::numeric_limits<double>::quiet_NaN();
  for (std::size_t b = 0; b < N; ++b) {
    const double share = (real[b] + added) / p;
    divergence += share * std::log(share / ((generated[b] + added) / q));
  }
  return std::max(divergence, 0.0);  // below by rounding only
}

// NDB/k of the windows of recordings.
class DifferentBins {
 public:
  static constexpr std::size_t most_bins = 10;

  // real[i] and generated[i] are of recording[i], 0..recordings-1.
  DifferentBins(std::span<const WindowMusic> real, std::span<const WindowMusic> generated,
                std::span<const std::size_t> recording, std::size_t recordings, std::uint64_t seed)
      : recordings_(recordings), bins_(std::min(most_bins, real.size() / 5)) {
    if (generated.size() != real.size() || recording.size() != real.size())
      throw ShapeError("[different_bins] " + std::to_string(real.size()) + " real windows, " +
                       std::to_string(generated.size()) + " generated ones and " +
                       std::to_string(recording.size()) + " recordings");
    if (bins_ < 2) {
      bins_ = 0;
      return;
    }
    const Standard standard(real);
    std::vector<Point> points;
    for (const WindowMusic& window : real) points.push_back(standard.point(window));
    const std::vector<Point> centres = k_means(points, bins_, seed);
    counts_.assign(recordings * bins_, {0, 0});
    for (std::size_t i = 0; i < real.size(); ++i) {
      counts_[recording[i] * bins_ + nearest(centres, points[i])][0] += 1;
      counts_[recording[i] * bins_ + nearest(centres, standard.point(generated[i]))][1] += 1;
    }
  }

  std::size_t bins() const { return bins_; }  // k; 0: too few windows

  // The share of bins that are different; NaN without bins or windows.
  double share(std::span<const double> weights = {}) const {
    constexpr double critical = 1.959963984540054;  // of a normal distribution, two-sided 5 %
    std::vector<std::array<double, 2>> bins(bins_, {0, 0});
    std::array<double, 2> all{};
    for (std::size_t g = 0; g < recordings_; ++g)
      for (std::size_t b = 0; b < bins_; ++b)
        for (std::size_t side = 0; side < 2; ++side) {
          const double count = (weights.empty() ? 1 : weights[g]) * counts_[g * bins_ + b][side];
          bins[b][side] += count;
          all[side] += count;
        }
    if (!(all[0] > 0 && all[1] > 0)) return std::numeric_limits<double>::quiet_NaN();
    double different = 0;
    for (const auto& [real, generated] : bins) {
      const double pooled = (real + generated) / (all[0] + all[1]);
      const double error = std::sqrt(pooled * (1 - pooled) * (1 / all[0] + 1 / all[1]));
      different += std::abs(real / all[0] - generated / all[1]) > critical * error;
    }
    return different / static_cast<double>(bins_);
  }

 private:
  static constexpr std::size_t dimensions = 16;
  using Point = std::array<double, dimensions>;

  // A window's numbers, NaN for those that it lacks.
  static Point raw(const WindowMusic& window) {
    Point point;
    point.fill(std::numeric_limits<double>::quiet_NaN());
    point[0] = std::log1p(static_cast<double>(window.notes));
    if (window.intervals > 0) point[1] = window.mean_log2_interval;
    if (window.notes > 0) {
      point[2] = window.mean_pitch;
      point[3] = window.range;
      for (std::size_t c = 0; c < 12; ++c)
        point[4 + c] = window.histograms.pitch_class[c] / static_cast<double>(window.notes);
    }
    return point;
  }

  struct Standard {
    Point mean{}, deviation{};

    explicit Standard(std::span<const WindowMusic> windows) {
      for (std::size_t d = 0; d < dimensions; ++d) {
        double sum = 0, squares = 0, count = 0;
        for (const WindowMusic& window : windows)
          if (const double v = raw(window)[d]; !std::isnan(v)) sum += v, count += 1;
        mean[d] = count > 0 ? sum / count : 0;
        for (const WindowMusic& window : windows)
          if (const double v = raw(window)[d]; !std::isnan(v)) squares += (v - mean[d]) * (v - mean[d]);
        deviation[d] = count > 0 && squares > 1e-12 * count ? std::sqrt(squares / count) : 1;
      }
    }
    Point point(const WindowMusic& window) const {
      Point p = raw(window);
      for (std::size_t d = 0; d < dimensions; ++d) {
        p[d] = std::isnan(p[d]) ? 0 : (p[d] - mean[d]) / deviation[d];
        if (d >= 4) p[d] /= std::sqrt(12.0);
      }
      return p;
    }
  };

  static double squared_distance(const Point& a, const Point& b) {
    double sum = 0;
    for (std::size_t d = 0; d < dimensions; ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
  }
  static std::size_t nearest(std::span<const Point> centres, const Point& point) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < centres.size(); ++c)
      if (squared_distance(centres[c], point) < squared_distance(centres[best], point)) best = c;
    return best;
  }

  static std::vector<Point> k_means(std::span<const Point> points, std::size_t k, std::uint64_t seed) {
    Philox random(seed);
    std::vector<Point> centres = {points[random.below(static_cast<std::uint32_t>(points.size()))]};
    std::vector<double> far(points.size());
    while (centres.size() < k) {
      double total = 0;
      for (std::size_t i = 0; i < points.size(); ++i)
        total += far[i] = squared_distance(points[i], centres[nearest(centres, points[i])]);
      double at = random.uniform() * total;
      std::size_t chosen = points.size() - 1;
      for (std::size_t i = 0; i < points.size() && chosen == points.size() - 1; ++i)
        if ((at -= far[i]) < 0) chosen = i;
      centres.push_back(points[chosen]);
    }
    for (int round = 0; round < 100; ++round) {
      std::vector<Point> sums(k, Point{});
      std::vector<double> members(k, 0.0);
      for (const Point& point : points) {
        const std::size_t c = nearest(centres, point);
        for (std::size_t d = 0; d < dimensions; ++d) sums[c][d] += point[d];
        members[c] += 1;
      }
      bool moved = false;
      for (std::size_t c = 0; c < k; ++c) {
        if (members[c] == 0) continue;  // stays where it is
        for (double& v : sums[c]) v /= members[c];
        moved = moved || sums[c] != centres[c];
        centres[c] = sums[c];
      }
      if (!moved) break;
    }
    return centres;
  }

  std::size_t recordings_, bins_;
  std::vector<std::array<double, 2>> counts_;  // [recordings, bins] real and generated
};

}  // namespace imu2music::inline v0
