// Whether music begins where the body moves.
//
//   M(t)  = z(‖ω‖) + z(‖da/dt‖),  z(v) = (v − median v) / (1.4826 median |v − median v|)
//
// ω angular velocity, a acceleration, da/dt by central differences. Of several sensors M is the mean; a
// sensor that has one of the two quantities gives that one. A quantity that hardly moves (its median
// deviation is 0) gives z = 0. The medians are those of the whole recording.
//
// Peaks of M: values of at least 1, strictly larger than all before and at least as large as all after within
// 100 ms. Onsets are held against them as notes are (note_f1.hpp), at 100 ms.
//
// Onset density ρ(t): onsets, each a Gaussian of σ = 50 ms, on M's grid; ends of a window are joined, so that
// it can be shifted in a circle without a seam of its own.
//
//   r(l) = correlation of ρ(t − l) and M(t), Pearson;  c(s) = max of r(s + l) over |l| <= 300 ms
//
// c(0) is a window's correlation; c(s) with s drawn from all shifts is what it would be if onsets and motion
// had nothing to do with one another but their rhythms. For a set of windows, C = mean c(0), C_b = mean
// c(s_b), each window with its own s_b:
//
//   z = (C − mean_b C_b) / sd_b C_b,  b = 1..999
//
// Cost: O(n²) a window of n frames. Errors: InputError where the recording cannot be resampled
// (imu/resample.hpp); ShapeError for windows that do not lie in M.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/resample.hpp"

namespace imu2music::inline v0 {

inline constexpr double motion_activity_rate_hz = 50;

// M, sampled evenly.
struct MotionActivity {
  std::vector<double> values;  // empty: no sensor has angular velocity or acceleration
  double rate_hz = motion_activity_rate_hz;
  double start_s = 0;  // of value 0, on the recording's time axis

  double time_s(std::size_t i) const { return start_s + static_cast<double>(i) / rate_hz; }
};

namespace motion_alignment_detail {

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace motion_alignment_detail

// z of values, not empty.
inline std::vector<double> robust_z(std::span<const double> values) {
  std::vector<double> z(values.begin(), values.end());
  const double middle = motion_alignment_detail::median(z);
  for (double& v : z) v = std::abs(v - middle);
  const double deviation = 1.4826 * motion_alignment_detail::median(z);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = deviation > 0 ? (values[i] - middle) / deviation : 0;
  return z;
}

inline MotionActivity motion_activity(const Recording& recording) {
  Recording used;
  used.source = recording.source;
  for (const SensorTrack& sensor : recording.sensors) {
    SensorTrack track;
    track.name = sensor.name;
    track.clock = sensor.clock;
    for (const Quantity quantity : {Quantity::acceleration, Quantity::angular_velocity})
      if (const Channel* channel = sensor.find(quantity)) track.channels.push_back(*channel);
    if (!track.channels.empty() && track.sample_count() > 0) used.sensors.push_back(std::move(track));
  }
  MotionActivity activity;
  if (used.sensors.empty()) return activity;
  Recording motion = at_rate(used, activity.rate_hz);
  start_together(motion);
  std::int64_t frames = motion.sensors[0].sample_count();
  activity.start_s = motion.sensors[0].start_s();
  for (const SensorTrack& sensor : motion.sensors) {
    frames = std::min(frames, sensor.sample_count());
    activity.start_s = std::max(activity.start_s, sensor.start_s());
  }
  const auto n = static_cast<std::size_t>(frames);
  activity.values.assign(n, 0.0);
  if (n == 0) return activity;
  std::vector<double> length(n);
  for (const SensorTrack& sensor : motion.sensors)
    for (const Channel& channel : sensor.channels) {
      const bool differentiate = channel.quantity == Quantity::acceleration;
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t before = i == 0 ? 0 : i - 1, after = std::min(i + 1, n - 1);
        double squares = 0;
        for (int axis = 0; axis < 3; ++axis) {
          const std::span<const float> v = channel.axis(axis);
          const double value = differentiate
                                   ? (static_cast<double>(v[after]) - static_cast<double>(v[before])) *
                                         activity.rate_hz /
                                         static_cast<double>(std::max<std::size_t>(after - before, 1))
                                   : static_cast<double>(v[i]);
          squares += value * value;
        }
        length[i] = std::sqrt(squares);
      }
      const std::vector<double> z = robust_z(length);
      for (std::size_t i = 0; i < n; ++i)
        activity.values[i] += z[i] / static_cast<double>(motion.sensors.size());
    }
  return activity;
}

// The times of M's peaks, seconds on the recording's axis.
inline std::vector<double> motion_peaks(const MotionActivity& activity) {
  constexpr double least = 1;
  const auto reach = static_cast<std::size_t>(std::lround(0.1 * activity.rate_hz));
  const std::vector<double>& m = activity.values;
  std::vector<double> times;
  for (std::size_t i = 0; i < m.size(); ++i) {
    if (!(m[i] >= least)) continue;
    bool largest = true;
    for (std::size_t k = i >= reach ? i - reach : 0; k <= std::min(i + reach, m.size() - 1) && largest; ++k)
      largest = k < i ? m[k] < m[i] : m[k] <= m[i];
    if (largest) times.push_back(activity.time_s(i));
  }
  return times;
}

// c(s) of one window for every shift s of its n frames; c[0] is the window's own. Empty where onsets or
// motion do not vary. activity: M in the window, [n]; onsets: seconds from the window's beginning.
inline std::vector<double> onset_correlations(std::span<const double> activity, double rate_hz,
                                              std::span<const double> onsets) {
  constexpr double sigma_s = 0.05, reach_s = 0.3;
  const std::size_t n = activity.size();
  if (n < 2 || onsets.empty()) return {};
  std::vector<double> density(n, 0.0), motion(activity.begin(), activity.end());
  const double length = static_cast<double>(n) / rate_hz;
  for (double onset : onsets)
    for (std::size_t i = 0; i < n; ++i) {
      const double away = std::remainder(static_cast<double>(i) / rate_hz - onset, length) / sigma_s;
      density[i] += std::exp(-0.5 * away * away);
    }
  const auto standardise = [&](std::vector<double>& values) {
    double mean = 0, squares = 0;
    for (double v : values) mean += v / static_cast<double>(n);
    for (double& v : values) {
      v -= mean;
      squares += v * v;
    }
    if (!(squares > 1e-18 * static_cast<double>(n) * (1 + mean * mean))) return false;
    for (double& v : values) v /= std::sqrt(squares);
    return true;
  };
  if (!standardise(density) || !standardise(motion)) return {};
  std::vector<double> r(n, 0.0), c(n);
  for (std::size_t s = 0; s < n; ++s)
    for (std::size_t i = 0; i < n; ++i) r[s] += density[i >= s ? i - s : i + n - s] * motion[i];
  const auto reach = static_cast<std::size_t>(std::lround(reach_s * rate_hz));
  for (std::size_t s = 0; s < n; ++s) {
    c[s] = r[s];
    for (std::size_t l = 1; l <= std::min(reach, n / 2); ++l)
      c[s] = std::max({c[s], r[(s + l) % n], r[(s + n - l) % n]});
  }
  return c;
}

// Correlations of windows, gathered by recording so that weights can be applied (bootstrap.hpp).
class OnsetMotionCorrelation {
 public:
  explicit OnsetMotionCorrelation(std::size_t recordings, std::uint64_t seed, int shifts = 999)
      : seed_(seed), shifts_(static_cast<std::size_t>(shifts)), groups_(recordings) {}

