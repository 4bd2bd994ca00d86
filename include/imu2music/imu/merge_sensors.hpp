// Several sensors of one device, each with its own clock, as one sensor: its channels on one clock.
//
// The times of one track hold, from where all have begun to where the first of them ends: of that with the
// most samples there, of the first track where none has a twentieth more than it. Fewer would fold what a
// faster sensor saw above half their rate into what lies below, where no low-pass finds it. The others'
// channels are interpolated to these times (interpolate.hpp). A gap of the track that has them is a gap of
// all; a sample in a gap of another track becomes a missing value of that track's channels, so that it is
// still seen. Where the times agree, values are kept bit for bit. Clock resets of all tracks are kept.
//
// Cost: O(samples of all tracks). Errors: InputError where the tracks have no two samples in common.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/resample.hpp"

namespace imu2music::inline v0 {

inline SensorTrack merge_sensors(std::span<const SensorTrack> tracks, const std::string& name,
                                 const std::string& source) {
  const auto refuse = [&] {
    throw InputError(source, "its sensors were not recorded at the same time",
                     "the files of a recording should overlap in time");
  };
  if (tracks.empty()) refuse();
  std::vector<std::vector<double>> times;
  for (const SensorTrack& track : tracks) {
    if (track.sample_count() == 0) refuse();
    times.push_back(sample_times(track));
  }
  double begin = times.front().front(), end = times.front().back();
  for (const std::vector<double>& one : times) {
    begin = std::max(begin, one.front());
    end = std::min(end, one.back());
  }
  const auto between = [&](const std::vector<double>& one) {
    const auto first = std::lower_bound(one.begin(), one.end(), begin);
    return std::pair(first, std::upper_bound(first, one.end(), end));
  };
  std::size_t fastest = 0;
  double most = 0;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const auto [from, to] = between(times[i]);
    const double count = static_cast<double>(to - from);
    // Sensors of one rate differ in their samples by the jitter of their clocks.
    if (i > 0 && !(count > (fastest == 0 ? 1.05 * most + 1 : most))) continue;
    most = count;
    fastest = i;
  }
  const auto [first, last] = between(times[fastest]);
  if (last - first < 2 || !(*(last - 1) > *first)) refuse();
  const std::vector<double> common(first, last);

  SensorTrack merged;
  merged.name = name;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const double usual = usual_interval(times[i]);
    for (const Channel& channel : tracks[i].channels)
      merged.channels.push_back(interpolate_channel(channel, times[i], common,
                                                    longest_gap_of(channel, times[i], usual),
                                                    source + ", " + tracks[i].name, GapFill::missing));
  }
  merged.clock = clock_detail::clock_of(common);
  for (std::size_t i = 0; i < tracks.size(); ++i)
    for (const ClockReset& reset : tracks[i].clock.resets) {
      const double time = times[i][static_cast<std::size_t>(reset.sample)];
      const auto place = std::lower_bound(common.begin(), common.end() - 1, time) - common.begin();
      merged.clock.resets.push_back({static_cast<std::int64_t>(place), reset.back_s});
    }
  return merged;
}

// A sentence for each sensor that begins a second or more after the first, or ends so long before the last:
// what they have in common is all that a model hears.
inline std::vector<std::string> describe_late_and_early(const Recording& recording) {
  std::vector<std::string> sentences;
  if (recording.sensors.empty()) return sentences;
  const auto end_of = [](const SensorTrack& sensor) { return sensor.start_s() + sensor.duration_s(); };
  double first = recording.sensors.front().start_s(), last = end_of(recording.sensors.front());
  for (const SensorTrack& sensor : recording.sensors) {
    first = std::min(first, sensor.start_s());
    last = std::max(last, end_of(sensor));
  }
  for (const SensorTrack& sensor : recording.sensors) {
    const double late = std::round((sensor.start_s() - first) * 100) / 100;
    const double early = std::round((last - end_of(sensor)) * 100) / 100;
    if (late >= 1)
      sentences.push_back("sensor " + sensor.name + " begins " + number_text(late) +
                          " s after the first: what lies before is not used");
    if (early >= 1)
      sentences.push_back("sensor " + sensor.name + " ends " + number_text(early) +
                          " s before the last: what lies behind is not used");
  }
  return sentences;
}

// Cuts what comes before all sensors have begun, to the nearest sample, so that sample i of every sensor is
// of one time. Throws ShapeError unless all have one uniform rate, InputError where one ends before another
// begins.
inline void start_together(Recording& recording) {
  const std::optional<double> rate = recording.common_rate_hz();
  if (!rate) throw ShapeError("[start_together] " + recording.source + ": its sensors have no common rate");
  double begin = recording.sensors.front().start_s();
  for (const SensorTrack& sensor : recording.sensors) begin = std::max(begin, sensor.start_s());
  for (SensorTrack& sensor : recording.sensors) {
    const double early = std::round((begin - sensor.start_s()) * *rate);
    if (!(early < static_cast<double>(sensor.sample_count())))
      throw InputError(recording.source, "sensor " + sensor.name + " ends before all others have begun",
                       "the sensors of a recording should overlap in time");
    const auto cut = static_cast<std::int64_t>(early);
    if (cut <= 0) continue;
    for (Channel& channel : sensor.channels) {
      Channel rest(channel.quantity, channel.sample_count() - cut);
      for (int axis = 0; axis < axis_count(channel.quantity); ++axis)
        std::copy(channel.axis(axis).begin() + cut, channel.axis(axis).end(), rest.axis(axis).begin());
      channel = std::move(rest);
    }
    sensor.clock.start_s += static_cast<double>(cut) / *rate;
  }
}

// Where a sensor has time stamps in place of a rate, lacks values, or begins apart from the others: all of
// them at rate_hz, from one time on (at_rate, start_together). Anything else stays as it is, to the last bit.
// Through what sensors were held, and which begin late or end early, is told in the recording's notes.
// Errors: as those two.
inline void even_out(Recording& recording, double rate_hz) {
  const std::vector<std::string> apart = describe_late_and_early(recording);
  const bool is_even =
      std::all_of(recording.sensors.begin(), recording.sensors.end(), [&](const SensorTrack& sensor) {
        return sensor.clock.is_uniform() && sensor.start_s() == recording.sensors.front().start_s() &&
               resample_detail::is_finite(sensor);
      });
  if (!is_even) {
    recording = at_rate(recording, rate_hz);
    start_together(recording);
  }
  recording.notes.insert(recording.notes.end(), apart.begin(), apart.end());
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
