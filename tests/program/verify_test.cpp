#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "program.hpp"

using test::program;
using test::quoted;

namespace {

const char* const every_case[] = {"imu-conv-d32",         "imu-conv-d128",           "imu-fc-d32",
                                  "imu-lstm-d32",         "imu-convtransformer-d16", "foley-body25-d32",
                                  "foley-hands-d16",      "foley-no-control-d16",    "foley-control-d16",
                                  "music-transformer-d32"};

}  // namespace

TEST_CASE(
    "verify passes on the reference checkpoints, and on what convert wrote, with every instruction set") {
  test::ScratchFolder scratch;
  for (const char* name : every_case) {
    const std::string folder = test::shared_file(std::string("golden/") + name);
    if (folder.empty()) continue;
    const std::string checkpoint = folder + "/checkpoint.pth.tar", weights = scratch / "w.safetensors";
    const auto converted = program("convert " + quoted(checkpoint) + " -o " + quoted(weights) + " --json");
    INFO(converted.error);
    REQUIRE(converted.status == 0);
    test::Tensors expected(folder + "/expected.safetensors");
    const auto has = [&](const std::string& tensor) {
      for (const auto& entry : expected.entries)
        if (entry.name == tensor) return true;
      return false;
    };
    for (const std::string& subject : {checkpoint, weights})
      for (const std::string& isa : test::instruction_sets()) {
        const auto result =
            program("verify " + quoted(subject) + " " + quoted(folder + "/expected.safetensors") + " --json",
                    "IMU2MUSIC_FORCE_ISA=" + isa);
        INFO(subject << " " << isa << ": " << result.output << result.error);
        CHECK(result.status == 0);
        const auto json = nlohmann::json::parse(result.output);
        CHECK(json["passed"] == true);
        CHECK(json["isa"] == isa);
        CHECK(json["rows"].size() == 6);
        for (const auto& row : json["rows"])
          CHECK(row["verdict"] == (has(row["name"].get<std::string>()) ? "ok" : "absent"));
      }
  }
}

TEST_CASE("verify fails, naming the tensor, when any expected tensor of any model is perturbed") {
  test::ScratchFolder scratch;
  const std::string changed = scratch / "expected.safetensors";
  for (const char* name : every_case) {
    const std::string folder = test::shared_file(std::string("golden/") + name);
    if (folder.empty()) continue;
    const test::Tensors original(folder + "/expected.safetensors");
    for (const auto& entry : original.entries) {
      const std::string& tensor = entry.name;
      const bool result_tensor = tensor == "encoder_features" || tensor == "memory" ||
                                 tensor == "logits_eval" || tensor == "loss_eval" ||
                                 tensor == "greedy_tokens";
      const bool input_tensor = tensor == "input" || tensor == "control" || tensor == "control_generate" ||
                                tensor == "tokens_in" || tensor == "tokens_out";
      if (!result_tensor && !input_tensor) continue;
      test::Tensors tensors = original;
      if (entry.dtype == imu2music::Dtype::i64) {
        auto& token = tensors.value<std::int64_t>(tensor, 1);
        token = (token + 1) % 240;
      } else {
        // All of an input, for a strided convolution or a ReLU may pass over any one number.
        const std::size_t count = tensors.bytes[tensors.index(tensor)].size() / 4;
        for (std::size_t i = result_tensor ? count - 1 : 0; i < count; ++i)
          tensors.value<float>(tensor, i) += result_tensor ? 1e-2f : 3.0f + static_cast<float>(i % 5);
      }
      tensors.write(changed);
      const auto result = program("verify " + quoted(folder + "/checkpoint.pth.tar") + " " + quoted(changed));
      INFO(name << " " << tensor << ": " << result.output << result.error);
      // What the music of an LSTM is written from does not hold the tokens: a property of the model.
      const bool without_effect = std::string(name) == "imu-lstm-d32" && tensor == "tokens_in";
      CHECK(result.status == (without_effect ? 0 : 1));
      if (!result_tensor) continue;
      CHECK(result.error == "imu2music: verification failed: " + tensor + "\n");
      CHECK(result.output.find("FAILED") != std::string::npos);
    }
  }
}

