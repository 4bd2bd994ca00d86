// What the program does with bad input: one line with file, fault and remedy, exit status 2, nothing
// half-written.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "../io/pickle_builder.hpp"
#include "../io/zip_builder.hpp"
#include "program.hpp"

using test::check_refused;
using test::program;
using test::quoted;

namespace {

// Every command that reads weights, on these.
void check_weights_refused(const test::ScratchFolder& scratch, const std::string& weights,
                           const std::vector<std::string>& parts) {
  const std::string out = scratch / "out.mid";
  std::vector<std::string> all = parts;
  all.push_back(weights);
  check_refused(program("generate " + quoted(scratch / "recording") + " --weights " + quoted(weights) +
                        " -o " + quoted(out) + " --svg " + quoted(scratch / "out.svg")),
                all);
  check_refused(program("verify " + quoted(weights) + " " + quoted(weights)), all);
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path()))
    left += entry.path().filename().string().rfind("out", 0) == 0;
  CHECK(left == 0);
}

std::string header(std::uint64_t length, const std::string& json) {
  return test::little_endian(length, 8) + json;
}

}  // namespace

TEST_CASE("truncated, empty and hostile weight files are refused") {
  test::ScratchFolder scratch;
  test::simulated_recording(scratch);
  const std::string good = test::small_weights(scratch), bytes = test::read_file(good), bad = scratch / "bad";
  const auto refuse = [&](const std::string& content, const std::vector<std::string>& parts) {
    test::write_file(bad, content);
    check_weights_refused(scratch, bad, parts);
  };
  SUBCASE("empty") { refuse("", {"empty"}); }
  SUBCASE("truncated") {
    for (std::size_t size :
         {std::size_t{4}, std::size_t{8}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1})
      refuse(bytes.substr(0, size), {});
  }
  SUBCASE("a header of 2^62 bytes") { refuse(header(std::uint64_t{1} << 62, "{}"), {"4611686018427387904"}); }
  SUBCASE("overlapping offsets") {
    const std::string json = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})";
    refuse(header(json.size(), json) + std::string(12, '\0'), {"overlap"});
  }
  SUBCASE("a pickle that calls os.system") {
    const std::string flag = scratch / "ran";
    using namespace test::pickle;
    const std::string pickle = proto(2) + call(global("posix", "system"), {text("touch " + flag)}) + ".";
    test::ZipBuilder zip;
    zip.add("archive/data.pkl", pickle).add("archive/version", "3\n");
    refuse(zip.bytes(), {"posix.system", "nothing was executed"});
    CHECK_FALSE(std::filesystem::exists(flag));
  }
  SUBCASE("neither format") { refuse("this is not a weight file, but a letter\n", {}); }
  SUBCASE("missing") { check_weights_refused(scratch, scratch / "no-such-file", {"there is no such file"}); }
  SUBCASE("a folder") { check_weights_refused(scratch, scratch / "recording", {}); }
}

TEST_CASE("a truncated checkpoint is refused") {
  const std::string checkpoint = test::shared_file("golden/imu-conv-d32/checkpoint.pth.tar");
  if (checkpoint.empty()) return;
  test::ScratchFolder scratch;
  test::simulated_recording(scratch);
  const std::string bytes = test::read_file(checkpoint);
  for (std::size_t size : {std::size_t{10}, bytes.size() / 3, bytes.size() - 20}) {
    test::write_file(scratch / "bad", bytes.substr(0, size));
    check_weights_refused(scratch, scratch / "bad", {});
  }
}

TEST_CASE("a damaged recording is refused") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string file = recording + "/00_myo2_acceleration__y.csv";
  const auto run = [&] {
    const auto result = program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                                quoted(scratch / "out.mid"));
    CHECK_FALSE(std::filesystem::exists(scratch / "out.mid"));
    return result;
  };
  SUBCASE("text in a number column") {
    std::string text = test::read_file(file);
    const std::size_t second_line = text.find('\n') + 1, comma = text.find(',', second_line + 40);
    text.insert(comma + 1, "loud,");
    test::write_file(file, text);
    check_refused(run(), {file, "'loud'"});
  }
  SUBCASE("a missing axis file") {
    std::filesystem::remove(file);
    check_refused(run(), {"00_myo2_acceleration__y.csv", "missing"});
  }
  SUBCASE("an empty file") {
    test::write_file(file, "");
    check_refused(run(), {file});
  }
  SUBCASE("no recording at all") {
    std::filesystem::remove_all(recording);
    check_refused(run(), {recording});
  }
}