  // Of one window: onset_correlations(). An empty list is counted apart. The window's random stream is
  // `stream`.
  void add(std::size_t recording, std::uint64_t stream, std::span<const double> correlations) {
    if (recording >= groups_.size())
      throw ShapeError("[onset_correlation] recording " + std::to_string(recording) + " of " +
                       std::to_string(groups_.size()));
    if (correlations.empty()) {
      ++without_;
      return;
    }
    Group& group = groups_[recording];
    group.null.resize(shifts_, 0.0);
    group.own += correlations[0];
    group.windows += 1;
    ++windows_;
    Philox random(seed_, stream);
    for (double& sum : group.null)
      sum += correlations[random.below(static_cast<std::uint32_t>(correlations.size()))];
  }

  struct Result {
    double correlation, z, p;  // NaN without windows
  };
  Result result(std::span<const double> weights = {}) const {
    double own = 0, windows = 0;
    std::vector<double> null(shifts_, 0.0);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const double weight = weights.empty() ? 1 : weights[g];
      if (weight == 0 || groups_[g].windows == 0) continue;
      own += weight * groups_[g].own;
      windows += weight * groups_[g].windows;
      for (std::size_t b = 0; b < shifts_; ++b) null[b] += weight * groups_[g].null[b];
    }
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    if (windows == 0) return {none, none, none};
    own /= windows;
    double mean = 0, squares = 0, as_large = 0;
    for (double& value : null) mean += (value /= windows) / static_cast<double>(shifts_);
    for (double value : null) {
      squares += (value - mean) * (value - mean);
      as_large += value >= own;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(shifts_ - 1));
    return {own, deviation > 0 ? (own - mean) / deviation : none,
            (1 + as_large) / static_cast<double>(shifts_ + 1)};
  }

  std::int64_t windows() const { return windows_; }
  std::int64_t without() const {
    return without_;
  }  // windows without onsets, or with a motion that does not vary

 private:
  struct Group {
    double own = 0, windows = 0;
    std::vector<double> null;
  };
  std::uint64_t seed_;
  std::size_t shifts_;
  std::vector<Group> groups_;
  std::int64_t windows_ = 0, without_ = 0;
};

}  // namespace imu2music::inline v0
