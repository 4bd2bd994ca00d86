// A motion recording in memory: named sensors, each with its quantities, in SI units on one time axis.
//
//   Recording ── sensors ── SensorTrack "myo1" ┬─ clock: sample i is at start + i / rate, or has a time stamp
//                                              └─ channels ── a quantity, samples [axes, n], axis-major
//
// Units inside, whatever a file's are: acceleration m/s² (specific force: a sensor at rest reads +9.81
// upwards), angular velocity rad/s, rotation rad (three angles, as the device gives them), orientation a unit
// quaternion x y z w that turns sensor coordinates into world coordinates, position m. A keypoint of a body
// (a skeleton's joint) is a sensor too: it has a name and positions. Times are seconds on the recording's one
// time axis, which all sensors share; rates may differ from sensor to sensor, while all channels of one
// sensor are sampled together. Time never runs backwards: where a file's did, Clock::resets tells where and
// how far. A value that a file lacks, or gives as NaN or infinity, is not finite here either.
//
// Cost: 4 bytes a sample and axis. Errors: ShapeError from check_recording() where channels and clock
// disagree or time runs backwards.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

enum class Quantity {
  acceleration,      // m/s²
  angular_velocity,  // rad/s
  rotation,          // three angles, rad, as the device gives them
  orientation,       // unit quaternion x y z w
  position,          // of a keypoint, m
  image_position,    // of a keypoint in a picture, two axes, in whatever unit the file has
  confidence,        // of a keypoint, how sure its position is: 0 (not found) to 1
};

constexpr int axis_count(Quantity quantity) {
  return quantity == Quantity::orientation      ? 4
         : quantity == Quantity::image_position ? 2
         : quantity == Quantity::confidence     ? 1
                                                : 3;
}

constexpr std::string_view to_string(Quantity quantity) {
  switch (quantity) {
    case Quantity::acceleration:
      return "acceleration";
    case Quantity::angular_velocity:
      return "angular velocity";
    case Quantity::rotation:
      return "rotation";
    case Quantity::orientation:
      return "orientation";
    case Quantity::position:
      return "position";
    case Quantity::image_position:
      return "image position";
    case Quantity::confidence:
      return "confidence";
  }
  return "unknown";
}

constexpr std::string_view unit_of(Quantity quantity) {
  switch (quantity) {
    case Quantity::acceleration:
      return "m/s²";
    case Quantity::angular_velocity:
      return "rad/s";
    case Quantity::rotation:
      return "rad";
    case Quantity::orientation:
    case Quantity::confidence:
      return "1";
    case Quantity::position:
      return "m";
    case Quantity::image_position:
      return "no known unit";
  }
  return "";
}

inline constexpr double radians_per_degree = 0.017453292519943295769;
inline constexpr double standard_gravity = 9.80665;  // m/s² (CGPM 1901)

struct Channel {
  Quantity quantity = Quantity::acceleration;
  std::vector<float> samples;  // [axes, n]

  Channel() = default;
  Channel(Quantity which, std::int64_t sample_count)
      : quantity(which), samples(static_cast<std::size_t>(axis_count(which) * sample_count)) {}

  std::int64_t sample_count() const {
    return static_cast<std::int64_t>(samples.size()) / axis_count(quantity);
  }
  std::span<float> axis(int index) {
    const auto n = static_cast<std::size_t>(sample_count());
    return std::span<float>(samples).subspan(static_cast<std::size_t>(index) * n, n);
  }
  std::span<const float> axis(int index) const {
    const auto n = static_cast<std::size_t>(sample_count());
    return std::span<const float>(samples).subspan(static_cast<std::size_t>(index) * n, n);
  }
};

// A place where a file's clock ran backwards. The recording's goes on there by one usual interval.
struct ClockReset {
  std::int64_t sample = 0;  // the first after it
  double back_s = 0;        // how far back the file's clock went, above 0
};

struct Clock {
  double start_s = 0;           // of sample 0, on the recording's time axis
  double rate_hz = 0;           // of a uniform clock
  std::vector<double> times_s;  // one a sample where the clock is not uniform, never falling; otherwise empty
  std::vector<ClockReset> resets;

  bool is_uniform() const { return times_s.empty(); }
  double time_s(std::int64_t sample) const {
    return is_uniform() ? start_s + static_cast<double>(sample) / rate_hz
                        : times_s[static_cast<std::size_t>(sample)];
  }
};

struct SensorTrack {
  std::string name;
  Clock clock;
  std::vector<Channel> channels;

  std::int64_t sample_count() const { return channels.empty() ? 0 : channels.front().sample_count(); }

  // n samples of a uniform clock last n / rate: each stands for one period.
  double duration_s() const {
    if (sample_count() == 0) return 0;
    if (clock.is_uniform()) return static_cast<double>(sample_count()) / clock.rate_hz;
    return clock.times_s.back() - clock.times_s.front();
  }

