// A file's bytes, mapped into memory read-only: nothing is read before it is touched, and nothing is copied.
//
// The first byte lies on a page boundary, so alignment inside the file is alignment in memory. An empty file
// maps to no bytes. As with every mapping, another process that shortens the file while it is mapped takes
// the bytes away (SIGBUS on touching them); files that are renamed into place, as AtomicFile does, keep the
// old bytes alive.
//
// Errors: InputError for a missing or unreadable file, a folder, or what cannot be mapped (a pipe).
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_descriptor.hpp"

namespace imu2music::inline v0 {

class MappedFile {
 public:
  explicit MappedFile(std::string path) : path_(std::move(path)) {
    struct stat status {};
    const FileDescriptor file = open_to_read(path_, status, false);
    if (!S_ISREG(status.st_mode))
      throw InputError(path_, "is a device or a pipe, which cannot be mapped", "name a regular file");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number(), 0);
    if (address == MAP_FAILED) throw SystemError("mmap", path_, errno);
    data_ = static_cast<const std::byte*>(address);
  }
  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  const std::string& path() const { return path_; }
  const std::byte* data() const { return data_; }  // null for an empty file
  std::int64_t size() const { return static_cast<std::int64_t>(size_); }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Gives back the memory of what was read so far; bytes that are touched again are read again.
  void release_pages() const {
    if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
  }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace imu2music::inline v0
