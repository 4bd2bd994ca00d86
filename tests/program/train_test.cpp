// `imu2music train`, `plot` and `verify --train`.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "../imu/openpose_folder.hpp"
#include "imu2music/music/midi_file.hpp"
#include "program.hpp"

namespace fs = std::filesystem;
using test::program;
using test::quoted;

namespace {

// Three players, two strokes of 8 s, in which every note begins with a turn of the wrist; prepared.
std::string data_set(const test::ScratchFolder& scratch) {
  const std::string folder = scratch / "set";
  fs::create_directories(folder + "/takes");
  fs::create_directories(folder + "/score");
  std::string manifest = "file,stroke,player\n";
  for (int stroke = 0; stroke < 2; ++stroke) {
    const std::string name = stroke == 0 ? "1_martele" : "2_legato";
    const double spacing = stroke == 0 ? 0.5 : 1.0;
    std::string score = "onset_s,offset_s,midi,string\n";
    for (double t = 0; t + spacing < 8; t += spacing)
      score += std::to_string(t) + "," + std::to_string(t + 0.9 * spacing) + "," +
               std::to_string(60 + 2 * stroke) + ",A\n";
    test::write_file(folder + "/score/" + name + ".csv", score);
    for (const std::string player : {"1", "2", "3"}) {
      std::string take = "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n";
      for (int i = 0; i < 400; ++i) {
        const double t = i * 0.02, phase = t / spacing - static_cast<double>(static_cast<int>(t / spacing));
        take += std::to_string(t) + ",1,0.1,0.0" + player + "," + std::to_string(1 + 0.3 * phase) + "," +
                std::to_string(phase < 0.2 ? 90 : -20) + ",2," + std::to_string(i % 5) + "\n";
      }
      const std::string file = "takes/" + name + "_s" + player + ".csv";
      test::write_file(folder + "/" + file, take);
      manifest += file + "," + name.substr(2) + "," + player + "\n";
    }
  }
  test::write_file(folder + "/manifest.csv", manifest);
  const test::CommandResult result = program("prepare " + quoted(folder) + " -o " + quoted(scratch / "data"));
  INFO(result.error);
  REQUIRE(result.status == 0);
  return scratch / "data";
}

const std::string model =
    R"("model": {"encoder": "temporal", "d_model": 16, "heads": 2, "encoder_layers": 0, "decoder_layers": 1,
    "max_sequence": 96, "vocabulary": 332, "width": 8, "blocks": 2, "kernel": 3, "rate_hz": 25, "window_ms": 4000,
    "time_positions": true})";

std::string config(const test::ScratchFolder& scratch, const std::string& training,
                   const std::string& name = "config.json") {
  test::write_file(scratch / name, "{" + model + ", \"training\": {" + training + "}}");
  return scratch / name;
}

const std::string quick =
    R"("steps": 24, "batch": 2, "learning_rate": 3e-3, "validate_every": 8, "checkpoint_every": 1, "log_every": 1,
    "clip_norm": 1, "rotation_degrees": 10, "gain": 0.1, "noise": 0.05, "note_jitter_s": 0.01)";

// The log without its times.
std::vector<std::string> log_of(const std::string& run) {
  std::vector<std::string> lines;
  std::istringstream text(test::read_file(run + "/log.jsonl"));
  for (std::string line; std::getline(text, line);)
    lines.push_back(line.substr(0, line.find(",\"seconds\"")));
  return lines;
}

}  // namespace

