// Maps the values of virtual sensors so that each axis is distributed as a real sensor's: quantile mapping.
//
//   y = Q_real(F_virtual(x))   F: the distribution function of the virtual axis, Q: the quantile function of
//                              the real one; both by straight lines between K + 1 quantiles, K = 1000, or one
//                              less than the samples where there are fewer
//   beyond the ends            y = end + (x − end), so that nothing is cut off
//
// The map rises, so it changes no order in time and no place of a peak: only how large things are. Axes are
// mapped one by one and lose some of what binds them (the length of gravity); this is what the published
// method does. Acceleration and angular velocity are mapped, orientation is left alone.
//
// Cost: O(n log n) an axis. Errors: InputError where an axis has no two finite samples or the real recording
// lacks the quantity.
// Source: H. Kwon et al., IMUTube, Proc. ACM IMWUT 4(3), 2020, section 3.4 (distribution mapping); W.
// Conover, R. Iman 1981 (ranks).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

class QuantileMap {
 public:
  // `name` serves the messages.
  QuantileMap(std::span<const float> from, std::span<const float> to, const std::string& name) {
    const std::vector<double> source = sorted(from, name), target = sorted(to, name);
    const std::size_t K = std::min<std::size_t>(1000, std::min(source.size(), target.size()) - 1);
    for (std::size_t k = 0; k <= K; ++k) {
      const double share = static_cast<double>(k) / static_cast<double>(K);
      // Of equal values of the source, as a clipped axis has, the middle of their places counts.
      const double x = quantile(source, share), y = quantile(target, share);
      if (!from_.empty() && x == from_.back()) {
        to_sum_ += y;
        to_.back() = to_sum_ / ++to_count_;
      } else {
        from_.push_back(x);
        to_.push_back(y);
        to_sum_ = y;
        to_count_ = 1;
      }
    }
  }

  double operator()(double x) const {
    if (x <= from_.front()) return to_.front() + (x - from_.front());
    if (x >= from_.back()) return to_.back() + (x - from_.back());
    const auto above =
        static_cast<std::size_t>(std::upper_bound(from_.begin(), from_.end(), x) - from_.begin());
    const double share = (x - from_[above - 1]) / (from_[above] - from_[above - 1]);
    return to_[above - 1] + share * (to_[above] - to_[above - 1]);
  }

 private:
  static std::vector<double> sorted(std::span<const float> values, const std::string& name) {
    std::vector<double> result;
    for (const float value : values)
      if (std::isfinite(value)) result.push_back(static_cast<double>(value));
    if (result.size() < 2)
      throw InputError(name, "has no two samples to tell a distribution from", "record for longer");
    std::sort(result.begin(), result.end());
    return result;
  }
  static double quantile(const std::vector<double>& values, double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(place), values.size() - 2);
    return values[below] + (place - static_cast<double>(below)) * (values[below + 1] - values[below]);
  }

  std::vector<double> from_, to_;  // both rising
  double to_sum_ = 0, to_count_ = 0;
};

// Each sensor of `recording` by the sensor of `real` in the same place of its list, or its last one.
inline void map_distribution(Recording& recording, const Recording& real) {
  if (real.sensors.empty()) throw InputError(real.source, "has no sensors", "name a recording with motion");
  for (std::size_t s = 0; s < recording.sensors.size(); ++s) {
    SensorTrack& sensor = recording.sensors[s];
    const SensorTrack& like = real.sensors[std::min(s, real.sensors.size() - 1)];
    for (Channel& channel : sensor.channels) {
      if (channel.quantity != Quantity::acceleration && channel.quantity != Quantity::angular_velocity)
        continue;
      const Channel* wanted = like.find(channel.quantity);
      if (wanted == nullptr)
        throw InputError(real.source,
                         "sensor " + like.name + " has no " + std::string(to_string(channel.quantity)),
                         "name a recording with both");
      for (int axis = 0; axis < axis_count(channel.quantity); ++axis) {
        const QuantileMap map(channel.axis(axis), wanted->axis(axis), real.source + ", " + like.name);
        for (float& value : channel.axis(axis))
          if (std::isfinite(value)) value = static_cast<float>(map(static_cast<double>(value)));
      }
    }
  }
  recording.notes.push_back("each axis was mapped to the distribution of " + real.source);
}

}  // namespace imu2music::inline v0
