// inspect: what it says of weights, recordings, MIDI files and folders; and how generate and features take
// recordings of every layout.
#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "../fuzz/small_dataset.hpp"
#include "../imu/recording_texts.hpp"
#include "../io/zip_builder.hpp"
#include "program.hpp"

using nlohmann::json;
using test::check_refused;
using test::program;
using test::quoted;

namespace {

json inspect(const std::string& path, const std::string& more = "") {
  const test::CommandResult result = program("inspect " + quoted(path) + " --json " + more);
  INFO(path);
  INFO(result.error);
  REQUIRE(result.status == 0);
  CHECK(result.error.empty());
  return json::parse(result.output);
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

// 8 s of two armbands in one table at 50 Hz.
std::string two_armbands() {
  std::string text = "time_s";
  for (const char* sensor : {"myo1", "myo2"})
    for (const char* column : {"_euler_x_rad", "_euler_y_rad", "_euler_z_rad", "_gyro_x_dps", "_gyro_y_dps",
                               "_gyro_z_dps", "_acc_x_g", "_acc_y_g", "_acc_z_g"})
      text += std::string(",") + sensor + column;
  for (int i = 0; i < 400; ++i) {
    text += "\n" + std::to_string(0.02 * i + (i >= 200 ? 0.5 : 0));
    for (int k = 0; k < 18; ++k)
      text += "," + std::to_string((i * (k + 3)) % 17 * 0.01 + (k % 9 == 8 ? 1 : 0));
  }
  return text + "\n";
}

}  // namespace

TEST_CASE("inspect tells model, config and tensors of weights") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch);
  const json report = inspect(weights);
  CHECK(report["kind"] == "weights");
  CHECK(report["model"] == "encoder_decoder");
  CHECK(report["config"]["d_model"] == 32);
  bool found = false;
  for (const json& tensor : report["tensors"])
    if (tensor["name"] == "embedding.weight") {
      found = true;
      CHECK(tensor["dtype"] == "F32");
      CHECK(tensor["shape"] == json::array({243, 32}));
    }
  CHECK(found);
  const test::CommandResult text = program("inspect " + quoted(weights));
  CHECK(text.status == 0);
  CHECK(text.output.find("embedding.weight  F32 (243, 32)") != std::string::npos);
}

TEST_CASE("weights of others are listed all the same") {
  test::ScratchFolder scratch;
  test::Tensors tensors(test::small_weights(scratch));
  for (auto& entry : tensors.entries) entry.name = "net." + entry.name;
  tensors.metadata.clear();
  tensors.write(scratch / "other");
  const json report = inspect(scratch / "other");
  CHECK(report["kind"] == "weights");
  CHECK(report["model"].is_null());
  CHECK(report["tensors"].size() == tensors.entries.size());
  CHECK(report["unknown_because"].is_string());
  for (const char* golden : {"foley-body25-d32", "music-transformer-d32", "imu-conv-d32"}) {
    const std::string checkpoint = test::shared_file(std::string("golden/") + golden + "/checkpoint.pth.tar");
    if (checkpoint.empty()) continue;
    const json listed = inspect(checkpoint);
    CHECK(listed["kind"] == "weights");
    CHECK(listed["tensors"].size() > 20);
  }
}

TEST_CASE("inspect tells tracks, notes, range and tempo of MIDI files") {
  test::ScratchFolder scratch;
  test::simulated_recording(scratch);
  const json report = inspect(scratch / "score.mid");
  CHECK(report["kind"] == "midi");
  CHECK(report["tracks"].size() >= 1);
  CHECK(report["notes"].get<int>() > 10);
  CHECK(report["range"][0].get<int>() >= 55);
  CHECK(report["range"][1].get<int>() <= 108);
  CHECK(report["tempo_bpm"].get<double>() > 20);
}