TEST_CASE("train learns, reports, and its weights generate; plot draws the curves") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch), run = scratch / "run";
  const test::CommandResult result =
      program("train " + quoted(config(scratch, quick)) + " --data " + quoted(data) + " -o " + quoted(run) +
              " --split performer:3 --json");
  INFO(result.error);
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.output);
  CHECK(report["step"] == 24);
  CHECK(report["training_pairs"].get<int>() + report["validation_pairs"].get<int>() == 4);
  CHECK(report["validation_pairs"].get<int>() >= 1);
  CHECK(report["best_validation_nll"].get<double>() < 5.8);
  const std::vector<std::string> log = log_of(run);
  CHECK(log.size() == 27);
  const double first = nlohmann::json::parse(log.front() + "}")["nll"].get<double>();
  CHECK(first > report["best_validation_nll"].get<double>());
  const test::CommandResult music =
      program("generate " + quoted(scratch / "set/takes/1_martele_s3.csv") + " --weights " +
              quoted(run + "/best.safetensors") + " -o " + quoted(scratch / "music.mid"));
  INFO(music.error);
  CHECK(music.status == 0);
  CHECK(fs::file_size(scratch / "music.mid") > 20);

  const auto inspect = [](const std::string& path) {
    const test::CommandResult told = program("inspect " + quoted(path) + " --json");
    INFO(told.error);
    REQUIRE(told.status == 0);
    return nlohmann::json::parse(told.output);
  };
  const auto told = inspect(run);
  CHECK(told["kind"] == "training run");
  CHECK(told["step"] == 24);
  CHECK(told["steps"] == 24);
  CHECK(told["split"] == "performer:s3");
  CHECK(told["best_validation_nll"] == report["best_validation_nll"]);
  CHECK(told["config"]["training"]["batch"] == 2);
  CHECK(told["files"].size() == 5);
  CHECK(program("inspect " + quoted(run)).output.find("training run at step 24 of 24") != std::string::npos);
  CHECK(inspect(run + "/config.json")["config"] == told["config"]);
  CHECK(inspect(run + "/log.jsonl")["training_points"] == 24);
  // A state that is none of a run: the files are told one by one.
  fs::create_directories(scratch / "copy");
  fs::copy_file(run + "/best.safetensors", scratch / "copy/state.safetensors");
  CHECK(inspect(scratch / "copy")["kind"] == "folder");

  const test::CommandResult plot = program("plot " + quoted(run) + " --json");
  REQUIRE(plot.status == 0);
  CHECK(nlohmann::json::parse(plot.output)["training_points"] == 24);
  const std::string svg = test::read_file(run + "/curves.svg");
  CHECK(svg.find("polyline") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("best ") != std::string::npos);
  // A log that a killed run had not come to the end of.
  fs::create_directories(scratch / "cut");
  test::write_file(scratch / "cut/log.jsonl", test::read_file(run + "/log.jsonl") + "{\"step\": 25, \"nl");
  CHECK(program("plot " + quoted(scratch / "cut")).status == 0);
}

TEST_CASE("a run killed again and again has the losses of the run that was not") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch);
  const std::string settings = config(scratch, "\"steps\": 100" + quick.substr(quick.find(',')));
  const auto train = [&](const std::string& run, const std::string& options) {
    return quoted(IMU2MUSIC_PROGRAM) + " train " + quoted(settings) + " --data " + quoted(data) + " -o " +
           quoted(run) + " --split performer:3 " + options;
  };
  REQUIRE(test::run_command(train(scratch / "whole", "--threads 1")).status == 0);
  const std::string run = scratch / "killed";
  // Each attempt lives a little longer, by a share: so the first ends before it can begin, several in the
  // middle, whatever the machine's speed, and one comes to the end.
  int kills = 0, resumed = 0, status = 1;
  double life = 0.002;
  for (int attempt = 0; attempt < 80 && status != 0; ++attempt, life *= 1.15) {
    const bool begun = fs::exists(run + "/state.safetensors");
    status =
        test::run_command("timeout -s KILL " + std::to_string(life) + " " +
                          train(run, (begun ? "--resume" : "") +
                                         std::string(attempt % 2 == 0 ? " --threads 1" : " --threads 2")))
            .status;
    kills += status != 0;
    resumed += begun;
  }
  REQUIRE(status == 0);
  CHECK(resumed >= 1);
  CHECK(kills >= 1);
  CHECK(log_of(run) == log_of(scratch / "whole"));
  CHECK(test::read_file(run + "/best.safetensors") == test::read_file(scratch / "whole/best.safetensors"));
  CHECK(test::read_file(run + "/last.safetensors") == test::read_file(scratch / "whole/last.safetensors"));
}

