#include "imu2music/models/weights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "imu2music/generate/session.hpp"
#include "imu2music/train/init_from.hpp"
#include "random.hpp"
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

TEST_CASE("numbers that are learnt and tensors of a file are counted") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(small_config(), 5);
  save_model(model, path);
  std::int64_t learnt = 0, others = 0;
  const Weights file(path);
  for (const TensorEntry& entry : file.entries) {
    const bool statistic = holds(entry.name, "running_") || holds(entry.name, "num_batches_tracked") ||
                           entry.name.ends_with(".pe");
    (statistic ? others : learnt) += entry.shape.element_count();
  }
  REQUIRE(others > 0);
  const WeightCount count = count_weights(model);
  CHECK(count.parameters == learnt);
  CHECK(count.tensors == static_cast<std::int64_t>(file.entries.size()));
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

TEST_CASE("a counter holds a count, of whatever type") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(small_config(), 1);
  save_model(model, path);
  const Weights whole(path);
  std::string name;
  for (const TensorEntry& entry : whole.entries)
    if (entry.name.ends_with("num_batches_tracked")) name = entry.name;
  REQUIRE_FALSE(name.empty());
  const auto with = [&](double count) {
    Weights weights = whole;
    const std::size_t i = weights.index(name);
    weights.entries[i].dtype = Dtype::f64;
    std::memcpy(weights.bytes[i].data(), &count, 8);
    weights.write(path);
    return error_of(path);
  };
  CHECK(with(7).empty());
  for (const double count : {-1.0, 0.5, 1e300, std::numeric_limits<double>::quiet_NaN()})
    CHECK(holds(with(count), name + " holds " + number_text(count) + " instead of a count"));
}

TEST_CASE("the state of a training run is not taken for its weights") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "state.safetensors";
  auto model = init_model<float>(small_config(), 1);
  save_model(model, path);
  Weights state(path);
  state.metadata["imu2music.progress"] = "{}";
  state.write(path);
  CHECK(holds(error_of(path), "the state of a training run"));
  CHECK(holds(error_of(path), "best.safetensors"));
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
  CHECK(holds(error_of(path), "its 1 tensors are those of no model known here"));
}

TEST_CASE("the reference checkpoints load, their architecture is inferred, and nothing is lost in a file") {
  struct Case {
    const char* name;
    const char* config;  // what differs from the default
  };
  test::ScratchFolder scratch;
  for (const Case& c :
       {Case{"imu-conv-d32", R"({"d_model":32,"heads":4,"max_sequence":24})"}, Case{"imu-conv-d128", R"({})"},
        Case{"imu-fc-d32", R"({"encoder":"fully_connected","d_model":32,"heads":4,"max_sequence":24})"},
        Case{"imu-lstm-d32", R"({"model":"lstm_seq2seq","d_model":32,"heads":1,"max_sequence":24})"},
        Case{"imu-convtransformer-d16",
             R"({"encoder":"conv_transformer","d_model":16,"heads":4,"encoder_layers":1,"decoder_layers":1,)"
             R"("max_sequence":24,"rows":2,"memory_positions":300})"},
        Case{"foley-body25-d32", R"({"encoder":"pose","d_model":32,"heads":4,"encoder_layers":0,)"
                                 R"("max_sequence":24,"pose_layers":5})"},
        Case{"foley-hands-d16", R"({"encoder":"pose","d_model":16,"heads":4,"encoder_layers":0,)"
                                R"("decoder_layers":1,"max_sequence":24,"layout":"hands","pose_layers":2})"},
        Case{"foley-no-control-d16",
             R"({"encoder":"pose","d_model":16,"heads":4,"encoder_layers":0,)"
             R"("decoder_layers":1,"max_sequence":24,"control":true,"pose_layers":2})"},
        Case{"foley-control-d16", R"({"encoder":"pose","d_model":16,"heads":4,"encoder_layers":0,)"
                                  R"("decoder_layers":1,"max_sequence":24,"control":true,"pose_layers":2})"},
        Case{"music-transformer-d32",
             R"({"model":"music_transformer","d_model":32,"heads":4,"max_sequence":48})"}}) {
    const std::string path = test::shared_file(std::string("golden/") + c.name + "/checkpoint.pth.tar");
    if (path.empty()) continue;
    CAPTURE(c.name);
    auto model = load_model<float>(path);
    CHECK(to_json(model.config) == to_json(parse_model_config(c.config, c.name)));

    save_model(model, scratch / "w.safetensors");
    const TensorFile from = read_weights(path), to = read_weights(scratch / "w.safetensors");
    CHECK(from.entries().size() == to.entries().size());
    for (const TensorEntry& entry : from.entries()) {
      const TensorEntry* copy = to.find(entry.name);
      REQUIRE(copy != nullptr);
      CHECK(copy->shape == entry.shape);
      CHECK(copy->dtype == entry.dtype);
      CHECK(std::memcmp(copy->data, entry.data, static_cast<std::size_t>(entry.byte_count)) == 0);
    }
    CHECK(load_model<float>(scratch / "w.safetensors").config == model.config);
  }
}

