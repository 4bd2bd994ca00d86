// Reads a JSON file of a Thalmic Myo armband:
//
//   {…, "imu": {"frequency": 200, "data": [{"gyroscope": [3], "acceleration": [3], "orientation": [4]}, …]}}
//
// frequency is in Hz, gyroscope in °/s, acceleration in g, orientation a quaternion x y z w that turns the
// armband's coordinates into the world's. Becomes one sensor, myo, with a uniform clock: angular velocity,
// acceleration, orientation. null is a missing value. Muscle signals (emg) and all else is passed over.
//
// Cost: one pass, 40 bytes a sample. Errors: InputError for text that is not JSON, a frequency that is
// missing or outside 1 … 100000 Hz, no samples, a sample that lacks a quantity or an axis.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

namespace myo_json_detail {

struct JsonQuantity {
  std::string_view key;
  Quantity quantity;
  double to_si;
};

inline constexpr std::array<JsonQuantity, 3> quantities = {{
    {"acceleration", Quantity::acceleration, standard_gravity},
    {"gyroscope", Quantity::angular_velocity, radians_per_degree},
    {"orientation", Quantity::orientation, 1.0},
}};

class Handler {
 public:
  explicit Handler(std::string path) : path_(std::move(path)) {}

  double frequency = 0;
  bool has_imu = false;
  std::int64_t samples = 0;
  std::array<std::vector<float>, 3> values;  // of each quantity, sample after sample

  void null() { value(std::numeric_limits<double>::quiet_NaN()); }
  void boolean(bool) { not_a_number("true or false"); }
  void integer(std::int64_t number) { value(static_cast<double>(number)); }
  void unsigned_integer(std::uint64_t number) { value(static_cast<double>(number)); }
  void number(std::string_view text) {
    double parsed = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
    value(result.ec == std::errc{} ? parsed : std::numeric_limits<double>::quiet_NaN());
  }
  void string(std::string text) { not_a_number(in_quotes(text)); }
  void start_object() {
    if (at_sample()) counts_ = {};
    open();
    has_imu = has_imu || (levels_.size() == 2 && levels_[0] == "imu");
  }
  void key(std::string name) { levels_.back() = name.size() > 16 ? "-" : std::move(name); }
  void end_object() {
    levels_.pop_back();
    if (at_sample()) end_sample();
  }
  void start_array() {
    open();
    levels_.back() = "[";
  }
  void end_array() { levels_.pop_back(); }

 private:
  static constexpr std::size_t most_levels = 64;

  void open() {
    if (levels_.size() == most_levels)
      throw InputError(path_, "is nested more than 64 levels deep", "it should be a Myo recording");
    levels_.emplace_back();
  }
  // Inside the list imu.data.
  bool at_sample() const {
    return levels_.size() == 3 && levels_[0] == "imu" && levels_[1] == "data" && levels_[2] == "[";
  }
  int quantity() const {
    if (levels_.size() != 5 || levels_[0] != "imu" || levels_[1] != "data" || levels_[2] != "[" ||
        levels_[4] != "[")
      return -1;
    for (std::size_t i = 0; i < quantities.size(); ++i)
      if (levels_[3] == quantities[i].key) return static_cast<int>(i);
    return -1;
  }
  bool at_frequency() const {
    return levels_.size() == 2 && levels_[0] == "imu" && levels_[1] == "frequency";
  }

  void value(double number) {
    if (at_frequency()) frequency = number;
    const int which = quantity();
    if (which < 0) return;
    const auto i = static_cast<std::size_t>(which);
    ++counts_[i];
    // More than there are axes is told at the sample's end and need not be kept.
    if (counts_[i] <= axis_count(quantities[i].quantity))
      values[i].push_back(static_cast<float>(number * quantities[i].to_si));
  }
  void not_a_number(const std::string& text) const {
    if (at_frequency() || quantity() >= 0)
      throw InputError(path_, "holds " + text + " in " + (at_frequency() ? "imu.frequency" : "imu.data"),
                       "it should be a number");
  }
  void end_sample() {
    ++samples;
    for (std::size_t i = 0; i < quantities.size(); ++i) {
      const int axes = axis_count(quantities[i].quantity);
      if (counts_[i] != axes)
        throw InputError(path_,
                         "sample " + std::to_string(samples) + " of imu.data has " +
                             std::to_string(counts_[i]) + " values of " + std::string(quantities[i].key),
                         "it should have " + std::to_string(axes));
    }
  }

  std::string path_;
  std::vector<std::string> levels_;  // for each open level the key it is at, or "["
  std::array<int, 3> counts_{};
};

}  // namespace myo_json_detail

// `path` serves the messages only.
inline Recording read_myo_json(std::string_view text, const std::string& path) {
  namespace detail = myo_json_detail;
  const std::string wanted = "a Myo recording has imu.frequency and imu.data";
  detail::Handler handler(path);
  if (const auto bad = read_json(text, handler))
    throw InputError(path, "is no JSON from byte " + std::to_string(*bad) + " on", wanted);
  if (!handler.has_imu)
    throw InputError(path, "is JSON, but no recording that is known: it has no imu", wanted);
  if (!(handler.frequency >= 1) || !(handler.frequency <= 100000))
    throw InputError(path, "has no imu.frequency from 1 to 100000 Hz", wanted);
  if (handler.samples == 0) throw InputError(path, "holds no samples in imu.data", wanted);

  Recording recording;
  recording.source = path;
  SensorTrack sensor;
  sensor.name = "myo";
  sensor.clock.rate_hz = handler.frequency;
  for (std::size_t i = 0; i < detail::quantities.size(); ++i) {
    Channel channel(detail::quantities[i].quantity, handler.samples);
    const int axes = axis_count(channel.quantity);
    for (int axis = 0; axis < axes; ++axis)
      for (std::size_t n = 0; n < static_cast<std::size_t>(handler.samples); ++n)
        channel.axis(axis)[n] =
            handler.values[i][n * static_cast<std::size_t>(axes) + static_cast<std::size_t>(axis)];
    handler.values[i] = {};
    sensor.channels.push_back(std::move(channel));
  }
  recording.sensors.push_back(std::move(sensor));
  return recording;
}

}  // namespace imu2music::inline v0
