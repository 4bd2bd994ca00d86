// Input made to do harm, and machines that fail: refused in one line, or dealt with in bounded memory, and
// what was there before survives.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "../imu/recording_texts.hpp"
#include "../io/checkpoint_builder.hpp"
#include "program.hpp"

using nlohmann::json;
using test::check_refused;
using test::program;
using test::quoted;

namespace {

namespace fs = std::filesystem;

// Address space for a command; sanitizers reserve far more, so they do without.
#ifdef IMU2MUSIC_SANITIZED
const std::string in_little_memory;
#else
const std::string in_little_memory = "ulimit -v 1500000;";
#endif
const std::string in_time = "timeout 60";

std::string big_endian(std::uint64_t number, int bytes) {
  std::string text = test::little_endian(number, bytes);
  return {text.rbegin(), text.rend()};
}

std::string safetensors(const std::string& header, const std::string& data = "") {
  return test::little_endian(header.size(), 8) + header + data;
}

// What lies in the scratch folder, by name.
std::vector<std::string> names_in(const test::ScratchFolder& scratch) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(scratch.path()))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, std::string> content_of(const std::string& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::directory_iterator(folder))
    content[entry.path().filename().string()] = test::read_file(entry.path().string());
  return content;
}

}  // namespace

TEST_CASE("archives that unpack to far more than they are") {
  test::ScratchFolder scratch;
  const std::string bad = scratch / "bad.pt", zeros(std::size_t{200} << 20, '\0');
  const auto refuse = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    test::write_file(bad, bytes);
    std::vector<std::string> all = parts;
    all.push_back(bad);
    check_refused(program("convert " + quoted(bad) + " -o " + quoted(scratch / "out"), in_little_memory),
                  all);
    check_refused(program("inspect " + quoted(bad), in_little_memory), all);
    CHECK(names_in(scratch) == std::vector<std::string>{"bad.pt"});
  };
  SUBCASE("one entry of great ratio, as it says") {
    refuse(test::ZipBuilder().add("a/data.pkl", zeros, true).bytes(), {"ten times its own size"});
  }
  SUBCASE("one entry that says it is small") {
    refuse(test::ZipBuilder()
               .add("a/data.pkl", zeros, true, [](test::ZipRecord& record) { record.size = 100; })
               .bytes(),
           {"does not inflate to the 100 bytes"});
  }
  SUBCASE("a storage of great ratio under a right pickle") {
    using namespace test::pickle;
    test::CheckpointBuilder checkpoint;
    checkpoint.value = ordered_dict({{"w", tensor(storage("0", 50 << 20), 0, {50 << 20}, {1})}});
    checkpoint.storages["0"] = zeros;
    checkpoint.deflate = true;
    refuse(checkpoint.bytes(), {"ten times its own size"});
  }
  SUBCASE("a hundred entries that are the same bytes") {
    test::ZipBuilder zip;
    const std::string part(100000, 'x');
    zip.add("a/data.pkl", part);
    for (int i = 0; i < 100; ++i)
      zip.add("a/data/" + std::to_string(i), part, false, [](test::ZipRecord& record) {
        record.header_offset = 1;
        record.packed.clear();
      });
    refuse(zip.bytes(), {"its entries claim more bytes than the file has"});
  }
  SUBCASE("an archive in an archive is not opened") {
    const std::string inner = test::ZipBuilder().add("a/data.pkl", zeros, true).bytes();
    refuse(test::ZipBuilder().add("inner.zip", inner).bytes(), {"without a data.pkl"});
    refuse(test::ZipBuilder().add("a/data.pkl", inner).bytes(), {"pickle"});
  }
}

TEST_CASE("shapes and offsets that are negative, overflow or overlap") {
  test::ScratchFolder scratch;
  const std::string bad = scratch / "bad";
  const auto refuse = [&](const std::string& tensors, const std::vector<std::string>& parts) {
    test::write_file(bad, safetensors("{" + tensors + "}", std::string(16, '\0')));
    check_refused(program("convert " + quoted(bad) + " -o " + quoted(scratch / "out")), parts);
    CHECK_FALSE(fs::exists(scratch / "out"));
  };
  const std::string one = R"("a":{"dtype":"F32",)";
  refuse(one + R"("shape":[-4],"data_offsets":[0,16]})", {"'a'", "-4"});
  refuse(one + R"("shape":[4],"data_offsets":[-16,0]})", {"'a'", "-16"});
  refuse(one + R"("shape":[4294967296,4294967296,4],"data_offsets":[0,16]})", {"'a'", "2^58"});
  refuse(one + R"("shape":[18446744073709551615],"data_offsets":[0,16]})", {"'a'", "18446744073709551615"});
  refuse(one + R"("shape":[4],"data_offsets":[16,0]})", {"'a'", "reversed"});
  refuse(one + R"("shape":[4],"data_offsets":[18446744073709551600,18446744073709551616]})", {"bad"});
  refuse(one + R"("shape":[4],"data_offsets":[4,20]})", {"'a'", "cut off"});
  refuse(one + R"("shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]})",
         {"'b'", "overlaps"});
  refuse(R"("a":{"dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16]})", {"'a'", "F8_E4M3", "F32"});
}

