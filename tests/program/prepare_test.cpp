// `imu2music prepare`: data sets from recordings and music.
#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "imu2music/train/dataset.hpp"
#include "program.hpp"

namespace fs = std::filesystem;
using test::program;
using test::quoted;

namespace {

std::string take(int seed) {
  std::string text = "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n";
  for (int i = 0; i < 300; ++i)
    text += std::to_string(i * 0.02) + ",1," + std::to_string((i * 7 + seed) % 11 * 0.1) + ",0.1," +
            std::to_string(1 + 0.01 * (i % 7)) + "," + std::to_string(i % 13) + ",2,3\n";
  return text;
}

const std::string score = "onset_s,offset_s,midi,string\n0,0.5,55,G\n0.5,1,57,G\n2,4,59,G\n";

// Two players, two strokes.
std::string takes(const test::ScratchFolder& scratch) {
  const std::string folder = scratch / "set";
  fs::create_directories(folder + "/takes");
  fs::create_directories(folder + "/score");
  std::string manifest = "file,stroke,player\n";
  int seed = 0;
  for (const std::string stroke : {"1_martele", "2_legato"}) {
    test::write_file(folder + "/score/" + stroke + ".csv", score);
    for (const std::string player : {"1", "2"}) {
      const std::string file = "takes/" + stroke + "_s" + player + ".csv";
      test::write_file(folder + "/" + file, take(++seed));
      manifest += file + "," + stroke.substr(2) + "," + player + "\n";
    }
  }
  test::write_file(folder + "/manifest.csv", manifest);
  return folder;
}

}  // namespace

TEST_CASE("a data set of takes and of music alone, with what was dropped and why") {
  test::ScratchFolder scratch;
  const std::string set = takes(scratch);
  fs::create_directories(scratch / "music");
  test::write_file(scratch / "music/tune.csv", score + "4,5,62,D\n");
  test::write_file(scratch / "music/photo.jpg", std::string("\xff\xd8\0\0", 4));
  const auto run = [&](const std::string& output, const std::string& options) {
    return program("prepare " + quoted(set) + " " + quoted(scratch / "music") + " -o " + quoted(output) +
                   options);
  };
  const test::CommandResult table = run(scratch / "d", "");
  INFO(table.error);
  REQUIRE(table.status == 0);
  for (const char* part : {"5 pairs, 4 with motion", "violin-myo", "s2", "dropped: 1", "music/photo.jpg: "}) {
    INFO(part);
    CHECK(table.output.find(part) != std::string::npos);
  }
  const imu2music::Dataset dataset(scratch / "d");
  CHECK(dataset.pairs().size() == 5);
  CHECK(dataset.split("performer:2").test.size() == 2);
  CHECK(dataset.load(0).notes.size() == 3);

  const test::CommandResult json = run(scratch / "e", " --json");
  REQUIRE(json.status == 0);
  const auto report = nlohmann::json::parse(json.output);
  CHECK(report["pairs"].size() == 5);
  CHECK(report["with_motion"] == 4);
  CHECK(report["pairs"][0]["performer"] == "s1");
  CHECK(report["dropped"][0]["source"] == "music/photo.jpg");
  CHECK(report["splits"].size() > 4);
  CHECK(test::run_command("diff -r " + quoted(scratch / "d") + " " + quoted(scratch / "e")).status == 0);
  CHECK(run(scratch / "d", "").status == 0);  // a data set is replaced
}

TEST_CASE("notes that no vocabulary has are counted, and music of nothing else is dropped") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "music");
  test::write_file(scratch / "music/wide.csv", "onset_s,offset_s,midi\n0,1,20\n1,2,60\n2,3,110\n");
  test::write_file(scratch / "music/high.csv", "onset_s,offset_s,midi\n0,1,120\n");
  const std::string command = "prepare " + quoted(scratch / "music") + " -o " + quoted(scratch / "d");
  const test::CommandResult table = program(command);
  INFO(table.output);
  REQUIRE(table.status == 0);
  CHECK(table.output.find("left out: 2 notes outside A0 to C8, in 1 pair\n") != std::string::npos);
  CHECK(table.output.find("music/high.csv: has no notes within A0 to C8") != std::string::npos);
  const auto report = nlohmann::json::parse(program(command + " --json").output);
  CHECK(report["notes"] == 1);
  CHECK(report["notes_out_of_range"] == 2);
  CHECK(report["pairs"][0]["remarks"][0] == "left out: 2 notes outside A0 to C8");
  CHECK(report["dropped"].size() == 1);
}