  double start_s() const { return clock.is_uniform() ? clock.start_s : clock.times_s.front(); }

  const Channel* find(Quantity quantity) const {
    for (const Channel& channel : channels)
      if (channel.quantity == quantity) return &channel;
    return nullptr;
  }
};

struct Recording {
  std::string source;  // the file or folder that it came from, for messages
  std::vector<SensorTrack> sensors;
  std::vector<std::string> notes;  // what a reader saw and left out, one sentence each
  std::string format;              // the layout it was read from: "RepoVizz"; empty where none
  bool rate_was_given = false;     // its clock is the rate that ReadOptions gave

  const SensorTrack* find_sensor(std::string_view name) const {
    for (const SensorTrack& sensor : sensors)
      if (sensor.name == name) return &sensor;
    return nullptr;
  }

  // From the first sample of any sensor to the end of the last.
  double duration_s() const {
    double first = 0;
    double last = 0;
    bool any = false;
    for (const SensorTrack& sensor : sensors) {
      if (sensor.sample_count() == 0) continue;
      const double start = sensor.start_s();
      const double end = start + sensor.duration_s();
      first = any ? std::min(first, start) : start;
      last = any ? std::max(last, end) : end;
      any = true;
    }
    return last - first;
  }

  // The rate that all sensors share; nothing where they differ or where one has a clock that is not uniform.
  std::optional<double> common_rate_hz() const {
    if (sensors.empty()) return std::nullopt;
    for (const SensorTrack& sensor : sensors)
      if (!sensor.clock.is_uniform() || sensor.clock.rate_hz != sensors.front().clock.rate_hz)
        return std::nullopt;
    return sensors.front().clock.rate_hz;
  }

  // "myo1, myo2", for messages.
  std::string sensor_names() const {
    std::string text;
    for (const SensorTrack& sensor : sensors) text += (text.empty() ? "" : ", ") + sensor.name;
    return text.empty() ? "none" : text;
  }

  // One line for the whole and one a sensor:
  //   takes/27_take: 22.52 s, 2 sensors
  //     myo1: 563 samples at 25 Hz: rotation (rad), angular velocity (rad/s), acceleration (m/s²)
  std::string summary() const {
    std::string text = source + ": " + number_text(std::round(duration_s() * 1000) / 1000) + " s, " +
                       std::to_string(sensors.size()) + (sensors.size() == 1 ? " sensor" : " sensors");
    for (const SensorTrack& sensor : sensors) {
      text += "\n  " + sensor.name + ": " + std::to_string(sensor.sample_count()) + " samples " +
              (sensor.clock.is_uniform() ? "at " + number_text(sensor.clock.rate_hz) + " Hz"
                                         : "with time stamps") +
              ":";
      const char* separator = " ";
      for (const Channel& channel : sensor.channels) {
        text.append(separator).append(to_string(channel.quantity));
        text.append(" (").append(unit_of(channel.quantity)).append(")");
        separator = ", ";
      }
    }
    for (const std::string& note : notes) text += "\n  " + note;
    return text;
  }
};

// Throws ShapeError unless every sensor has a usable clock and channels of one length.
inline void check_recording(const Recording& recording) {
  for (const SensorTrack& sensor : recording.sensors) {
    const auto fail = [&](const std::string& fault) {
      throw ShapeError("[recording] " + printable(recording.source) + ": sensor " + printable(sensor.name) +
                       " " + fault);
    };
    if (sensor.channels.empty()) fail("has no channels");
    const std::int64_t n = sensor.sample_count();
    for (const Channel& channel : sensor.channels)
      if (channel.samples.size() != static_cast<std::size_t>(n * axis_count(channel.quantity)))
        fail("has " + std::to_string(n) + " samples, but its " + std::string(to_string(channel.quantity)) +
             " has " + std::to_string(channel.samples.size()) + " values on " +
             std::to_string(axis_count(channel.quantity)) + " axes");
    if (sensor.clock.is_uniform()) {
      if (!(sensor.clock.rate_hz > 0) || !std::isfinite(sensor.clock.rate_hz) ||
          !std::isfinite(sensor.clock.start_s))
        fail("has no rate that is a positive number");
    } else if (sensor.clock.times_s.size() != static_cast<std::size_t>(n)) {
      fail("has " + std::to_string(n) + " samples, but " + std::to_string(sensor.clock.times_s.size()) +
           " times");
    } else {
      for (std::size_t i = 0; i < sensor.clock.times_s.size(); ++i)
        if (!std::isfinite(sensor.clock.times_s[i]) ||
            (i > 0 && sensor.clock.times_s[i] < sensor.clock.times_s[i - 1]))
          fail("has a time at sample " + std::to_string(i) +
               " that is no number or before the one ahead of it");
    }
  }
}

}  // namespace imu2music::inline v0