TEST_CASE("inspect tells sensors, rates, units and what is wrong of a recording") {
  test::ScratchFolder scratch;
  std::string text = "time_s,hand_acc_x_ms2,hand_acc_y_ms2,hand_acc_z_ms2\n";
  for (int i = 0; i < 400; ++i)
    text += std::to_string(i * 0.01 + (i >= 200 ? 2.5 : 0) - (i >= 300 ? 6 : 0)) + "," +
            std::to_string(0.001 * (i % 3)) + (i == 50 ? ",nan" : ",0") + ",1\n";
  test::write_file(scratch / "take", text);
  const json report = inspect(scratch / "take");
  CHECK(report["kind"] == "recording");
  CHECK(report["format"] == "generic table");
  CHECK(report["duration_s"].get<double>() == doctest::Approx(6.5).epsilon(0.01));
  REQUIRE(report["sensors"].size() == 1);
  const json& hand = report["sensors"][0];
  CHECK(hand["name"] == "hand");
  CHECK(hand["rate_hz"].get<double>() == doctest::Approx(100));
  CHECK(hand["channels"][0]["quantity"] == "acceleration");
  CHECK(hand["channels"][0]["unit"] == "m/s²");
  CHECK(hand["gravity_m_s2"].get<double>() == doctest::Approx(1));
  REQUIRE(report["gaps"].size() == 1);
  CHECK(report["gaps"][0]["time_s"].get<double>() == doctest::Approx(1.99));
  CHECK(report["gaps"][0]["length_s"].get<double>() == doctest::Approx(2.51));
  REQUIRE(report["resets"].size() == 1);
  CHECK(report["resets"][0]["length_s"].get<double>() == doctest::Approx(5.99));
  CHECK(report["missing"].size() == 1);
  REQUIRE(report["unit_doubts"].size() == 1);
  CHECK(report["unit_doubts"][0]["reason"].get<std::string>().find("look like g") != std::string::npos);
  CHECK(report["units"]["acceleration"] == "m/s²");

  test::write_file(scratch / "bare", "ax,ay,az\n0,0,1\n0,0,1\n");
  CHECK(inspect(scratch / "bare", "--units acceleration=g --rate 50")["sensors"][0]["rate_hz"] == 50);
}

TEST_CASE("inspect tells the truth about the recordings in ../shared/data") {
  struct Folder {
    const char* name;
    double rate_low, rate_high;
    std::size_t sensors_low, sensors_high;
  };
  for (const Folder& folder :
       {Folder{"violin-myo/takes", 100, 100, 1, 1}, Folder{"conducting-wand", 120, 126, 1, 1},
        Folder{"phone-imu", 52.25, 52.4, 1, 1}, Folder{"myo-signs", 200, 200, 1, 1},
        Folder{"kinect-bowing", 30, 30, 10, 25}}) {
    const std::string path = test::shared_file(std::string("data/") + folder.name);
    if (path.empty()) return;
    const json all = inspect(path);
    CHECK(all["kind"] == "folder");
    CHECK(all["files"].size() == files_in(path).size());
    std::vector<std::string> reset, gaps;
    for (const json& file : all["files"]) {
      INFO(file["path"]);
      REQUIRE(file["kind"] == "recording");
      CHECK(file["sensors"].size() >= folder.sensors_low);
      CHECK(file["sensors"].size() <= folder.sensors_high);
      for (const json& sensor : file["sensors"]) {
        CHECK(sensor["rate_hz"].get<double>() >= folder.rate_low);
        CHECK(sensor["rate_hz"].get<double>() <= folder.rate_high);
      }
      const std::string name = std::filesystem::path(file["path"].get<std::string>()).filename().string();
      if (!file["resets"].empty()) reset.push_back(name);
      if (!file["gaps"].empty()) gaps.push_back(name);
    }
    const bool wand = std::string(folder.name) == "conducting-wand";
    CHECK(reset ==
          (wand ? std::vector<std::string>{"120bpm3.csv", "90bpm3.csv"} : std::vector<std::string>{}));
    CHECK(gaps.size() == (wand ? 5 : 0));
  }
}