TEST_CASE("an interrupt ends a run with a checkpoint; a full disk leaves the one before") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch);
  const std::string settings = config(
      scratch, R"("steps": 100000, "batch": 2, "checkpoint_every": 1000000, "validate_every": 1000000)");
  const std::string run = scratch / "run";
  const std::string train = quoted(IMU2MUSIC_PROGRAM) + " train " + quoted(settings) + " --data " +
                            quoted(data) + " -o " + quoted(run);
  // On a busy machine the interrupt may come before the first step: then once more, with more time.
  const auto interrupted = [](const std::string& before, const std::string& command, const auto& is_done) {
    test::CommandResult result;
    for (const char* seconds : {"1.5", "10", "60"}) {
      result = test::run_command(before + "timeout -s INT " + seconds + " " + command);
      if (is_done(result)) break;
    }
    return result;
  };
  const test::CommandResult stopped = interrupted("rm -rf " + quoted(run) + "; ", train, [&](const auto&) {
    return fs::exists(run + "/state.safetensors");
  });
  INFO(stopped.error);
  CHECK(stopped.status == 124);  // timeout's own, the program having ended
  CHECK(stopped.output.find("stopped after step") != std::string::npos);
  CHECK(stopped.output.find(run + "/last.safetensors") != std::string::npos);  // the best is yet to come
  CHECK_FALSE(fs::exists(run + "/best.safetensors"));
  REQUIRE(fs::exists(run + "/state.safetensors"));
  const std::string state = test::read_file(run + "/state.safetensors");

  const auto is_full = [](const test::CommandResult& result) {
    return result.error.find("File too large") != std::string::npos;
  };
  const test::CommandResult full = interrupted("trap '' XFSZ; ulimit -f 8; ", train + " --resume", is_full);
  INFO(full.error);
  CHECK(full.status != 0);
  // The interrupt's own line comes first, unless the disk was full before.
  CHECK(std::count(full.error.begin(), full.error.end(), '\n') <= 2);
  CHECK(is_full(full));
  CHECK(test::read_file(run + "/state.safetensors") == state);
  for (const auto& entry : fs::directory_iterator(run)) {
    const std::string name = entry.path().filename().string();
    CHECK((name == "config.json" || name == "log.jsonl" || name == "state.safetensors" ||
           name == "best.safetensors" || name == "last.safetensors"));
  }
}

TEST_CASE("a signal ends a run with a checkpoint, unless it was ignored; a second one ends it at once") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch);
  // Runs it in the background, and `then` when it has written `file` there, $p being its process.
  const auto while_training = [&](const std::string& name, const std::string& settings,
                                  const std::string& before, const std::string& file,
                                  const std::string& then) {
    const std::string run = scratch / name;
    return test::run_command(before + "; " + quoted(IMU2MUSIC_PROGRAM) + " train " +
                             quoted(config(scratch, settings, name + ".json")) + " --data " + quoted(data) +
                             " -o " + quoted(run) + " & p=$!; i=0; until [ -s " + quoted(run + "/" + file) +
                             " ] || [ $i -gt 300 ]; do sleep 0.1; i=$((i + 1)); done; " + then +
                             "; wait $p; echo status $?");
  };
  const std::string endless =
      R"("steps": 1000000, "batch": 2, "checkpoint_every": 1000000, "validate_every": 1000000, "log_every": 1)";
  struct sigaction hang_up {};
  sigaction(SIGHUP, nullptr, &hang_up);
  if (hang_up.sa_handler != SIG_IGN) {  // as it is where the tests run under nohup
    const auto hung_up = while_training("hung_up", endless, ":", "log.jsonl", "kill -HUP $p");
    INFO(hung_up.error);
    CHECK(hung_up.output.find("stopped after step") != std::string::npos);
    CHECK(hung_up.output.find("status 0\n") != std::string::npos);
    CHECK(hung_up.error == "imu2music: ends after this step; once more ends it at once\n");
  }

  const auto deaf = while_training("deaf", endless, "trap '' HUP", "log.jsonl",
                                   "kill -HUP $p; sleep 1; kill -0 $p && echo lives; kill -TERM $p");
  INFO(deaf.error);
  CHECK(deaf.output.find("lives\n") != std::string::npos);
  CHECK(deaf.output.find("status 0\n") != std::string::npos);

  // One step that takes minutes.
  const auto twice =
      while_training("twice", R"("steps": 1, "batch": 16, "accumulate": 2000)", ":", "config.json",
                     "kill -TERM $p; sleep 1; kill -TERM $p; sleep 5; "
                     "kill -KILL $p");
  CHECK(twice.output.find("status 143\n") != std::string::npos);
  CHECK(twice.error.find("imu2music: ends after this step; once more ends it at once\n") == 0);
}

