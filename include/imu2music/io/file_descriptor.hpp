// An open POSIX file that closes itself, and opening one to read with errors that say what to do.
//
// Errors: InputError for whatever the caller can put right (missing, unreadable, a folder), SystemError
// otherwise.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "imu2music/core/error.hpp"

namespace imu2music::inline v0 {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

  // Closes and tells errno, 0 when all is well: a network disk may report a failed write only here.
  int close() { return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno; }

 private:
  int number_ = -1;
};

// The error for a file that cannot be read, `code` being errno.
[[noreturn]] inline void throw_unreadable(const std::string& path, const char* call, int code) {
  switch (code) {
    case ENOENT:
      throw InputError(path, "there is no such file", "check the name and the folder");
    case ENOTDIR:
      throw InputError(path, "a part of its path is not a folder", "check the path");
    case EISDIR:
      throw InputError(path, "is a folder", "name a file in it");
    case EACCES:
    case EPERM:
      throw InputError(path, std::string("cannot be read (") + std::strerror(code) + ")",
                       "allow reading it, or choose another file");
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
      throw InputError(path, std::string("cannot be opened (") + std::strerror(code) + ")",
                       "choose another file");
    default:
      throw SystemError(call, path, code);
  }
}

// Whether something is there, links followed. Throws InputError where that cannot be known, as in a folder
// that may not be searched.
inline bool is_there(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) throw_unreadable(path, "stat", errno);
  return false;
}

// The number behind the name of a stream that the process has open already, or -1. Such a stream is written
// on to, not replaced, and a pipe or socket read on; a file behind it is read from its beginning.
inline int open_stream(std::string_view path) {
  if (path == "/dev/stdin") return 0;
  if (path == "/dev/stdout") return 1;
  if (path == "/dev/stderr") return 2;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder) || path.size() == folder.size() || path.size() > folder.size() + 6)
      continue;
    int number = 0;
    for (const char digit : path.substr(folder.size())) {
      if (digit < '0' || digit > '9') return -1;
      number = 10 * number + (digit - '0');
    }
    return number;
  }
  return -1;
}

// Refuses a named pipe, since opening it waits for somebody who writes to it, perhaps for ever. A pipe that
// is open already, as /dev/stdin or what a shell calls /dev/fd/63, passes.
inline void throw_if_named_pipe(
    const std::string& path,
    const char* remedy = "name a regular file, or hand the pipe over as /dev/stdin") {
  struct stat status {};
  if (open_stream(path) >= 0) return;
  if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode)) return;
  char place[PATH_MAX];  // where /dev/stdin leads to has no name in any folder
  if (::realpath(path.c_str(), place) == nullptr) return;
  throw InputError(path, "is a named pipe", remedy);
}

// Opens `path` to read; `status` receives what it is. A folder is refused. A named pipe is waited for until
// somebody writes to it, unless the caller has no use for pipes.
inline FileDescriptor open_to_read(const std::string& path, struct stat& status,
                                   bool wait_for_writer = true) {
  if (path.empty()) throw InputError("''", "an empty file name", "name a file");
  if (path.find('\0') != std::string::npos)
    throw InputError(path.c_str(), "a zero byte in the name", "name a file");
  int number = -1;
  // A pipe or socket that is open already cannot be opened by its name again, or would wait for another
  // writer.
  if (const int stream = open_stream(path);
      stream >= 0 && ::fstat(stream, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
    number = ::fcntl(stream, F_DUPFD_CLOEXEC, 0);
  else {
    do number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (wait_for_writer ? 0 : O_NONBLOCK));
    while (number < 0 && errno == EINTR);
  }
  if (number < 0) throw_unreadable(path, "open", errno);
  FileDescriptor file(number);
  if (::fstat(number, &status) != 0) throw_unreadable(path, "fstat", errno);
  if (S_ISDIR(status.st_mode)) throw_unreadable(path, "open", EISDIR);
  return file;
}

}  // namespace imu2music::inline v0
