#include "imu2music/imu/merge_sensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "error_text.hpp"
#include "imu2music/imu/resample.hpp"

using namespace imu2music;

namespace {

SensorTrack ramp(Quantity quantity, double start, double rate, std::int64_t n) {
  SensorTrack track;
  track.name = "part";
  track.clock.start_s = start;
  track.clock.rate_hz = rate;
  Channel channel(quantity, n);
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
    channel.axis(0)[i] = static_cast<float>(start + static_cast<double>(i) / rate);
  track.channels = {channel};
  return track;
}

}  // namespace

TEST_CASE("the times of the track with most samples hold where all were recorded") {
  const std::vector<SensorTrack> tracks = {ramp(Quantity::acceleration, 0, 50, 100),
                                           ramp(Quantity::rotation, 0.25, 100, 300),
                                           ramp(Quantity::angular_velocity, 0.51, 200, 400)};
  const SensorTrack merged = merge_sensors(tracks, "both", "f");
  CHECK(merged.name == "both");
  CHECK(merged.clock.rate_hz == doctest::Approx(200));
  CHECK(merged.clock.start_s == doctest::Approx(0.51));
  CHECK(merged.sample_count() == 295);  // to 1.98 s
  for (std::size_t i = 0; i < 295; ++i) {
    const double t = merged.clock.time_s(static_cast<std::int64_t>(i));
    for (const Channel& channel : merged.channels) CHECK(channel.axis(0)[i] == doctest::Approx(t));
  }
}

TEST_CASE("the first track's times hold where none has more samples but for its jitter") {
  std::vector<SensorTrack> tracks = {ramp(Quantity::acceleration, 0, 100, 200),
                                     ramp(Quantity::angular_velocity, 0.003, 103, 200)};
  const SensorTrack merged = merge_sensors(tracks, "both", "f");
  CHECK(merged.clock.rate_hz == doctest::Approx(100));
  CHECK(merged.clock.start_s == doctest::Approx(0.01));
  tracks[1].clock.rate_hz = 110;
  CHECK(merge_sensors(tracks, "both", "f").clock.rate_hz == doctest::Approx(110));
}

TEST_CASE("what a fast sensor sees above a slow one's Nyquist frequency does not come back as an alias") {
  std::vector<SensorTrack> tracks = {ramp(Quantity::acceleration, 0, 50, 500),
                                     ramp(Quantity::angular_velocity, 0, 200, 2000)};
  for (std::size_t i = 0; i < 2000; ++i)  // 47 Hz, which 50 samples a second show as 3 Hz
    tracks[1].channels[0].axis(0)[i] =
        static_cast<float>(std::sin(2 * std::numbers::pi * 47 * static_cast<double>(i) / 200));
  Recording recording;
  recording.sensors = {merge_sensors(tracks, "both", "f")};
  const Recording even = at_rate(recording, 25);
  const std::span<const float> x = even.sensors[0].channels[1].axis(0);
  for (std::size_t i = 25; i + 25 < x.size(); ++i) CHECK(std::abs(x[i]) < 1e-3f);
}

TEST_CASE("clock resets are kept, tracks apart in time are refused") {
  std::vector<SensorTrack> tracks = {ramp(Quantity::acceleration, 0, 50, 100),
                                     ramp(Quantity::rotation, 0, 50, 100)};
  tracks[1].clock.resets = {{25, 3.0}};
  const SensorTrack merged = merge_sensors(tracks, "both", "f");
  REQUIRE(merged.clock.resets.size() == 1);
  CHECK(merged.clock.resets[0].sample == 25);
  CHECK(merged.clock.resets[0].back_s == 3);
  CHECK(merged.channels[0].samples == tracks[0].channels[0].samples);
  const auto refusal_of = [](const std::vector<SensorTrack>& of) {
    return test::error_text<InputError>([&] { merge_sensors(of, "both", "f"); });
  };
  CHECK(test::is_line_with(refusal_of({}), {"f: ", "same time"}));
  CHECK(test::is_line_with(refusal_of({tracks[0], SensorTrack{}}), {"f: ", "same time"}));
  tracks[1].clock.start_s = 100;
  CHECK(test::is_line_with(test::error_text<InputError>([&] { merge_sensors(tracks, "both", "f"); }),
                           {"f: ", "same time"}));
}