TEST_CASE("every kind of model is inferred from what it saves, and damage to its config's tensors is told") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  for (
      const char* text :
      {R"({"d_model":16,"heads":2,"max_sequence":8})",
       R"({"encoder":"fully_connected","d_model":16,"heads":2,"max_sequence":8})",
       R"({"encoder":"frequency","d_model":16,"heads":2,"max_sequence":8})",
       R"({"encoder":"conv_transformer","d_model":16,"heads":2,"max_sequence":8,"rows":3})",
       R"({"encoder":"pose","layout":"body65","pose_layers":3,"d_model":16,"heads":2,"max_sequence":8})",
       R"({"encoder":"pose","d_model":16,"heads":2,"max_sequence":8,"control":true,"pose_layers":1})",
       R"({"encoder":"temporal","channels":6,"width":8,"kernel":3,"blocks":3,"rate_hz":100,"d_model":16,"heads":2,"max_sequence":8})",
       R"({"model":"lstm_seq2seq","encoder":"fully_connected","d_model":16,"heads":1,"max_sequence":8})",
       R"({"model":"music_transformer","d_model":16,"heads":2,"max_sequence":8})"}) {
    CAPTURE(text);
    const ModelConfig wanted = parse_model_config(text, "c");
    auto model = init_model<float>(wanted, 1);
    save_model(model, path);
    Weights weights(path);
    weights.metadata.clear();
    weights.write(path);
    CHECK(to_json(infer_config(read_safetensors(path))) == to_json(wanted));
    load_model<float>(path);
    // Each tensor in turn is lost: refused, in one message that names the file.
    for (std::size_t i = 0; i < weights.entries.size(); i += 7) {
      Weights fewer(path);
      fewer.entries.erase(fewer.entries.begin() + static_cast<std::ptrdiff_t>(i));
      fewer.bytes.erase(fewer.bytes.begin() + static_cast<std::ptrdiff_t>(i));
      const std::string lost = weights.entries[i].name;
      if (lost.find("num_batches") != std::string::npos || lost.find(".pe") != std::string::npos ||
          lost == "pose_net.A" || lost.find("pos_table") != std::string::npos)
        continue;
      fewer.write(scratch / "fewer.safetensors");
      INFO(lost << ": " << error_of(scratch / "fewer.safetensors"));
      CHECK(holds(error_of(scratch / "fewer.safetensors"), "fewer.safetensors: "));
    }
  }
}