TEST_CASE("a run whose reports nobody reads ends with a checkpoint") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch), run = scratch / "run";
  const std::string settings =
      config(scratch, R"("steps": 1000000, "batch": 2, "checkpoint_every": 1000000, "validate_every": 1000000,
      "log_every": 1)");
  const test::CommandResult result = test::run_command(
      "{ timeout 60 " + quoted(IMU2MUSIC_PROGRAM) + " train " + quoted(settings) + " --data " + quoted(data) +
      " -o " + quoted(run) + "; echo status $? >&2; } | head -n 3");
  CHECK(result.error == "imu2music: standard output: write failed: Broken pipe (errno 32)\nstatus 1\n");
  const test::CommandResult told = program("inspect " + quoted(run) + " --json");
  REQUIRE(told.status == 0);
  CHECK(nlohmann::json::parse(told.output)["step"].get<int>() >= 1);
}

TEST_CASE("transfer takes what fits and says so, tensor by tensor") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch);
  const std::string few = R"("steps": 2, "batch": 2)";
  const auto train = [&](const std::string& options) {
    return program("train " + quoted(config(scratch, few)) + " --data " + quoted(data) + " --json " +
                   options);
  };
  REQUIRE(train("-o " + quoted(scratch / "first")).status == 0);
  const std::string weights = quoted(scratch / "first/last.safetensors");
  const test::CommandResult result =
      train("-o " + quoted(scratch / "second") + " --init-from " + weights + " --only decoder");
  INFO(result.error);
  REQUIRE(result.status == 0);
  int taken = 0, left = 0;
  const auto report = nlohmann::json::parse(result.output);
  for (const auto& row : report["transferred"]) {
    const std::string name = row["name"];
    const bool encoder = name.find("imu_net.") == 0 || name.find("transformer.encoder.") == 0;
    INFO(name);
    CHECK(row["taken"] == !encoder);
    if (encoder) CHECK(row["reason"] == "not part of the decoder");
    ++(encoder ? left : taken);
  }
  CHECK(taken > 10);
  CHECK(left > 5);
  // The channels' statistics go with the convolutions that were learnt with them.
  for (const bool fits : {true, false}) {
    std::string other = model;
    if (!fits) other.replace(other.find("\"width\": 8"), 10, "\"width\": 6");
    test::write_file(scratch / "again.json", "{" + other + ", \"training\": {" + few + "}}");
    const test::CommandResult begun =
        program("train " + quoted(scratch / "again.json") + " --data " + quoted(data) + " --json -o " +
                quoted(scratch / (fits ? "fits" : "does not")) + " --init-from " + weights);
    INFO(begun.error);
    REQUIRE(begun.status == 0);
    int statistics = 0;
    const auto rows = nlohmann::json::parse(begun.output)["transferred"];
    for (const auto& row : rows) {
      const std::string name = row["name"];
      if (name != "imu_net.mean" && name != "imu_net.deviation") continue;
      ++statistics;
      CHECK(row["taken"] == fits);
      if (!fits)
        CHECK(row["reason"] == "that of the training recordings, for imu_net.stem.weight was not taken");
    }
    CHECK(statistics == 2);
  }
  test::check_refused(train("-o " + quoted(scratch / "third") + " --only decoder"),
                      {"--only wants --init-from"});
  test::write_file(scratch / "other.json", R"({"d_model": 8, "heads": 2})");
  REQUIRE(program("init " + quoted(scratch / "other.json") + " -o " + quoted(scratch / "other.safetensors"))
              .status == 0);
  test::check_refused(
      train("-o " + quoted(scratch / "third") + " --init-from " + quoted(scratch / "other.safetensors")),
      {"other.safetensors", "has no tensor that fits this model"});
}

