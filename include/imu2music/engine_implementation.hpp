// What the classes of engine.hpp do. To be included by one source file of a program: the definitions are not
// inline, so that a second one is an error of the linker and not two meanings of one name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/engine.hpp"
#include "imu2music/generate/compose.hpp"
#include "imu2music/generate/compose_alone.hpp"
#include "imu2music/generate/motion_inputs.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/motion_channels.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/imu/skeleton_keypoints.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/music/midi_file.hpp"
#include "imu2music/music/performance_vocabulary.hpp"

namespace imu2music::inline v0 {

struct Engine::Parts {
  struct FrameQuantity {
    std::string sensor;
    Quantity quantity;
  };

  std::string weights;  // where they came from, for messages
  Model<float> model;
  std::vector<FrameQuantity> frame;  // what a frame holds, sensor after sensor
  EngineDescription description;

  Parts(const std::string& path, WeightFormat format)
      : weights(path), model(load_model<float>(path, format)) {
    const ModelConfig& config = model.config;
    description.model = config.model;
    description.encoder = config.encoder;
    description.config = to_json(config);
    description.untrained = config.untrained;
    description.control = config.control;
    description.vocabulary = config.vocabulary;
    if (config.vocabulary == EventVocabulary1::size) description.sos = EventVocabulary1::sos;
    if (config.vocabulary == EventVocabulary2::size) description.sos = EventVocabulary2::sos;
    description.max_tokens = config.max_sequence;
    description.input = model.input_wanted();
    if (!composing_obstacle(config).empty()) return;
    if (is_pose()) {
      for (const std::vector<std::string>& names : skeleton_node_names(config.layout)) {
        frame.push_back({names.front(), Quantity::image_position});
        if (config.layout != "hands") frame.push_back({names.front(), Quantity::confidence});
      }
      description.rate_hz = skeleton_rate_hz;
      description.window_frames = skeleton_window_frames;
    } else if (is_temporal()) {
      for (int s = 1; s <= config.sensors; ++s)
        for (const Quantity quantity : motion_quantities(config))
          frame.push_back({std::to_string(s), quantity});
      description.rate_hz = config.rate_hz;
      description.window_frames = window_frames(config);
    } else {
      for (const std::string_view sensor : reference_sensors)
        for (const ReferenceQuantity& wanted : reference_quantities)
          frame.push_back({std::string(sensor), wanted.quantity});
      description.rate_hz = reference_rate_hz;
      description.window_frames = reference_window_frames;
    }
    for (const FrameQuantity& part : frame) {
      const int axes = axis_count(part.quantity);
      description.frame.push_back(
          {part.sensor, std::string(to_string(part.quantity)), std::string(unit_of(part.quantity)), axes});
      description.frame_size += axes;
    }
  }

  bool is_temporal() const { return model.config.encoder == "temporal"; }
  bool is_pose() const { return model.config.encoder == "pose"; }

  void require_composing() const {
    if (const std::string obstacle = composing_obstacle(model.config); !obstacle.empty())
      throw InputError(weights, obstacle,
                       "music for a recording needs weights that take motion and write vocabulary 1 or 2");
  }

  // Frames [n, frame_size] as the recording that they are.
  Recording recording_of(std::span<const float> frames, double rate_hz) const {
    require_composing();
    const auto size = static_cast<std::size_t>(description.frame_size);
    if (frames.empty() || frames.size() % size != 0)
      throw ShapeError("[engine] " + std::to_string(frames.size()) + " values are no frames of " +
                       std::to_string(size) + " values each");
    const std::size_t n = frames.size() / size;
    Recording recording;
    recording.source = "the frames given";
    std::size_t first = 0;  // of a quantity, in a frame
    for (const FrameQuantity& part : frame) {
      if (recording.sensors.empty() || recording.sensors.back().name != part.sensor) {
        recording.sensors.emplace_back().name = part.sensor;
        recording.sensors.back().clock.rate_hz = rate_hz;
      }
      Channel channel(part.quantity, static_cast<std::int64_t>(n));
      const int axes = axis_count(part.quantity);
      for (int axis = 0; axis < axes; ++axis, ++first)
        for (std::size_t i = 0; i < n; ++i) channel.axis(axis)[i] = frames[i * size + first];
      recording.sensors.back().channels.push_back(std::move(channel));
    }
    return recording;
  }

  // The threads asked for; throws InputError for none.
  static int threads_of(int threads) {
    if (threads < 1)
      throw InputError("threads", "is " + std::to_string(threads), "one thread at least is needed");
    return threads;
  }

