// What several test programs share: where the reference files are, a scratch folder, and running a command.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace test {

// A folder of its own for one test, removed at its end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "imu2music-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + pattern);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream) throw std::runtime_error("cannot write " + path);
}

inline std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return std::move(bytes).str();
}

// The path of a reference file, "golden/events.json" say; empty, with a message, where it is not present.
inline std::string shared_file(std::string_view relative) {
  std::filesystem::path path = std::filesystem::path(IMU2MUSIC_SHARED_DIR) / relative;
  if (std::filesystem::exists(path)) return path.string();
  MESSAGE("skipped: no " << path.string());
  return {};
}

struct CommandResult {
  int status = 0;  // exit status, or 128 + signal
  std::string output;
  std::string error;
};

// Runs a shell command and collects what it prints.
inline CommandResult run_command(const std::string& command) {
  ScratchFolder scratch;
  std::string line =
      "( " + command + " ) >'" + (scratch / "out") + "' 2>'" + (scratch / "err") + "' </dev/null";
  int raw = std::system(line.c_str());
  CommandResult result;
  result.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  result.output = read_file(scratch / "out");
  result.error = read_file(scratch / "err");
  return result;
}

}  // namespace test