TEST_CASE("an output that cannot be written is refused before any work, and nothing is left") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string base = "generate " + quoted(recording) + " --weights " + quoted(weights);
  const std::string nowhere = scratch / "no-folder/out";
  check_refused(program(base + " -o " + quoted(nowhere)), {nowhere});
  check_refused(program(base + " -o " + quoted(scratch / "out.mid") + " --svg " + quoted(nowhere)),
                {nowhere});
  check_refused(program(base + " -o " + quoted(scratch / "out.mid") + " --wav " + quoted(nowhere)),
                {nowhere});
  check_refused(program(base + " -o " + quoted(recording)), {recording});
  check_refused(
      program(base + " -o " + quoted(scratch / "out.mid") + " --svg " + quoted(scratch / "out.mid")),
      {"out.mid", "two outputs"});
  CHECK_FALSE(std::filesystem::exists(scratch / "out.mid"));
  check_refused(program("init " + quoted(scratch / "config.json") + " -o " + quoted(nowhere)), {nowhere});
  check_refused(program("features " + quoted(recording) + " -o " + quoted(nowhere)), {nowhere});
  test::write_file(scratch / "file", "");
  check_refused(program("simulate " + quoted(scratch / "score.mid") + " -o " + quoted(scratch / "file")),
                {scratch / "file"});
  if (geteuid() != 0) {
    std::filesystem::permissions(scratch.path(),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    check_refused(program(base + " -o " + quoted(scratch / "out.mid")), {"out.mid", "Permission denied"});
    std::filesystem::permissions(scratch.path(), std::filesystem::perms::owner_all);
  } else {
    MESSAGE("skipped: root may write everywhere");
  }
}

TEST_CASE("configs and scores that are wrong are refused") {
  test::ScratchFolder scratch;
  const std::string out = scratch / "w.safetensors";
  const auto init = [&](const std::string& config) {
    test::write_file(scratch / "c.json", config);
    const auto result = program("init " + quoted(scratch / "c.json") + " -o " + quoted(out));
    CHECK_FALSE(std::filesystem::exists(out));
    return result;
  };
  check_refused(init(R"({"d_modle": 64})"), {"c.json", "d_modle", "d_model"});
  check_refused(init(R"({"d_model": 65, "heads": 8})"), {"c.json", "heads"});
  check_refused(init(R"({"d_model": 16, "heads": 1, "memory_positions": 1})"),
                {"c.json", "memory_positions"});
  check_refused(init(R"({"d_model": 16384, "heads": 64})"), {"c.json", "GB", "d_model"});
  check_refused(init(R"({"model": {"d_model": 64}, "training": {"steps": 1}})"),
                {"training run", "\"model\""});
  check_refused(init(R"({"training": {"steps": 1}})"), {"training run", "\"model\""});
  check_refused(init("{"), {"c.json"});
  check_refused(init(""), {"c.json"});
  test::write_file(scratch / "s.mid", "MThd");
  check_refused(program("simulate " + quoted(scratch / "s.mid") + " -o " + quoted(scratch / "r")), {"s.mid"});
  CHECK_FALSE(std::filesystem::exists(scratch / "r"));
}

TEST_CASE("wrong use is refused in one line") {
  check_refused(program(""), {"--help"});
  check_refused(program("compose"), {"'compose'", "--help"});
  check_refused(program("generate"), {"see imu2music generate --help"});
  check_refused(program("--json"), {"see imu2music --help"});
  check_refused(program("generate x -o y --weights z --temperature 0"), {"--temperature"});
  check_refused(program("generate x -o y --weights z --temperature nan"), {"--temperature"});
  check_refused(program("generate x -o y --weights z --instrument 128"), {"--instrument"});
  check_refused(program("info --threads 0"), {"--threads"});
  for (const char* seed : {"-1", "18446744073709551616", "''", "1.5", "nan"})
    check_refused(program(std::string("generate x -o y --weights z --seed ") + seed), {"--seed"});
  check_refused(program("generate x -o y --weights z --max-tokens 99999999999999999999"), {"--max-tokens"});
  check_refused(program("generate x -o y --weights z --start inf"), {"--start"});
}

TEST_CASE("a forced instruction set that does not exist is refused by name") {
  check_refused(program("info", "IMU2MUSIC_FORCE_ISA=mmx"),
                {"IMU2MUSIC_FORCE_ISA=mmx", "scalar, avx2 or avx512"});
  const auto forced = program("info --json", "IMU2MUSIC_FORCE_ISA=scalar");
  CHECK(nlohmann::json::parse(forced.output)["isa"]["active"] == "scalar");
}

TEST_CASE("a pipe in place of weights is refused at once") {
  test::ScratchFolder scratch;
  REQUIRE(test::run_command("mkfifo " + quoted(scratch / "pipe")).status == 0);
  for (const char* command : {"convert -o x ", "verify x ", "generate y -o x --weights "})
    check_refused(program(command + quoted(scratch / "pipe")), {});
}