TEST_CASE("verify finds a greedy token that is changed anywhere") {
  const std::string folder = test::shared_file("golden/imu-conv-d32");
  if (folder.empty()) return;
  test::ScratchFolder scratch;
  const std::string changed = scratch / "expected.safetensors";
  const auto verify = [&] {
    return program("verify " + quoted(folder + "/checkpoint.pth.tar") + " " + quoted(changed));
  };
  const auto check_fails = [&](const std::string& name) {
    const auto result = verify();
    INFO(name << ": " << result.output << result.error);
    CHECK(result.status == 1);
    CHECK(result.error == "imu2music: verification failed: " + name + "\n");
    CHECK(result.output.find("FAILED") != std::string::npos);
  };
  for (std::size_t at : {std::size_t{0}, std::size_t{23}}) {
    test::Tensors tensors(folder + "/expected.safetensors");
    auto& token = tensors.value<std::int64_t>("greedy_tokens", at);
    token = (token + 1) % 243;
    tensors.write(changed);
    check_fails("greedy_tokens");
  }
}

TEST_CASE("verify reports what the expected file lacks as absent, and never passes on nothing") {
  const std::string folder = test::shared_file("golden/imu-conv-d32");
  if (folder.empty()) return;
  test::ScratchFolder scratch;
  const std::string changed = scratch / "expected.safetensors";
  const std::string command =
      "verify " + quoted(folder + "/checkpoint.pth.tar") + " " + quoted(changed) + " --json";
  test::Tensors tensors(folder + "/expected.safetensors");
  tensors.remove("greedy_tokens");
  tensors.remove("memory");
  tensors.write(changed);
  auto result = program(command);
  CHECK(result.status == 0);
  int absent = 0;
  const auto report = nlohmann::json::parse(result.output);
  for (const auto& row : report["rows"]) absent += row["verdict"] == "absent";
  CHECK(absent == 2);
  tensors.remove("input");
  tensors.write(changed);
  result = program(command);
  CHECK(result.status == 1);
  CHECK(result.error.find("nothing was verified") != std::string::npos);
}

TEST_CASE("expected tensors that do not fit the weights are bad input") {
  const std::string folder = test::shared_file("golden/imu-conv-d32");
  const std::string other = test::shared_file("golden/imu-conv-d128");
  if (folder.empty() || other.empty()) return;
  test::check_refused(program("verify " + quoted(folder + "/checkpoint.pth.tar") + " " +
                              quoted(other + "/expected.safetensors")),
                      {other + "/expected.safetensors", "encoder_features", "(27, 3, 32)"});
  test::ScratchFolder scratch;
  test::Tensors tensors(folder + "/expected.safetensors");
  tensors.value<std::int64_t>("tokens_in", 3) = 1000;
  tensors.write(scratch / "e.safetensors");
  test::check_refused(
      program("verify " + quoted(folder + "/checkpoint.pth.tar") + " " + quoted(scratch / "e.safetensors")),
      {"e.safetensors", "tokens_in", "1000", "242"});
}

TEST_CASE("what nothing can be compared with is bad input and never passes") {
  const std::string folder = test::shared_file("golden/imu-conv-d32");
  if (folder.empty()) return;
  test::ScratchFolder scratch;
  const test::Tensors original(folder + "/expected.safetensors");
  const auto check = [&](const std::string& options, test::Tensors tensors,
                         const std::vector<std::string>& words) {
    tensors.write(scratch / "e.safetensors");
    test::check_refused(program("verify " + options + quoted(folder + "/checkpoint.pth.tar") + " " +
                                quoted(scratch / "e.safetensors")),
                        words);
  };
  for (const char* name : {"logits_eval", "loss_eval", "memory", "input"})
    for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
      test::Tensors tensors = original;
      tensors.value<float>(name, 0) = value;
      check("", tensors, {name, "not finite"});
    }
  for (const auto& entry : original.entries)
    if (entry.name.starts_with("grad.") || entry.name == "losses_train") {
      test::Tensors tensors = original;
      tensors.value<float>(entry.name, 0) = std::numeric_limits<float>::infinity();
      check("--train ", tensors, {entry.name, "not finite"});
      break;
    }
  test::Tensors tensors = original;
  tensors.entries[tensors.index("tokens_in")].dtype = imu2music::Dtype::f64;
  check("", tensors, {"tokens_in holds F64", "whole numbers"});
  tensors = original;
  tensors.entries[tensors.index("greedy_tokens")].shape = {1, 0};
  tensors.entries[tensors.index("greedy_tokens")].byte_count = 0;
  check("", tensors, {"greedy_tokens is (1, 0)"});
}