TEST_CASE("inspect lists a folder, what it does not know included, and refuses what is not there") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "wand.dat", test::wand_csv);
  test::write_file(scratch / "prose.txt", "not a recording\n");
  test::write_file(scratch / "half.mid", "MThd");
  std::filesystem::create_directory(scratch / "below");
  test::write_file(scratch / "below/sign", test::myo_json);
  const json report = inspect(scratch.path().string());
  REQUIRE(report["files"].size() == 4);
  CHECK(report["files"][0]["kind"] == "unknown");
  CHECK(report["files"][1]["kind"] == "unknown");
  CHECK(report["files"][2]["kind"] == "recording");
  CHECK(report["files"][3]["kind"] == "folder");
  CHECK(report["files"][3]["files"][0]["format"] == "Myo JSON");
  const test::CommandResult text = program("inspect " + quoted(scratch.path().string()));
  CHECK(text.output.find("prose.txt: not known: ") != std::string::npos);

  check_refused(program("inspect " + quoted(scratch / "none")), {"none"});
  check_refused(program("inspect " + quoted(scratch / "prose.txt")), {"prose.txt", "no recording"});
  check_refused(program("inspect " + quoted(scratch / "half.mid")), {"half.mid"});
  check_refused(program("inspect " + quoted(scratch / "wand.dat") + " --units gyro=g"),
                {"--units", "'gyro=g'"});
  std::filesystem::create_directory(scratch / "empty");
  check_refused(program("inspect " + quoted(scratch / "empty")), {"empty", "no files"});
}

TEST_CASE("a data set is told as one, by itself and in a folder; a damaged one file by file") {
  test::ScratchFolder scratch;
  fuzz::write_small_dataset(scratch / "data");
  const json report = inspect(scratch / "data");
  CHECK(report["kind"] == "data set");
  CHECK(report["pairs"] == 5);
  CHECK(report["with_motion"] == 4);
  CHECK(report["notes"] == 10);
  CHECK(report["dropped"] == 1);
  CHECK(std::find(report["splits"].begin(), report["splits"].end(), "performer:s1") !=
        report["splits"].end());
  CHECK(program("inspect " + quoted(scratch.path().string())).output.find("data: data set of 5 pairs") !=
        std::string::npos);
  test::write_file(scratch / "data/dataset.json", "{}");
  CHECK(inspect(scratch / "data")["kind"] == "folder");
}

TEST_CASE("links to nothing in a folder are told and counted") {
  test::ScratchFolder scratch;
  std::filesystem::create_directory(scratch / "a");
  test::write_file(scratch / "a/x.csv", "onset_s,offset_s,midi\n0,1,60\n");
  std::filesystem::create_symlink("/nowhere/t1.csv", scratch / "a/t1.csv");
  const test::CommandResult result = program("inspect " + quoted(scratch / "a"));
  CHECK(result.status == 1);
  CHECK(result.output.find("folder with 2 entries") != std::string::npos);
  CHECK(result.output.find("t1.csv: cannot be read: is a link that cannot be followed (No such file") !=
        std::string::npos);
  CHECK(result.error.find("a: 1 file in it could not be read") != std::string::npos);
}

TEST_CASE("what lies too deep is said to, and why a data set cannot be read") {
  test::ScratchFolder scratch;
  std::filesystem::create_directories(scratch / "a/b/c/d/e/f");
  test::write_file(scratch / "a/b/c/d/e/f/x.csv", "a,b\n1,2\n");
  const test::CommandResult deep = program("inspect " + quoted(scratch / "a"));
  CHECK(deep.status == 0);
  CHECK(deep.output.find("f: not known: lies more than four folders deep") != std::string::npos);
  test::write_file(scratch / "a/dataset.json", R"({"format": "imu2music dataset", "version": 99})");
  check_refused(program("inspect " + quoted(scratch / "a")), {"dataset.json", "version 99"});
}

TEST_CASE("a RepoVizz folder is one recording") {
  test::ScratchFolder scratch;
  const json report = inspect(test::simulated_recording(scratch));
  CHECK(report["kind"] == "recording");
  CHECK(report["format"] == "RepoVizz");
  CHECK(report["sensors"].size() == 2);
  CHECK(report["gaps"].empty());
  CHECK(report["saturation"].empty());
}

TEST_CASE("generate and features take a table of two armbands, gaps told") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch);
  test::write_file(scratch / "take.csv", two_armbands());
  const test::CommandResult music =
      program("generate " + quoted(scratch / "take.csv") + " --weights " + quoted(weights) + " -o " +
              quoted(scratch / "out.mid") + " --svg " + quoted(scratch / "out.svg") + " --greedy");
  INFO(music.error);
  CHECK(music.status == 0);
  CHECK(music.error.find("myo1: 1 gap, 0.52 s at 3.98 s") != std::string::npos);
  CHECK(music.error.find("was held through 1 gap, 0.52 s in all") != std::string::npos);
  CHECK(std::filesystem::exists(scratch / "out.mid"));
  CHECK(test::read_file(scratch / "out.svg").find("myo1, rotation") != std::string::npos);
  const test::CommandResult features =
      program("features " + quoted(scratch / "take.csv") + " -o " + quoted(scratch / "features.safetensors"));
  CHECK(features.status == 0);
}

