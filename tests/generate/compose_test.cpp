#include "imu2music/generate/compose.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "imu2music/models/weights.hpp"

using namespace imu2music;

namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.d_model = 32;
  config.heads = 2;
  config.feed_forward = 32;
  config.max_sequence = 64;
  return config;
}

Recording wave(double seconds, double rate_hz) {
  Recording recording;
  recording.source = "wave";
  const auto n = static_cast<std::int64_t>(std::llround(seconds * rate_hz));
  for (const char* name : {"myo1", "myo2"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = rate_hz;
    for (Quantity quantity : {Quantity::rotation, Quantity::angular_velocity, Quantity::acceleration}) {
      Channel channel(quantity, n);
      for (int axis = 0; axis < 3; ++axis)
        for (std::int64_t i = 0; i < n; ++i)
          channel.axis(axis)[static_cast<std::size_t>(i)] =
              static_cast<float>(std::sin(static_cast<double>(i) / rate_hz * (axis + 1)));
      sensor.channels.push_back(channel);
    }
    recording.sensors.push_back(sensor);
  }
  return recording;
}

bool same(const std::vector<Note>& a, const std::vector<Note>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].pitch != b[i].pitch || a[i].velocity != b[i].velocity || a[i].start != b[i].start ||
        a[i].end != b[i].end)
      return false;
  return true;
}

}  // namespace

TEST_CASE("windows follow one another on one timeline and the last one is completed by holding") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.fill_windows = true;
  std::int64_t calls = 0;
  options.on_window = [&](std::int64_t done, std::int64_t of) {
    CHECK(done == ++calls);
    CHECK(of == 3);
  };
  const Composition music = compose(session, wave(14, 25), options);
  CHECK(calls == 3);
  REQUIRE(music.windows.size() == 3);
  CHECK(music.windows[2].start_s == 12);
  CHECK(music.duration_s == 14);
  CHECK(music.held_frames == 100);
  CHECK(music.notes.size() > 3);
  double previous = 0;
  std::int64_t notes = 0;
  for (const ComposedWindow& window : music.windows) {
    notes += window.notes;
    for (int id : window.ids) CHECK(id < EventVocabulary1::sos);  // no SOS, PAD; EOS masked
  }
  CHECK(notes == static_cast<std::int64_t>(music.notes.size()));
  for (const Note& note : music.notes) {
    CHECK(note.start >= previous);
    CHECK(note.start < 14);
    CHECK(note.end <= 14);
    CHECK(note.end > note.start);
    CHECK(note.end <= (std::floor(note.start / 6) + 1) * 6);
    previous = note.start;
  }
}

TEST_CASE("threads do not change the music, the seed does") {
  const auto model = init_model<float>(small_config(), 1);
  ComposeOptions options;
  options.sampler.seed = 3;
  Session<float> one(model, 1), three(model, 3);
  const auto a = compose(one, wave(12, 25), options), b = compose(three, wave(12, 25), options);
  CHECK(same(a.notes, b.notes));
  const auto again = compose(one, wave(12, 25), options);
  CHECK(same(a.notes, again.notes));
  options.sampler.seed = 4;
  CHECK(compose(one, wave(12, 25), options).windows[0].ids != a.windows[0].ids);
}

TEST_CASE("start, duration and max_tokens are kept; other rates are resampled") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.start_s = 3;
  options.duration_s = 7;
  options.max_tokens = 5;
  for (double rate : {25.0, 50.0, 100.0}) {
    const Composition music = compose(session, wave(14, rate), options);
    CHECK(music.start_s == 3);
    CHECK(music.duration_s == 7);
    REQUIRE(music.windows.size() == 2);
    CHECK(music.windows[1].start_s == 9);
    for (const ComposedWindow& window : music.windows) CHECK(window.ids.size() <= 5);
  }
}

TEST_CASE("what lies outside the recording, and sensors that are missing, are refused") {
  const auto model = init_model<float>(small_config(), 1);
  Session<float> session(model);
  ComposeOptions options;
  options.start_s = 14;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
  options.start_s = -1;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
  options.start_s = 0;
  options.duration_s = -2;
  CHECK_THROWS_AS(compose(session, wave(14, 25), options), InputError);
  options.duration_s = 0;
  Recording one_armband = wave(14, 25);
  one_armband.sensors.pop_back();
  try {
    compose(session, one_armband, options);
    FAIL("one armband was enough");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find("myo2") != std::string::npos);
  }
}
