#include <string>

#include "imu2music/music/midi_file.hpp"
#include "program.hpp"

using test::program;
using test::quoted;

TEST_CASE("the demo's way: score, simulated motion, untrained weights, music, sound and picture") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const auto run = [&](const std::string& name, const std::string& options) {
    const auto result =
        program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                quoted(scratch / (name + ".mid")) + " --wav " + quoted(scratch / (name + ".wav")) +
                " --svg " + quoted(scratch / (name + ".svg")) + " --json " + options);
    INFO(result.error);
    REQUIRE(result.status == 0);
    CHECK(result.error.find("untrained") != std::string::npos);
    return nlohmann::json::parse(result.output);
  };
  const auto json = run("a", "--seed 7 --threads 1");
  CHECK(json["untrained"] == true);
  CHECK(json["notes"].get<int>() > 5);
  CHECK(json["windows"].size() >= 3);
  run("b", "--seed 7 --threads 2");
  run("c", "--seed 8");
  for (const char* extension : {".mid", ".wav", ".svg"}) {
    INFO(extension);
    const std::string a = test::read_file(scratch / (std::string("a") + extension));
    CHECK(a == test::read_file(scratch / (std::string("b") + extension)));
    CHECK(a != test::read_file(scratch / (std::string("c") + extension)));
  }
  const auto midi = imu2music::read_midi_file(scratch / "a.mid");
  CHECK(midi.all_notes().size() == json["notes"].get<std::size_t>());
  CHECK(test::read_file(scratch / "a.wav").substr(0, 4) == "RIFF");
  CHECK(test::read_file(scratch / "a.svg").find("prefers-color-scheme") != std::string::npos);
}

TEST_CASE("the reference recording with the reference weights makes the three files") {
  const std::string recording = test::shared_file("golden/repovizz-recording");
  const std::string weights = test::shared_file("golden/imu-conv-d128/checkpoint.pth.tar");
  if (recording.empty() || weights.empty()) return;
  test::ScratchFolder scratch;
  for (const char* layout : {"raw", "processed"}) {
    const std::string base = scratch / layout;
    const auto result = program("generate " + quoted(recording + "/" + layout) + " --weights " +
                                quoted(weights) + " -o " + quoted(base + ".mid") + " --wav " +
                                quoted(base + ".wav") + " --svg " + quoted(base + ".svg") + " --seed 5");
    INFO(result.error);
    CHECK(result.status == 0);
    CHECK(result.error.find("untrained") == std::string::npos);
    for (const char* extension : {".mid", ".wav", ".svg"})
      CHECK(std::filesystem::file_size(base + extension) > 100);
  }
  CHECK(test::read_file(scratch / "raw.mid") == test::read_file(scratch / "processed.mid"));
}

TEST_CASE("start, duration, greedy and max-tokens are followed") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string base = "generate " + quoted(recording) + " --weights " + quoted(weights) + " --json -o ";
  const auto part = nlohmann::json::parse(
      program(base + quoted(scratch / "p.mid") + " --start 2 --duration 8 --greedy --max-tokens 9").output);
  CHECK(part["start_s"] == 2.0);
  CHECK(part["duration_s"] == 8.0);
  CHECK(part["greedy"] == true);
  REQUIRE(part["windows"].size() == 2);
  for (const auto& window : part["windows"]) CHECK(window["tokens"].get<int>() <= 9);
  for (const auto& note : imu2music::read_midi_file(scratch / "p.mid").all_notes()) CHECK(note.end <= 8.001);
}

TEST_CASE("init and simulate make the same bytes from the same seed") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch), first = test::read_file(weights);
  test::small_weights(scratch);
  CHECK(test::read_file(weights) == first);
  const std::string recording = test::simulated_recording(scratch);
  const std::string file = recording + "/00_myo1_gyro__x.csv", signal = test::read_file(file);
  test::simulated_recording(scratch);
  CHECK(test::read_file(file) == signal);
}

TEST_CASE("every command explains itself and speaks JSON") {
  for (const char* command : {"generate", "simulate", "init", "verify", "features", "info"}) {
    const auto help = program(std::string(command) + " --help");
    CHECK(help.status == 0);
    CHECK(help.output.find("--json") != std::string::npos);
    CHECK(help.output.find("--threads") != std::string::npos);
  }
  CHECK(program("--version").output == "imu2music 0.1.0\n");
  const auto info = nlohmann::json::parse(program("info --json --threads 1").output);
  CHECK(info["version"] == "0.1.0");
  CHECK(info["threads"]["used"] == 1);
  CHECK(info["isa"]["columns"][0] == "scalar");
}
