// Composing on the device, windows decoded many tokens a launch, beside the CPU.
#include "imu2music/generate/compose.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/generate/compose_alone.hpp"
#include "imu2music/models/weights.hpp"

using namespace imu2music;

namespace {

// Two armbands, or one sensor, that turn.
Recording motion(int sensors, double seconds, double rate_hz) {
  Recording recording;
  recording.source = "turns";
  const auto n = static_cast<std::int64_t>(std::llround(seconds * rate_hz));
  for (int s = 1; s <= sensors; ++s) {
    SensorTrack sensor;
    sensor.name = "myo" + std::to_string(s);
    sensor.clock.rate_hz = rate_hz;
    for (const Quantity quantity : {Quantity::rotation, Quantity::angular_velocity, Quantity::acceleration}) {
      Channel channel(quantity, n);
      for (int axis = 0; axis < 3; ++axis)
        for (std::int64_t i = 0; i < n; ++i)
          channel.axis(axis)[static_cast<std::size_t>(i)] =
              static_cast<float>(std::sin(static_cast<double>(i) / rate_hz * (axis + s)));
      sensor.channels.push_back(channel);
    }
    recording.sensors.push_back(sensor);
  }
  return recording;
}

struct Heard {
  Composition music;
  std::vector<int> told;
};

Heard heard(Session<float>& session, const Recording& recording, ComposeOptions options) {
  Heard result;
  options.on_event = [&](const ComposedEvent& event) { result.told.push_back(event.id); };
  result.music =
      session.model().has_memory() ? compose(session, recording, options) : compose_alone(session, options);
  return result;
}

void check_alike(const std::string& config, const Recording& recording, const ComposeOptions& options) {
  INFO(config);
  Model<float> model = init_model<float>(parse_model_config(config, "config"), 4);
  Session<float> on_cpu(model);
  const Heard wanted = heard(on_cpu, recording, options);
  to_device(model, Device::cuda());
  CHECK(decodes_on_device(model) == (config.find("control") == std::string::npos));
  Session<float> session(model);
  const Heard got = heard(session, recording, options);
  REQUIRE(got.music.windows.size() == wanted.music.windows.size());
  for (std::size_t w = 0; w < got.music.windows.size(); ++w) {
    const ComposedWindow &a = got.music.windows[w], &b = wanted.music.windows[w];
    INFO("window " << w);
    CHECK(a.ids == b.ids);
    CHECK(a.start_s == b.start_s);
    CHECK(a.notes == b.notes);
    CHECK(a.primed_events == b.primed_events);
    CHECK(a.out_of_tokens == b.out_of_tokens);
  }
  CHECK(got.told == wanted.told);
  CHECK(got.music.notes == wanted.music.notes);
}

const std::string small = R"("d_model":16,"heads":2,"feed_forward":24,"decoder_layers":1,"max_sequence":24)";

}  // namespace

TEST_CASE("composing on the device: vocabulary 1, window by window, told and primed alike") {
  if (test::device() == nullptr) return;
  ComposeOptions options;
  options.sampler.seed = 3;
  options.prime = {{60, 64, 0, 0.5}, {64, 64, 0.5, 1}};
  check_alike("{" + small + R"(,"encoder":"fully_connected","encoder_layers":1})", motion(2, 13, 25),
              options);
  options.fill_windows = true;
  options.sampler.repetition_penalty = 1.2;
  check_alike("{" + small + R"(,"encoder":"fully_connected","encoder_layers":0})", motion(2, 6, 25), options);
  options.max_tokens = 6;  // with control it is not the kernel of many tokens that decodes
  check_alike("{" + small + R"(,"encoder":"fully_connected","encoder_layers":0,"control":true})",
              motion(2, 6, 25), options);
}

TEST_CASE("composing on the device: vocabulary 2, windows that go on from one another") {
  if (test::device() == nullptr) return;
  ComposeOptions options;
  options.sampler.seed = 8;
  options.fill_windows = true;
  options.hop_s = 1.5;
  check_alike(
      "{" + small +
          R"(,"encoder":"temporal","encoder_layers":0,"vocabulary":332,"width":8,"blocks":2,"window_ms":2000,)"
          R"("rate_hz":25,"time_positions":true,"lookahead_ms":300})",
      motion(1, 5, 25), options);
}

TEST_CASE("composing on the device: music that goes on from notes, in every vocabulary") {
  if (test::device() == nullptr) return;
  ComposeOptions options;
  options.sampler.seed = 2;
  options.fill_windows = true;
  options.prime = {{60, 64, 0.3, 0.5}, {64, 64, 0.5, 1}};
  for (const char* vocabulary : {"243", "332", "390"})
    check_alike("{" + small + R"(,"model":"music_transformer","vocabulary":)" + vocabulary + "}", {},
                options);
  // The first id is a note, and the music ends with its time.
  options.prime = {{60, 64, 0, 0.5}};
  options.duration_s = 2;
  options.prime.front().velocity = 64;
  check_alike("{" + small + R"(,"model":"music_transformer","vocabulary":390})", {}, options);
}
