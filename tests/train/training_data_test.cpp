#include "imu2music/train/training_data.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "../imu/openpose_folder.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/notes.hpp"
#include "imu2music/train/dataset_writer.hpp"
#include "imu2music/train/learner.hpp"
#include "pairs.hpp"

using namespace imu2music;

namespace {

std::vector<Note> music(int lowest, double seconds) {
  std::vector<Note> notes;
  for (int i = 0; 0.5 * i + 0.5 <= seconds; ++i)
    notes.push_back({lowest + i % 12, 64, 0.5 * i + 0.01 * (i % 7), 0.5 * i + 0.4});
  return notes;
}

// Pieces of music alone, of these lengths in s.
Dataset music_alone(const test::ScratchFolder& scratch, const std::vector<double>& seconds) {
  const std::string folder = scratch / "music";
  DatasetWriter writer(folder);
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    Pair pair;
    pair.info.id = pair.info.piece = "piece" + std::to_string(i);
    pair.info.source = pair.info.id;
    pair.notes = music(40 + static_cast<int>(i), seconds[i]);
    pair.info.seconds = end_of(pair.notes);
    pair.info.notes = static_cast<std::int64_t>(pair.notes.size());
    writer.add(pair);
  }
  writer.commit();
  return Dataset(folder);
}

TrainingConfig training(const std::string& model) {
  TrainingConfig config;
  config.model = parse_model_config(model, "model");
  config.batch = 4;
  return config;
}

const std::string temporal =
    R"({"encoder":"temporal","vocabulary":332,"d_model":16,"heads":2,"encoder_layers":0,"decoder_layers":1,
        "max_sequence":64,"width":8,"blocks":2,"kernel":3,"rate_hz":25,"window_ms":2000})";
const std::string performance =
    R"({"model":"music_transformer","d_model":16,"heads":2,"decoder_layers":1,"max_sequence":64})";

}  // namespace

TEST_CASE("390 ids: excerpts as long as the sequence, of any place, END only where a piece ends") {
  test::ScratchFolder scratch;
  const Dataset data = music_alone(scratch, {60, 3, 90});
  const TrainingConfig config = training(performance);
  Split split = data.split("all");
  split.train = {0, 1, 2};
  split.validation = {0, 1};
  const TrainingData batches(data, split, config);
  CHECK_FALSE(batches.with_motion());
  CHECK(batches.training_pairs() == 3);  // none is too short
  std::set<std::int64_t> first_ids;
  std::int64_t ends = 0;
  for (std::int64_t step = 0; step < 40; ++step) {
    const TrainingBatch<float> batch = batches.training_batch(step);
    CHECK(batch.tokens.dim(0) == 4);
    CHECK(batch.tokens.dim(1) <= 64);
    CHECK_FALSE(batch.input.defined());
    for (std::int64_t b = 0; b < 4; ++b) {
      first_ids.insert(batch.tokens[b * batch.tokens.dim(1)]);
      for (std::int64_t t = 0; t < batch.tokens.dim(1); ++t) {
        const std::int64_t n = b * batch.tokens.dim(1) + t;
        CHECK(batch.tokens[n] != PerformanceVocabulary::eos);
        if (batch.targets[n] == PerformanceVocabulary::eos) ++ends;
        if (t + 1 < batch.tokens.dim(1) && batch.targets[n] != PerformanceVocabulary::pad &&
            batch.tokens[n + 1] != PerformanceVocabulary::pad)
          CHECK(batch.targets[n] == batch.tokens[n + 1]);
      }
    }
  }
  CHECK(first_ids.size() > 10);  // starts on a grid of 20 ms
  CHECK(ends > 5);
  CHECK(ends < 80);
  // Validation covers a piece with excerpts that overlap by a half.
  // 60 s are some 480 ids: one of 8 s every 4 s; 3 s are one, every 1.5 s.
  CHECK(batches.validation_batches() == 5);
}

TEST_CASE("390 ids: notes of velocity 0 are trained on; what cannot be written is told with its pair") {
  test::ScratchFolder scratch;
  const auto batches_of = [&](const std::string& id, const std::vector<Note>& notes) {
    Pair pair;
    pair.info.id = pair.info.piece = pair.info.source = id;
    pair.notes = notes;
    pair.info.seconds = end_of(notes);
    DatasetWriter writer(scratch / id);
    writer.add(pair);
    writer.commit();
    const Dataset data(scratch / id);
    Split split = data.split("all");
    split.train = {0};
    return TrainingData(data, split, training(performance)).training_batch(0);
  };
  std::vector<Note> notes = music(60, 10);
  notes[3].velocity = 0;
  CHECK(batches_of("quiet", notes).tokens.dim(0) == 4);
  notes.insert(notes.begin(), {60, 64, -1, 1});
  CHECK_THROWS_WITH_AS(batches_of("early", notes), doctest::Contains("pair early: "), InputError);
}