TEST_CASE("virtual sensors of a tracked body get another recording's distributions") {
  test::ScratchFolder scratch;
  std::string body;
  for (const std::string joint : {"ShoulderRight", "ElbowRight", "WristRight"})
    body += joint + ".x," + joint + ".y," + joint + ".z,state" + (joint == "WristRight" ? "\n" : ",");
  for (int i = 0; i < 120; ++i)
    body += "0,0.3,2,tracked,0,0,2,tracked," + std::to_string(0.25 * std::cos(i / 30.0)) + ",0," +
            std::to_string(2 + 0.25 * std::sin(i / 30.0)) + ",tracked\n";
  fs::create_directories(scratch / "body");
  test::write_file(scratch / "body/bow.csv", body);
  test::write_file(scratch / "body/bow.notes.csv", score);
  test::write_file(scratch / "real.csv", take(1));
  const std::string command = "prepare " + quoted(scratch / "body") + " -o ";
  const auto motion = [&](const std::string& name, const std::string& options) {
    const test::CommandResult result = program(command + quoted(scratch / name) + options);
    INFO(result.error);
    REQUIRE(result.status == 0);
    return imu2music::Dataset(scratch / name).load(0).motion.sensors.at(0);
  };
  const auto plain = motion("d", ""), like = motion("e", " --like " + quoted(scratch / "real.csv"));
  CHECK(plain.name == like.name);
  CHECK(plain.channels[0].samples != like.channels[0].samples);
  // The y of the real one is 0.1 g all the time.
  for (const float value : like.channels[0].axis(1)) CHECK(value == doctest::Approx(0.980665).epsilon(1e-3));
}

TEST_CASE("bad sources and targets are refused in one line, and nothing is left") {
  test::ScratchFolder scratch;
  const std::string set = takes(scratch);
  fs::create_directories(scratch / "mine");
  test::write_file(scratch / "mine/thesis.tex", "years");
  test::check_refused(program("prepare " + quoted(set) + " -o " + quoted(scratch / "mine")),
                      {"mine: holds files and is no data set", "choose a new or empty folder"});
  CHECK(test::read_file(scratch / "mine/thesis.tex") == "years");
  test::check_refused(program("prepare " + quoted(set) + " -o " + quoted(set)), {"is no data set"});
  test::check_refused(program("prepare " + quoted(scratch / "none") + " -o " + quoted(scratch / "d")),
                      {"none: there is no such source"});
  test::check_refused(program("prepare " + quoted(scratch / "mine") + " -o " + quoted(scratch / "d")),
                      {"nothing in it makes a pair"});
  test::check_refused(program("prepare " + quoted(set) + " -o " + quoted(scratch / "d") + " --like " +
                              quoted(scratch / "none.csv")),
                      {"none.csv"});
  // Another recording's distributions, and no virtual sensors to get them.
  test::check_refused(program("prepare " + quoted(set) + " -o " + quoted(scratch / "d") + " --like " +
                              quoted(set + "/takes/1_martele_s1.csv")),
                      {"set: no pair in it has virtual sensors of a tracked body", "leave it out"});
  test::check_refused(program("prepare " + quoted(scratch / "none") + " -o " + quoted(scratch / "a/b/c")),
                      {"none: there is no such source"});
  test::check_refused(program("prepare " + quoted(set) + " -o " + quoted(scratch / "mine/.")),
                      {"names no folder of its own"});
  test::check_refused(program("prepare " + quoted(set)), {"--output is required"});
  test::check_refused(program("prepare -o " + quoted(scratch / "d")), {"SOURCE is required"});
  test::check_refused(program("prepare " + quoted(set) + " -o " + quoted(scratch / "mine/thesis.tex/d")),
                      {"cannot be made"});
  std::size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path())) {
    INFO(entry.path().string());
    ++entries;
  }
  CHECK(entries == 2);  // set and mine
}

