// Whole models on the device beside the CPU: what hears the motion, what writes the music, token by token
// too.
#include "imu2music/generate/session.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/ops/cross_entropy.hpp"

#include <string>
#include <vector>

#include "cuda/on_device.hpp"

using namespace imu2music;

namespace {

ModelConfig config_of(const std::string& text) { return parse_model_config(text, "test"); }

void compare(const ModelConfig& config, const Shape& input_shape) {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const Model<float> here = init_model<float>(config, 3);
  Model<float> there = init_model<float>(config, 3);
  to_device(there, Device::cuda());
  REQUIRE(there.device() == Device::cuda());
  Tensor<float> memory, memory_there;
  if (here.has_memory()) {
    const auto input = test::numbers(input_shape, 1);
    memory = here.encode_memory(cpu, here.encode_motion(cpu, input));
    memory_there = there.encode_memory(*context, there.encode_motion(*context, input));
    test::check_close(*context, memory_there, memory, 1e-4);
  }
  const std::int64_t B = here.has_memory() ? input_shape[0] : 1, length = 9;
  Tensor<std::int64_t> tokens({B, length});
  for (std::int64_t n = 0; n < tokens.size(); ++n) tokens[n] = (7 * n + 3) % 200;
  const auto wanted = here.logits(cpu, memory, tokens);
  const auto got = there.logits(*context, memory_there, tokens);
  test::check_close(*context, got, wanted, 1e-4);
  CHECK(cross_entropy(*context, got, tokens, here.pad()) ==
        doctest::Approx(cross_entropy(cpu, wanted, tokens, here.pad())).epsilon(1e-5));

  const std::int64_t S = memory.defined() ? memory.dim(1) : 0;
  Session<float> session(here, 1, S), session_there(there, 1, S);
  session.start(memory.defined() ? memory.slice(0, 1) : memory);
  session_there.start(memory.defined() ? memory.slice(0, 1) : memory);
  for (std::int64_t t = 0; t < length; ++t) {
    const auto a = session.step(tokens[t]), b = session_there.step(tokens[t]);
    for (std::size_t v = 0; v < a.size(); ++v) REQUIRE(b[v] == doctest::Approx(a[v]).epsilon(1e-3));
  }
}

}  // namespace

TEST_CASE("temporal encoder, transformer encoder and decoder on the device") {
  compare(config_of(R"({"model": "encoder_decoder", "encoder": "temporal", "d_model": 32, "heads": 2,
                        "feed_forward": 48, "encoder_layers": 1, "decoder_layers": 2, "max_sequence": 24,
                        "memory_positions": 16, "vocabulary": 332, "width": 16, "kernel": 3, "blocks": 3,
                        "sensors": 1, "channels": 6, "rate_hz": 50, "window_ms": 1000})"),
          {2, 6, 40});
}

TEST_CASE("the decoder-only music transformer on the device") {
  compare(config_of(R"({"model": "music_transformer", "encoder": "none", "d_model": 32, "heads": 4,
                        "feed_forward": 64, "encoder_layers": 0, "decoder_layers": 2, "max_sequence": 20,
                        "vocabulary": 390})"),
          {});
}
