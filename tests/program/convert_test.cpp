#include <filesystem>
#include <string>

#include "program.hpp"

using test::program;
using test::quoted;

TEST_CASE("convert writes the weights with their config, every tensor under its name") {
  const std::string folder = test::shared_file("golden/foley-control-d16");
  if (folder.empty()) return;
  test::ScratchFolder scratch;
  const std::string weights = scratch / "w.safetensors";
  const auto result =
      program("convert " + quoted(folder + "/checkpoint.pth.tar") + " -o " + quoted(weights) + " --json");
  INFO(result.error);
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.output);
  CHECK(report["output"] == weights);
  CHECK(report["config"]["encoder"] == "pose");
  CHECK(report["config"]["control"] == true);
  const test::Tensors tensors(weights);
  CHECK(report["tensors"] == tensors.entries.size());
  CHECK(nlohmann::json::parse(tensors.metadata.at("imu2music.config")) == report["config"]);
  for (const char* name : {"pose_net.A", "concat_fc.0.weight", "pose_net.data_bn.num_batches_tracked"})
    CHECK(tensors.index(name) < tensors.entries.size());
  // Again, from what it wrote.
  CHECK(program("convert " + quoted(weights) + " -o " + quoted(scratch / "again")).status == 0);
  CHECK(test::read_file(scratch / "again") == test::read_file(weights));
}

TEST_CASE("convert refuses what is no model, and leaves no output") {
  test::ScratchFolder scratch;
  const std::string output = scratch / "w.safetensors", other = scratch / "other.safetensors";
  const float value = 1;
  const imu2music::TensorEntry entry{
      "fc.weight", imu2music::Dtype::f32, {1}, reinterpret_cast<const std::byte*>(&value), 4};
  imu2music::write_safetensors(other, std::span<const imu2music::TensorEntry>(&entry, 1), {});
  test::check_refused(program("convert " + quoted(other) + " -o " + quoted(output)),
                      {other, "no model known here"});
  test::check_refused(program("convert " + quoted(scratch / "none") + " -o " + quoted(output)),
                      {"there is no such file"});
  CHECK_FALSE(std::filesystem::exists(output));
}

TEST_CASE(
    "generate takes raw axes where the weights want them, and says in a line which weights it cannot use") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch);
  const auto weights_of = [&](const std::string& config) {
    test::write_file(scratch / "config.json", config);
    const auto result =
        program("init " + quoted(scratch / "config.json") + " -o " + quoted(scratch / "w.safetensors"));
    INFO(result.error);
    REQUIRE(result.status == 0);
    return scratch / "w.safetensors";
  };
  const auto generate = [&](const std::string& weights) {
    return program("generate " + quoted(recording) + " -o " + quoted(scratch / "out.mid") + " --weights " +
                   quoted(weights) + " --duration 6 --max-tokens 20");
  };
  for (const char* config : {R"({"encoder": "fully_connected", "d_model": 32, "max_sequence": 32})",
                             R"({"encoder": "frequency", "d_model": 32, "max_sequence": 32})",
                             R"({"model": "lstm_seq2seq", "d_model": 32, "max_sequence": 32})"}) {
    const auto result = generate(weights_of(config));
    INFO(config << ": " << result.error);
    CHECK(result.status == 0);
  }
  std::filesystem::remove(scratch / "out.mid");
  const std::string pose =
      weights_of(R"({"encoder": "pose", "pose_layers": 1, "d_model": 32, "max_sequence": 32})");
  test::check_refused(generate(pose), {recording, "lacks the keypoints of a body", "RWrist"});
  const std::string alone =
      weights_of(R"({"model": "music_transformer", "d_model": 32, "max_sequence": 32})");
  test::check_refused(generate(alone), {alone, "without motion"});
  CHECK_FALSE(std::filesystem::exists(scratch / "out.mid"));
}