TEST_CASE("a rate that no recording needs is told") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "set");
  test::write_file(scratch / "set/x.csv", take(1));
  test::write_file(scratch / "set/x.notes.csv", score);
  const std::string command = "prepare " + quoted(scratch / "set") + " -o " + quoted(scratch / "d");
  const auto error = [&](const std::string& options) {
    const test::CommandResult result = program(command + options);
    REQUIRE(result.status == 0);
    return result.error;
  };
  const std::string told = "no recording with music lacks a clock of its own: --rate 40 was not used\n";
  CHECK(error(" --rate 40").find(told) != std::string::npos);
  CHECK(error("").find("--rate") == std::string::npos);
  CHECK(error(" --rate 50").find("--rate") == std::string::npos);  // that of its clock
  std::string rows = "acc_x_g,acc_y_g,acc_z_g\n";
  for (int i = 0; i < 300; ++i) rows += std::to_string(i % 7) + ",0,1\n";
  test::write_file(scratch / "set/y.csv", rows);
  test::write_file(scratch / "set/y.notes.csv", score);
  CHECK(error(" --rate 40").find("--rate") == std::string::npos);
}

TEST_CASE("where the disk is full, the data set of before stays whole") {
  test::ScratchFolder scratch;
  const std::string set = takes(scratch), data = scratch / "d";
  const std::string command = "prepare " + quoted(set) + " -o " + quoted(data);
  REQUIRE(program(command).status == 0);
  const test::CommandResult full = program(command, "ulimit -f 8;");  // notes fit, motion does not
  test::check_refused(full, {data + "/pairs/", "cannot be written (File too large)"});
  CHECK(full.error.find(".tmp") == std::string::npos);
  CHECK(imu2music::Dataset(data).pairs().size() == 4);
  test::check_refused(
      program("prepare " + quoted(set) + " " + quoted(data + "/pairs") + " -o " + quoted(data)),
      {data + ": is read as input too"});
  CHECK(imu2music::Dataset(data).pairs().size() == 4);
}

TEST_CASE("a signal ends the search, unless it is ignored, and nothing is left") {
  test::ScratchFolder scratch;
  // Eight folders, each with twelve links to the next: as good as endless.
  fs::create_directories(scratch / "set");
  for (int depth = 0; depth < 8; ++depth) {
    const std::string folder = scratch / "set/" + std::to_string(depth);
    fs::create_directory(folder);
    for (int i = 0; i < 12 && depth < 7; ++i)
      fs::create_directory_symlink("../" + std::to_string(depth + 1), folder + "/" + std::to_string(i));
  }
  const std::string command = quoted(IMU2MUSIC_PROGRAM) + " prepare " + quoted(scratch / "set/0") + " -o " +
                              quoted(scratch / "new/d");
  REQUIRE(test::run_command("timeout -k 20 -s INT 1 " + command).status == 124);  // 137 had it gone on
  CHECK_FALSE(fs::exists(scratch / "new"));
  const test::CommandResult ignored = test::run_command(
      "trap '' HUP; " + command + " & p=$!; sleep 0.5; kill -HUP $p; sleep 0.5; kill -TERM $p; wait $p");
  CHECK(ignored.status == 128 + SIGTERM);
  CHECK_FALSE(fs::exists(scratch / "new"));
}

TEST_CASE("the violin takes") {
  const std::string source = test::shared_file("data/violin-myo");
  if (source.empty()) return;
  test::ScratchFolder scratch;
  const test::CommandResult result =
      program("prepare " + quoted(source) + " -o " + quoted(scratch / "violin") + " --json");
  REQUIRE(result.status == 0);
  const auto report = nlohmann::json::parse(result.output);
  CHECK(report["pairs"].size() == 32);
  CHECK(report["dropped"].empty());
  CHECK(report["notes"] == 1827);  // some that begin after the takes' end are moved into them
  CHECK(report["performer_phases_s"]["s4"].get<double>() > 0.1);
  const test::CommandResult table =
      program("prepare " + quoted(source) + " -o " + quoted(scratch / "violin"));
  CHECK(table.output.find("scores moved to their performers' motion: s1 -0.02 s, ") != std::string::npos);
  const test::CommandResult as_is = program("prepare " + quoted(source) + " -o " + quoted(scratch / "as_is") +
                                            " --no-align-performers --json");
  REQUIRE(as_is.status == 0);
  CHECK(nlohmann::json::parse(as_is.output)["performer_phases_s"].empty());
  CHECK(nlohmann::json::parse(as_is.output)["notes"] == 1819);
  test::check_refused(program("prepare " + quoted(source) + " -o " + quoted(scratch / "as_is") +
                              " --no-align-performers --align-performers"),
                      {"--no-align-performers", "--align-performers"});
}
