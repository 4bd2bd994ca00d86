// Several sensors of one device, each with its own clock, as one sensor: its channels on one clock.
//
// The first track's times hold, from where all have begun to where the first of them ends; the others'
// channels are interpolated to them (interpolate.hpp). A sample in a gap of another track becomes a missing
// value of that track's channels, so that it is still seen. Where the times agree, values are kept bit for
// bit. Clock resets of all tracks are kept.
//
// Cost: O(samples of all tracks). Errors: InputError where the tracks have no two samples in common.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline SensorTrack merge_sensors(std::span<const SensorTrack> tracks, const std::string& name,
                                 const std::string& source) {
  std::vector<std::vector<double>> times;
  for (const SensorTrack& track : tracks) times.push_back(sample_times(track));
  double begin = times.front().front(), end = times.front().back();
  for (const std::vector<double>& one : times) {
    begin = std::max(begin, one.front());
    end = std::min(end, one.back());
  }
  const auto first = std::lower_bound(times.front().begin(), times.front().end(), begin);
  const auto last = std::upper_bound(first, times.front().end(), end);
  if (last - first < 2)
    throw InputError(source, "its sensors were not recorded at the same time",
                     "the files of a recording should overlap in time");
  const std::vector<double> common(first, last);

  SensorTrack merged;
  merged.name = name;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const double usual = usual_interval(times[i]);
    for (const Channel& channel : tracks[i].channels)
      merged.channels.push_back(interpolate_channel(channel, times[i], common, gap_factor * usual,
                                                    source + ", " + tracks[i].name, GapFill::missing));
  }
  merged.clock = make_clock(common, source, 0.0);
  for (std::size_t i = 0; i < tracks.size(); ++i)
    for (const ClockReset& reset : tracks[i].clock.resets) {
      const double time = times[i][static_cast<std::size_t>(reset.sample)];
      const auto place = std::lower_bound(common.begin(), common.end() - 1, time) - common.begin();
      merged.clock.resets.push_back({static_cast<std::int64_t>(place), reset.back_s});
    }
  return merged;
}

// Moves the recording's time axis so that its first sample is at 0.
inline void start_at_zero(Recording& recording) {
  double first = 0;
  bool any = false;
  for (const SensorTrack& sensor : recording.sensors) {
    if (sensor.sample_count() == 0) continue;
    first = any ? std::min(first, sensor.start_s()) : sensor.start_s();
    any = true;
  }
  for (SensorTrack& sensor : recording.sensors) {
    if (sensor.clock.is_uniform()) sensor.clock.start_s -= first;
    for (double& time : sensor.clock.times_s) time -= first;
  }
}

}  // namespace imu2music::inline v0
