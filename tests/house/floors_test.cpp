// The house rules that a compiler does not check, read off the sources themselves:
//   - a file includes lower floors only (docs/architecture.md);
//   - regions compiled for AVX2 or AVX-512 hold no #include, template, lambda or std::;
//   - OpenMP pragmas stand in core/parallel.hpp alone, Eigen in core/eigen.hpp alone, nlohmann/json nowhere in the
//     library (its compile time would be every user's).
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

namespace fs = std::filesystem;

const std::map<std::string, int> floors = {{"core", 0},     {"io", 1},       {"music", 1},   {"imu", 1},
                                           {"ops", 2},      {"autograd", 3}, {"nn", 4},      {"models", 5},
                                           {"generate", 6}, {"train", 6},    {"evaluate", 7}};

struct Source {
  std::string path;  // from the project's root
  std::vector<std::string> lines;
};

std::vector<Source> sources(const std::string& folder) {
  std::vector<Source> found;
  const fs::path root = IMU2MUSIC_SOURCE_DIR;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    if (entry.path().extension() != ".hpp") continue;
    Source source{fs::relative(entry.path(), root).generic_string(), {}};
    std::istringstream text(test::read_file(entry.path().string()));
    for (std::string line; std::getline(text, line);) source.lines.push_back(line);
    found.push_back(source);
  }
  std::sort(found.begin(), found.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return found;
}

// What an #include line names, without quotes; empty for another line.
std::string included(const std::string& line) {
  if (line.rfind("#include", 0) != 0) return {};
  const std::size_t begin = line.find_first_of("<\""), end = line.find_first_of(">\"", begin + 1);
  return line.substr(begin + 1, end - begin - 1);
}

// "imu2music/core/shape.hpp" → "core"; "" for the library's own top.
std::string folder_of(const std::string& path) {
  const std::size_t begin = path.find("imu2music/") + 10, end = path.find('/', begin);
  return end == std::string::npos ? std::string() : path.substr(begin, end - begin);
}

}  // namespace

TEST_CASE("a header includes its own floor and lower ones only") {
  const std::vector<Source> headers = sources("include");
  REQUIRE(headers.size() > 30);
  for (const Source& header : headers) {
    const std::string folder = folder_of(header.path);
    if (folder.empty()) continue;  // imu2music.hpp, which includes all
    INFO(header.path);
    REQUIRE(floors.count(folder) == 1);
    for (const std::string& line : header.lines) {
      const std::string name = included(line);
      CHECK(name != "imu2music/imu2music.hpp");
      if (name.rfind("imu2music/", 0) != 0) continue;
      INFO(line);
      REQUIRE(floors.count(folder_of(name)) == 1);
      CHECK(floors.at(folder_of(name)) <= floors.at(folder));
    }
  }
}

TEST_CASE("kernels include kernels and the standard library only") {
  for (const Source& kernel : sources("kernels"))
    for (const std::string& line : kernel.lines) {
      INFO(kernel.path << ": " << line);
      CHECK(included(line).rfind("imu2music/", 0) != 0);
    }
}

TEST_CASE("regions for one instruction set hold nothing that another translation unit could share") {
  int regions = 0;
  for (const Source& kernel : sources("kernels")) {
    if (kernel.path == "kernels/cpu/isa.hpp") continue;  // defines the markers
    bool inside = false;
    for (const std::string& line : kernel.lines) {
      const bool begins = line.rfind("IMU2MUSIC_TARGET_AVX", 0) == 0,
                 ends = line.rfind("IMU2MUSIC_TARGET_END", 0) == 0;
      INFO(kernel.path << ": " << line);
      if (begins) ++regions;
      if (begins || ends) CHECK(begins != inside);
      if (inside && !ends) {
        const std::string code = line.substr(0, line.find("//"));
        CHECK(code.find("#include") == std::string::npos);
        CHECK(code.find("template") == std::string::npos);
        CHECK(code.find("[&]") == std::string::npos);
        CHECK(code.find("[=]") == std::string::npos);
        for (std::size_t at = code.find("std::"); at != std::string::npos; at = code.find("std::", at + 1)) {
          const std::string type = code.substr(at + 5);  // integer types are no code
          CHECK((type.rfind("int", 0) == 0 || type.rfind("uint", 0) == 0));
        }
      }
      if (begins) inside = true;
      if (ends) inside = false;
    }
    INFO(kernel.path);
    CHECK_FALSE(inside);
  }
  CHECK(regions >= 10);
}

TEST_CASE("threads and Eigen have one place, costly headers none") {
  for (const char* folder : {"include", "kernels"})
    for (const Source& source : sources(folder))
      for (const std::string& line : source.lines) {
        INFO(source.path << ": " << line);
        if (line.rfind("#pragma omp", 0) == 0) CHECK(source.path == "include/imu2music/core/parallel.hpp");
        const std::string name = included(line);
        CHECK(name.rfind("nlohmann/", 0) != 0);
        if (name.rfind("Eigen/", 0) == 0) CHECK(source.path == "include/imu2music/core/eigen.hpp");
        CHECK(name != "iostream");
        CHECK(name != "regex");
      }
}
