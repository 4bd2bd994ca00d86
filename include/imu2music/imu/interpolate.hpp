// A channel's values at other times, by straight lines between its samples.
//
//   y(t) = x[k] + (t − t[k]) / (t[k+1] − t[k]) · (x[k+1] − x[k]),  t[k] ≤ t < t[k+1]
//
// Samples that are not finite in every axis are passed over. Where the samples on both sides lie more than
// longest_gap apart, nothing is known of the motion between them: the one before is held. So are the first
// and the last beyond the ends. With GapFill::missing nothing is held over more than longest_gap: NaN stands
// there. Angles go the short way round; quaternions are made to agree in sign and
// normalised.
//
// Sizes: times has one element a sample, never falling; at never falls either. Cost: O(n + at). Errors:
// InputError where no sample is finite; ShapeError for wrong sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

// Whether sample i of the channel is finite in every axis.
inline bool is_finite_sample(const Channel& channel, std::size_t i) {
  for (int axis = 0; axis < axis_count(channel.quantity); ++axis)
    if (!std::isfinite(channel.axis(axis)[i])) return false;
  return true;
}

// Over how long an interval nothing is known of the channel: gap_factor times `usual`, the usual interval of
// its sensor, or its own where it has a value in some of the sensor's samples only, as of a slower sensor.
inline double longest_gap_of(const Channel& channel, std::span<const double> times, double usual) {
  std::vector<double> known;
  known.reserve(times.size());
  for (std::size_t i = 0; i < times.size(); ++i)
    if (is_finite_sample(channel, i)) known.push_back(times[i]);
  return gap_factor * (known.size() == times.size() ? usual : std::max(usual, usual_interval(known)));
}

enum class GapFill { hold, missing };

inline Channel interpolate_channel(const Channel& channel, std::span<const double> times,
                                   std::span<const double> at, double longest_gap, const std::string& source,
                                   GapFill gap_fill = GapFill::hold) {
  if (static_cast<std::int64_t>(times.size()) != channel.sample_count())
    throw ShapeError("[interpolate] " + std::to_string(channel.sample_count()) + " samples have " +
                     std::to_string(times.size()) + " times");
  std::vector<std::size_t> finite;
  finite.reserve(times.size());
  for (std::size_t i = 0; i < times.size(); ++i)
    if (is_finite_sample(channel, i)) finite.push_back(i);
  if (finite.empty())
    throw InputError(source, "its " + std::string(to_string(channel.quantity)) + " holds no number at all",
                     "leave that quantity out, or record it again");

  const int axes = axis_count(channel.quantity);
  Channel result(channel.quantity, static_cast<std::int64_t>(at.size()));
  std::size_t k = 0;
  for (std::size_t j = 0; j < at.size(); ++j) {
    while (k + 1 < finite.size() && times[finite[k + 1]] <= at[j]) ++k;
    const std::size_t before = finite[k], after = finite[std::min(k + 1, finite.size() - 1)];
    const double interval = times[after] - times[before];
    double weight = 0;
    if (at[j] > times[before] && interval > 0 && interval <= longest_gap)
      weight = (at[j] - times[before]) / interval;

    const bool in_gap = interval > longest_gap && at[j] > times[before];
    const bool beyond =
        times[finite.front()] - at[j] > longest_gap || at[j] - times[finite.back()] > longest_gap;
    if (gap_fill == GapFill::missing && (in_gap || beyond)) {
      for (int axis = 0; axis < axes; ++axis) result.axis(axis)[j] = std::numeric_limits<float>::quiet_NaN();
      continue;
    }
    std::array<double, 4> value{};
    double sign = 1;
    if (channel.quantity == Quantity::orientation) {
      double dot = 0;
      for (int axis = 0; axis < 4; ++axis)
        dot +=
            static_cast<double>(channel.axis(axis)[before]) * static_cast<double>(channel.axis(axis)[after]);
      sign = dot < 0 ? -1 : 1;
    }
    double squares = 0;
    for (int axis = 0; axis < axes; ++axis) {
      const double from = static_cast<double>(channel.axis(axis)[before]);
      double step = sign * static_cast<double>(channel.axis(axis)[after]) - from;
      constexpr double turn = 2 * std::numbers::pi;
      const bool wraps = channel.quantity == Quantity::rotation && std::abs(step) > std::numbers::pi;
      if (wraps) step -= turn * std::round(step / turn);
      double& place = value[static_cast<std::size_t>(axis)];
      place = from + weight * step;
      if (wraps && weight > 0) place -= turn * std::ceil((place - std::numbers::pi) / turn);
      squares += place * place;
    }
    const double scale = channel.quantity == Quantity::orientation && weight > 0 && squares > 1e-12
                             ? 1 / std::sqrt(squares)
                             : 1;
    for (int axis = 0; axis < axes; ++axis)
      result.axis(axis)[j] = static_cast<float>(value[static_cast<std::size_t>(axis)] * scale);
  }
  return result;
}

// The time of each sample of a sensor.
inline std::vector<double> sample_times(const SensorTrack& sensor) {
  if (!sensor.clock.is_uniform()) return sensor.clock.times_s;
  std::vector<double> times(static_cast<std::size_t>(sensor.sample_count()));
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = sensor.clock.time_s(static_cast<std::int64_t>(i));
  return times;
}

}  // namespace imu2music::inline v0
