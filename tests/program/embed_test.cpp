// The embedding examples do what their first lines say, and stay short enough to copy.
#include <algorithm>
#include <filesystem>
#include <string>

#include "program.hpp"

using test::quoted;

namespace {

std::string example(const std::string& name) {
  return quoted(std::string(IMU2MUSIC_EMBED_FOLDER) + "/embed_" + name);
}

}  // namespace

TEST_CASE("each embedding example runs, and says what is wrong with its weights") {
  test::ScratchFolder scratch;
  const std::string weights = quoted(test::small_weights(scratch));
  const std::string recording = quoted(test::simulated_recording(scratch));
  const std::string midi = scratch / "out.mid";

  auto result =
      test::run_command(example("load_and_generate") + " " + weights + " " + recording + " " + quoted(midi));
  INFO(result.error);
  CHECK(result.status == 0);
  const std::string music = test::read_file(midi);
  CHECK(music.substr(0, 4) == "MThd");

  const std::string same = scratch / "same.mid";
  result =
      test::run_command(example("compiled_engine") + " " + weights + " " + recording + " " + quoted(same));
  INFO(result.error);
  CHECK(result.status == 0);
  CHECK(test::read_file(same) == music);

  result = test::run_command(example("own_sampler") + " " + weights + " " + recording);
  CHECK(result.status == 0);
  CHECK(result.output.find("64 events") != std::string::npos);

  result =
      test::run_command("seq 1 5400 | awk '{print sin($1 / 10) + 1}' >" + quoted(scratch / "frames") + "; " +
                        example("frame_by_frame") + " " + weights + " <" + quoted(scratch / "frames"));
  CHECK(result.status == 0);
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') > 1);

  // What is left of the last window is played, too, and what is no number is told.
  result = test::run_command("seq 1 900 | " + example("frame_by_frame") + " " + weights);
  CHECK(result.status == 0);
  CHECK(!result.output.empty());
  result = test::run_command("echo 1,2,3 | " + example("frame_by_frame") + " " + weights);
  CHECK(result.status == 1);
  CHECK(!result.error.empty());

  result = test::run_command(example("eigen_view") + " " + weights);
  CHECK(result.status == 0);
  CHECK(result.output.find("cosine") != std::string::npos);

  for (const char* name : {"own_sampler", "frame_by_frame", "eigen_view"}) {
    const bool of_recording = std::string(name) == "own_sampler";
    result = test::run_command(example(name) + " no-such-file" + (of_recording ? " " + recording : ""));
    CHECK(result.status == 1);
    CHECK(result.error.find("no-such-file") != std::string::npos);
  }
}

TEST_CASE("an embedding example has fewer than 30 lines") {
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(IMU2MUSIC_SOURCE_DIR "/examples/embed")) {
    if (entry.path().extension() != ".cpp") continue;
    ++examples;
    const std::string text = test::read_file(entry.path().string());
    INFO(entry.path().string());
    CHECK(std::count(text.begin(), text.end(), '\n') < 30);
  }
  CHECK(examples == 5);
}
