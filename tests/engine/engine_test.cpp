#include "imu2music/engine.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../imu/openpose_folder.hpp"
#include "imu2music/generate/compose.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/repovizz_writer.hpp"
#include "imu2music/imu/virtual_violinist.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/midi_file.hpp"
#include "imu2music/music/performance_vocabulary.hpp"
#include "random.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

constexpr const char* armbands =
    R"({"d_model":32,"heads":2,"encoder_layers":1,"decoder_layers":1,"max_sequence":64})";
constexpr const char* axes =
    R"({"encoder":"fully_connected","d_model":32,"heads":2,"encoder_layers":1,"decoder_layers":1,"max_sequence":64})";
constexpr const char* two_sensors =
    R"({"encoder":"temporal","vocabulary":332,"d_model":32,"heads":2,"width":16,"blocks":3,"max_sequence":96,)"
    R"("window_ms":2000,"sensors":2})";
constexpr const char* no_motion =
    R"({"model":"music_transformer","encoder":"none","d_model":32,"heads":2,"decoder_layers":1,"max_sequence":32})";

// The file of an untrained model.
std::string weights(const test::ScratchFolder& scratch, const char* config) {
  auto model = init_model<float>(parse_model_config(config, "config"), 3);
  save_model(model, scratch / "weights.safetensors");
  return scratch / "weights.safetensors";
}

Recording violinist() {
  std::vector<Note> score;
  for (int n = 0; n < 20; ++n) score.push_back({55 + n * 7 % 24, 70 + n % 20, 0.5 * n, 0.5 * n + 0.45});
  return simulate_violinist(score, {});
}

// The violinist in a folder.
std::string recording(const test::ScratchFolder& scratch) {
  write_repovizz(violinist(), scratch / "take");
  return scratch / "take";
}

// What the description says that a frame holds, of each sample: sensors by their place.
std::vector<float> frames_of(const Recording& motion, const EngineDescription& description) {
  std::vector<float> frames;
  const std::int64_t n = motion.sensors.front().sample_count();
  for (std::int64_t i = 0; i < n; ++i) {
    std::size_t sensor = 0;
    for (std::size_t p = 0; p < description.frame.size(); ++p) {
      const FramePart& part = description.frame[p];
      if (p > 0 && part.sensor != description.frame[p - 1].sensor) ++sensor;
      for (const Channel& channel : motion.sensors[sensor].channels)
        if (to_string(channel.quantity) == part.quantity)
          for (int axis = 0; axis < part.axes; ++axis)
            frames.push_back(channel.axis(axis)[static_cast<std::size_t>(i)]);
    }
  }
  CHECK(static_cast<std::int64_t>(frames.size()) == n * description.frame_size);
  return frames;
}

template <class Exception, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return {};
}

