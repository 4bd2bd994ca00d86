#include "imu2music/io/model_config.hpp"

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;
using test::contains;
using test::input_error;

namespace {

ModelConfig parse(const std::string& text) { return parse_model_config(text, "c.json"); }
std::string fault_of(const std::string& text) {
  return input_error([&] { parse(text); });
}

}  // namespace

TEST_CASE("defaults, and feed_forward twice d_model unless given") {
  CHECK(parse("{}") == ModelConfig{});
  ModelConfig small;
  small.d_model = 32;
  small.feed_forward = 64;
  CHECK(parse(R"({"d_model": 32})") == small);
  small.feed_forward = 256;
  CHECK(parse(R"({"feed_forward": 256, "d_model": 32})") == small);
}

TEST_CASE("every key is read and written, on one line in a fixed order") {
  ModelConfig config;
  config.d_model = 48;
  config.heads = 6;
  config.encoder_layers = 0;
  config.decoder_layers = 5;
  config.feed_forward = 7;
  config.max_sequence = 9;
  config.memory_positions = 27;
  config.vocabulary = 390;
  config.control = config.untrained = true;
  CHECK(
      to_json(config) ==
      R"({"model":"encoder_decoder","encoder":"conv","d_model":48,"heads":6,"encoder_layers":0,"decoder_layers":5,"feed_forward":7,)"
      R"("max_sequence":9,"memory_positions":27,"vocabulary":390,"control":true,"untrained":true})");
  CHECK(parse(to_json(config)) == config);
  CHECK(parse(to_json(ModelConfig{})) == ModelConfig{});
  CHECK_FALSE(config == ModelConfig{});
}

TEST_CASE("unknown keys name the nearest known one") {
  CHECK(fault_of(R"({"head": 8})") == "c.json: the unknown key 'head'; did you mean 'heads'?");
  CHECK(contains(fault_of(R"({"dmodel": 8})"), "did you mean 'd_model'?"));
  CHECK(contains(fault_of(R"({"Encoder": "conv"})"), "did you mean 'encoder'?"));
  CHECK(contains(fault_of(R"({"": 1})"), "unknown key ''"));
}

TEST_CASE("wrong types and sizes say what would be right") {
  CHECK(fault_of(R"({"d_model": "128"})") ==
        "c.json: d_model is '128'; a whole number from 1 to 16384 is right");
  CHECK(contains(fault_of(R"({"d_model": 128.0})"), "d_model is 128.0"));
  CHECK(contains(fault_of(R"({"d_model": true})"), "d_model is true"));
  CHECK(contains(fault_of(R"({"d_model": null})"), "d_model is null"));
  CHECK(contains(fault_of(R"({"d_model": [1]})"), "d_model is a list"));
  CHECK(contains(fault_of(R"({"d_model": 0})"), "from 1 to 16384"));
  CHECK(contains(fault_of(R"({"heads": -8})"), "heads is -8"));
  CHECK(contains(fault_of(R"({"vocabulary": 18446744073709551615})"), "from 2 to 65536"));
  CHECK(contains(fault_of(R"({"vocabulary": 4294967538})"), "from 2 to 65536"));  // 2^32 + 242
  CHECK(contains(fault_of(R"({"vocabulary": 1e99})"), "from 2 to 65536"));
  CHECK(contains(fault_of(R"({"decoder_layers": 0})"), "from 1 to 256"));
  CHECK(contains(fault_of(R"({"untrained": 1})"), "true or false is right"));
  CHECK(contains(fault_of(R"({"encoder": "cnn"})"), "is not known; there is 'conv'"));
  CHECK(contains(fault_of(R"({"encoder": 1})"), "is not known"));
  CHECK(fault_of(R"({"d_model": 100})") ==
        "c.json: d_model 100 cannot be divided among 8 heads; choose a number of heads that divides d_model");
  CHECK(contains(fault_of(R"({"d_model": 4})"), "cannot be divided among 8 heads"));
  CHECK(
      contains(fault_of(R"({"d_model": 512, "heads": 1})"),
               "d_model 512 divided among 1 head makes heads 512 wide; heads of at most 256 are supported"));
  CHECK(parse(R"({"d_model": 512, "heads": 2})").heads == 2);
  CHECK(parse(R"({"model": "lstm_seq2seq", "d_model": 512, "heads": 1})").heads == 1);
}