TEST_CASE("weights that are not finite, of a wrong type, missing, extra and mis-shaped are listed at once") {
  test::ScratchFolder scratch;
  const std::string good = test::small_weights(scratch), bad = scratch / "bad";
  test::Tensors tensors(good);
  tensors.value<float>("Wout.weight", 5) = std::numeric_limits<float>::quiet_NaN();
  tensors.value<float>("embedding.weight", 7) = -std::numeric_limits<float>::infinity();
  tensors.entries[tensors.index("transformer.decoder.norm.bias")].dtype = imu2music::Dtype::i32;
  tensors.entries[tensors.index("transformer.decoder.norm.weight")].shape = imu2music::Shape{4, 8};
  tensors.entries[tensors.index("transformer.encoder.norm.weight")].name = "transformer.encoder.norm.wight";
  tensors.write(bad);
  check_refused(program("convert " + quoted(bad) + " -o " + quoted(scratch / "out")),
                {bad, "6 tensors do not fit", "Wout.weight holds a value that is not finite",
                 "embedding.weight holds a value that is not finite", "norm.bias holds I32",
                 "transformer.decoder.norm.weight is (4, 8) instead of (32)", "norm.weight (32) is missing",
                 "norm.wight (32) is unexpected"});
  CHECK_FALSE(fs::exists(scratch / "out"));
}

TEST_CASE("recordings without samples, with one, without a rate, or going backwards") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch), out = scratch / "out.mid",
                    take = scratch / "take";
  const std::string header =
      "time_s,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps,rot_x_deg,rot_y_deg,rot_z_deg\n";
  const std::string values = ",0,0,1,0,0,0,0,0,0\n", armbands = " --sensors myo1=imu,myo2=imu";
  const auto generate = [&](const std::string& text, const std::string& more = "") {
    test::write_file(take, text);
    return program("generate " + quoted(take) + " --weights " + quoted(weights) + " -o " + quoted(out) +
                       " --greedy" + armbands + more,
                   in_time);
  };
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& parts,
                          const std::string& more = "") {
    check_refused(generate(text, more), parts);
    CHECK_FALSE(fs::exists(out));
  };
  refuse(header, {take, "no samples"});
  refuse(header + "0" + values, {take, "one sample"});
  refuse(header + "0" + values + "0" + values, {take, "never goes forward"});
  std::string backwards = header;
  for (int i = 50; i > 0; --i) backwards += std::to_string(i) + values;
  refuse(backwards, {take, "never goes forward"});
  std::string zigzag = header;
  for (int i = 0; i < 50; ++i) zigzag += std::to_string(i % 3) + values;
  refuse(zigzag, {take, "runs backwards"});
  refuse(header + "0" + values + "1e300" + values, {take, "span more than 1e9 s"});
  refuse(header + "0" + values + "nan" + values, {take, "line 3", "no time"});

  const std::string bare = header.substr(header.find(',') + 1);
  refuse(bare + values.substr(1), {take, "no time column"});
  for (const char* rate : {"0", "-5", "nan", "inf", "1e9"}) {
    INFO(rate);
    refuse(bare + values.substr(1), {"ate"}, std::string(" --rate ") + rate);
  }
  // One sample with a rate is a recording of one period: refused in one line, or made music of.
  const test::CommandResult one = generate(bare + values.substr(1), " --rate 50");
  INFO(one.error);
  if (one.status == 0)
    CHECK(fs::exists(out));
  else
    check_refused(one, {take});

  const std::string folder = test::simulated_recording(scratch), signal = folder + "/00_myo1_gyro__x.csv";
  for (const char* text :
       {"repovizz,framerate=0\n1,2,3\n", "repovizz,framerate=-25\n1,2,3\n", "repovizz,framerate=nan\n1,2,3\n",
        "repovizz,framerate=25\n\n", "repovizz,framerate=25\n1\n"}) {
    INFO(text);
    test::write_file(signal, text);
    check_refused(program("inspect " + quoted(folder)), {"00_myo1_"});
  }
}

