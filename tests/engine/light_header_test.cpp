// What engine.hpp promises to whoever compiles with it, held against the compiler itself: that it is light,
// and that a program with no implementation, or with two, does not link.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>

#include "support.hpp"

namespace {

const std::string compiler = std::string("'") + IMU2MUSIC_COMPILER +
                             "' -std=c++20 -I '" IMU2MUSIC_SOURCE_DIR "/include' -I '" IMU2MUSIC_SOURCE_DIR
                             "/kernels' ";

std::string in(const test::ScratchFolder& scratch, const char* name) { return "'" + (scratch / name) + "'"; }

// How many lines the compiler sees of a file that includes this one alone.
std::ptrdiff_t preprocessed_lines(const std::string& header) {
  test::ScratchFolder scratch;
  test::write_file(scratch / "one.cpp", "#include <" + header + ">\n");
  const auto result = test::run_command(compiler + "-E -P " + in(scratch, "one.cpp"));
  INFO(result.error);
  REQUIRE(result.status == 0);
  return std::count(result.output.begin(), result.output.end(), '\n');
}

constexpr const char* program = R"(#include <imu2music/engine.hpp>
int main(int argc, char** argv) {
  return argc > 1 ? static_cast<int>(imu2music::Engine(argv[1]).description().vocabulary) : 0;
}
)";

}  // namespace

TEST_CASE("a file with engine.hpp is smaller for the compiler than one with nlohmann/json.hpp alone") {
  const auto engine = preprocessed_lines("imu2music/engine.hpp"),
             json = preprocessed_lines("nlohmann/json.hpp");
  MESSAGE(engine << " lines, nlohmann/json.hpp " << json);
  CHECK(engine > 1000);
  CHECK(engine < json);
}

TEST_CASE(
    "engine.hpp includes a few small headers of the library and no costly one of the standard library") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "one.cpp", "#include <imu2music/engine.hpp>\n");
  const auto result = test::run_command(compiler + "-M " + in(scratch, "one.cpp"));
  INFO(result.error);
  REQUIRE(result.status == 0);
  std::set<std::string> ours;
  std::istringstream files(result.output);
  for (std::string file; files >> file;) {
    const std::size_t at = file.rfind("/include/imu2music/");
    if (at != std::string::npos) ours.insert(file.substr(at + 19));
    INFO(file);
    CHECK(file.find("/kernels/") == std::string::npos);
    const std::string name = file.substr(file.rfind('/') + 1);
    for (const char* costly :
         {"iostream", "regex", "filesystem", "variant", "map", "immintrin.h", "json.hpp"})
      CHECK(name != costly);
  }
  CHECK(ours == std::set<std::string>{"core/error.hpp", "engine.hpp", "generate/sampler_options.hpp",
                                      "music/note.hpp"});
}

TEST_CASE("a program links with one implementation of the engine, and not with none or two") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "main.cpp", program);
  REQUIRE(
      test::run_command(compiler + "-c " + in(scratch, "main.cpp") + " -o " + in(scratch, "main.o")).status ==
      0);
  const std::string link = compiler + in(scratch, "main.o") + " ", object = "'" IMU2MUSIC_ENGINE_OBJECT "' ",
                    flags = IMU2MUSIC_LINK_FLAGS " -o " + in(scratch, "main");

  auto result = test::run_command("LC_ALL=C " + link + flags);
  CHECK(result.status != 0);
  CHECK(result.error.find("undefined reference to `imu2music::v0::Engine::Engine(") != std::string::npos);

  result = test::run_command("cp " + object + in(scratch, "second.o") + " && LC_ALL=C " + link + object +
                             in(scratch, "second.o") + " " + flags);
  CHECK(result.status != 0);
  CHECK(result.error.find("multiple definition of `imu2music::v0::Engine::Engine(") != std::string::npos);

  result = test::run_command(link + object + flags + " && " + in(scratch, "main"));
  INFO(result.error);
  CHECK(result.status == 0);
}
