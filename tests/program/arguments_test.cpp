// What arguments mean.
#include <filesystem>
#include <string>

#include "imu2music/io/utf8.hpp"
#include "program.hpp"

namespace fs = std::filesystem;
using test::check_refused;
using test::program;
using test::quoted;

TEST_CASE("a whole number is decimal, zeros before it or not") {
  test::ScratchFolder scratch;
  test::small_weights(scratch);
  const auto json = [](const std::string& arguments) {
    const test::CommandResult result = program(arguments);
    INFO(result.error);
    REQUIRE(result.status == 0);
    return nlohmann::json::parse(result.output);
  };
  const std::string init = "init " + quoted(scratch / "config.json") + " -o /dev/null --json --seed ";
  CHECK(json(init + "010")["seed"] == 10);
  CHECK(json(init + "+09")["seed"] == 9);
  CHECK(json(init + "18446744073709551615")["seed"] == 18446744073709551615u);
  CHECK(json("info --json --threads 010")["threads"]["used"] == 10);
  check_refused(program(init + "0x10"), {"--seed", "whole number"});
}

TEST_CASE("an option that is none is told before what it leaves missing") {
  check_refused(program("generate x --weigths W -o z"), {"'--weigths'", "but --weights", "generate --help"});
  check_refused(program("generate x --weights W --out=z"), {"there is no option '--out'"});
  check_refused(program("generate x -w W -o z"), {"there is no option '-w'"});
  check_refused(program("generate x --weights W --prime -o z"), {"--prime wants a value", "-o"});
  check_refused(program("generate x --weights W -o z --temprature 0.3"),
                {"'--temprature', but --temperature"});
  check_refused(program("generate x y --weights W -o z"), {"'y' was not expected"});
  check_refused(program("generate x"), {"--output is required"});
  check_refused(program("generate --weights W -- x"), {"--output is required"});
}

TEST_CASE("an empty value is no value") {
  const std::string generate = "generate x --weights y -o z ";
  for (const char* option : {"--wav", "--svg", "--prime", "--control", "--sensors", "--units", "--top-p",
                             "--min-p", "--repetition-penalty", "--top-k", "--start"}) {
    INFO(option);
    check_refused(program(generate + option + " ''"), {std::string(option) + ": ''"});
    check_refused(program(generate + option + "=''"), {option});
  }
  for (const char* option : {"--top-p", "--min-p", "--repetition-penalty"})
    for (const char* text : {"' 1'", "0x1", "'1 '"}) {
      INFO(option, " ", text);
      check_refused(program(generate + option + " " + text), {option, "must be a number"});
    }
  check_refused(program("evaluate --weights x --data y --report ''"), {"--report: ''"});
  check_refused(program("evaluate --weights x --data y --sensors ''"), {"--sensors: ''"});
  for (const char* option : {"--init-from", "--sensors", "--split"})
    check_refused(program(std::string("train x --data y -o z ") + option + " ''"),
                  {std::string(option) + ": ''"});
  check_refused(program("train x --data '' -o z"), {"--data: ''"});
  check_refused(program("plot x -o ''"), {"--output: ''"});
  for (const char* command : {"plot ''", "verify ''", "inspect ''", "generate '' --weights y -o z"})
    check_refused(program(command), {": '' is an empty value"});
}

TEST_CASE("an output whose name has another format's ending is refused before any work") {
  test::ScratchFolder scratch;
  const auto in = [&](const std::string& arguments) {
    const test::CommandResult result = test::run_command("cd " + quoted(scratch.path().string()) + " && " +
                                                         quoted(IMU2MUSIC_PROGRAM) + " " + arguments);
    CHECK(fs::is_empty(scratch.path()));
    return result;
  };
  check_refused(in("generate x --weights y -o z.wav"),
                {"z.wav: has the ending of WAV, and what is written is MIDI; end the name in .mid"});
  check_refused(in("generate x --weights y -o z.mid --svg z.png"), {"z.png", "PNG", ".svg"});
  if (nlohmann::json::parse(program("info --json").output)["sound"])
    check_refused(in("generate x --weights y -o z.mid --wav z.MP3"), {"z.MP3", "end the name in .wav"});
  check_refused(in("evaluate --weights x --data y --report z.json"), {"z.json", "JSON", ".html"});
  check_refused(in("convert x -o z.pt"), {"z.pt", "a PyTorch checkpoint", ".safetensors"});
  check_refused(in("features x -o z.csv"), {"z.csv", ".safetensors"});
  // Any other ending is a name's own; here what is wrong is the input.
  for (const char* name : {"z", "z.midi", "take.1", ".mid", "z.MID"})
    check_refused(in(std::string("generate no_such_file --weights y -o ") + name), {"y: "});
}

TEST_CASE("a name in square brackets is a name, not a list") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "[live]");
  test::write_file(scratch / "[live]/tune.csv", "onset_s,offset_s,midi\n0,1,60\n1,2,62\n");
  const test::CommandResult made =
      test::run_command("cd " + quoted(scratch.path().string()) + " && " + quoted(IMU2MUSIC_PROGRAM) +
                        " prepare '[live]' -o '[made]'");
  INFO(made.error);
  CHECK(made.status == 0);
  CHECK(fs::exists(scratch / "[made]/dataset.json"));
}

TEST_CASE("a picture of a run's curves has the run's name, in signs that can be seen") {
  test::ScratchFolder scratch;
  const std::string name = "a\x1b[2J\xff<b>", folder = scratch / name;
  fs::create_directory(folder);
  test::write_file(folder + "/log.jsonl",
                   "{\"step\":1,\"loss\":2,\"nll\":2,\"learning_rate\":1,\"gradient_norm\":1,\"tokens\":3,"
                   "\"seconds\":1}\n");
  const auto title = [&](const std::string& command) {
    const test::CommandResult result = test::run_command(command);
    INFO(result.error);
    REQUIRE(result.status == 0);
    const std::string svg = test::read_file(folder + "/curves.svg");
    const std::size_t begin = svg.find("font-size=\"15\">") + 15;
    return svg.substr(begin, svg.find("</text>", begin) - begin);
  };
  const std::string expected = R"(a\x1b[2J\xff&lt;b&gt;)", plot = quoted(IMU2MUSIC_PROGRAM) + " plot ";
  CHECK(title(plot + quoted(folder)) == expected);
  CHECK(title(plot + quoted(folder + "/")) == expected);  // once more
  CHECK(title("cd " + quoted(folder) + " && " + plot + ".") == expected);
}

TEST_CASE("a folder that cannot be looked into is told as such") {
  test::ScratchFolder scratch;
  const std::string loop = scratch / "loop";
  fs::create_symlink("loop", loop);
  test::write_file(scratch / "c.json", R"({"model": {"encoder": "temporal", "vocabulary": 332}})");
  const std::string train = "train " + quoted(scratch / "c.json");
  for (const std::string& arguments :
       {"plot " + quoted(loop), train + " -o x --data " + quoted(loop), "inspect " + quoted(loop)})
    check_refused(program(arguments), {loop, "Too many levels of symbolic links"});
}
