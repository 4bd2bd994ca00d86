#include "imu2music/evaluate/window_likelihoods.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "imu2music/core/random.hpp"
#include "imu2music/models/weights.hpp"

using namespace imu2music;

namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.encoder = "temporal";
  config.vocabulary = EventVocabulary2::size;
  config.d_model = config.feed_forward = 16;
  config.heads = 2;
  config.encoder_layers = config.decoder_layers = 1;
  config.width = 8;
  config.blocks = 1;
  config.window_ms = 1000;
  config.max_sequence = 24;
  return config;
}

// 3 s at 50 Hz in which channel c has the value 100 c + i at frame i.
Recording counted() {
  Recording recording;
  recording.source = "counted";
  SensorTrack sensor;
  sensor.name = "myo";
  sensor.clock.rate_hz = 50;
  for (const Quantity quantity : {Quantity::acceleration, Quantity::angular_velocity}) {
    Channel channel(quantity, 150);
    for (int axis = 0; axis < 3; ++axis)
      for (std::size_t i = 0; i < 150; ++i)
        channel.axis(axis)[i] = static_cast<float>(
            100 * (axis + (quantity == Quantity::acceleration ? 0 : 3)) + static_cast<int>(i));
    sensor.channels.push_back(std::move(channel));
  }
  recording.sensors.push_back(std::move(sensor));
  return recording;
}

}  // namespace

TEST_CASE("what is done to a window's motion") {
  const MotionWindows motion(counted(), small_config());
  REQUIRE(motion.frames() == 150);
  const std::array<MotionPlace, 2> places{{{&motion, 40}, {&motion, 70}}};
  const auto value = [&](Perturbation perturbation, std::int64_t window, std::int64_t channel,
                         std::int64_t frame) {
    const Tensor<float> input = motion_inputs<float>(places, perturbation);
    REQUIRE(input.shape() == Shape{2, 6, 50});
    return input[(window * 6 + channel) * 50 + frame];
  };
  CHECK(value(Perturbation::none, 0, 0, 0) == 40);
  CHECK(value(Perturbation::none, 1, 5, 3) == 573);
  CHECK(value(Perturbation::zeroed, 1, 5, 3) == 0);
  CHECK(value(Perturbation::reversed, 0, 0, 0) == 89);
  CHECK(value(Perturbation::reversed, 1, 5, 49) == 570);
  CHECK(value(Perturbation::later, 0, 2, 1) == 266);
  CHECK(value(Perturbation::earlier, 1, 0, 0) == 45);
}