TEST_CASE("missing values on an even clock: generate and features tell what was held") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch);
  std::string text =
      "time_s,imu_acc_x_g,imu_acc_y_g,imu_acc_z_g,imu_gyro_x_dps,imu_gyro_y_dps,imu_gyro_z_dps,"
      "imu_euler_x_rad,imu_euler_y_rad,imu_euler_z_rad";
  for (int i = 0; i < 1000; ++i) {
    text += "\n" + std::to_string(0.01 * i);
    for (int k = 0; k < 9; ++k)
      text += k < 3 && i >= 300 && i < 700
                  ? ",nan"
                  : "," + std::to_string((i * (k + 3)) % 17 * 0.01 + (k == 2 ? 1 : 0));
  }
  test::write_file(scratch / "take.csv", text + "\n");
  test::write_file(scratch / "own.json",
                   R"({"encoder":"temporal","d_model":32,"heads":4,"width":16,"blocks":1,"encoder_layers":1,)"
                   R"("decoder_layers":1,"max_sequence":64})");
  const std::string own = scratch / "own.safetensors";
  REQUIRE(program("init " + quoted(scratch / "own.json") + " -o " + quoted(own)).status == 0);
  const std::string take = quoted(scratch / "take.csv"), out = quoted(scratch / "out");
  const std::string armbands = " --sensors myo1=imu,myo2=imu";
  for (const auto& [command, sensor] :
       {std::pair{"generate " + take + " --weights " + quoted(weights) + " -o " + out + armbands, "myo2"},
        {"features " + take + " -o " + out + armbands, "myo1"},
        {"generate " + take + " --weights " + quoted(own) + " -o " + out, "imu"}}) {
    const test::CommandResult result = program(command);
    INFO(result.error);
    CHECK(result.status == 0);
    CHECK(result.error.find("take.csv: imu: 1 stretch of missing values, 4 s at 3 s") != std::string::npos);
    CHECK(result.error.find("take.csv: sensor " + std::string(sensor) +
                            ": its acceleration was held through 1 gap, 4.01 s in all") != std::string::npos);
  }
}

TEST_CASE("a rate that the recording's own clock leaves unused is told") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch);
  test::write_file(scratch / "take.csv", two_armbands());
  const std::string take = quoted(scratch / "take.csv"), out = quoted(scratch / "out");
  for (const std::string& command : {"generate " + take + " --weights " + quoted(weights) + " -o " + out,
                                     "features " + take + " -o " + out, "inspect " + take}) {
    const std::string told = "take.csv: has a clock of its own: --rate 20 was not used\n";
    const test::CommandResult result = program(command + " --rate 20"), plain = program(command);
    INFO(result.error);
    CHECK(result.status == 0);
    CHECK(result.error.find(told) != std::string::npos);
    CHECK(result.output == plain.output);
    CHECK(plain.error.find("--rate") == std::string::npos);
  }
  // Where there is no clock, or one that only counts, the rate is used.
  std::string silent = test::xsens_txt;
  const std::size_t rate = silent.find("// Update Rate");
  silent.erase(rate, silent.find('\n', rate) + 1 - rate);
  test::write_file(scratch / "xsens_00B42D71.txt", silent);
  test::write_file(scratch / "kinect.csv", test::kinect_csv);
  for (const char* name : {"xsens_00B42D71.txt", "kinect.csv"})
    CHECK(inspect(scratch / name, "--rate 50")["sensors"][0]["rate_hz"] == 50);
}