TEST_CASE(
    "tables that follow from a formula may be missing, and one axis of pos_table is the file's choice") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(
      parse_model_config(
          R"({"encoder":"conv_transformer","d_model":16,"heads":2,"max_sequence":8,"rows":2,"decoder_layers":1})",
          "c"),
      1);
  save_model(model, path);
  const auto table_of = [](const Model<float>& m) {
    return std::get<ConvTransformerEncoder<float>>(m.motion_net).pos_table.value;
  };
  const auto table = table_of(model);
  CHECK(table[0] == 0);                                     // sin(0)
  CHECK(table[16 * 50] == doctest::Approx(std::cos(1.0)));  // segment 1, channel 0
  CHECK(table[(2 * 16 + 3) * 50] == doctest::Approx(std::sin(2 / std::pow(1e4, 2.0 / 16))));
  Weights weights(path);
  const std::size_t at = weights.index("imu_net.pos_embedding.pos_table");
  weights.bytes[at].insert(weights.bytes[at].end(), 2 * weights.bytes[at].size(), std::byte{0});
  weights.entries[at].shape = Shape{6, 3, 16, 2, 25};
  weights.entries[at].byte_count = static_cast<std::int64_t>(weights.bytes[at].size());
  weights.write(scratch / "wide.safetensors");
  CHECK(table_of(load_model<float>(scratch / "wide.safetensors")).shape() == Shape{6, 3, 16, 2, 25});
  weights.entries[at].shape = Shape{3, 6, 16, 2, 25};
  weights.write(scratch / "wrong.safetensors");
  CHECK(holds(error_of(scratch / "wrong.safetensors"), "pos_table is (3, 6, 16, 2, 25) instead of"));

  for (const std::size_t i : {weights.index("positional_encoding.pe"), at}) {
    Weights fewer(path);
    fewer.entries.erase(fewer.entries.begin() + static_cast<std::ptrdiff_t>(i));
    fewer.bytes.erase(fewer.bytes.begin() + static_cast<std::ptrdiff_t>(i));
    fewer.write(scratch / "fewer.safetensors");
    const auto loaded = load_model<float>(scratch / "fewer.safetensors");
    CHECK(loaded.positions.value[8 * 16 - 1] == model.positions.value[8 * 16 - 1]);
    CHECK(table_of(loaded)[4 * 16 * 50] == table[4 * 16 * 50]);
  }
}

TEST_CASE("names of tensors decide neither memory nor what a terminal does") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  auto model = init_model<float>(small_config(), 1);
  save_model(model, path);
  Weights weights(path);
  weights.metadata.clear();
  weights.entries[weights.index("transformer.decoder.layers.1.norm1.weight")].name =
      "transformer.decoder.layers.99998.norm1.weight";
  weights.write(path);
  CHECK(holds(error_of(path), "decoder_layers is "));
  CHECK(holds(error_of(path), "from 1 to 256"));

  save_model(model, path);
  Weights named(path);
  named.entries[named.index("Wout.bias")].name = "Wout.\x1b[2Jbias";
  named.write(path);
  CHECK(holds(error_of(path), "Wout.\\x1b[2Jbias (243) is unexpected"));
}

TEST_CASE(
    "weights in two or one bytes give nearly the same logits, and the packed float32 ones the same bits") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "w.safetensors";
  ModelConfig config = small_config();
  config.encoder = "temporal", config.width = 16;
  auto model = init_model<float>(config, 1);
  save_model(model, path);
  Context context;
  const auto input = test::random_tensor<float>({1, config.channels, 300}, 2);
  Tensor<std::int64_t> tokens({1, 8});
  for (std::int64_t t = 0; t < 8; ++t) tokens[t] = 11 * t;
  const auto logits = [&](const Model<float>& m) {
    return m.logits(context, m.encode_memory(context, m.encode_motion(context, input)), tokens);
  };
  const Tensor<float> plain = logits(model);  // nothing is packed yet
  pack_weights(model);
  const Tensor<float> packed = logits(model);
  CHECK(std::equal(plain.values().begin(), plain.values().end(), packed.values().begin()));
  const Tensor<float> loaded = logits(load_model<float>(path));
  CHECK(std::equal(plain.values().begin(), plain.values().end(), loaded.values().begin()));
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8}) {
    const Model<float> narrow = load_model<float>(path, format);
    const Tensor<float> rough = logits(narrow);
    float worst = 0;
    for (std::int64_t n = 0; n < rough.size(); ++n) worst = std::max(worst, std::abs(rough[n] - plain[n]));
    CHECK(worst > 0);
    CHECK(worst < 0.1f);
    // A step has the bits of the whole, in every format.
    Session<float> session(narrow);
    session.start_from_motion(input);
    for (std::int64_t t = 0; t < 8; ++t) {
      const auto row = session.step(tokens[t]);
      CHECK(std::equal(row.begin(), row.end(), rough.data() + t * config.vocabulary));
    }
  }
}