TEST_CASE("ten hours at 100 Hz are told of in bounded memory") {
  test::ScratchFolder scratch;
#ifdef IMU2MUSIC_SANITIZED
  constexpr int n = 360000;
#else
  constexpr int n = 10 * 3600 * 100;
#endif
  std::string text = "time_ms,acc_x_g,acc_y_g,acc_z_g\n";
  text.reserve(std::size_t{n} * 24);
  for (int i = 0; i < n; ++i)
    text += std::to_string(10LL * i) + (i % 2 == 0 ? ",0.5,-0.25,1\n" : ",0.25,0.5,1\n");
  test::write_file(scratch / "night.csv", text);
  const test::CommandResult result =
      program("inspect --json " + quoted(scratch / "night.csv"), in_little_memory);
  INFO(result.error);
  REQUIRE(result.status == 0);
  const json report = json::parse(result.output);
  CHECK(report["sensors"][0]["samples"] == n);
  CHECK(report["duration_s"].get<double>() == doctest::Approx(n / 100.0));
}

TEST_CASE("MIDI files that are wrong, or too much") {
  test::ScratchFolder scratch;
  const std::string file = scratch / "s.mid", folder = scratch / "r";
  const auto head = [](int tracks, int division) {
    return "MThd" + big_endian(6, 4) + big_endian(1, 2) + big_endian(std::uint64_t(tracks), 2) +
           big_endian(std::uint64_t(division), 2);
  };
  const auto track = [](const std::string& events) { return "MTrk" + big_endian(events.size(), 4) + events; };
  const std::string note("\0\x90\x3C\x40\x60\x3C\0\0\xFF\x2F\0", 11);
  const auto refuse = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    test::write_file(file, bytes);
    std::vector<std::string> all = parts;
    all.push_back(file);
    check_refused(program("simulate " + quoted(file) + " -o " + quoted(folder), in_time), all);
    check_refused(program("inspect " + quoted(file), in_time), all);
    CHECK_FALSE(fs::exists(folder));
  };
  refuse(head(1, 0) + track(note), {"0 ticks a quarter"});
  for (const std::size_t cut : {6, 20, 25}) refuse((head(1, 96) + track(note)).substr(0, cut), {});
  refuse(head(2, 96) + track(note) + track(note).substr(0, 10), {"chunk"});
  refuse(head(65535, 96) + track(note), {"65535 tracks"});
  std::string many = head(65535, 96) + track(note);
  for (int i = 0; i < 1000000; ++i) many += track("");
  test::write_file(file, many);
  const test::CommandResult inspected = program("inspect " + quoted(file), in_little_memory + in_time);
  CHECK(inspected.status == 0);
  CHECK(inspected.output.find("65535 tracks, 1 notes") != std::string::npos);
  CHECK(program("simulate " + quoted(file) + " -o " + quoted(folder), in_little_memory + in_time).status ==
        0);
  fs::remove_all(folder);

  // A note of a day: the score's own file is named.
  test::write_file(file, head(1, 1) + track(std::string("\0\x90\x3C\x40\x8A\xC6\x00\x3C\0\0\xFF\x2F\0", 13)));
  check_refused(program("simulate " + quoted(file) + " -o " + quoted(folder)),
                {file + ": note 0 ends at", "three hours"});
}

TEST_CASE("where a disk is full, what was there before survives") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string config = quoted(scratch / "config.json"), before = test::read_file(weights);
  const std::string full = "ulimit -f 40;";  // 20 kB a file
  const std::vector<std::string> names = names_in(scratch);

  check_refused(program("init " + config + " -o " + quoted(weights) + " --seed 2", full),
                {weights, "File too large"});
  CHECK(test::read_file(weights) == before);

  const auto signals = content_of(recording);
  check_refused(
      program("simulate " + quoted(scratch / "score.mid") + " -o " + quoted(recording) + " --seed 2",
              "ulimit -f 8;"),
      {recording, "File too large"});
  CHECK(content_of(recording) == signals);

  const std::string score = test::read_file(scratch / "score.mid");
  test::write_file(scratch / "out.svg", "older");
  test::write_file(scratch / "out.mid", score);
  const test::CommandResult generated =
      program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                  quoted(scratch / "out.mid") + " --svg " + quoted(scratch / "out.svg") + " --greedy",
              full);
  CHECK(generated.status == 2);
  CHECK(generated.error.find("out.svg: cannot be written (File too large)") != std::string::npos);
  CHECK(test::read_file(scratch / "out.svg") == "older");
  CHECK(test::read_file(scratch / "out.mid") == score);
  fs::remove(scratch / "out.svg");
  fs::remove(scratch / "out.mid");

  if (fs::exists("/dev/full")) {
    check_refused(program("init " + config + " -o /dev/full"), {"/dev/full", "No space left"});
    for (const char* arguments : {"--help", "--version", "generate --help", "info", "info --json"}) {
      INFO(arguments);
      const test::CommandResult result = program(std::string(arguments) + " > /dev/full");
      CHECK(result.status == 1);
      CHECK(result.error.find("standard output") != std::string::npos);
      CHECK(std::count(result.error.begin(), result.error.end(), '\n') == 1);
    }
  }
  CHECK(names_in(scratch) == names);
}

