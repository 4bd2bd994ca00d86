// Damages a valid file in many ways and checks that reading it either works or ends in an InputError.
#pragma once

#include <algorithm>
#include <random>
#include <string>

#include "imu2music/core/error.hpp"
#include "memory_file.hpp"
#include "support.hpp"

namespace test {

struct DamageCount {
  int read = 0;
  int refused = 0;
};

// Whatever else `read` throws passes through and fails the test.
template <class Read>
void read_damaged(MemoryFile& file, const std::string& bytes, const Read& read, DamageCount& count) {
  const std::string path = file.path();
  file.replace(bytes);
  try {
    read(path);
    ++count.read;
  } catch (const imu2music::InputError& error) {
    const std::string message = error.what();
    if (!message.starts_with(path + ": ") || message.find('\n') != std::string::npos ||
        message.find("; ") == std::string::npos)
      FAIL("not one line with file, fault and remedy: " << message);
    ++count.refused;
  }
}

// Cut off after every byte.
template <class Read>
DamageCount truncate_everywhere(const std::string& bytes, const Read& read) {
  MemoryFile file;
  DamageCount count;
  for (std::size_t size = 0; size < bytes.size(); ++size)
    read_damaged(file, bytes.substr(0, size), read, count);
  return count;
}

// One to four bytes replaced, the same ones on each run; `from` and `to` bound where.
template <class Read>
DamageCount flip_bytes(const std::string& bytes, int rounds, const Read& read, std::size_t from = 0,
                       std::size_t to = std::string::npos) {
  MemoryFile file;
  DamageCount count;
  std::mt19937 random(2024);
  to = std::min(to, bytes.size());
  for (int round = 0; round < rounds; ++round) {
    std::string damaged = bytes;
    for (auto left = 1 + random() % 4; left > 0; --left)
      damaged[from + random() % (to - from)] = static_cast<char>(random());
    read_damaged(file, damaged, read, count);
  }
  return count;
}

}  // namespace test
