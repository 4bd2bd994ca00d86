// A file in memory alone, since the many versions of a damaged file are not worth a disk's time.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace test {

class MemoryFile {
 public:
  MemoryFile() : number_(memfd_create("damaged", MFD_CLOEXEC)) {
    if (number_ < 0) throw std::runtime_error("memfd_create failed");
  }
  ~MemoryFile() { ::close(number_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }
  void replace(std::string_view bytes) {
    if (ftruncate(number_, 0) != 0 ||
        pwrite(number_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("cannot write to memory");
  }

 private:
  int number_;
};

}  // namespace test