bool says(const std::string& message, std::initializer_list<const char*> parts) {
  INFO(message);
  return std::all_of(parts.begin(), parts.end(),
                     [&](const char* part) { return message.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("the description tells what a model is and what its frames hold") {
  test::ScratchFolder scratch;
  EngineDescription of = Engine(weights(scratch, armbands)).description();
  CHECK(of.model == "encoder_decoder");
  CHECK(of.encoder == "conv");
  CHECK(of.untrained);
  CHECK_FALSE(of.control);
  CHECK(of.vocabulary == 243);
  CHECK(of.sos == 240);
  CHECK(of.max_tokens == 64);
  CHECK(of.rate_hz == 25);
  CHECK(of.window_frames == 150);
  CHECK(of.frame_size == 18);
  REQUIRE(of.frame.size() == 6);
  CHECK(of.frame[0].sensor == "myo1");
  CHECK(of.frame[0].quantity == "rotation");
  CHECK(of.frame[0].unit == "rad");
  CHECK(of.frame[4].sensor == "myo2");
  CHECK(of.frame[4].quantity == "angular velocity");
  CHECK(of.frame[5].unit == "m/s²");
  CHECK(parse_model_config(of.config, "config").max_sequence == 64);

  of = Engine(weights(scratch, R"({"encoder":"temporal","vocabulary":332,"d_model":32,"window_ms":2000,)"
                               R"("sensors":2,"quantities":"acceleration+angular_velocity+orientation"})"))
           .description();
  CHECK(of.encoder == "temporal");
  CHECK(of.sos == 240);
  CHECK(of.rate_hz == 50);
  CHECK(of.window_frames == 100);
  CHECK(of.frame_size == 20);
  REQUIRE(of.frame.size() == 6);
  CHECK(of.frame[2].axes == 4);
  CHECK(of.frame[3].sensor == "2");

  of = Engine(weights(scratch, no_motion)).description();
  CHECK(of.frame.empty());
  CHECK(of.frame_size == 0);
  CHECK(of.sos == -1);
}

TEST_CASE("music for a recording is compose()'s, from its file and from its frames") {
  for (const char* config : {armbands, axes, two_sensors}) {
    INFO(std::string(config));
    test::ScratchFolder scratch;
    const std::string path = weights(scratch, config), take = recording(scratch);
    const Engine engine(path);
    const auto model = load_model<float>(path);
    Session<float> session(model);
    const Recording motion = read_recording(take);
    const Composition expected =
        compose(session, motion, {.sampler = {.seed = 7}, .max_tokens = 30, .start_s = 1, .duration_s = 7});
    REQUIRE(expected.notes.size() > 5);

    MusicOptions options{.sampler = {.seed = 7}, .max_tokens = 30, .start_s = 1, .duration_s = 7};
    for (int threads : {1, 2}) {
      options.threads = threads;
      const Music music = engine.generate(take, options);
      CHECK(music.notes == expected.notes);
      CHECK(music.start_s == expected.start_s);
      CHECK(music.duration_s == expected.duration_s);
      CHECK(music.windows == static_cast<std::int64_t>(expected.windows.size()));
    }
    const Music music =
        engine.generate(frames_of(motion, engine.description()), motion.sensors[0].clock.rate_hz, options);
    CHECK(music.notes == expected.notes);
    options.sampler.seed = 8;
    CHECK(engine.generate(take, options).notes != expected.notes);
  }
}

TEST_CASE("weights are kept in the precision that is asked for") {
  test::ScratchFolder scratch;
  const std::string path = weights(scratch, two_sensors);
  for (const auto& [precision, format] : {std::pair{WeightPrecision::float32, WeightFormat::plain},
                                          std::pair{WeightPrecision::bfloat16, WeightFormat::bf16},
                                          std::pair{WeightPrecision::int8, WeightFormat::int8}}) {
    const Engine engine(path, precision);
    const auto model = load_model<float>(path, format);
    Session<float> session(model);
    EngineSession ours(engine);
    const std::vector<float> frames(
        static_cast<std::size_t>(engine.description().window_frames * engine.description().frame_size), 0.5f);
    ours.start(frames);
    Tensor<float> input({1, 12, engine.description().window_frames});
    std::fill_n(input.data(), input.size(), 0.5f);
    session.start_from_motion(input);
    const auto a = ours.step(0), b = session.step(0);
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
}

TEST_CASE("the other options reach compose() too") {
  test::ScratchFolder scratch;
  const std::string path = weights(scratch, two_sensors), take = recording(scratch);
  const Engine engine(path);
  const auto model = load_model<float>(path);
  Session<float> session(model);
  const std::vector<Note> prime = {{60, 80, 0.1, 0.5}};
  ComposeOptions how{.sampler = {},
                     .fill_windows = true,
                     .duration_s = 4,
                     .beam = BeamOptions{2, 0.9, 1},
                     .prime = prime,
                     .hop_s = 1};
  Recording swapped = read_recording(take);
  std::swap(swapped.sensors[0], swapped.sensors[1]);
  const Composition expected = compose(session, swapped, how);
  REQUIRE(expected.notes.size() > 2);
  MusicOptions options{
      .fill_windows = true, .duration_s = 4, .beam = 2, .length_penalty = 0.9, .hop_s = 1, .prime = prime};
  options.sensors = "1=" + swapped.sensors[0].name + ",2=" + swapped.sensors[1].name;
  const Music music = engine.generate(take, options);
  CHECK(music.notes == expected.notes);
  CHECK(music.notes.front().pitch == 60);
  options.sensors += ",3=" + swapped.sensors[0].name;
  CHECK(says(message_of<InputError>([&] { engine.generate(take, options); }),
             {path.c_str(), "takes 2 sensors"}));
}

TEST_CASE("control steers a model that takes it, and is refused by one that does not") {
  test::ScratchFolder scratch;
  const std::string take = recording(scratch);
  const std::string path = weights(
      scratch,
      R"({"d_model":32,"heads":2,"encoder_layers":1,"decoder_layers":1,"max_sequence":32,"control":true})");
  const auto model = load_model<float>(path);
  Session<float> session(model);
  const std::vector<float> histogram = {0.5F, 0, 0, 0, 0.5F, 0, 0, 0, 0, 0, 0, 0};
  session.set_control(Tensor<float>::from(histogram, {12}));
  const auto expected = compose(session, read_recording(take), {.sampler = {}, .duration_s = 6}).notes;
  const Engine engine(path);
  CHECK(engine.description().control);
  CHECK(engine.generate(take, {.duration_s = 6, .control = histogram}).notes == expected);
  CHECK(engine.generate(take, {.duration_s = 6}).notes != expected);
  CHECK_THROWS_AS(engine.generate(take, {.control = {1, 2}}), ShapeError);
  // Shares of whatever sum, as the program takes them.
  std::vector<float> doubled = histogram;
  for (float& share : doubled) share *= 2;
  CHECK(engine.generate(take, {.duration_s = 6, .control = doubled}).notes == expected);
  for (const float wrong : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN()})
    CHECK_THROWS_AS(engine.generate(take, {.control = std::vector<float>(12, wrong)}), InputError);
  for (const int threads : {0, -1}) {
    CHECK_THROWS_AS(engine.generate(take, {.threads = threads}), InputError);
    CHECK_THROWS_AS(EngineSession(engine, {}, threads), InputError);
  }
  const Engine other(weights(scratch, armbands));
  CHECK(says(message_of<InputError>([&] { other.generate(take, {.control = histogram}); }),
             {"takes no control"}));
}

TEST_CASE("frames that lack values are mended, and the remarks say so") {
  test::ScratchFolder scratch;
  const Engine engine(weights(scratch, armbands));
  std::vector<float> frames = frames_of(violinist(), engine.description());
  for (std::size_t i = 60; i < 70; ++i) frames[i * 18 + 1] = std::numeric_limits<float>::quiet_NaN();
  const Music music = engine.generate(frames, 0, {.sampler = {.seed = 1}});
  CHECK(music.notes.size() > 2);
  CHECK_FALSE(music.remarks.empty());
}

TEST_CASE("a session steps and chooses as Session and Sampler do, from frames and from the encoder's input") {
  test::ScratchFolder scratch;
  for (const char* config : {armbands, two_sensors}) {
    INFO(std::string(config));
    const std::string path = weights(scratch, config);
    const auto model = load_model<float>(path);
    const Engine engine(path);
    const EngineDescription& description = engine.description();
    Recording motion = at_rate(violinist(), description.rate_hz);
    const MotionInputs inputs(motion, model.config);
    const Tensor<float> input = inputs.input<float>(0, description.window_frames);
    std::vector<float> frames = frames_of(motion, description);
    frames.resize(static_cast<std::size_t>(description.window_frames * description.frame_size));

    const SamplerOptions options{.temperature = 1.2, .seed = 5, .top_k = 40};
    Session<float> session(model);
    EngineSession ours(engine, options), other(engine, options);
    for (std::uint64_t stream : {0U, 3U}) {
      Sampler<float> sampler(model.config.vocabulary, options);
      session.start_from_motion(input);
      sampler.start(stream);
      ours.start(frames, stream);
      const std::vector<std::int64_t> shape(input.shape().begin(), input.shape().end());
      other.start_from_input(std::as_const(input).values(), shape, stream);
      CHECK(ours.position() == 0);
      int id = description.sos;
      for (int n = 0; n < 20; ++n) {
        const auto logits = session.step(id);
        const auto a = ours.step(id), b = other.step(id);
        CHECK(std::equal(logits.begin(), logits.end(), a.begin(), a.end()));
        CHECK(std::equal(logits.begin(), logits.end(), b.begin(), b.end()));
        CHECK(ours.position() == n + 1);
        id = static_cast<int>(sampler.choose(session.context(), logits.data(), nullptr));
        CHECK(ours.choose() == id);
        CHECK(other.choose() == id);
      }
      std::vector<std::uint8_t> allowed(static_cast<std::size_t>(description.vocabulary));
      allowed[17] = 1;
      CHECK(ours.choose(allowed) == 17);
    }
  }
}

TEST_CASE("a window with fewer frames is completed where the model needs it") {
  test::ScratchFolder scratch;
  const Engine engine(weights(scratch, armbands));
  std::vector<float> frames(18 * 100, 0.25F), whole(18 * 150, 0.25F);
  EngineSession a(engine), b(engine);
  a.start(frames);
  b.start(whole);
  const auto x = a.step(240), y = b.step(240);
  CHECK(std::equal(x.begin(), x.end(), y.begin(), y.end()));
}

TEST_CASE("weights without motion write, keypoints go in by the encoder's own shape") {
  test::ScratchFolder scratch;
  EngineSession alone(Engine(weights(scratch, no_motion)),
                      {.seed = 2});  // keeps the model when the engine is gone
  alone.start({});
  CHECK(alone.step(60).size() == 390);
  CHECK(alone.choose() >= 0);
  CHECK_THROWS_AS(alone.start(std::array<float, 3>{}), ShapeError);
  const Engine writer(weights(scratch, no_motion));
  MusicOptions options;
  options.prime = {{60, 80, 0, 0.5}, {64, 80, 0.5, 1}};
  options.max_tokens = 30;
  options.fill_windows = true;
  const Music music = writer.continue_music(options);
  CHECK(music.tokens == 30);
  REQUIRE(music.notes.size() >= 2);
  CHECK(music.notes[1].pitch == 64);
  CHECK_THROWS_AS(writer.continue_music({}), InputError);
  CHECK_THROWS_AS(writer.generate(std::array<float, 3>{}, 0), InputError);

  const std::string path = weights(
      scratch,
      R"({"encoder":"pose","layout":"hands","pose_layers":2,"d_model":16,"heads":2,"encoder_layers":0,"decoder_layers":1})");
  const Engine engine(path);
  CHECK_THROWS_AS(engine.continue_music(options), InputError);
  // As frames: x and y of 42 keypoints by name.
  REQUIRE(engine.description().frame_size == 84);
  CHECK(engine.description().frame[21].sensor == "right_hand0");
  CHECK(engine.description().frame[21].quantity == "image position");
  std::vector<float> frames(84 * 50);
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i] = static_cast<float>(i % 84 + (i / 84) % 7);
  CHECK(engine.generate(frames, 0, {.max_tokens = 8}).tokens >= 1);
  // Options that would have no effect are refused, and what the reader noted is told.
  CHECK(says(message_of<InputError>([&] { engine.generate(frames, 0, {.sensors = "myo1=a"}); }),
             {path.c_str(), "keypoints"}));
  options.sensors = "myo1=a";
  CHECK(says(message_of<InputError>([&] { writer.continue_music(options); }), {"without motion"}));
  std::filesystem::create_directories(scratch / "video");
  test::write_openpose(scratch / "video", 60);
  const Music seen = engine.generate(scratch / "video", {.max_tokens = 8});
  REQUIRE(seen.remarks.size() == 1);
  CHECK(seen.remarks[0].find("30 frames a second") != std::string::npos);
  const auto input = test::random_tensor<float>({1, 2, 8, 42, 1}, 4);
  EngineSession session(engine);
  session.start_from_input(std::as_const(input).values(), std::array<std::int64_t, 5>{1, 2, 8, 42, 1});
  const auto model = load_model<float>(path);
  Session<float> expected(model);
  expected.start_from_motion(input);
  const auto a = session.step(240), b = expected.step(240);
  CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

TEST_CASE("ids become notes, and music a MIDI file") {
  test::ScratchFolder scratch;
  const std::vector<Note> notes = {{60, 80, 0, 0.5}, {64, 80, 0.5, 1}};
  const std::vector<int> ids = EventVocabulary1::encode(notes);
  const Engine engine(weights(scratch, armbands));
  CHECK(engine.notes(ids) == EventVocabulary1::decode(ids));
  const std::vector<int> ids2 = EventVocabulary2::encode(notes);
  CHECK(Engine(weights(scratch, two_sensors)).notes(ids2) == EventVocabulary2::decode(ids2));
  const std::vector<int> ids3 = PerformanceVocabulary::encode(notes);
  CHECK(Engine(weights(scratch, no_motion)).notes(ids3) == PerformanceVocabulary::decode(ids3));

  Music music;
  music.notes = notes;
  write_music(scratch / "music.mid", music, 12);
  const MidiFile file = read_midi_file(scratch / "music.mid");
  REQUIRE(file.all_notes().size() == 2);
  CHECK(file.all_notes()[1].pitch == 64);
}

TEST_CASE("what does not fit is refused, in words") {
  test::ScratchFolder scratch;
  CHECK(says(message_of<InputError>([] { Engine("no-such-file"); }), {"no-such-file"}));
  const Engine engine(weights(scratch, armbands));
  CHECK(says(message_of<InputError>([&] { engine.generate("no-such-take"); }), {"no-such-take"}));
  CHECK(
      says(message_of<ShapeError>([&] { engine.generate(std::vector<float>(19), 0); }), {"19 values", "18"}));
  CHECK_THROWS_AS(engine.generate(std::vector<float>(), 0), ShapeError);
  CHECK_THROWS_AS(engine.generate(std::vector<float>(18), -1), ShapeError);
  CHECK_THROWS_AS(engine.generate(std::vector<float>(18), 0, {.threads = 0}), Error);
  CHECK_THROWS_AS(engine.generate(std::vector<float>(18), 0, {.beam = -1}), InputError);

  EngineSession session(engine);
  CHECK(session.position() == 0);
  CHECK_THROWS_AS(session.step(240), Error);
  CHECK_THROWS_AS(session.choose(), Error);
  CHECK(says(message_of<ShapeError>([&] { session.start(std::vector<float>(18 * 151)); }), {"151", "150"}));
  CHECK_THROWS_AS(session.start({}), ShapeError);
  CHECK_THROWS_AS(session.start_from_input(std::vector<float>(5), std::array<std::int64_t, 2>{1, 5}),
                  ShapeError);
  session.start(std::vector<float>(18 * 150));
  CHECK_THROWS_AS(session.choose(), Error);
  CHECK_THROWS_AS(session.step(243), ShapeError);
  session.step(240);
  CHECK_THROWS_AS(session.choose(std::array<std::uint8_t, 3>{}), ShapeError);

  const Engine alone(weights(scratch, no_motion));
  CHECK(says(message_of<InputError>([&] { alone.generate(recording(scratch)); }),
             {"weights.safetensors", "without motion"}));
}
