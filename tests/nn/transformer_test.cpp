#include "imu2music/nn/transformer.hpp"

#include <doctest/doctest.h>

#include "random.hpp"

using namespace imu2music;

namespace {

template <class T, class Module>
void randomise(Module& module) {
  std::uint64_t stream = 0;
  const auto initialise = [&](const std::string&, Parameter<T>& p) { p.initialize(Philox(11, stream++)); };
  module.visit(initialise, "");
}

}  // namespace

TEST_CASE("a decoder that steps with caches gives the bits of the full computation") {
  const TransformerSizes sizes{.D = 48, .H = 6, .F = 96, .L = 40};
  TransformerDecoder<float> decoder(sizes, 3);
  randomise<float>(decoder);
  const auto x = test::random_tensor<float>({1, 40, 48}, 1),
             memory = test::random_tensor<float>({1, 27, 48}, 2);
  for (int threads : {1, 3}) {
    Context context(threads);
    const auto full = decoder.forward(context, x, memory, {});
    auto caches = decoder.make_caches(context, 27);
    for (int round = 0; round < 2; ++round) {
      decoder.remember(context, memory, caches);
      for (std::int64_t t = 0; t < 40; ++t) {
        const StepRow<float> row{caches.data()};
        const auto y =
            decoder.step(context, x.slice(0, 1).reshape({40, 48}).slice(t, 1), std::span(&row, 1));
        for (std::int64_t d = 0; d < 48; ++d) CHECK(y[d] == full[t * 48 + d]);
      }
    }
  }
}

TEST_CASE("a later token and masked padding do not change what came before") {
  const TransformerSizes sizes{.D = 16, .H = 2, .F = 32, .L = 12};
  TransformerDecoder<double> decoder(sizes, 2);
  randomise<double>(decoder);
  auto x = test::random_tensor<double>({2, 12, 16}, 1);
  const auto memory = test::random_tensor<double>({2, 5, 16}, 2);
  Context context;
  Tensor<std::uint8_t> masked({2, 12});
  for (std::int64_t t = 8; t < 12; ++t) masked[12 + t] = 1;
  const auto before = decoder.forward(context, x, memory, masked);
  for (std::int64_t t = 8; t < 12; ++t)
    for (std::int64_t d = 0; d < 16; ++d) x[(12 + t) * 16 + d] += 3;
  const auto after = decoder.forward(context, x, memory, masked);
  for (std::int64_t n = 0; n < (12 + 8) * 16; ++n) CHECK(before[n] == after[n]);
  CHECK(before[(12 + 9) * 16] != after[(12 + 9) * 16]);
}

TEST_CASE("the encoder looks both ways") {
  const TransformerSizes sizes{.D = 16, .H = 4, .F = 32, .L = 150};
  TransformerEncoder<double> encoder(sizes, 1);
  randomise<double>(encoder);
  auto x = test::random_tensor<double>({1, 27, 16}, 1);
  Context context;
  const auto before = encoder.forward(context, x);
  x[26 * 16] += 1;
  const auto after = encoder.forward(context, x);
  CHECK(before[0] != after[0]);
}

TEST_CASE("parameters are named as PyTorch names them") {
  TransformerDecoder<float> decoder({.D = 8, .H = 2, .F = 16, .L = 5}, 1);
  std::string names;
  const auto collect = [&](const std::string& name, Parameter<float>& p) {
    names += name + p.shape.to_string() + " ";
  };
  decoder.visit(collect, "transformer.decoder.");
  CHECK(names ==
        "transformer.decoder.layers.0.self_attn.in_proj_weight(24, 8) "
        "transformer.decoder.layers.0.self_attn.in_proj_bias(24) "
        "transformer.decoder.layers.0.self_attn.Er(5, 4) "
        "transformer.decoder.layers.0.self_attn.out_proj.weight(8, 8) "
        "transformer.decoder.layers.0.self_attn.out_proj.bias(8) "
        "transformer.decoder.layers.0.multihead_attn.in_proj_weight(24, 8) "
        "transformer.decoder.layers.0.multihead_attn.in_proj_bias(24) "
        "transformer.decoder.layers.0.multihead_attn.out_proj.weight(8, 8) "
        "transformer.decoder.layers.0.multihead_attn.out_proj.bias(8) "
        "transformer.decoder.layers.0.linear1.weight(16, 8) transformer.decoder.layers.0.linear1.bias(16) "
        "transformer.decoder.layers.0.linear2.weight(8, 16) transformer.decoder.layers.0.linear2.bias(8) "
        "transformer.decoder.layers.0.norm1.weight(8) transformer.decoder.layers.0.norm1.bias(8) "
        "transformer.decoder.layers.0.norm2.weight(8) transformer.decoder.layers.0.norm2.bias(8) "
        "transformer.decoder.layers.0.norm3.weight(8) transformer.decoder.layers.0.norm3.bias(8) "
        "transformer.decoder.norm.weight(8) transformer.decoder.norm.bias(8) ");
}