TEST_CASE("390 ids: a music_transformer learns a piece by heart") {
  test::ScratchFolder scratch;
  const Dataset data = music_alone(scratch, {30});
  const TrainingConfig config = training(performance);
  Split split = data.split("all");
  split.train = {0};
  const TrainingData batches(data, split, config);
  Model<float> model = init_model<float>(config.model, 1);
  Learner<float> learner(model, 1);
  double first = 0, last = 0;
  for (std::int64_t step = 0; step < 60; ++step) {
    const TrainingBatch<float> batch = batches.training_batch(step);
    const auto counted = static_cast<double>(batch.counted(model.pad()));
    last = learner.add_gradients(batch, 1 / counted).nll / counted;
    if (step == 0) first = last;
    learner.step({.learning_rate = 1e-2});
  }
  CHECK(first > 5.5);  // ln 390 = 5.97
  CHECK(last < 2.5);
}

TEST_CASE(
    "an augmentation that these data cannot have is refused; transposition with motion where asked for") {
  test::ScratchFolder scratch;
  const auto refusal = [](const Dataset& data, const TrainingConfig& config) -> std::string {
    try {
      Split split = data.split("all");
      split.train = {0};
      TrainingData(data, split, config);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const Dataset alone = music_alone(scratch, {30});
  TrainingConfig config = training(temporal);
  config.transpose_semitones = 5;
  CHECK(refusal(alone, config).empty());
  config.gain = 0.1;
  CHECK(refusal(alone, config) ==
        alone.folder() +
            ": is learnt from without motion: rotation_degrees, gain and noise change none; "
            "leave them out");
  {
    DatasetWriter writer(scratch / "moved");
    writer.add(test::pair("p", "s1", "a", "", 1));
    writer.commit();
  }
  const Dataset moved(scratch / "moved");
  CHECK(refusal(moved, config) ==
        moved.folder() +
            ": has motion, which tells the pitch: transpose_semitones is for music alone; leave "
            "it out, or set transpose_with_motion where the motion does not tell it");
  config.transpose_semitones = 0;
  CHECK(refusal(moved, config).empty());
  // The pitches that are written, over many windows.
  const auto pitches = [&](std::int64_t semitones) {
    config.transpose_semitones = semitones;
    config.transpose_with_motion = semitones > 0;
    Split split = moved.split("all");
    split.train = {0};
    const TrainingData batches(moved, split, config);
    std::set<int> result;
    for (std::int64_t step = 0; step < 100; ++step) {
      const TrainingBatch<float> batch = batches.training_batch(step);
      for (const std::int64_t id : batch.tokens.values())
        if (EventVocabulary2::is_note_on(static_cast<int>(id)))
          result.insert(EventVocabulary2::pitch(static_cast<int>(id)));
    }
    return result;
  };
  const std::set<int> plain = pitches(0), transposed = pitches(3);
  CHECK(*transposed.begin() == *plain.begin() - 3);
  CHECK(*transposed.rbegin() == *plain.rbegin() + 3);
}

TEST_CASE("control: each token's histogram, left out of a share of the windows, reaches its layer") {
  test::ScratchFolder scratch;
  const Dataset data = music_alone(scratch, {60, 40});
  for (const int vocabulary : {243, 332}) {
    INFO(vocabulary);
    TrainingConfig config = training(temporal);
    config.model.vocabulary = vocabulary;
    config.model.control = true;
    config.note_jitter_s = 0.01;
    Split split = data.split("all");
    split.train = {0};
    split.validation = {1};
    const TrainingData batches(data, split, config), same(data, split, config);
    std::int64_t windows = 0, controlled = 0;
    for (std::int64_t step = 0; step < 50; ++step) {
      const TrainingBatch<float> batch = batches.training_batch(step);
      const std::int64_t length = batch.tokens.dim(1);
      REQUIRE(batch.control.shape() == Shape{4, length, 12});
      REQUIRE(batch.controlled.size() == 4);
      CHECK(same.training_batch(step).controlled == batch.controlled);
      for (std::int64_t b = 0; b < 4; ++b) {
        ++windows;
        controlled += batch.controlled[static_cast<std::size_t>(b)];
        std::vector<int> ids;
        for (std::int64_t t = 0; t < length && batch.targets[b * length + t] != EventVocabulary1::pad; ++t)
          ids.push_back(static_cast<int>(batch.targets[b * length + t]));
        for (std::size_t t = 0; t < ids.size(); t += 7)
          for (std::size_t c = 0; c < 12; ++c) {
            PitchHistogram wanted{};
            if (t > 0)
              wanted = vocabulary == 332 ? pitch_histogram<EventVocabulary2>(ids, t - 1)
                                         : pitch_histogram<EventVocabulary1>(ids, t - 1);
            CHECK(batch.control[(b * length + static_cast<std::int64_t>(t)) * 12 +
                                static_cast<std::int64_t>(c)] == static_cast<float>(wanted[c]));
          }
      }
    }
    CHECK(controlled > windows / 3);
    CHECK(controlled < 2 * windows / 3);
    // Every other window of validation.
    REQUIRE(batches.validation_batches() > 1);
    CHECK(batches.validation_batch(0).controlled == std::vector<std::uint8_t>{1, 0, 1, 0});

    // The layer's columns: the token's, the flag's, the histogram's.
    const auto gradient = [&](double share) {
      config.control_dropout = share;
      Model<float> model = init_model<float>(config.model, 1);
      Learner<float> learner(model, 1);
      learner.add_gradients(TrainingData(data, split, config).training_batch(0), 1);
      for (const LearntParameter<float>& p : learner.parameters())
        if (p.name == "concat_fc.0.weight") return p.gradient.clone();
      return Tensor<float>();
    };
    const Tensor<float> always = gradient(0), half = gradient(0.5), never = gradient(1);
    REQUIRE(always.shape() == Shape{16, 29});
    double flag = 0, flag_half = 0, histogram = 0;
    for (std::int64_t row = 0; row < 16; ++row) {
      flag += std::abs(static_cast<double>(always[row * 29 + 16]));
      flag_half += std::abs(static_cast<double>(half[row * 29 + 16]));
      for (std::int64_t c = 17; c < 29; ++c)
        histogram += std::abs(static_cast<double>(always[row * 29 + c] - never[row * 29 + c]));
    }
    CHECK(flag == 0);  // up where there is no control
    CHECK(flag_half > 1e-3);
    CHECK(histogram > 1e-3);
  }
}

TEST_CASE("without control in the model there is none in a batch") {
  test::ScratchFolder scratch;
  const Dataset data = music_alone(scratch, {60});
  Split split = data.split("all");
  split.train = {0};
  const TrainingBatch<float> batch = TrainingData(data, split, training(temporal)).training_batch(0);
  CHECK_FALSE(batch.control.defined());
  CHECK(batch.controlled.empty());
}

TEST_CASE("a pose encoder's windows are the keypoints of their place, and it learns from them") {
  test::ScratchFolder scratch;
  std::filesystem::create_directories(scratch / "video");
  test::write_openpose(scratch / "video", 300);
  Pair pair;
  pair.motion = read_recording(scratch / "video");
  pair.info.id = pair.info.piece = pair.info.source = "video";
  pair.info.seconds = 10;
  pair.info.has_motion = true;
  pair.notes = music(60, 10);
  pair.info.notes = static_cast<std::int64_t>(pair.notes.size());
  {
    DatasetWriter writer(scratch / "data");
    writer.add(pair);
    writer.commit();
  }
  const Dataset data(scratch / "data");
  for (const std::string layout : {"body25", "hands", "body65"}) {
    INFO(layout);
    TrainingConfig config = training(
        R"({"encoder":"pose","layout":")" + layout +
        R"(","pose_layers":2,"d_model":16,"heads":2,"encoder_layers":0,"decoder_layers":1,"max_sequence":64})");
    config.batch = 2;
    Split split = data.split("all");
    split.train = {0};
    split.validation = {0};
    const TrainingData batches(data, split, config);
    CHECK(batches.with_motion());
    const SkeletonKeypoints keypoints = skeleton_keypoints(data.load(0).motion, layout);
    const std::int64_t C = keypoints.values.dim(0), V = keypoints.values.dim(1);
    // Validation windows stand at 0 s and 3 s; a third would end beyond 10 s.
    const TrainingBatch<float> batch = batches.validation_batch(0);
    REQUIRE(batch.input.shape() == Shape{2, C, 150, V, 1});
    for (std::int64_t b = 0; b < 2; ++b)
      for (std::int64_t c = 0; c < C; ++c)
        for (const std::int64_t t : {0, 77, 149})
          for (std::int64_t v = 0; v < V; ++v)
            CHECK(batch.input[(((b * C + c) * 150 + t) * V) + v] ==
                  keypoints.values[(c * V + v) * keypoints.frames() + 75 * b + t]);
    Model<float> model = init_model<float>(config.model, 1);
    Learner<float> learner(model, 1);
    double first = 0, last = 0;
    for (std::int64_t step = 0; step < 20; ++step) {
      const TrainingBatch<float> one = batches.training_batch(step);
      const auto counted = static_cast<double>(one.counted(model.pad()));
      last = learner.add_gradients(one, 1 / counted).nll / counted;
      if (step == 0) first = last;
      learner.step({.learning_rate = 1e-2});
    }
    CHECK(last < 0.8 * first);
  }
}