TEST_CASE("verify checks the vocabulary file, and fails when an id is changed") {
  const std::string events = test::shared_file("golden/events.json");
  if (events.empty()) return;
  auto result = program("verify " + quoted(events) + " --json");
  CHECK(result.status == 0);
  CHECK(nlohmann::json::parse(result.output)["passed"] == true);
  auto json = nlohmann::json::parse(test::read_file(events));
  json["cases"][5]["ids"][2] = (json["cases"][5]["ids"][2].get<int>() + 1) % 88;
  test::ScratchFolder scratch;
  test::write_file(scratch / "events.json", json.dump());
  result = program("verify " + quoted(scratch / "events.json"));
  CHECK(result.status == 1);
  CHECK(result.error.find("ids") != std::string::npos);
  test::check_refused(program("verify " + quoted(scratch / "none.json")),
                      {"none.json", "there is no such file"});
}

TEST_CASE("features of the reference recording agree to 1e-5, from raw and processed files") {
  const std::string folder = test::shared_file("golden/repovizz-recording");
  if (folder.empty()) return;
  test::ScratchFolder scratch;
  for (const char* layout : {"raw", "processed"}) {
    const std::string output = scratch / "f.safetensors";
    const auto result =
        program("features " + quoted(folder + "/" + layout) + " --start-frame 25 -o " + quoted(output));
    INFO(result.error);
    REQUIRE(result.status == 0);
    test::Tensors got(output), wanted(folder + "/expected.safetensors");
    REQUIRE(got.bytes[got.index("features")].size() == 3600);
    for (std::size_t i = 0; i < 900; ++i)
      CHECK(std::abs(got.value<float>("features", i) - wanted.value<float>("features", i)) <= 1e-5f);
    CHECK(program("verify " + quoted(folder + "/" + layout) + " " + quoted(folder + "/expected.safetensors"))
              .status == 0);
    for (const char* start : {"25.5", "1e300", "x"}) {
      wanted.metadata["start_frame"] = start;
      wanted.write(scratch / "e.safetensors");
      test::check_refused(
          program("verify " + quoted(folder + "/" + layout) + " " + quoted(scratch / "e.safetensors")),
          {"start_frame is '" + std::string(start) + "'", "frame number"});
    }
  }
}

TEST_CASE("features beyond the recording's end are refused") {
  const std::string folder = test::shared_file("golden/repovizz-recording/raw");
  if (folder.empty()) return;
  test::ScratchFolder scratch;
  test::check_refused(
      program("features " + quoted(folder) + " --start-frame 500 -o " + quoted(scratch / "f")),
      {folder, "563"});
  CHECK_FALSE(std::filesystem::exists(scratch / "f"));
}

TEST_CASE("options that have no meaning for what is verified are refused") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch);
  std::filesystem::create_directory(scratch / "recording");
  test::check_refused(program("verify --train " + quoted(scratch / "recording") + " " + quoted(weights)),
                      {"recording: is a folder", "--train compares the training of weights"});
  for (const char* precision : {"double", "float"})
    test::check_refused(program("verify --precision " + std::string(precision) + " " + quoted(weights) + " " +
                                quoted(weights)),
                        {std::string("--precision ") + precision, "--train"});
}