TEST_CASE("an encoder's own keys are read and written with it, and refused with another") {
  ModelConfig pose;
  pose.encoder = "pose";
  pose.layout = "hands";
  pose.pose_layers = 4;
  CHECK(contains(to_json(pose), R"("untrained":false,"layout":"hands","pose_layers":4})"));
  CHECK(parse(to_json(pose)) == pose);
  ModelConfig temporal;
  temporal.encoder = "temporal";
  temporal.sensors = 2;
  temporal.quantities = "acceleration+angular_velocity+orientation";
  temporal.channels = 20;
  temporal.rate_hz = 100;
  temporal.window_ms = 4010;
  CHECK(parse(to_json(temporal)) == temporal);
  CHECK(fault_of(R"({"layout": "hands"})") ==
        "c.json: layout is given for the encoder 'conv'; it belongs to the encoder 'pose'");
  CHECK(contains(fault_of(R"({"encoder": "pose", "rows": 9})"), "belongs to the encoder 'conv_transformer'"));
  CHECK(
      contains(fault_of(R"({"encoder": "pose", "layout": "feet"})"), "there is 'body25', 'hands', 'body65'"));
  CHECK(contains(fault_of(R"({"encoder": "temporal", "rate_hz": 60})"), "25, 50, 100 or 200"));
}

TEST_CASE("sensors, quantities and channels of a temporal encoder follow from one another") {
  const auto temporal = [](const std::string& keys) {
    return parse(R"({"encoder": "temporal")" + (keys.empty() ? "" : ", " + keys) + "}");
  };
  const auto fault = [](const std::string& keys) {
    return fault_of(R"({"encoder": "temporal", )" + keys + "}");
  };
  CHECK(temporal("").channels == 6);
  CHECK(temporal(R"("sensors": 3)").channels == 18);
  CHECK(temporal(R"("sensors": 2, "quantities": "acceleration")").channels == 6);
  CHECK(temporal(R"("quantities": "acceleration+angular_velocity+orientation")").channels == 10);
  CHECK(temporal(R"("channels": 18)").sensors == 3);
  CHECK(temporal(R"("channels": 24, "quantities": "angular_velocity")").sensors == 8);
  CHECK(fault(R"("channels": 7)") ==
        "c.json: channels is 7; 1 sensor with acceleration+angular_velocity has 6: use that, or leave "
        "channels out");
  CHECK(contains(fault(R"("channels": 18, "sensors": 2)"), "channels is 18; 2 sensors with"));
  CHECK(contains(fault(R"("channels": 27, "quantities": "acceleration")"), "1 sensor"));
  CHECK(contains(fault(R"("sensors": 9)"), "from 1 to 8"));
  CHECK(contains(fault(R"("quantities": "rotation")"), "there is 'acceleration+angular_velocity', "));
  CHECK(contains(fault_of(R"({"sensors": 1})"), "belongs to the encoder 'temporal'"));
  CHECK(contains(fault_of(R"({"quantities": "acceleration"})"), "belongs to the encoder 'temporal'"));
}

TEST_CASE("a temporal encoder's window is whole frames, and its tokens fit the memory") {
  const auto temporal = [](const std::string& keys) {
    return parse(R"({"encoder": "temporal", )" + keys + "}");
  };
  const ModelConfig usual = temporal(R"("rate_hz": 50)");
  CHECK(window_frames(usual) == 300);
  CHECK(window_tokens(usual) == 75);
  CHECK(window_tokens(temporal(R"("rate_hz": 25, "window_ms": 1000)")) == 13);
  CHECK(temporal(R"("window_ms": 20000)").memory_positions == 250);
  CHECK(contains(fault_of(R"({"encoder": "temporal", "window_ms": 20000, "memory_positions": 249})"),
                 "a window of 20000 ms gives 250 tokens"));
  CHECK(contains(fault_of(R"({"encoder": "temporal", "window_ms": 6010})"), "a multiple of 20 ms"));
  CHECK(contains(fault_of(R"({"encoder": "temporal", "window_ms": 999})"), "from 1000 to 60000"));
}

TEST_CASE("musical time belongs to a temporal encoder_decoder of vocabulary 2") {
  ModelConfig config = parse(
      R"({"encoder": "temporal", "vocabulary": 332, "time_positions": true, "lookback_ms": 3000, "lookahead_ms": 0})");
  CHECK(config.time_positions);
  CHECK(config.bounds_sight());
  CHECK(config.lookback_ms == 3000);
  CHECK(config.lookahead_ms == 0);
  CHECK(parse(to_json(config)) == config);
  CHECK(contains(to_json(config), R"("lookback_ms":3000,"lookahead_ms":0,"time_positions":true})"));
  CHECK_FALSE(parse(R"({"encoder": "temporal"})").bounds_sight());
  CHECK(fault_of(R"({"encoder": "temporal", "time_positions": true})") ==
        "c.json: time_positions with the model 'encoder_decoder' and a vocabulary of 243; musical time is "
        "known "
        "to an encoder_decoder of vocabulary 2, which has 332 ids");
  CHECK(contains(fault_of(R"({"encoder": "temporal", "lookahead_ms": 0})"),
                 "lookback_ms or lookahead_ms with"));
  CHECK(contains(
      fault_of(
          R"({"encoder": "temporal", "vocabulary": 332, "model": "lstm_seq2seq", "time_positions": true})"),
      "with the model 'lstm_seq2seq'"));
  CHECK(contains(fault_of(R"({"time_positions": false})"), "it belongs to the encoder 'temporal'"));
  CHECK(contains(fault_of(R"({"encoder": "temporal", "time_positions": 1})"), "true or false"));
  CHECK(contains(fault_of(R"({"encoder": "temporal", "lookback_ms": 60001})"), "from 0 to 60000"));
}

