// Keeps a folder for one writer at a time, across processes, as long as the lock lives.
//
// The lock is on the folder itself (flock), so nothing is left behind, however the process ends. It is
// advisory: it keeps those out who ask. A file system that has no such locks gives none, and says nothing.
//
// Errors: InputError where the folder cannot be opened or somebody else has the lock.
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <string>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_descriptor.hpp"

namespace imu2music::inline v0 {

class FolderLock {
 public:
  FolderLock() = default;
  // `holder`: who else may have it, for the message, as "another training run".
  FolderLock(const std::string& folder, const std::string& holder) {
    int number = -1;
    do number = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (number < 0 && errno == EINTR);
    if (number < 0) throw_unreadable(folder, "open", errno);
    folder_ = FileDescriptor(number);
    if (::flock(number, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    throw InputError(folder, holder + " is writing there",
                     "wait until it has ended, or choose another folder");
  }

  bool is_held() const { return folder_.is_open(); }

 private:
  FileDescriptor folder_;
};

}  // namespace imu2music::inline v0