TEST_CASE("transferred weights take the place of packed ones, all or none; a clone has its own") {
  ModelConfig config;
  config.d_model = 32, config.heads = 2, config.feed_forward = 32, config.max_sequence = 16;
  test::ScratchFolder scratch;
  Model<float> from = init_model<float>(config, 1), to = init_model<float>(config, 2);
  save_model(from, scratch / "from.safetensors");
  const auto logits = [](const Model<float>& model) {
    Context context;
    Tensor<float> memory({1, model.memory_length(), 32});
    memory[5] = 1;
    return model.logits(context, memory, Tensor<std::int64_t>({1, 3}));
  };
  Model<float> clone = clone_model(to);
  const Tensor<float> before = logits(clone), expected = logits(from);
  pack_weights(to);
  transfer_weights(to, read_safetensors(scratch / "from.safetensors"));
  const Tensor<float> after = logits(to), kept = logits(clone);
  for (std::int64_t n = 0; n < after.size(); ++n) {
    CHECK(after[n] == expected[n]);
    CHECK(kept[n] == before[n]);
  }
  from.Wout.bias.value[3] = std::numeric_limits<float>::infinity();
  save_model(from, scratch / "infinite.safetensors");
  CHECK_THROWS_AS(transfer_weights(clone, read_safetensors(scratch / "infinite.safetensors")), InputError);
  const Tensor<float> unchanged = logits(clone);
  for (std::int64_t n = 0; n < before.size(); ++n) CHECK(unchanged[n] == before[n]);
}

TEST_CASE("a config that no model can have is refused") {
  const auto refused = [](auto change) {
    ModelConfig config;
    change(config);
    CHECK_THROWS_AS(init_model<float>(config, 1), InputError);
  };
  refused([](ModelConfig& c) { c.heads = 0; });
  refused([](ModelConfig& c) { c.heads = 3, c.d_model = 32; });
  refused([](ModelConfig& c) { c.decoder_layers = -1; });
  refused([](ModelConfig& c) { c.encoder = "temporal", c.rate_hz = 1000000000; });
}

TEST_CASE("what init_model makes can be loaded") {
  ModelConfig few = small_config();  // positions for the tokens of its encoder
  few.encoder = "conv_transformer";
  few.rows = 2;
  few.memory_positions = 150;
  CHECK_THROWS_AS(init_model<float>(few, 1), InputError);
  ModelConfig alone = small_config();
  alone.model = "music_transformer";  // with the encoder conv
  CHECK_THROWS_AS(init_model<float>(alone, 1), InputError);
}

TEST_CASE("a config of thousands of layers in a file of one tensor costs nothing") {
  test::ScratchFolder scratch;
  ModelConfig config = small_config();
  config.encoder = "conv_transformer";
  config.memory_positions = 1350;
  config.d_model = 1024;
  config.heads = 1024;
  config.decoder_layers = 256;
  const float one = 1;
  const std::vector<TensorEntry> entries = {
      {"embedding.weight", Dtype::f32, Shape{1, 1}, reinterpret_cast<const std::byte*>(&one), 4}};
  write_safetensors(scratch / "w.safetensors", entries, {{"imu2music.config", to_json(config)}});
  CHECK(holds(error_of(scratch / "w.safetensors"), "layers and heads, and it has 1 tensor"));
}