  Music generate(const Recording& recording, const MusicOptions& options) const {
    Music music;
    Session<float> session(model, threads_of(options.threads));
    set_control(session, options);
    if (is_pose()) {
      if (!options.sensors.empty())
        throw InputError(weights, "takes keypoints, which are found by their names",
                         "leave MusicOptions::sensors empty");
      music.remarks = recording.notes;
    }
    const Recording heard = is_pose() ? recording : heard_sensors(recording, options, music.remarks);
    take(compose(session, heard, compose_options(options)), music);
    return music;
  }

  Music continue_music(const MusicOptions& options) const {
    if (const std::string obstacle = composing_alone_obstacle(model.config); !obstacle.empty())
      throw InputError(weights, obstacle, "music without motion needs weights of a music_transformer");
    if (!options.sensors.empty())
      throw InputError(weights, "writes music without motion", "leave MusicOptions::sensors empty");
    Music music;
    Session<float> session(model, threads_of(options.threads));
    set_control(session, options);
    take(compose_alone(session, compose_options(options)), music);
    return music;
  }

 private:
  static ComposeOptions compose_options(const MusicOptions& options) {
    ComposeOptions how;
    how.sampler = options.sampler;
    how.max_tokens = options.max_tokens;
    how.fill_windows = options.fill_windows;
    how.start_s = options.start_s;
    how.duration_s = options.duration_s;
    if (options.beam != 0) how.beam = BeamOptions{options.beam, options.length_penalty, 1};
    how.hop_s = options.hop_s;
    how.prime = options.prime;
    how.batch = std::clamp(options.threads, 1, 1024);
    return how;
  }

  void set_control(Session<float>& session, const MusicOptions& options) const {
    if (options.control.empty()) return;
    if (!model.config.control)
      throw InputError(weights, "takes no control", "weights whose config has \"control\": true do");
    const std::vector<float>& wanted = options.control;
    double sum = 0;
    for (const float share : wanted) {
      if (!(share >= 0) || !std::isfinite(share))
        throw InputError("MusicOptions::control", "has a share of " + number_text(static_cast<double>(share)),
                         "12 numbers of at least 0 say how much of each pitch class is wanted");
      sum += static_cast<double>(share);
    }
    if (wanted.size() == 12 && sum == 0)
      throw InputError("MusicOptions::control", "wants none of the pitch classes",
                       "leave it empty for no control");
    Tensor<float> shares = Tensor<float>::from(wanted, Shape{static_cast<std::int64_t>(wanted.size())});
    for (float& share : shares.values()) share = static_cast<float>(static_cast<double>(share) / sum);
    session.set_control(shares);
  }

  static void take(const Composition& composed, Music& music) {
    music.notes = composed.notes;
    music.start_s = composed.start_s;
    music.duration_s = composed.duration_s;
    music.windows = static_cast<std::int64_t>(composed.windows.size());
    for (const ComposedWindow& window : composed.windows)
      music.tokens += static_cast<std::int64_t>(window.ids.size());
  }

