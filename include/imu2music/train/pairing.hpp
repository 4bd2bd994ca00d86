// Motion and notes brought to one time axis that begins at 0: what a pair of a data set is.
//
// cut_recording(r, begin, end) keeps the samples with begin ≤ t < end; their times become t − begin. Where
// that is all of them and begin is 0, nothing changes by a bit.
//
// common_span(r) is from where all sensors have begun to where the first one ends (n samples of a uniform
// clock last n / rate; with time stamps, a sensor ends at its last).
//
// place_notes(notes, begin, seconds) moves notes by −begin. Those that end before 0 or begin at `seconds` or
// later are left out; one that sounds at 0 begins there; one that sounds at the end keeps its end, which then
// lies beyond.
//
// Errors: InputError where nothing is left.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/train/note_table.hpp"

namespace imu2music::inline v0 {

struct TimeSpan {
  double begin_s = 0, end_s = 0;
};

inline TimeSpan common_span(const Recording& recording) {
  TimeSpan span;
  bool any = false;
  for (const SensorTrack& sensor : recording.sensors) {
    if (sensor.sample_count() == 0)
      throw InputError(recording.source, "sensor " + sensor.name + " has no samples", "leave it out");
    const double begin = sensor.start_s(), end = begin + sensor.duration_s();
    span.begin_s = any ? std::max(span.begin_s, begin) : begin;
    span.end_s = any ? std::min(span.end_s, end) : end;
    any = true;
  }
  if (!any) throw InputError(recording.source, "has no sensors", "a pair needs one at least");
  if (!(span.end_s > span.begin_s))
    throw InputError(recording.source, "its sensors were not recorded at the same time",
                     "the sensors of a recording should overlap in time");
  return span;
}

inline Recording cut_recording(const Recording& recording, double begin_s, double end_s) {
  constexpr double rounding = 1e-6;  // of an interval
  Recording result = recording;
  for (SensorTrack& sensor : result.sensors) {
    Clock& clock = sensor.clock;
    const std::int64_t n = sensor.sample_count();
    std::int64_t first = 0, end = n;
    if (clock.is_uniform()) {
      const auto sample_at = [&](double time) {
        const double exact = (time - clock.start_s) * clock.rate_hz;
        return static_cast<std::int64_t>(
            std::clamp(std::ceil(exact - rounding), 0.0, static_cast<double>(n)));
      };
      first = sample_at(begin_s);
      end = std::max(first, sample_at(end_s));
    } else {
      // The end of a clock with stamps is its last sample, which belongs to it.
      const auto at = [&](double time) {
        return std::lower_bound(clock.times_s.begin(), clock.times_s.end(), time) - clock.times_s.begin();
      };
      first = at(begin_s);
      end = end_s >= clock.times_s.back() ? n : std::max<std::int64_t>(first, at(end_s));
    }
    if (end <= first)
      throw InputError(recording.source,
                       "sensor " + sensor.name + " has no samples from " + number_text(begin_s) + " s to " +
                           number_text(end_s) + " s",
                       "its recording should last longer");
    for (Channel& channel : sensor.channels) {
      if (end - first == n) continue;
      Channel part(channel.quantity, end - first);
      for (int axis = 0; axis < axis_count(channel.quantity); ++axis)
        std::copy(channel.axis(axis).begin() + first, channel.axis(axis).begin() + end,
                  part.axis(axis).begin());
      channel = std::move(part);
    }
    if (clock.is_uniform()) {
      if (first > 0) clock.start_s += static_cast<double>(first) / clock.rate_hz;
      clock.start_s -= begin_s;
      if (std::abs(clock.start_s) * clock.rate_hz < rounding) clock.start_s = 0;
    } else {
      clock.times_s.assign(clock.times_s.begin() + first, clock.times_s.begin() + end);
      for (double& time : clock.times_s) time -= begin_s;
    }
    std::erase_if(clock.resets,
                  [&](const ClockReset& reset) { return reset.sample <= first || reset.sample >= end; });
    for (ClockReset& reset : clock.resets) reset.sample -= first;
  }
  return result;
}

struct PlacedNotes {
  std::vector<Note> notes;
  std::size_t outside = 0;  // left out
  bool goes_on = false;     // some of those began after the end
};

inline PlacedNotes place_notes(std::span<const Note> notes, double begin_s, double seconds) {
  PlacedNotes placed;
  for (Note note : notes) {
    note.start -= begin_s;
    note.end -= begin_s;
    if (note.start >= seconds || (note.start < 0 && note.end <= 0)) {
      ++placed.outside;
      placed.goes_on = placed.goes_on || note.start >= seconds;
      continue;
    }
    note.start = std::max(note.start, 0.0);
    placed.notes.push_back(note);
  }
  sort_notes(placed.notes);
  return placed;
}

}  // namespace imu2music::inline v0