TEST_CASE("the decoder learns from music alone") {
  test::ScratchFolder scratch;
  std::string notes = "onset_s,offset_s,midi\n";
  for (int n = 0; n < 40; ++n)
    notes += std::to_string(n * 0.5) + "," + std::to_string(n * 0.5 + 0.4) + "," +
             std::to_string(60 + n % 5) + "\n";
  fs::create_directories(scratch / "music");
  test::write_file(scratch / "music/tune.csv", notes);
  REQUIRE(program("prepare " + quoted(scratch / "music") + " -o " + quoted(scratch / "data")).status == 0);
  const test::CommandResult result =
      program("train " + quoted(config(scratch, R"("steps": 3, "batch": 2, "transpose_semitones": 3)")) +
              " --data " + quoted(scratch / "data") + " -o " + quoted(scratch / "run"));
  INFO(result.error);
  CHECK(result.status == 0);
  CHECK(result.output.find("music alone") != std::string::npos);
}

TEST_CASE("a sensor map is refused where no motion is trained on") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "music");
  for (const char* name : {"a", "b"}) {
    std::string notes = "onset_s,offset_s,midi\n";
    for (int i = 0; i < 20; ++i)
      notes += std::to_string(0.5 * i) + "," + std::to_string(0.5 * i + 0.4) + "," +
               std::to_string(60 + (i * (name[0] == 'a' ? 1 : 5)) % 12) + "\n";
    test::write_file((scratch / "music/") + name + ".csv", notes);
  }
  REQUIRE(program("prepare " + quoted(scratch / "music") + " -o " + quoted(scratch / "data")).status == 0);
  test::check_refused(
      program("train " + quoted(config(scratch, R"("steps": 1, "batch": 2)")) + " --data " +
              quoted(scratch / "data") + " -o " + quoted(scratch / "run") + " --sensors 1=nonsense"),
      {"--sensors maps motion sensors", "trains on music alone"});
  CHECK_FALSE(fs::exists(scratch / "run"));
}

