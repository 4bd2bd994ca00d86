#include "imu2music/imu/motion_channels.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "error_text.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/imu/virtual_violinist.hpp"

using namespace imu2music;
using test::is_line_with;

namespace {

ModelConfig temporal(int sensors, const std::string& quantities, int rate_hz = 50) {
  ModelConfig config;
  config.encoder = "temporal";
  config.sensors = sensors;
  config.quantities = quantities;
  config.channels = sensors * channels_per_sensor(quantities);
  config.rate_hz = rate_hz;
  return config;
}

const std::string usual = "acceleration+angular_velocity";
const std::string all = "acceleration+angular_velocity+orientation";

// Every value tells its sensor, quantity and axis, and moves slowly with time.
double value_at(int sensor, Quantity quantity, int axis, double time_s) {
  return 100 * sensor + 10 * static_cast<int>(quantity) + axis + 0.5 * std::sin(time_s);
}

SensorTrack sensor(int index, const std::string& name, double rate_hz, double start_s, std::int64_t n,
                   const std::vector<Quantity>& quantities = {Quantity::angular_velocity,
                                                              Quantity::acceleration}) {
  SensorTrack track;
  track.name = name;
  track.clock.rate_hz = rate_hz;
  track.clock.start_s = start_s;
  for (const Quantity quantity : quantities) {
    Channel channel(quantity, n);
    for (int axis = 0; axis < axis_count(quantity); ++axis)
      for (std::int64_t i = 0; i < n; ++i)
        channel.axis(axis)[static_cast<std::size_t>(i)] =
            static_cast<float>(value_at(index, quantity, axis, start_s + static_cast<double>(i) / rate_hz));
    track.channels.push_back(channel);
  }
  return track;
}

Recording recording_of(std::vector<SensorTrack> sensors) {
  Recording recording;
  recording.source = "take";
  recording.sensors = std::move(sensors);
  return recording;
}

std::string fault_of(const Recording& recording, const ModelConfig& config) {
  return test::error_text<InputError>([&] { motion_channels(recording, config); });
}

}  // namespace

TEST_CASE("channels stand in the order of sensors, quantities and axes") {
  const Recording recording = recording_of(
      {sensor(1, "left", 50, 0, 400), sensor(2, "right", 50, 0, 400), sensor(3, "hip", 50, 0, 9)});
  const MotionChannels both = motion_channels(recording, temporal(2, usual));
  REQUIRE(both.values.shape() == Shape{12, 400});
  CHECK(motion_channel_count(temporal(2, usual)) == 12);
  CHECK(both.rate_hz == 50);
  CHECK(both.start_s == 0);
  CHECK(both.frames() == 400);
  const Quantity order[] = {Quantity::acceleration, Quantity::angular_velocity};
  for (int c = 0; c < 12; ++c)
    for (std::int64_t i = 0; i < 400; i += 57)
      CHECK(both.values[c * 400 + i] ==
            static_cast<float>(value_at(1 + c / 6, order[c / 3 % 2], c % 3, static_cast<double>(i) / 50)));
  const MotionChannels turning = motion_channels(recording, temporal(1, "angular_velocity"));
  REQUIRE(turning.values.shape() == Shape{3, 400});
  CHECK(turning.values[0] == both.values[3 * 400]);
  // Another order, and one sensor for two, by a map.
  const Recording mapped = map_sensors(recording, parse_sensor_map("a=right,b=left,c=right"));
  const MotionChannels three = motion_channels(mapped, temporal(3, "acceleration"));
  CHECK(three.values[0] == static_cast<float>(value_at(2, Quantity::acceleration, 0, 0)));
  CHECK(three.values[3 * 400] == static_cast<float>(value_at(1, Quantity::acceleration, 0, 0)));
  CHECK(three.values[6 * 400] == three.values[0]);
}

TEST_CASE("every rate gives the frames of the wanted one, on the recording's time axis") {
  for (const double rate : {50.0, 100.0, 104.7, 200.0, 1000.0})
    for (const int wanted : {25, 50, 100}) {
      CAPTURE(rate);
      CAPTURE(wanted);
      const auto n = static_cast<std::int64_t>(8 * rate);
      const MotionChannels motion =
          motion_channels(recording_of({sensor(1, "a", rate, 2.5, n)}), temporal(1, usual, wanted));
      CHECK(motion.start_s == 2.5);
      CHECK(motion.rate_hz == wanted);
      CHECK(std::abs(motion.frames() - 8 * wanted) <= 1);
      for (std::int64_t i = 0; i < motion.frames(); ++i)
        CHECK(static_cast<double>(motion.values[i]) ==
              doctest::Approx(
                  value_at(1, Quantity::acceleration, 0, motion.start_s + static_cast<double>(i) / wanted))
                  .epsilon(2e-3));
    }
}