TEST_CASE("model and encoder must fit together, and change the defaults") {
  const ModelConfig alone = parse(R"({"model": "music_transformer"})");
  CHECK(alone.encoder == "none");
  CHECK(alone.encoder_layers == 0);
  CHECK(alone.vocabulary == 390);
  CHECK(parse(to_json(alone)) == alone);
  CHECK(contains(fault_of(R"({"model": "music_transformer", "encoder": "conv"})"), "the encoder 'none'"));
  CHECK(contains(fault_of(R"({"model": "music_transformer", "encoder_layers": 2})"), "decoder_layers"));
  CHECK(contains(fault_of(R"({"encoder": "none"})"), "an encoder is needed"));
  CHECK(contains(fault_of(R"({"model": "lstm_seq2seq", "control": true})"), "only an encoder_decoder"));
  CHECK(contains(fault_of(R"({"model": "lstm"})"), "there is 'encoder_decoder'"));
  CHECK(parse(R"({"model": "lstm_seq2seq", "d_model": 100})").d_model == 100);  // it has no heads
  CHECK(contains(fault_of(R"({"model": "lstm_seq2seq", "encoder": "conv_transformer", "d_model": 100})"),
                 "8 heads"));
  CHECK(parse(R"({"encoder": "conv_transformer"})").memory_positions == 1350);
  CHECK(contains(fault_of(R"({"encoder": "conv_transformer", "rows": 2, "memory_positions": 299})"),
                 "300 tokens"));
}

TEST_CASE("a pose encoder's window fits the memory, with encoder layers or without") {
  struct Case {
    int layers, tokens;
  };
  for (const Case& pose : {Case{1, 150}, Case{4, 150}, Case{5, 75}, Case{7, 75}, Case{8, 38}, Case{10, 38}})
    for (const int encoder_layers : {0, 2}) {
      const auto config = [&](int positions) {
        return R"({"encoder": "pose", "pose_layers": )" + std::to_string(pose.layers) +
               R"(, "encoder_layers": )" + std::to_string(encoder_layers) + R"(, "memory_positions": )" +
               std::to_string(positions) + "}";
      };
      CHECK(parse(config(pose.tokens)).memory_positions == pose.tokens);
      CHECK(contains(fault_of(config(pose.tokens - 1)), std::to_string(pose.layers) +
                                                            " pose_layers give a window " +
                                                            std::to_string(pose.tokens) + " tokens"));
    }
}

TEST_CASE("what is no JSON object") {
  CHECK(contains(fault_of(""), "is not JSON (at byte"));
  CHECK(contains(fault_of("{"), "is not JSON (at byte"));
  CHECK(contains(fault_of("{} x"), "is not JSON (at byte"));
  CHECK(contains(fault_of("\xff"), "is not JSON"));
  CHECK(contains(fault_of("[]"), "is JSON, but no object"));
  CHECK(contains(fault_of(R"({"heads": 4, "heads": 8})"), "'heads' stands twice"));
  CHECK(contains(fault_of("{\"heads\":" + std::string(500000, '[') + std::string(500000, ']') + "}"),
                 "heads is a list"));
}

TEST_CASE("a config is read from a file, and from a weight file's metadata") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "c.json", "\xEF\xBB\xBF{\"heads\": 4}");
  CHECK(read_model_config(scratch / "c.json").heads == 4);
  CHECK(contains(input_error([&] { read_model_config(scratch / "none.json"); }), "there is no such file"));

  TensorFile file;
  file.path = "w";
  CHECK_FALSE(config_of(file).has_value());
  file.metadata["imu2music.config"] = R"({"heads":2})";
  CHECK(config_of(file).value().heads == 2);
  file.metadata["imu2music.config"] = "{";
  CHECK(contains(input_error([&] { config_of(file); }), "w: is not JSON"));
}
