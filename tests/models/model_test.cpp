#include "imu2music/models/model.hpp"

#include <doctest/doctest.h>

#include <type_traits>
#include <utility>

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
  for (std::int64_t i = 24; i < 32; ++i) tokens[i] = single.pad();
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

namespace {

Tensor<float> some_input(const Model<float>& model, std::int64_t B) {
  const std::string& encoder = model.config.encoder;
  Shape shape{B, 2, 3, 150};
  if (encoder == "fully_connected") shape = Shape{B, 2, 9, 150};
  if (encoder == "conv_transformer") shape = Shape{B, 2, model.config.rows, 150};
  if (encoder == "pose") shape = Shape{B, 3, 21, 25, 2};
  if (encoder == "temporal") shape = Shape{B, model.config.channels, 61};
  REQUIRE(model.takes(shape));
  return test::random_tensor<float>(shape, 4);
}

const char* const every_kind[] = {
    R"({"d_model":24,"heads":3,"max_sequence":12})",
    R"({"encoder":"fully_connected","d_model":24,"heads":3,"max_sequence":12})",
    R"({"encoder":"frequency","d_model":24,"heads":3,"max_sequence":12})",
    R"({"encoder":"conv_transformer","rows":2,"d_model":24,"heads":3,"max_sequence":12})",
    R"({"encoder":"pose","pose_layers":5,"d_model":24,"heads":3,"encoder_layers":0,"max_sequence":12,"control":true})",
    R"({"encoder":"temporal","channels":6,"width":16,"d_model":24,"heads":3,"max_sequence":12})",
    R"({"encoder":"temporal","width":16,"d_model":24,"heads":3,"max_sequence":12,"vocabulary":332,"time_positions":true})",
    R"({"encoder":"temporal","width":16,"d_model":24,"heads":3,"max_sequence":12,"vocabulary":332,"time_positions":true,"lookback_ms":500,"lookahead_ms":0})",
    R"({"encoder":"temporal","width":16,"d_model":24,"heads":3,"max_sequence":12,"vocabulary":332,"lookahead_ms":200})",
    R"({"model":"lstm_seq2seq","d_model":24,"heads":3,"max_sequence":12})",
    R"({"model":"music_transformer","d_model":24,"heads":3,"max_sequence":12})"};

}  // namespace

TEST_CASE("every kind of model: float and double agree, threads change nothing, and so does a step") {
  for (const char* text : every_kind) {
    CAPTURE(text);
    const ModelConfig config = parse_model_config(text, "c");
    const auto single = init_model<float>(config, 3);
    const auto twice = init_model<double>(config, 3);
    Tensor<std::int64_t> tokens({2, 12});
    for (std::int64_t i = 0; i < 24; ++i) tokens[i] = i * 37 % (config.vocabulary - 1);
    Tensor<float> control;
    Tensor<double> control_d;
    if (config.control) {
      control = test::random_tensor<float>({2, 12, 12}, 8);
      control_d = Tensor<double>({2, 12, 12});
      for (std::int64_t i = 0; i < control.size(); ++i) control_d[i] = control[i];
    }
    Context one(1), three(3);
    const auto run = [&](const auto& model, Context& context, const auto& input, const auto& histograms) {
      using Scalar = typename std::decay_t<decltype(input)>::value_type;
      Tensor<Scalar> memory;
      if (model.has_memory()) memory = model.encode_memory(context, model.encode_motion(context, input));
      return std::pair{memory, model.logits(context, memory, tokens, histograms)};
    };
    Tensor<float> input;
    Tensor<double> input_d;
    if (single.has_memory()) {
      input = some_input(single, 2);
      input_d = Tensor<double>(input.shape());
      for (std::int64_t i = 0; i < input.size(); ++i) input_d[i] = input[i];
    }
    const auto [memory, a] = run(single, one, input, control);
    const auto b = run(single, three, input, control).second;
    const auto c = run(twice, one, input_d, control_d).second;
    REQUIRE(a.shape() == Shape{2, 12, config.vocabulary});
    for (std::int64_t i = 0; i < a.size(); ++i) {
      REQUIRE(a[i] == b[i]);
      REQUIRE(a[i] == doctest::Approx(c[i]).epsilon(2e-3));
    }

    // The second sequence, token by token.
    auto state = single.make_state(one, memory.defined() ? memory.dim(1) : 0);
    if (control.defined()) state.control = single.control_rows(control.slice(1, 1).reshape({12, 12}));
    single.remember(one, memory.defined() ? memory.slice(1, 1) : memory, state);
    for (std::int64_t t = 0; t < 12; ++t) {
      const std::int64_t token = tokens[12 + t];
      DecodingState<float>* const stepping = &state;
      const auto logits = single.step(one, std::span(&token, 1), std::span(&stepping, 1));
      for (std::int64_t v = 0; v < config.vocabulary; ++v)
        REQUIRE(logits[v] == a[(12 + t) * config.vocabulary + v]);
    }
  }
}

