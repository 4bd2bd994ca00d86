// `--device cuda`, the kernels of the device being run by the host harness (tests/cuda/host).
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program.hpp"

using test::quoted;

namespace {

test::CommandResult on_device(const std::string& arguments) {
  return test::run_command(quoted(IMU2MUSIC_DEVICE_PROGRAM) + " " + arguments + " --device cuda");
}

}  // namespace

TEST_CASE("verify on the device: reference checkpoints, and tokens drawn as on the CPU") {
  for (const std::string name : {"imu-conv-d32", "imu-conv-d128", "imu-fc-d32", "imu-convtransformer-d16",
                                 "imu-lstm-d32", "foley-body25-d32", "foley-hands-d16",
                                 "foley-no-control-d16", "foley-control-d16", "music-transformer-d32"}) {
    const std::string folder = test::shared_file("golden/" + name);
    if (folder.empty()) return;
    INFO(name);
    const test::CommandResult result = on_device("verify " + quoted(folder + "/checkpoint.pth.tar") + " " +
                                                 quoted(folder + "/expected.safetensors") + " --json");
    INFO(result.error);
    CHECK(result.status == 0);
    const auto report = nlohmann::json::parse(result.output);
    CHECK(report["passed"] == true);
    CHECK(report["device"] != "cpu");
    const auto sampled = report["rows"].back();
    CHECK(sampled["name"] == "sampled_tokens");
    CHECK(sampled["verdict"] == "ok");
    MESSAGE(name << ": " << sampled["note"].get<std::string>());
  }
}

TEST_CASE("verify --train on the device: gradients and three steps of reference checkpoints, rounded too") {
  const auto check = [](const std::string& name, const std::string& precision) {
    const std::string folder = test::shared_file("golden/" + name);
    if (folder.empty()) return;
    INFO(name << ", " << precision);
    const test::CommandResult result =
        on_device("verify --train " + quoted(folder + "/checkpoint.pth.tar") + " " +
                  quoted(folder + "/expected.safetensors") + " --json --precision " + precision);
    INFO(result.error);
    CHECK(result.status == 0);
    CHECK(nlohmann::json::parse(result.output)["passed"] == true);
  };
  check("imu-fc-d32", "float");
  check("music-transformer-d32", "float");
  check("imu-conv-d128", "bfloat16");  // heads as wide as tensor cores want them
}

TEST_CASE("verify on the device with products in bfloat16: near the reference, and not without a device") {
  const std::string folder = test::shared_file("golden/imu-conv-d128");
  if (folder.empty()) return;
  const std::string verify = "verify " + quoted(folder + "/checkpoint.pth.tar") + " " +
                             quoted(folder + "/expected.safetensors") + " --json --precision ";
  const test::CommandResult there = on_device(verify + "bfloat16");
  INFO(there.error);
  CHECK(there.status == 0);
  const auto report = nlohmann::json::parse(there.output);
  CHECK(report["passed"] == true);
  bool rounded = false;
  for (const auto& row : report["rows"])
    rounded = rounded || (row["name"] == "logits_eval" && row["max_abs_error"] > 1e-3);
  CHECK(rounded);
  const test::CommandResult here = test::program(verify + "bfloat16");
  CHECK(here.status == 2);
  CHECK(here.error.find("use --device cuda") != std::string::npos);
}

TEST_CASE("generate on the device gives the CPU's music") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch);
  test::write_file(scratch / "config.json",
                   R"({"encoder": "fully_connected", "d_model": 16, "heads": 2, "encoder_layers": 0,
    "decoder_layers": 1, "max_sequence": 24})");
  const std::string weights = scratch / "w.safetensors";
  REQUIRE(test::program("init " + quoted(scratch / "config.json") + " -o " + quoted(weights)).status == 0);
  const std::string generate =
      "generate " + quoted(recording) + " --weights " + quoted(weights) + " --duration 7";
  const test::CommandResult here = test::program(generate + " -o " + quoted(scratch / "cpu.mid")),
                            there = on_device(generate + " -o " + quoted(scratch / "cuda.mid"));
  INFO(there.error);
  REQUIRE(here.status == 0);
  REQUIRE(there.status == 0);
  CHECK(test::read_file(scratch / "cuda.mid") == test::read_file(scratch / "cpu.mid"));
}