  // The sensors that the model hears, under the names that it knows them by, with one clock.
  Recording heard_sensors(const Recording& recording, const MusicOptions& options,
                          std::vector<std::string>& remarks) const {
    std::vector<SensorMapEntry> map;
    if (!options.sensors.empty()) map = parse_sensor_map(options.sensors);
    const std::size_t sensors = is_temporal() ? static_cast<std::size_t>(model.config.sensors) : map.size();
    const bool known = is_temporal() || std::all_of(map.begin(), map.end(), [](const SensorMapEntry& entry) {
                         return std::find(reference_sensors.begin(), reference_sensors.end(), entry.wanted) !=
                                reference_sensors.end();
                       });
    if (!map.empty() && (map.size() != sensors || !known))
      throw InputError(weights,
                       is_temporal()
                           ? "takes " + std::to_string(sensors) + (sensors == 1 ? " sensor" : " sensors")
                           : std::string("takes 2 sensors, myo1 and myo2"),
                       "name these in MusicOptions::sensors, and no other");
    Recording heard = map.empty() ? recording : map_sensors(recording, map);
    if (is_temporal()) {
      heard = wanted_sensors(heard, model.config);
    } else {
      std::vector<SensorMapEntry> armbands;
      for (const std::string_view name : reference_sensors)
        armbands.push_back({std::string(name), std::string(name)});
      heard = map_sensors(heard, armbands);
    }
    check_recording(heard);
    remarks = recording.notes;
    for (std::string& finding : describe(diagnose(heard))) remarks.push_back(std::move(finding));
    const std::size_t told = heard.notes.size();
    even_out(heard, description.rate_hz);
    for (std::size_t i = told; i < heard.notes.size(); ++i) remarks.push_back(heard.notes[i]);
    return heard;
  }
};

Engine::Engine(const std::string& weights, WeightPrecision precision)
    : parts_(std::make_shared<const Parts>(weights, precision == WeightPrecision::int8 ? WeightFormat::int8
                                                    : precision == WeightPrecision::bfloat16
                                                        ? WeightFormat::bf16
                                                        : WeightFormat::plain)) {}

const EngineDescription& Engine::description() const { return parts_->description; }

Music Engine::generate(const std::string& recording, const MusicOptions& options) const {
  parts_->require_composing();
  return parts_->generate(read_recording(recording), options);
}

Music Engine::generate(std::span<const float> frames, double rate_hz, const MusicOptions& options) const {
  const double rate = rate_hz == 0 ? parts_->description.rate_hz : rate_hz;
  return parts_->generate(parts_->recording_of(frames, rate), options);
}

Music Engine::continue_music(const MusicOptions& options) const { return parts_->continue_music(options); }

std::vector<Note> Engine::notes(std::span<const int> ids) const {
  switch (parts_->model.config.vocabulary) {
    case EventVocabulary1::size:
      return EventVocabulary1::decode(ids);
    case EventVocabulary2::size:
      return EventVocabulary2::decode(ids);
    case PerformanceVocabulary::size:
      return PerformanceVocabulary::decode(ids);
  }
  throw InputError(parts_->weights,
                   "writes a vocabulary of " + std::to_string(parts_->model.config.vocabulary) + " ids",
                   "vocabularies 1 and 2 and the 390 ids of performances can be read");
}

struct EngineSession::State {
  Engine engine;  // keeps the model
  Session<float> session;
  Sampler<float> sampler;

  State(const Engine& of, const SamplerOptions& options, int threads)
      : engine(of),
        session(of.parts_->model, Engine::Parts::threads_of(threads)),
        sampler(of.parts_->model.config.vocabulary, options) {}
};

EngineSession::EngineSession(const Engine& engine, const SamplerOptions& sampler, int threads)
    : state_(std::make_unique<State>(engine, sampler, threads)) {}
EngineSession::~EngineSession() = default;
EngineSession::EngineSession(EngineSession&&) noexcept = default;
EngineSession& EngineSession::operator=(EngineSession&&) noexcept = default;

void EngineSession::start(std::span<const float> frames, std::uint64_t stream) {
  const Engine::Parts& parts = *state_->engine.parts_;
  if (!parts.model.has_memory()) {
    if (!frames.empty()) throw ShapeError("[engine] weights that write music without motion take no frames");
    state_->session.start();
  } else {
    const EngineDescription& description = parts.description;
    const MotionInputs motion(parts.recording_of(frames, description.rate_hz), parts.model.config);
    if (motion.frames > motion.window_frames)
      throw ShapeError("[engine] " + std::to_string(motion.frames) +
                       " frames are more than a window, which has " + std::to_string(motion.window_frames));
    state_->session.start_from_motion(motion.input<float>(0, motion.frames));
  }
  state_->sampler.start(stream);
}

void EngineSession::start_from_input(std::span<const float> input, std::span<const std::int64_t> shape,
                                     std::uint64_t stream) {
  Shape sizes;
  for (const std::int64_t size : shape) sizes.push_back(size);
  state_->session.start_from_motion(Tensor<float>::from(input, sizes));
  state_->sampler.start(stream);
}

std::span<const float> EngineSession::step(int id) { return state_->session.step(id); }

int EngineSession::choose(std::span<const std::uint8_t> allowed) {
  Session<float>& session = state_->session;
  if (state_->session.position() == 0) throw Error("[engine] no id can be chosen before a step");
  if (!allowed.empty() && allowed.size() != session.logits().size())
    throw ShapeError("[engine] " + std::to_string(allowed.size()) + " ids are allowed or not, of " +
                     std::to_string(session.logits().size()));
  return static_cast<int>(state_->sampler.choose(session.context(), session.logits().data(),
                                                 allowed.empty() ? nullptr : allowed.data()));
}

std::int64_t EngineSession::position() const { return state_->session.position(); }

void write_music(const std::string& path, const Music& music, int instrument) {
  MidiWriteOptions options;
  options.program = instrument;
  write_midi_file(path, music.notes, options);
}

}  // namespace imu2music::inline v0