TEST_CASE("sensors that begin and end at different times share the frames that all have") {
  std::vector<std::string> notes;
  const MotionChannels motion =
      motion_channels(recording_of({sensor(1, "a", 100, 0, 1000), sensor(2, "b", 50, 1.5, 250),
                                    sensor(3, "c", 25, 0.5, 200)}),
                      temporal(3, usual), &notes);
  CHECK(notes ==
        std::vector<std::string>{"sensor b begins 1.5 s after the first: what lies before is not used",
                                 "sensor b ends 3.5 s before the last: what lies behind is not used",
                                 "sensor c ends 1.5 s before the last: what lies behind is not used"});
  CHECK(motion.start_s == 1.5);
  CHECK(motion.frames() == 250);
  for (int s = 0; s < 3; ++s)
    for (std::int64_t i = 0; i < motion.frames(); ++i)
      CHECK(static_cast<double>(motion.values[6 * s * motion.frames() + i]) ==
            doctest::Approx(value_at(1 + s, Quantity::acceleration, 0, 1.5 + static_cast<double>(i) / 50))
                .epsilon(1e-3));
  CHECK(is_line_with(
      fault_of(recording_of({sensor(1, "a", 50, 0, 50), sensor(2, "b", 50, 5, 50)}), temporal(2, usual)),
      {"take", "sensor a ends before all others have begun"}));
}

TEST_CASE("time stamps and missing values are brought to even frames, and what was held is told") {
  SensorTrack uneven = sensor(1, "a", 50, 0, 300);
  uneven.clock.times_s.clear();
  for (int i = 0; i < 300; ++i)
    uneven.clock.times_s.push_back(1 + i * 0.02 + (i % 3) * 1e-3 + (i >= 100 ? 0.4 : 0));
  uneven.channels[0].samples[7] = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::string> notes;
  const MotionChannels motion = motion_channels(recording_of({uneven}), temporal(1, usual), &notes);
  CHECK(motion.start_s == 1);
  CHECK(std::abs(motion.frames() - 320) <= 1);
  for (const float value : motion.values.values()) CHECK(std::isfinite(value));
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].find("held through 1 gap") != std::string::npos);
}

TEST_CASE("orientations do not jump from q to −q and begin with w at least 0") {
  SensorTrack turning = sensor(1, "a", 50, 0, 200, {Quantity::acceleration, Quantity::angular_velocity});
  Channel attitude(Quantity::orientation, 200);
  for (int i = 0; i < 200; ++i) {
    const double half = 0.03 * i + 2;  // cos is below 0 at first
    const double sign = i % 7 < 3 ? -1 : 1;
    attitude.axis(2)[static_cast<std::size_t>(i)] = static_cast<float>(sign * std::sin(half));
    attitude.axis(3)[static_cast<std::size_t>(i)] = static_cast<float>(sign * std::cos(half));
  }
  turning.channels.push_back(attitude);
  const MotionChannels motion = motion_channels(recording_of({turning}), temporal(1, all));
  REQUIRE(motion.values.shape() == Shape{10, 200});
  for (std::int64_t i = 0; i < 200; ++i) {
    const double half = 0.03 * static_cast<double>(i) + 2;
    CHECK(static_cast<double>(motion.values[8 * 200 + i]) == doctest::Approx(-std::sin(half)).epsilon(1e-5));
    CHECK(static_cast<double>(motion.values[9 * 200 + i]) == doctest::Approx(-std::cos(half)).epsilon(1e-5));
  }
}

TEST_CASE("what a recording lacks is told in one line") {
  const Recording recording = recording_of(
      {sensor(1, "watch", 50, 0, 100, {Quantity::acceleration}), sensor(2, "phone", 50, 0, 100)});
  CHECK(
      fault_of(recording, temporal(1, usual)) ==
      "take: lacks angular velocity of sensor watch; wanted of 1 sensor: acceleration, angular velocity; its "
      "sensors with them: phone");
  CHECK(is_line_with(fault_of(recording, temporal(2, all)),
                     {"angular velocity of sensor watch", "orientation of sensor watch",
                      "orientation of sensor phone", "its sensors with them: none"}));
  CHECK(is_line_with(fault_of(recording, temporal(3, "acceleration")), {"has 2 sensors", "wanted of 3"}));
  CHECK(fault_of(recording, temporal(2, "acceleration")).empty());
  CHECK(is_line_with(fault_of(recording_of({sensor(1, "a", 50, 0, 0)}), temporal(1, usual)),
                     {"sensor a has no samples"}));
  CHECK(is_line_with(fault_of(recording_of({sensor(1, "a", 0.5, 0, 100)}), temporal(1, usual)),
                     {"0.5 samples a second"}));
  ModelConfig wrong = temporal(2, usual);
  wrong.channels = 18;
  CHECK(test::error_text<Error>([&] { motion_channels(recording, wrong); }).find("18 channels") !=
        std::string::npos);
}

TEST_CASE("a simulated player's arm") {
  const std::vector<Note> score = {{60, 80, 0, 1}, {64, 80, 1, 2}, {67, 80, 2, 3}};
  const Recording recording = simulate_violinist(score, {});
  const MotionChannels motion = motion_channels(recording, temporal(1, usual));
  CHECK(motion.values.dim(0) == 6);
  CHECK(motion.frames() > 140);
  double squares = 0;
  for (int axis = 0; axis < 3; ++axis)
    squares += std::pow(static_cast<double>(motion.values[axis * motion.frames()]), 2);
  CHECK(std::sqrt(squares) == doctest::Approx(9.81).epsilon(0.1));
}