TEST_CASE("inspect of a phone's zip archive says to unpack it, of any other what a checkpoint is") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "phone.zip", test::ZipBuilder().add("Accelerometer.csv", "time,x\n").bytes());
  check_refused(program("inspect " + quoted(scratch / "phone.zip")),
                {"phone.zip", "zip archive without a data.pkl", "unpack a recording and name its folder",
                 "torch.save"});
  test::write_file(scratch / "broken.pth", test::ZipBuilder().add("archive/data.pkl", "no pickle").bytes());
  const test::CommandResult broken = program("inspect " + quoted(scratch / "broken.pth"));
  check_refused(broken, {"broken.pth"});
  CHECK(broken.error.find("unpack") == std::string::npos);
}

TEST_CASE("a recording with one armband can stand for two when it is told to") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch), out = scratch / "out.mid";
  std::string take = test::myo_csv;
  for (int i = 4; i < 700; ++i)
    take += std::to_string(i / 100) + "." + (i % 100 < 10 ? "0" : "") + std::to_string(i % 100) +
            ",1,0,0.5," + std::to_string(1 + 0.01 * (i % 7)) + ",90,-90,0,0.1,0.2,0.3,0\n";
  test::write_file(scratch / "take.csv", take);
  const std::string command = "generate " + quoted(scratch / "take.csv") + " --weights " + quoted(weights) +
                              " -o " + quoted(out) + " --greedy ";
  check_refused(program(command),
                {"take.csv", "lacks sensor myo1, sensor myo2", "it has myo", "--sensors myo1=myo,myo2=myo"});
  CHECK_FALSE(std::filesystem::exists(out));
  const test::CommandResult mapped = program(command + "--sensors myo1=myo,myo2=myo");
  INFO(mapped.error);
  CHECK(mapped.status == 0);
  CHECK(std::filesystem::exists(out));
  check_refused(program(command + "--sensors myo1=myo,myo2=other"),
                {"take.csv", "'other'", "its sensors: myo"});
  check_refused(program(command + "--sensors myo1=myo"),
                {"lacks sensor myo2; it has myo (", "--sensors myo1=myo,myo2=myo"});
  // What the reader found is told with the music.
  std::string odd = take;
  odd.insert(odd.find('\n'), ",mood");
  for (std::size_t end = odd.find('\n', odd.find('\n') + 1); end != std::string::npos;
       end = odd.find('\n', end + 3))
    odd.insert(end, ",7");
  odd.replace(odd.find("t_s"), 3, "time_s");
  test::write_file(scratch / "odd.csv", odd);
  const test::CommandResult told =
      program("generate " + quoted(scratch / "odd.csv") + " --weights " + quoted(weights) + " -o " +
              quoted(out) + " --greedy --sensors myo1=imu,myo2=imu");
  INFO(told.error);
  CHECK(told.status == 0);
  CHECK(told.error.find("odd.csv: left out: 'new_sample', 'norm_acc_x', 'mood'\n") != std::string::npos);
  check_refused(program(command + "--sensors myo1"), {"sensor map", "'myo1'"});
  check_refused(program(command + "--sensors myo1=myo,myo2=myo,myo3=myo"),
                {"'myo3'", "these weights take 2 sensors"});

  test::write_file(scratch / "wand", test::wand_csv);
  check_refused(program("features " + quoted(scratch / "wand") + " -o " + quoted(scratch / "f") +
                        " --sensors myo1=wand,myo2=wand"),
                {"wand", "lacks rotation of myo1, rotation of myo2"});
}

TEST_CASE("generate says in one line what each recording in ../shared/data lacks") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch);
  for (const char* folder : {"conducting-wand", "phone-imu", "myo-signs", "kinect-bowing"}) {
    const std::string path = test::shared_file(std::string("data/") + folder);
    if (path.empty()) return;
    const std::string file = files_in(path).front();
    check_refused(program("generate " + quoted(file) + " --weights " + quoted(weights) + " -o " +
                          quoted(scratch / "out.mid")),
                  {file, "lacks sensor myo1", "rotation, angular velocity and acceleration"});
  }
  const std::string take = test::shared_file("data/violin-myo/takes/7_colle_s3.csv");
  if (take.empty()) return;
  const test::CommandResult result =
      program("generate " + quoted(take) + " --weights " + quoted(weights) + " -o " +
              quoted(scratch / "out.mid") + " --greedy --sensors myo1=myo,myo2=myo");
  CHECK(result.status == 0);
  CHECK(result.error.find("32 stretches of repeated rows") != std::string::npos);
}