TEST_CASE("two commands that write one file at once leave the whole output of one") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "config.json",
                   R"({"d_model": 32, "heads": 4, "encoder_layers": 1, "decoder_layers": 1})");
  const auto init = [&](const char* name, int seed) {
    return quoted(IMU2MUSIC_PROGRAM) + " init " + quoted(scratch / "config.json") + " -o " +
           quoted(scratch / name) + " --seed " + std::to_string(seed);
  };
  REQUIRE(test::run_command(init("one", 1)).status == 0);
  REQUIRE(test::run_command(init("two", 2)).status == 0);
  const std::string one = test::read_file(scratch / "one"), two = test::read_file(scratch / "two");
  CHECK(one != two);
  for (int round = 0; round < 5; ++round) {
    const test::CommandResult result =
        test::run_command("{ " + init("same", 1) + "; echo $?; } & { " + init("same", 2) + "; echo $?; } & " +
                          init("same", 1) + "; wait");
    CHECK(result.status == 0);
    CHECK(result.error.empty());
    const std::string same = test::read_file(scratch / "same");
    CHECK((same == one || same == two));
  }
  CHECK(names_in(scratch) == std::vector<std::string>{"config.json", "one", "same", "two"});
}

TEST_CASE("no command waits for a named pipe") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string pipe = scratch / "pipe", out = " -o " + quoted(scratch / "out");
  REQUIRE(test::run_command("mkfifo " + quoted(pipe)).status == 0);
  for (const std::string& arguments :
       {"init " + quoted(pipe) + out, "simulate " + quoted(pipe) + out, "inspect " + quoted(pipe),
        "features " + quoted(pipe) + out, "generate " + quoted(pipe) + " --weights " + quoted(weights) + out,
        "generate " + quoted(recording) + " --weights " + quoted(pipe) + out, "verify " + quoted(pipe),
        "verify " + quoted(weights) + " " + quoted(pipe), "convert " + quoted(pipe) + out}) {
    INFO(arguments);
    check_refused(program(arguments, in_time), {});
    CHECK_FALSE(fs::exists(scratch / "out"));
  }
  // What is open already is read.
  const std::string text = quoted(IMU2MUSIC_PROGRAM) + " simulate /dev/stdin -o " + quoted(scratch / "r");
  CHECK(test::run_command("cat " + quoted(scratch / "score.mid") + " | " + in_time + " " + text).status == 0);
}

TEST_CASE("inspect tells a file that cannot be read in its line, and goes on") {
  test::ScratchFolder scratch;
  if (!fs::exists("/proc/self/mem")) return;
  test::write_file(scratch / "wand.dat", test::wand_csv);
  test::write_file(scratch / "open_quote.csv", "t,\"x,y,z\n0,1,2,3\n");  // which a folder's kind is told by
  fs::create_directory(scratch / "below");
  // A regular file whose first bytes nobody can read, root neither.
  fs::create_symlink("/proc/self/mem", scratch / "mem.csv");
  fs::create_symlink("/proc/self/mem", scratch / "below/mem.csv");
  const test::CommandResult text = program("inspect " + quoted(scratch.path().string()));
  INFO(text.error);
  CHECK(text.status == 1);
  CHECK(text.output.find("mem.csv: cannot be read: ") != std::string::npos);
  CHECK(text.output.find("wand.dat: recording (wand table)") != std::string::npos);
  CHECK(text.output.find("open_quote.csv: not known: ") != std::string::npos);
  CHECK(text.error == "imu2music: " + scratch.path().string() + ": 2 files in it could not be read\n");
  const test::CommandResult as_json = program("inspect --json " + quoted(scratch.path().string()));
  CHECK(as_json.status == 1);
  const json report = json::parse(as_json.output);
  REQUIRE(report["files"].size() == 4);
  CHECK(report["files"][0]["kind"] == "unreadable");
  CHECK(report["files"][1]["kind"] == "unknown");
  CHECK(report["files"][2]["kind"] == "recording");
  CHECK(report["files"][3]["kind"] == "folder");
  CHECK(program("inspect " + quoted(scratch / "mem.csv")).status == 1);
}
