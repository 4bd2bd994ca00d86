#include "imu2music/generate/motion_inputs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace imu2music;

namespace {

Recording wave(double seconds, double rate_hz, double start_s) {
  Recording recording;
  recording.source = "wave";
  const auto n = static_cast<std::int64_t>(std::llround(seconds * rate_hz));
  for (const char* name : {"myo1", "myo2"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = rate_hz;
    sensor.clock.start_s = start_s;
    for (const Quantity quantity : {Quantity::rotation, Quantity::angular_velocity, Quantity::acceleration}) {
      Channel channel(quantity, n);
      for (std::size_t i = 0; i < channel.samples.size(); ++i)
        channel.samples[i] = static_cast<float>(i % 97) * 0.01f + (name[3] == '2' ? 2.0f : 0.0f);
      sensor.channels.push_back(channel);
    }
    recording.sensors.push_back(sensor);
  }
  return recording;
}

// The sensor without its first `frames` samples.
void begin_later(SensorTrack& sensor, std::int64_t frames) {
  for (Channel& channel : sensor.channels) {
    Channel rest(channel.quantity, channel.sample_count() - frames);
    for (int axis = 0; axis < axis_count(channel.quantity); ++axis)
      std::copy(channel.axis(axis).begin() + frames, channel.axis(axis).end(), rest.axis(axis).begin());
    channel = rest;
  }
  sensor.clock.start_s += static_cast<double>(frames) / sensor.clock.rate_hz;
}

}  // namespace

TEST_CASE("a temporal encoder's inputs are its channels' frames, as many as asked for") {
  ModelConfig config;
  config.encoder = "temporal";
  config.sensors = 2;
  config.channels = 12;
  config.rate_hz = 25;
  const Recording recording = wave(8, 25, 1.5);
  const MotionInputs motion(recording, config);
  const MotionChannels channels = motion_channels(recording, config);
  CHECK(motion.frames == 200);
  CHECK(motion.window_frames == 150);
  CHECK(motion.time_s(50) == 3.5);
  CHECK(motion.seconds(50) == 2);
  CHECK_FALSE(motion.holds_last_frame());
  const auto input = motion.input<double>(150, 50);
  REQUIRE(input.shape() == Shape{1, 12, 50});
  for (std::int64_t c = 0; c < 12; ++c)
    for (std::int64_t i = 0; i < 50; ++i)
      CHECK(input[c * 50 + i] == static_cast<double>(channels.values[c * 200 + 150 + i]));
}

TEST_CASE("the others' inputs are whole windows of features or axes, the last frame held") {
  for (const char* encoder : {"conv", "fully_connected", "frequency", "conv_transformer"}) {
    CAPTURE(encoder);
    ModelConfig config;
    config.encoder = encoder;
    const std::int64_t rows = motion_rows(config);
    const Recording recording = wave(8, 25, 1.5);
    const MotionInputs motion(recording, config);
    CHECK(motion.frames == 200);
    CHECK(motion.time_s(0) == 1.5);
    CHECK(motion.holds_last_frame());
    const auto input = motion.input<float>(150, 50);
    REQUIRE(input.shape() == Shape{1, 2, rows, 150});
    std::vector<float> expected(static_cast<std::size_t>(2 * rows * 50));
    if (rows == 9)
      reference_axes(recording, 150, 50, expected);
    else
      reference_features(recording, 150, 50, expected);
    for (std::int64_t i = 0; i < input.size(); ++i)
      CHECK(input[i] ==
            expected[static_cast<std::size_t>(i / 150 * 50 + std::min<std::int64_t>(i % 150, 49))]);
    CHECK(input[49] == input[149]);
    // Of frames before the recording's end, too, nothing that follows.
    const auto early = motion.input<float>(20, 30), whole = motion.input<float>(20, 150);
    for (std::int64_t row = 0; row < 2 * rows; ++row)
      for (std::int64_t i = 0; i < 150; ++i)
        CHECK(early[row * 150 + i] == whole[row * 150 + std::min<std::int64_t>(i, 29)]);
  }
}

TEST_CASE("a frame is of one time, whichever sensor began first") {
  for (const char* encoder : {"conv", "fully_connected", "temporal"})
    for (const double start_s : {-3.0, 1.5})
      for (const std::size_t late : {0, 1}) {
        CAPTURE(encoder);
        CAPTURE(late);
        ModelConfig config;
        config.encoder = encoder;
        config.sensors = 2;
        config.channels = 12;
        config.rate_hz = 25;
        Recording recording = wave(8, 25, start_s), cut = recording;
        for (SensorTrack& sensor : cut.sensors) begin_later(sensor, 30);
        begin_later(recording.sensors[late], 30);
        // What no model hears does not matter.
        recording.sensors.push_back(recording.sensors[0]);
        recording.sensors.back().name = "other";
        begin_later(recording.sensors.back(), 100);
        const MotionInputs motion(recording, config), expected(cut, config);
        CHECK(motion.start_s == doctest::Approx(start_s + 1.2));
        REQUIRE(motion.frames == 170);
        const auto input = motion.input<float>(0, 150), wanted = expected.input<float>(0, 150);
        for (std::int64_t i = 0; i < wanted.size(); ++i) REQUIRE(input[i] == wanted[i]);
      }
  // Armbands that were not worn at one time have no frame.
  Recording apart = wave(8, 25, 0);
  apart.sensors[1].clock.start_s = 9;
  CHECK_THROWS_AS(MotionInputs(apart, ModelConfig()), InputError);
}

TEST_CASE("frames that the recording or a window has not are refused") {
  ModelConfig armbands, temporal;
  temporal.encoder = "temporal";
  temporal.sensors = 2;
  temporal.channels = 12;
  temporal.rate_hz = 25;
  for (const ModelConfig* config : {&armbands, &temporal}) {
    const MotionInputs motion(wave(20, 25, 0), *config);
    REQUIRE(motion.window_frames < motion.frames);
    CHECK(motion.input<float>(motion.frames - 10, 10).defined());
    CHECK_THROWS_AS(motion.input<float>(0, motion.window_frames + 1), ShapeError);
    CHECK_THROWS_AS(motion.input<float>(motion.frames - 10, 11), ShapeError);
    CHECK_THROWS_AS(motion.input<float>(-1, 1), ShapeError);
    CHECK_THROWS_AS(motion.input<float>(0, 0), ShapeError);
  }
}

TEST_CASE("what was held through gaps is told") {
  Recording recording = wave(8, 25, 0);
  recording.notes = {"what the reader said"};
  ModelConfig armbands, temporal;
  temporal.encoder = "temporal";
  temporal.sensors = 2;
  temporal.channels = 12;
  temporal.rate_hz = 25;
  for (const ModelConfig* config : {&armbands, &temporal})
    CHECK(MotionInputs(recording, *config).notes.empty());
  for (std::size_t i = 50; i < 100; ++i)
    recording.sensors[1].channels[2].axis(0)[i] = std::numeric_limits<float>::quiet_NaN();
  for (const ModelConfig* config : {&armbands, &temporal}) {
    const MotionInputs motion(recording, *config);
    REQUIRE(motion.notes.size() == 1);
    CHECK(motion.notes[0] == "sensor myo2: its acceleration was held through 1 gap, 2.04 s in all");
  }
  // What is lacking at the ends is held as well.
  for (int axis = 0; axis < 3; ++axis)
    for (std::size_t i = 0; i < 200; ++i)
      if (i < 20 || i >= 175)
        recording.sensors[1].channels[2].axis(axis)[i] = std::numeric_limits<float>::quiet_NaN();
  for (const ModelConfig* config : {&armbands, &temporal}) {
    const MotionInputs motion(recording, *config);
    REQUIRE(motion.notes.size() == 1);
    CHECK(motion.notes[0] == "sensor myo2: its acceleration was held through 3 gaps, 3.84 s in all");
  }
}
