#include "imu2music/models/imu2music_model.hpp"

#include <doctest/doctest.h>

#include "imu2music/models/weights.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("float and double, one thread and several, agree on an untrained model") {
  ModelConfig config;
  config.d_model = 32;
  config.heads = 4;
  config.feed_forward = 64;
  config.max_sequence = 16;
  const auto single = init_model<float>(config, 3);
  const auto twice = init_model<double>(config, 3);
  const auto input = test::random_tensor<float>({2, 2, 3, 150}, 1);
  auto input_d = Tensor<double>({2, 2, 3, 150});
  for (std::int64_t i = 0; i < input.size(); ++i) input_d[i] = input[i];
  Tensor<std::int64_t> tokens({2, 16});
  for (std::int64_t i = 0; i < 32; ++i) tokens[i] = i * 37 % 243;
  for (std::int64_t i = 24; i < 32; ++i) tokens[i] = EventVocabulary1::pad;
  Context one(1), three(3);
  const auto a = single.logits(one, single.encode_memory(one, single.encode_motion(one, input)), tokens);
  const auto b =
      single.logits(three, single.encode_memory(three, single.encode_motion(three, input)), tokens);
  const auto c = twice.logits(one, twice.encode_memory(one, twice.encode_motion(one, input_d)), tokens);
  CHECK(a.shape() == Shape{2, 16, 243});
  for (std::int64_t i = 0; i < a.size(); ++i) {
    CHECK(a[i] == b[i]);
    CHECK(a[i] == doctest::Approx(c[i]).epsilon(1e-3));
  }
}

TEST_CASE("motion of another shape is refused with the shape that is wanted") {
  const auto model = init_model<float>(ModelConfig{}, 3);
  Context context;
  CHECK_THROWS_WITH_AS(
      model.encode_motion(context, Tensor<float>({1, 2, 9, 150})),
      "[conv_encoder] the input must be (B, 2, 3, 150): sensors, features, frames; not (1, 2, 9, 150)",
      ShapeError);
  CHECK_THROWS_AS(model.encode_motion(context, Tensor<float>({1, 2, 3, 149})), ShapeError);
}
