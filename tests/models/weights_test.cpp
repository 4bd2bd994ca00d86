#include "imu2music/models/weights.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support.hpp"

using namespace imu2music;

namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.d_model = 16;
  config.heads = 2;
  config.encoder_layers = 1;
  config.decoder_layers = 2;
  config.feed_forward = 24;
  config.max_sequence = 20;
  return config;
}

// Every tensor of a weight file, to be changed and written again.
struct Weights {
  std::vector<TensorEntry> entries;
  std::vector<std::vector<std::byte>> bytes;
  std::map<std::string, std::string> metadata;

  explicit Weights(const std::string& path) {
    const TensorFile file = read_safetensors(path);
    metadata = file.metadata;
    for (const TensorEntry& entry : file.entries()) {
      bytes.emplace_back(entry.data, entry.data + entry.byte_count);
      entries.push_back(entry);
    }
  }
  std::size_t index(const std::string& name) const {
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (entries[i].name == name) return i;
    throw std::runtime_error("no tensor " + name);
  }
  void write(const std::string& path) {
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i].data = bytes[i].data();
    write_safetensors(path, entries, metadata);
  }
};

std::string error_of(const std::string& path) {
  try {
    load_model<float>(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("untrained weights depend on config and seed alone, and survive a file") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto a = init_model<float>(small_config(), 5), b = init_model<float>(small_config(), 5);
  auto c = init_model<float>(small_config(), 6);
  CHECK(a.Wout.weight.value[7] == b.Wout.weight.value[7]);
  CHECK(a.Wout.weight.value[7] != c.Wout.weight.value[7]);
  CHECK(a.config.untrained);
  save_model(a, path);
  const std::string first = test::read_file(path);
  save_model(b, path);
  CHECK(test::read_file(path) == first);
  const auto loaded = load_model<float>(path);
  CHECK(loaded.config == a.config);
  CHECK(loaded.config.untrained);
  for (std::int64_t i = 0; i < a.Wout.weight.value.size(); ++i)
    CHECK(std::as_const(loaded.Wout.weight.value)[i] == a.Wout.weight.value[i]);
  const auto in_double = load_model<double>(path);
  CHECK(in_double.embedding.weight.value[3] == double(a.embedding.weight.value[3]));
}

TEST_CASE("without a stored config, names and shapes tell the architecture") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(small_config(), 1);
  save_model(model, path);
  Weights weights(path);
  weights.metadata.clear();
  weights.write(path);
  ModelConfig wanted = small_config();
  CHECK(infer_config(read_safetensors(path)) == wanted);
  CHECK(load_model<float>(path).config.heads == 2);
}

TEST_CASE("every tensor that does not fit is listed at once, with what was expected") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(small_config(), 1);
  save_model(model, path);
  Weights weights(path);
  const std::size_t norm = weights.index("transformer.decoder.norm.weight");
  weights.entries[norm].name = "transformer.decoder.norm.wight";
  const std::size_t bias = weights.index("Wout.bias");
  weights.entries[bias].shape = Shape{9, 27};
  const std::size_t linear = weights.index("transformer.encoder.layers.0.linear1.bias");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(weights.bytes[linear].data() + 8, &nan, 4);
  weights.write(path);
  const std::string error = error_of(path);
  CHECK(holds(error, path));
  CHECK(holds(error, "4 tensors do not fit"));
  CHECK(holds(error, "transformer.decoder.norm.weight (16) is missing"));
  CHECK(holds(error, "transformer.decoder.norm.wight (16) is unexpected"));
  CHECK(holds(error, "Wout.bias is (9, 27) instead of (243)"));
  CHECK(holds(error, "transformer.encoder.layers.0.linear1.bias holds a value that is not finite"));
}

TEST_CASE("weights of integers, and files of another model, are refused") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(small_config(), 1);
  save_model(model, path);
  Weights weights(path);
  weights.entries[weights.index("Wout.bias")].dtype = Dtype::i32;
  weights.write(path);
  CHECK(holds(error_of(path), "Wout.bias holds I32 instead of floating-point numbers"));

  const float value = 1;
  const TensorEntry other{"fc.weight", Dtype::f32, {1}, reinterpret_cast<const std::byte*>(&value), 4};
  write_safetensors(path, std::span<const TensorEntry>(&other, 1), {});
  CHECK(holds(error_of(path), "imu_net.individual_net1.0.weight"));
}

TEST_CASE("the reference checkpoints load, and their architecture is inferred") {
  struct Case {
    const char* name;
    int d_model, heads, max_sequence;
  };
  for (const Case& c : {Case{"imu-conv-d32", 32, 4, 24}, Case{"imu-conv-d128", 128, 8, 128}}) {
    const std::string path = test::shared_file(std::string("golden/") + c.name + "/checkpoint.pth.tar");
    if (path.empty()) continue;
    const auto model = load_model<float>(path);
    CHECK(model.config.d_model == c.d_model);
    CHECK(model.config.heads == c.heads);
    CHECK(model.config.max_sequence == c.max_sequence);
    CHECK(model.config.encoder_layers == 2);
    CHECK(model.config.decoder_layers == 2);
    CHECK(model.config.feed_forward == 2 * c.d_model);
    CHECK(model.config.memory_positions == 150);
    CHECK_FALSE(model.config.untrained);
  }
}
