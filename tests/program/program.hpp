// Running the program in tests.
#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "imu2music/io/safetensors.hpp"
#include "support.hpp"

namespace test {

inline std::string quoted(const std::string& text) { return "'" + text + "'"; }

// Runs `imu2music ARGUMENTS`, `environment` set before it ("IMU2MUSIC_FORCE_ISA=scalar").
inline CommandResult program(const std::string& arguments, const std::string& environment = "") {
  return run_command(environment + " " + quoted(IMU2MUSIC_PROGRAM) + " " + arguments);
}

// Bad input: exit status 2, nothing on standard output, one line that holds each of `parts`.
inline void check_refused(const CommandResult& result, const std::vector<std::string>& parts) {
  INFO(result.error);
  CHECK(result.status == 2);
  CHECK(result.output.empty());
  CHECK(std::count(result.error.begin(), result.error.end(), '\n') == 1);
  for (const std::string& part : parts) {
    INFO(part);
    CHECK(result.error.find(part) != std::string::npos);
  }
}

// The instruction sets that the program says it has.
inline std::vector<std::string> instruction_sets() {
  const auto info = nlohmann::json::parse(program("info --json").output);
  return info["isa"]["columns"].get<std::vector<std::string>>();
}

// A file of tensors in memory, to be changed and written again.
struct Tensors {
  std::vector<imu2music::TensorEntry> entries;
  std::vector<std::vector<std::byte>> bytes;
  std::map<std::string, std::string> metadata;

  explicit Tensors(const std::string& path) {
    const imu2music::TensorFile file = imu2music::read_safetensors(path);
    metadata = file.metadata;
    for (const imu2music::TensorEntry& entry : file.entries()) {
      bytes.emplace_back(entry.data, entry.data + entry.byte_count);
      entries.push_back(entry);
    }
  }
  std::size_t index(const std::string& name) const {
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (entries[i].name == name) return i;
    throw std::runtime_error("no tensor " + name);
  }
  template <class T>
  T& value(const std::string& name, std::size_t i) {
    return reinterpret_cast<T*>(bytes[index(name)].data())[i];
  }
  void remove(const std::string& name) {
    const auto i = static_cast<std::ptrdiff_t>(index(name));
    entries.erase(entries.begin() + i);
    bytes.erase(bytes.begin() + i);
  }
  void write(const std::string& path) {
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i].data = bytes[i].data();
    imu2music::write_safetensors(path, entries, metadata);
  }
};

// A small model's weights in the scratch folder.
inline std::string small_weights(const ScratchFolder& scratch) {
  write_file(scratch / "config.json",
             R"({"d_model": 32, "heads": 4, "encoder_layers": 1, "decoder_layers": 1, "max_sequence": 64})");
  const std::string path = scratch / "weights.safetensors";
  const CommandResult result =
      program("init " + quoted(scratch / "config.json") + " -o " + quoted(path) + " --seed 1");
  REQUIRE(result.status == 0);
  return path;
}

// A simulated recording of the demo's score in the scratch folder.
inline std::string simulated_recording(const ScratchFolder& scratch) {
  REQUIRE(run_command(quoted(IMU2MUSIC_DEMO_COMPOSE) + " " + quoted(scratch / "score.mid")).status == 0);
  const std::string folder = scratch / "recording";
  const CommandResult result =
      program("simulate " + quoted(scratch / "score.mid") + " -o " + quoted(folder) + " --seed 1");
  INFO(result.error);
  REQUIRE(result.status == 0);
  return folder;
}

}  // namespace test