TEST_CASE("a recording is moved to begin at 0") {
  Recording recording;
  recording.sensors = {ramp(Quantity::acceleration, 3, 50, 10), ramp(Quantity::acceleration, 2.5, 50, 10)};
  start_at_zero(recording);
  CHECK(recording.sensors[0].clock.start_s == 0.5);
  CHECK(recording.sensors[1].clock.start_s == 0);
}

TEST_CASE("sensors that began at different times are cut to begin together") {
  Recording recording;
  recording.source = "take";
  recording.sensors = {ramp(Quantity::acceleration, 0, 25, 50), ramp(Quantity::rotation, 0.401, 25, 50)};
  start_together(recording);
  CHECK(recording.sensors[0].sample_count() == 40);
  CHECK(recording.sensors[1].sample_count() == 50);
  CHECK(recording.sensors[0].clock.start_s == doctest::Approx(0.4));
  CHECK(recording.sensors[0].channels[0].axis(0)[0] == doctest::Approx(0.4));
  recording.sensors[1].clock.start_s = 9;
  CHECK(test::is_line_with(test::error_text<InputError>([&] { start_together(recording); }),
                           {"take", "ends before all others"}));
  recording.sensors[1].clock.rate_hz = 50;
  CHECK_THROWS_AS(start_together(recording), ShapeError);
}

TEST_CASE("sensors are evened out only where something is uneven, and that is told") {
  Recording recording;
  recording.source = "take";
  recording.sensors = {ramp(Quantity::acceleration, 1, 50, 100), ramp(Quantity::rotation, 1, 25, 50)};
  Recording even = recording;
  even_out(even, 10);
  for (std::size_t s = 0; s < 2; ++s) {
    CHECK(even.sensors[s].clock.rate_hz == recording.sensors[s].clock.rate_hz);
    CHECK(even.sensors[s].channels[0].samples == recording.sensors[s].channels[0].samples);
  }
  CHECK(even.notes.empty());

  // One begins later; one has time stamps in place of a rate; one lacks values.
  const auto check = [](Recording uneven, double start_s) {
    even_out(uneven, 10);
    for (const SensorTrack& sensor : uneven.sensors) {
      CHECK(sensor.clock.rate_hz == 10);
      CHECK(sensor.start_s() == doctest::Approx(start_s));
      for (float value : sensor.channels[0].samples) CHECK(std::isfinite(value));
    }
    return uneven.notes;
  };
  Recording late = recording, stamped = recording, gappy = recording;
  late.sensors[1].clock.start_s = 1.5;
  CHECK(check(late, 1.5).empty());
  late.sensors[0].name = "a";
  late.sensors[1].name = "b";
  late.sensors[1].clock.start_s = 2.5;
  const std::vector<std::string> told = check(late, 2.5);
  REQUIRE(told.size() == 2);
  CHECK(told[0] == "sensor a ends 1.5 s before the last: what lies behind is not used");
  CHECK(told[1] == "sensor b begins 1.5 s after the first: what lies before is not used");
  Recording early = recording;
  early.sensors[1].channels[0] = Channel(Quantity::rotation, 20);
  even_out(early, 10);
  CHECK(early.sensors[1].clock.rate_hz == 25);  // it is even, and what is lost is told all the same
  REQUIRE(early.notes.size() == 1);
  CHECK(early.notes[0].find("ends 1.2 s before the last") != std::string::npos);
  stamped.sensors[0].clock.times_s = sample_times(stamped.sensors[0]);
  stamped.sensors[0].clock.rate_hz = 0;
  CHECK(check(stamped, 1).empty());
  for (std::size_t i = 20; i < 60; ++i)
    gappy.sensors[0].channels[0].axis(0)[i] = std::numeric_limits<float>::quiet_NaN();
  CHECK(check(gappy, 1).size() == 1);
}