TEST_CASE("a window of keypoints is turned and shifted by whole frames") {
  Recording recording;
  recording.source = "keypoints";
  for (const char* name : {"left_hand0", "left_hand3", "right_hand7"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = 25;
    Channel place(Quantity::image_position, 200);
    for (std::size_t i = 0; i < place.samples.size(); ++i)
      place.samples[i] = static_cast<float>((i * 37 + recording.sensors.size() * 11) % 101);
    sensor.channels.push_back(std::move(place));
    recording.sensors.push_back(std::move(sensor));
  }
  ModelConfig config;
  config.encoder = "pose";
  config.layout = "hands";
  const MotionWindows motion(recording, config);
  const std::array<MotionPlace, 2> places{{{&motion, 15}, {&motion, 30}}};
  const auto inputs = [&](Perturbation perturbation) { return motion_inputs<float>(places, perturbation); };
  const Tensor<float> straight = inputs(Perturbation::none), reversed = inputs(Perturbation::reversed),
                      later = inputs(Perturbation::later);
  REQUIRE(straight.shape() == Shape{2, 2, 150, 42, 1});
  const std::int64_t shift = *perturbed_frame(places[0], Perturbation::later) - 15;
  CHECK(shift > 0);
  for (std::int64_t row = 0; row < 4; ++row)
    for (std::int64_t frame = 0; frame < 150; ++frame)
      for (std::int64_t node = 0; node < 42; ++node) {
        const auto at = [&](std::int64_t t) { return (row * 150 + t) * 42 + node; };
        CHECK(reversed[at(frame)] == straight[at(149 - frame)]);
        if (frame + shift < 150) CHECK(later[at(frame)] == straight[at(frame + shift)]);
      }
  CHECK(straight[42 * 3 + 3] != straight[42 * 146 + 3]);
}

TEST_CASE("a shifted window must lie in the recording") {
  const MotionWindows motion(counted(), small_config());
  CHECK(perturbed_frame({&motion, 0}, Perturbation::none) == 0);
  CHECK_FALSE(perturbed_frame({&motion, 24}, Perturbation::earlier));
  CHECK(perturbed_frame({&motion, 25}, Perturbation::earlier) == 0);
  CHECK(perturbed_frame({&motion, 75}, Perturbation::later) == 100);
  CHECK_FALSE(perturbed_frame({&motion, 76}, Perturbation::later));
  const MotionPlace place{&motion, 0};
  CHECK_THROWS_AS(motion_inputs<float>(std::span(&place, 1), Perturbation::earlier), ShapeError);
}

TEST_CASE("sequences of several lengths at once, and every one under every motion") {
  const Model<double> model = init_model<double>(small_config(), 3);
  Recording recording = counted();
  Philox random(1);
  for (Channel& channel : recording.sensors[0].channels)
    for (float& v : channel.samples) v = static_cast<float>(random.normal());
  const MotionWindows motion(recording, model.config);
  const std::array<MotionPlace, 3> places{{{&motion, 0}, {&motion, 50}, {&motion, 100}}};
  using V = EventVocabulary2;
  const std::vector<int> a = {V::sos, V::first_velocity, V::note_on(60), V::cut}, b = {V::sos, V::eos}, c = a;
  const std::array<const std::vector<int>*, 3> sequences{&a, &b, &c};
  WindowLikelihoods<double> likelihoods(model, 2);
  const Tensor<double> memories = likelihoods.memories(places);
  REQUIRE(memories.dim(0) == 3);
  const std::vector<int> beyond = {V::sos, V::size};  // a target and no input
  const std::array<const std::vector<int>*, 3> wrong{&a, &beyond, &c};
  CHECK_THROWS_AS(likelihoods.negative_log_p(memories, wrong), ShapeError);
  const auto together = likelihoods.negative_log_p(memories, sequences);
  REQUIRE(together.size() == 3);
  CHECK(together[0].size() == 3);
  CHECK(together[1].size() == 1);
  // By hand: −log softmax.
  Context context;
  const std::vector<std::int64_t> x = {V::sos, V::first_velocity, V::note_on(60)};
  const Tensor<double> logits =
      model.logits(context, memories.slice(0, 1).clone(), Tensor<std::int64_t>::from(std::span(x), {1, 3}));
  for (std::int64_t t = 0; t < 3; ++t) {
    double sum = 0;
    for (std::int64_t v = 0; v < V::size; ++v) sum += std::exp(logits[t * V::size + v]);
    CHECK(together[0][static_cast<std::size_t>(t)] ==
          doctest::Approx(std::log(sum) - logits[t * V::size + a[static_cast<std::size_t>(t) + 1]]));
  }
  const Tensor<double> scores = likelihoods.scores(places, sequences);
  REQUIRE(scores.shape() == Shape{3, 3});
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 3; ++j) {
      const std::array<const std::vector<int>*, 1> one{sequences[static_cast<std::size_t>(i)]};
      double sum = 0;
      const auto alone = likelihoods.negative_log_p(memories.slice(j, 1).clone(), one);
      for (double nll : alone[0]) sum -= nll;
      CHECK(scores[3 * i + j] == doctest::Approx(sum));
    }
  CHECK(scores[0] == scores[6]);
  CHECK(scores[0] != scores[1]);
}