TEST_CASE("what cannot be trained is refused in one line") {
  test::ScratchFolder scratch;
  const std::string data = data_set(scratch);
  const auto train = [&](const std::string& settings, const std::string& options = "") {
    return program("train " + quoted(settings) + " --data " + quoted(data) + " -o " +
                   quoted(scratch / "run") + " " + options);
  };
  test::check_refused(train(config(scratch, R"("stpes": 2)")),
                      {"the unknown key 'stpes'", "did you mean 'steps'?"});
  test::check_refused(train(config(scratch, R"("lr": 1)")), {"'lr'", "did you mean 'learning_rate'?"});
  test::check_refused(train(config(scratch, R"("transpose_semitones": 2)")),
                      {"has motion", "transpose_with_motion"});
  test::check_refused(train(config(scratch, quick), "--split performer:9"), {"performer:9", "performer:s1"});
  test::check_refused(train(scratch / "none.json"), {"none.json"});
  fs::create_directories(scratch / "state");
  REQUIRE(train(config(scratch, quick)).status == 0);
  fs::rename(scratch / "run", scratch / "state");
  test::check_refused(
      train(config(scratch, quick), "--init-from " + quoted(scratch / "state/state.safetensors")),
      {"is the state of a training run", "best.safetensors"});
  fs::remove_all(scratch / "run");
  test::check_refused(
      program("train " + quoted(config(scratch, quick)) + " --data " + quoted(scratch / "set") + " -o x"),
      {"holds no dataset.json"});
  test::write_file(scratch / "long.json",
                   R"({"model": {"encoder": "temporal", "vocabulary": 332, "window_ms": 60000,
      "memory_positions": 800}})");
  test::check_refused(train(scratch / "long.json"), {"no pair to train on that lasts 60 s"});
  test::write_file(scratch / "two.json", R"({"model": {"encoder": "conv"}})");
  test::check_refused(train(scratch / "two.json"), {"myo1"});
  test::check_refused(train(config(scratch, quick), "--resume"), {"state.safetensors"});
  CHECK_FALSE(fs::exists(scratch / "run/state.safetensors"));
  REQUIRE(train(config(scratch, R"("steps": 1, "batch": 2)")).status == 0);
  test::check_refused(train(config(scratch, R"("steps": 1, "batch": 2)")),
                      {"holds a run already", "resume it, or choose another folder"});
  // Nothing that is read, or another's, is written over.
  test::check_refused(program("train " + quoted(config(scratch, quick)) + " --data " + quoted(data) + " -o " +
                              quoted(data + "/.")),
                      {"is the data set's folder", "give the run a folder of its own"});
  for (const std::string& folder : {data + "/pairs", data + "/new/run"})
    test::check_refused(program("train " + quoted(config(scratch, quick)) + " --data " + quoted(data) +
                                " -o " + quoted(folder)),
                        {folder + ": lies in the data set's folder", "give the run a folder of its own"});
  test::check_refused(test::run_command("cd " + quoted(data) + "; " + quoted(IMU2MUSIC_PROGRAM) + " train " +
                                        quoted(config(scratch, quick)) + " --data . -o run"),
                      {"run: lies in the data set's folder"});
  for (const char* name : {"config.json", "best.safetensors"}) {
    const std::string folder = scratch / ("with-" + std::string(name)), file = folder + "/" + name;
    fs::create_directory(folder);
    fs::copy_file(scratch / ("run/" + std::string(name)), file);
    const std::string before = test::read_file(file);
    test::check_refused(program("train " + quoted(config(scratch, quick)) + " --data " + quoted(data) +
                                " -o " + quoted(folder)),
                        {name, "is there already", "choose another folder"});
    CHECK(test::read_file(file) == before);
    CHECK_FALSE(fs::exists(folder + "/state.safetensors"));
  }
  test::check_refused(train(config(scratch, R"("steps": 1, "batch": 3)"), "--resume"),
                      {"was made with another config", "batch is 3 instead of 2"});
  test::check_refused(train(config(scratch, R"("steps": 1, "batch": 2)"), "--resume --sensors 1=myo"),
                      {"was made with other options", "sensors is '1=myo' instead of not given"});
  test::check_refused(train(config(scratch, quick), "--resume --sensors myo1=myo,myo2=myo"),
                      {"--sensors names 2 sensors; these weights take 1"});
  test::check_refused(program("plot " + quoted(scratch / "set")), {"holds no log.jsonl"});
  test::write_file(scratch / "run/log.jsonl", "{\"step\": 1, \"nll\": 2}\nnonsense\n");
  test::check_refused(program("plot " + quoted(scratch / "run")), {"log.jsonl", "line 2"});
  test::write_file(scratch / "run/log.jsonl", "{\"step\": 1, \"nll\": 2}\n{\"step\": 2, \"nll\": 1e300}\n");
  test::check_refused(program("plot " + quoted(scratch / "run")), {"log.jsonl", "line 2", "no run has"});
  // Values that differ by less than their last bits have an axis all the same.
  test::write_file(scratch / "run/log.jsonl", "{\"step\": 1, \"nll\": 1e6}\n{\"step\": 2, \"nll\": 1e6}\n");
  CHECK(program("plot " + quoted(scratch / "run")).status == 0);
  CHECK(fs::file_size(scratch / "run/curves.svg") < 10000);
}

TEST_CASE("verify --train passes on every golden case: in double, and in float with every instruction set") {
  for (const std::string name : {"imu-conv-d32", "imu-conv-d128", "imu-fc-d32", "imu-convtransformer-d16",
                                 "imu-lstm-d32", "foley-body25-d32", "foley-hands-d16",
                                 "foley-no-control-d16", "foley-control-d16", "music-transformer-d32"}) {
    const std::string checkpoint = test::shared_file("golden/" + name + "/checkpoint.pth.tar");
    const std::string expected = test::shared_file("golden/" + name + "/expected.safetensors");
    if (checkpoint.empty() || expected.empty()) return;
    INFO(name);
    for (const std::string& isa : test::instruction_sets()) {
      const test::CommandResult result =
          program("verify --train " + quoted(checkpoint) + " " + quoted(expected) + " --json" +
                      (isa == "scalar" ? "" : " --precision float"),
                  "IMU2MUSIC_FORCE_ISA=" + isa);
      INFO(isa, result.error);
      CHECK(result.status == 0);
      CHECK(nlohmann::json::parse(result.output)["passed"] == true);
    }
  }
}

