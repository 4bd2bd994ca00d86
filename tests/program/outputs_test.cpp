// Outputs: none is lost, none takes an input's place, and what cannot be written is told before the work.
#include <filesystem>
#include <string>
#include <vector>

#include "imu2music/io/folder_lock.hpp"
#include "program.hpp"

namespace fs = std::filesystem;
using test::check_refused;
using test::program;
using test::quoted;

namespace {

// Against waiting for ever.
const std::string in_time = "timeout 20";

// The outputs are looked at before any input is.
std::string generate(const std::string& recording, const std::string& outputs) {
  return "generate " + quoted(recording) + " --weights no-such-weights " + outputs;
}

}  // namespace

TEST_CASE("two outputs of one file are refused, though it is yet to be made") {
  test::ScratchFolder scratch;
  const auto refuse = [&](const std::string& one, const std::string& two) {
    INFO(one, " ", two);
    check_refused(program(generate("x", "-o " + quoted(one) + " --svg " + quoted(two))),
                  {two + ": is named for two outputs"});
  };
  fs::create_directory(scratch / "folder");
  fs::create_symlink("folder", scratch / "way");
  fs::create_symlink("folder/new", scratch / "link");
  refuse(scratch / "new", scratch / "./new");
  refuse(scratch / "new", scratch / "folder/../new");
  refuse(scratch / "folder/new", scratch / "way/new");
  refuse(scratch / "folder/new", scratch / "link");
  const test::CommandResult relative =
      test::run_command("cd " + quoted(scratch.path().string()) + " && " + quoted(IMU2MUSIC_PROGRAM) + " " +
                        generate("x", "-o new --svg ./new"));
  check_refused(relative, {"./new: is named for two outputs"});
  // Into nothing both may go.
  check_refused(program(generate("x", "-o /dev/null --svg /dev/null")), {"no-such-weights"});
}

TEST_CASE("no output replaces what lies in a folder that is read, nor another file that is") {
  test::ScratchFolder scratch;
  const auto put = [&](const std::string& name) {
    fs::create_directories(fs::path(scratch / name).parent_path());
    test::write_file(scratch / name, "an input");
    return scratch / name;
  };
  const auto refuse = [&](const std::string& arguments, const std::string& output) {
    check_refused(program(arguments + quoted(output)), {output + ": is read as input too"});
    CHECK(test::read_file(output) == "an input");
  };
  const std::string below = put("raw/27_take/00_myo1_gyro__x.csv");
  refuse(generate(scratch / "raw", "-o "), below);
  refuse("features " + quoted(scratch / "raw") + " -o ", below);
  // The files of one take beside others.
  const std::string axis = put("takes/27_take_gyro_x1.csv");
  refuse(generate(scratch / "takes/27_take", "-o "), axis);
  refuse("features " + quoted(scratch / "takes/27_take") + " -o ", axis);
  const std::string beside = put("takes/27_take.safetensors");
  check_refused(program("features " + quoted(scratch / "takes/27_take") + " -o " + quoted(beside)),
                {"27_take"});
  CHECK(program("features " + quoted(scratch / "takes/27_take") + " -o " + quoted(beside))
            .error.find("input too") == std::string::npos);

  const std::string evaluate = "evaluate --weights none --data " + quoted(scratch / "data");
  refuse(evaluate + " --report ", put("data/pairs/1.safetensors"));
  refuse(evaluate + " --report ", put("data/splits/all.json"));
  const std::string split = put("split.json");
  refuse(evaluate + " --split " + quoted(split) + " --report ", split);
  check_refused(program(evaluate + " --report " + quoted(put("data/report.html"))), {"none"});

  put("run/log.jsonl");
  for (const char* name : {"run/log.jsonl", "run/state.safetensors", "run/best.safetensors"})
    refuse("plot " + quoted(scratch / "run") + " -o ", put(name));
}

TEST_CASE("a soundfont is read, and is looked at before the work") {
  if (!nlohmann::json::parse(program("info --json").output)["sound"]) return;
  test::ScratchFolder scratch;
  const std::string font = scratch / "font.sf3", named = "IMU2MUSIC_SOUNDFONT=" + quoted(font);
  const std::string outputs = "-o " + quoted(scratch / "x.mid") + " --wav ";
  test::write_file(font, "no soundfont");
  check_refused(program(generate("x", outputs + quoted(scratch / "x.wav")), named),
                {font + ": is no soundfont"});
  for (const char* packaged : {"/usr/share/sounds/sf3/FluidR3Mono_GM.sf3",
                               "/usr/share/sounds/sf3/default-GM.sf3", "/usr/share/sounds/sf2/TimGM6mb.sf2"})
    if (fs::exists(packaged)) {
      fs::copy_file(packaged, font, fs::copy_options::overwrite_existing);
      check_refused(program(generate("x", outputs + quoted(font)), named), {font + ": is read as input too"});
      break;
    }
}

TEST_CASE("a score is not replaced by the signals that it is simulated as") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch);
  const std::string score = recording + "/00_myo1_gyro__x.csv";
  fs::copy_file(scratch / "score.mid", score, fs::copy_options::overwrite_existing);
  check_refused(program("simulate " + quoted(score) + " -o " + quoted(recording + "/")),
                {score + ": lies in the folder to write"});
  CHECK(test::read_file(score) == test::read_file(scratch / "score.mid"));
  check_refused(program("simulate " + quoted(recording + "/SIMULATED") + " -o " + quoted(recording)), {});
}

TEST_CASE("a folder takes the signals of one simulation at a time") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch);
  const imu2music::FolderLock lock(recording, "a test");
  check_refused(program("simulate " + quoted(scratch / "score.mid") + " -o " + quoted(recording)),
                {recording + ": another program is writing there"});
}

TEST_CASE("no output waits for a named pipe; one that the shell hands over is written") {
  test::ScratchFolder scratch;
  test::small_weights(scratch);
  const std::string pipe = scratch / "pipe", config = quoted(scratch / "config.json");
  REQUIRE(test::run_command("mkfifo " + quoted(pipe)).status == 0);
  check_refused(program("init " + config + " -o " + quoted(pipe), in_time),
                {pipe + ": is a named pipe; name a file"});
  check_refused(program(generate("x", "-o y --svg " + quoted(pipe)), in_time), {pipe + ": is a named pipe"});
  const test::CommandResult handed =
      test::run_command("{ " + quoted(IMU2MUSIC_PROGRAM) + " init " + config +
                        " --seed 1 -o /dev/fd/3 3>&1 >/dev/null; } | cat >" + quoted(scratch / "handed"));
  CHECK(handed.error.empty());
  CHECK(test::read_file(scratch / "handed") == test::read_file(scratch / "weights.safetensors"));
}

TEST_CASE("no output goes where the report goes, whatever its name") {
  test::ScratchFolder scratch;
  test::small_weights(scratch);
  const std::string init = "init " + quoted(scratch / "config.json") + " --json -o ", file = scratch / "out";
  for (const char* name : {"/dev/stdout", "/dev//stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
    INFO(name);
    check_refused(program(init + name), {std::string(name) + ": takes this command's report"});
  }
  check_refused(program(init + quoted(file) + " >" + quoted(file)), {file + ": takes this command's report"});
  CHECK(test::read_file(file).empty());
  CHECK(program(init + "/dev/null >/dev/null").status == 0);
}
