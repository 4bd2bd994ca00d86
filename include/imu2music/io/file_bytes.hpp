// A whole file in memory: for text and small binary files. Large weight files are mapped instead
// (mapped_file.hpp).
//
// Devices and pipes that are open already, such as /dev/stdin, are read to their end. Cost: one read of the
// file, its size in memory. Errors: InputError for a missing, unreadable or too large file, a folder, or a
// named pipe.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_descriptor.hpp"

namespace imu2music::inline v0 {

// The bytes of `path`, of which there may be at most `max_bytes`.
inline std::string read_binary_file(const std::string& path, std::int64_t max_bytes = std::int64_t{1} << 30) {
  struct stat status {};
  throw_if_named_pipe(path);
  FileDescriptor file = open_to_read(path, status);
  const auto too_large = [&] {
    throw InputError(
        path, "has more than the " + std::to_string(max_bytes) + " bytes that a file of its kind may have",
        "check that it is the file you mean");
  };
  if (S_ISREG(status.st_mode) && status.st_size > max_bytes) too_large();

  std::string bytes;
  std::size_t filled = 0;
  // One byte more than the size, so that a file of just that size ends without growing.
  bytes.resize(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : 65536);
  while (true) {
    if (filled == bytes.size()) bytes.resize(2 * filled + 65536);
    const ssize_t count = ::read(file.number(), bytes.data() + filled, bytes.size() - filled);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_unreadable(path, "read", errno);
    }
    filled += static_cast<std::size_t>(count);
    if (filled > static_cast<std::size_t>(max_bytes)) too_large();
  }
  bytes.resize(filled);
  return bytes;
}

// The same without a leading UTF-8 byte order mark, which spreadsheets put before CSV and JSON.
inline std::string read_text_file(const std::string& path, std::int64_t max_bytes = std::int64_t{1} << 30) {
  std::string text = read_binary_file(path, max_bytes);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

}  // namespace imu2music::inline v0
