// A folder in memory, where there is one, for recordings that are folders: made once, its files replaced for
// each input.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "target.hpp"

namespace fuzz {

class Folder {
 public:
  Folder() {
    const std::filesystem::path memory = "/dev/shm";
    std::error_code fault;
    std::string pattern =
        ((std::filesystem::is_directory(memory, fault) ? memory : std::filesystem::temp_directory_path()) /
         "imu2music-fuzz-XXXXXX")
            .string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + pattern);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  void write(const std::string& file, std::string_view bytes) const {
    std::ofstream stream(path_ + "/" + file, std::ios::binary);
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!stream) throw std::runtime_error("cannot write to " + path_);
  }

 private:
  std::string path_;
};

}  // namespace fuzz