TEST_CASE("control that a model cannot take is refused, and one histogram leaves the first position alone") {
  const auto plain = init_model<float>(parse_model_config(every_kind[0], "c"), 1);
  const auto steered = init_model<float>(parse_model_config(every_kind[4], "c"), 1);
  CHECK_THROWS_AS(plain.control_rows(Tensor<float>({12})), ShapeError);
  CHECK_FALSE(plain.control_rows({}).defined());
  CHECK_THROWS_AS(steered.control_rows(Tensor<float>({11})), ShapeError);
  const auto histogram = test::random_tensor<float>({12}, 1);
  const auto rows = steered.control_rows(histogram);
  REQUIRE(rows.shape() == Shape{12, 12});
  for (std::int64_t c = 0; c < 12; ++c) {
    CHECK(rows[c] == 0);
    CHECK(rows[12 + c] == histogram[c]);
    CHECK(rows[11 * 12 + c] == histogram[c]);
  }
  Context context;
  const Tensor<std::int64_t> tokens({1, 4});
  CHECK_THROWS_AS(steered.logits(context, Tensor<float>({1, 5, 24}), tokens, Tensor<float>({1, 3, 12})),
                  ShapeError);
}

TEST_CASE("a music_transformer has no memory and no motion") {
  const auto alone = init_model<float>(parse_model_config(every_kind[10], "c"), 1);
  Context context;
  CHECK_FALSE(alone.has_memory());
  CHECK(alone.pad() == 389);
  CHECK_THROWS_AS(alone.encode_motion(context, Tensor<float>({1, 2, 3, 150})), Error);
  CHECK_THROWS_AS(alone.logits(context, Tensor<float>({1, 5, 24}), Tensor<std::int64_t>({1, 4})), ShapeError);
}

TEST_CASE("padding is the last id, but in vocabulary 2 that of vocabulary 1") {
  for (auto [vocabulary, pad] : {std::pair{243, 242}, {390, 389}, {332, 242}}) {
    ModelConfig config;
    config.vocabulary = vocabulary;
    CHECK(Model<float>(config).pad() == pad);
  }
}

TEST_CASE("sequences that are too long, a memory of nothing and tokens without a state are refused") {
  const std::string text =
      R"({"encoder": "temporal", "vocabulary": 332, "d_model": 16, "heads": 2, "encoder_layers": 0,
"decoder_layers": 1, "time_positions": true, "control": true, "max_sequence": 8, "lookback_ms": 1000})";
  const auto model = init_model<float>(parse_model_config(text, "c"), 1);
  Context context;
  const Tensor<float> memory({1, 4, 16});
  CHECK(model.logits(context, memory, Tensor<std::int64_t>({1, 8})).shape() == Shape{1, 8, 332});
  CHECK_THROWS_AS(model.logits(context, memory, Tensor<std::int64_t>({1, 9})), ShapeError);
  CHECK_THROWS_AS(model.logits(context, Tensor<float>({1, 0, 16}), Tensor<std::int64_t>({1, 3})), ShapeError);

  auto state = model.make_state(context, 4);
  model.remember(context, memory, state);
  DecodingState<float>* states[] = {&state};
  const std::int64_t tokens[] = {1, 1};
  CHECK_THROWS_AS(model.step(context, tokens, states), ShapeError);
  CHECK_THROWS_AS(model.step(context, {}, {}), ShapeError);
  for (int n = 0; n < 8; ++n) model.step(context, std::span(tokens, 1), states);
  CHECK_THROWS_AS(model.step(context, std::span(tokens, 1), states), ShapeError);
  CHECK(state.position == 8);
}

TEST_CASE("a config with numbers that no model has makes none") {
  for (const auto& change : std::vector<void (*)(ModelConfig&)>{
           [](ModelConfig& c) { c.heads = 0; }, [](ModelConfig& c) { c.heads = 3; },
           [](ModelConfig& c) { c.decoder_layers = -1; }, [](ModelConfig& c) { c.d_model = 4096; }}) {
    ModelConfig config;
    change(config);
    CHECK_THROWS_AS(Model<float>{config}, InputError);
  }
}