TEST_CASE("verify --train: what is perturbed is named") {
  for (const std::string name : {"imu-conv-d32", "music-transformer-d32"}) {
    const std::string checkpoint = test::shared_file("golden/" + name + "/checkpoint.pth.tar");
    const std::string expected = test::shared_file("golden/" + name + "/expected.safetensors");
    if (checkpoint.empty() || expected.empty()) return;
    INFO(name);
    test::ScratchFolder scratch;
    for (const std::string tensor :
         {"grad.Wout.weight", "logits_train", "losses_train", "after.embedding.weight"}) {
      test::Tensors tensors(expected);
      for (float* x = &tensors.value<float>(tensor, 0); x != &tensors.value<float>(tensor, 0) + 3; ++x)
        *x *= 1.1f;
      if (tensor.find("losses") == std::string::npos) {
        const auto& entry = tensors.entries[tensors.index(tensor)];
        for (std::int64_t n = 3; n < entry.shape.element_count(); ++n)
          tensors.value<float>(tensor, static_cast<std::size_t>(n)) *= 1.1f;
      }
      tensors.write(scratch / "changed.safetensors");
      const test::CommandResult result = program("verify --train --precision double " + quoted(checkpoint) +
                                                 " " + quoted(scratch / "changed.safetensors"));
      INFO(tensor, result.error);
      CHECK(result.status == 1);
      CHECK(result.error.find("double " + tensor) != std::string::npos);
    }
  }
}

TEST_CASE("a pose encoder: OpenPose's frames and MIDI, prepared, trained, evaluated, and heard") {
  test::ScratchFolder scratch;
  std::vector<imu2music::Note> notes;
  for (int i = 0; i < 24; ++i) notes.push_back({60 + i % 5, 64, 0.5 * i, 0.5 * i + 0.4});
  for (const std::string take : {"a", "b"}) {
    fs::create_directories(scratch / ("set/" + take));
    test::write_openpose(scratch / ("set/" + take), 330);  // 11 s
    imu2music::write_midi_file(scratch / ("set/" + take + ".mid"), notes);
    notes.erase(notes.begin());  // two pairs of the same content would be one
  }
  const std::string data = scratch / "data", run = scratch / "run";
  const std::string prepare = "prepare " + quoted(scratch / "set") + " -o " + quoted(data);
  // Without --keypoints they become sensors on the forearms.
  const test::CommandResult sensed =
      program("prepare " + quoted(scratch / "set") + " -o " + quoted(scratch / "sensed") + " --json");
  INFO(sensed.error);
  REQUIRE(sensed.status == 0);
  const auto virtual_pairs = nlohmann::json::parse(sensed.output)["pairs"];
  REQUIRE(virtual_pairs.size() == 2);
  CHECK(virtual_pairs[0]["quality"]["sensors"] == 2);
  CHECK(virtual_pairs[0]["remarks"].dump().find("picture's plane") != std::string::npos);
  const test::CommandResult prepared = program(prepare + " --keypoints --json");
  INFO(prepared.error);
  REQUIRE(prepared.status == 0);
  const auto pairs = nlohmann::json::parse(prepared.output)["pairs"];
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0]["layout"] == "keypoints");
  CHECK(pairs[0]["quality"]["sensors"] == 67);
  test::write_file(
      scratch / "pose.json",
      R"({"model": {"encoder": "pose", "layout": "body65", "pose_layers": 2, "d_model": 16, "heads": 2,
    "encoder_layers": 0, "decoder_layers": 1, "max_sequence": 64}, "training": {"steps": 8, "batch": 2,
    "learning_rate": 1e-2, "validate_every": 4, "checkpoint_every": 4, "log_every": 4}})");
  const test::CommandResult trained =
      program("train " + quoted(scratch / "pose.json") + " --data " + quoted(data) + " -o " + quoted(run));
  INFO(trained.error);
  REQUIRE(trained.status == 0);
  const std::string weights = run + "/best.safetensors";
  const test::CommandResult evaluated =
      program("evaluate --weights " + quoted(weights) + " --data " + quoted(data) +
              " --split all --json --permutations 9 --draws 2");
  INFO(evaluated.error);
  REQUIRE(evaluated.status == 0);
  CHECK(nlohmann::json::parse(evaluated.output)["windows"].get<int>() >= 2);
  const std::string generate = "generate " + quoted(scratch / "set/a") + " --weights " + quoted(weights) +
                               " -o " + quoted(scratch / "pose.mid") + " --svg " +
                               quoted(scratch / "pose.svg");
  const test::CommandResult music = program(generate);
  INFO(music.error);
  REQUIRE(music.status == 0);
  CHECK(music.output.find("11 s of motion in 2 windows") != std::string::npos);
  const std::string svg = test::read_file(scratch / "pose.svg");
  CHECK(svg.find("RWrist") != std::string::npos);
  CHECK(svg.find("RHeel") == std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  test::check_refused(program(generate + " --sensors 1=Nose"), {"--sensors", "keypoints"});
}

TEST_CASE("a music_transformer of 390 ids: trained on MIDI, it goes on from notes") {
  test::ScratchFolder scratch;
  std::vector<imu2music::Note> notes;
  for (int i = 0; i < 80; ++i) notes.push_back({60 + i % 5, 64, 0.5 * i, 0.5 * i + 0.4});
  fs::create_directories(scratch / "music");
  imu2music::write_midi_file(scratch / "music/a.mid", notes);
  notes.resize(60);
  imu2music::write_midi_file(scratch / "music/b.mid", notes);
  notes.resize(4);
  imu2music::write_midi_file(scratch / "prime.mid", notes);
  const std::string data = scratch / "data", run = scratch / "run", weights = run + "/best.safetensors";
  REQUIRE(program("prepare " + quoted(scratch / "music") + " -o " + quoted(data)).status == 0);
  test::write_file(scratch / "alone.json",
                   R"({"model": {"model": "music_transformer", "d_model": 32, "heads": 2, "decoder_layers": 1,
    "max_sequence": 96}, "training": {"steps": 60, "batch": 4, "learning_rate": 1e-2, "validate_every": 20,
    "checkpoint_every": 20, "log_every": 20}})");
  const test::CommandResult trained =
      program("train " + quoted(scratch / "alone.json") + " --data " + quoted(data) + " -o " + quoted(run));
  INFO(trained.error);
  REQUIRE(trained.status == 0);
  CHECK(trained.output.find("music alone") != std::string::npos);
  const std::string generate =
      "generate --weights " + quoted(weights) + " -o " + quoted(scratch / "out.mid") + " --greedy";
  test::check_refused(program(generate), {weights, "--prime"});
  const test::CommandResult music = program(generate + " --prime " + quoted(scratch / "prime.mid") +
                                            " --svg " + quoted(scratch / "out.svg"));
  INFO(music.error);
  REQUIRE(music.status == 0);
  CHECK(music.output.find("s of music") != std::string::npos);
  // It has learnt the scale by heart.
  const std::vector<imu2music::Note> heard = imu2music::read_midi_file(scratch / "out.mid").all_notes();
  REQUIRE(heard.size() > 8);
  for (std::size_t i = 0; i < heard.size(); ++i) {
    INFO(i);
    CHECK(heard[i].pitch == 60 + static_cast<int>(i % 5));
  }
  test::check_refused(program(generate + " --prime " + quoted(scratch / "prime.mid") + " --hop 2"),
                      {weights, "without motion", "--hop"});
  test::check_refused(program("generate " + quoted(scratch / "music") + " --weights " + quoted(weights) +
                              " -o " + quoted(scratch / "out.mid")),
                      {weights, "leave the recording out"});
}
