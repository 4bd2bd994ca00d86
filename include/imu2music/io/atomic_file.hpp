// A file that appears whole or not at all: bytes go to a temporary beside the target, and commit() renames
// it.
//
//   AtomicFile file("out.mid");
//   file.write(bytes);
//   file.commit();          // without it the destructor removes the temporary; an older out.mid stays
//
// POSIX rename(2) replaces the target in one step. A symbolic link is followed, so that its target is
// replaced and not the link. What is no regular file (/dev/null, /dev/stdout, a pipe) cannot be renamed onto
// and is written directly. The mode is 0666 less the umask, as for any new file.
//
// Errors: InputError where the target cannot be written (missing folder, a folder, no permission, no space),
// already in the constructor as far as it can be known then; SystemError for failures of the machine.
//
// commit_all() commits several files that belong together.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_descriptor.hpp"

namespace imu2music::inline v0 {

namespace detail {

// The temporaries that exist now, for remove_temporaries(). A slot's name may be read where `used` is set.
struct TemporaryName {
  std::atomic<bool> taken{false}, used{false};
  char name[PATH_MAX] = {};
};
inline TemporaryName temporary_names[128];

class RegisteredTemporary {
 public:
  void set(const std::string& name) {
    clear();
    if (name.size() + 1 > sizeof(TemporaryName::name)) return;
    for (TemporaryName& slot : temporary_names) {
      if (slot.taken.exchange(true)) continue;
      std::memcpy(slot.name, name.c_str(), name.size() + 1);
      slot.used = true;
      slot_ = &slot;
      return;
    }
  }
  void clear() {
    if (slot_ == nullptr) return;
    slot_->used = false;
    slot_->taken = false;
    slot_ = nullptr;
  }
  RegisteredTemporary() = default;
  RegisteredTemporary(const RegisteredTemporary&) = delete;
  RegisteredTemporary& operator=(const RegisteredTemporary&) = delete;
  ~RegisteredTemporary() { clear(); }

 private:
  TemporaryName* slot_ = nullptr;
};

// How many commit_all() are between their first file and their last, and a signal that came meanwhile.
inline std::atomic<int> appearing{0}, held_signal{0};

struct Appearing {
  Appearing() { ++appearing; }
  Appearing(const Appearing&) = delete;
  Appearing& operator=(const Appearing&) = delete;
  ~Appearing() {
    if (--appearing > 0) return;
    if (const int signal = held_signal.exchange(0); signal != 0) std::raise(signal);
  }
};

}  // namespace detail

// Removes every temporary that is being written. For a program's own handler of SIGINT and the like, before
// it ends: it calls nothing that a signal handler may not.
inline void remove_temporaries() {
  for (detail::TemporaryName& slot : detail::temporary_names)
    if (slot.used) ::unlink(slot.name);
}

// Whether commit_all() is between two files, in any thread, so that the program should not end now: the
// signal will be raised again. For such a handler too, and to be asked first.
inline bool hold_signal(int signal) {
  detail::held_signal = signal;
  if (detail::appearing > 0) return true;
  detail::held_signal = 0;
  return false;
}

class AtomicFile {
 public:
  explicit AtomicFile(std::string path) : path_(std::move(path)) {
    if (path_.empty()) throw InputError("''", "an empty file name", "name the file to write");
    if (path_.find('\0') != std::string::npos)
      throw InputError(path_.c_str(), "a zero byte in the name", "name the file to write");
    target_ = path_;
    struct stat status {};
    const bool exists = follow_links(status);
    if (const int number = open_stream(target_); number > 0) {
      file_ = FileDescriptor(::fcntl(number, F_DUPFD_CLOEXEC, 0));
      if (!file_.is_open()) throw_unwritable(errno, "fcntl");
      return;
    }
    if (exists && S_ISDIR(status.st_mode)) throw_unwritable(EISDIR);
    if (target_.back() == '/') throw_unwritable(EISDIR);
    if (exists && !S_ISREG(status.st_mode)) {
      open_directly();
      return;
    }
    // rename() asks the folder only; a file that its owner made read-only is to stay.
    if (exists && ::access(target_.c_str(), W_OK) != 0) throw_unwritable(errno);
    if (exists) check_replaceable(status);
    open_temporary();
  }

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  ~AtomicFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(const void* data, std::size_t byte_count) {
    if (!file_.is_open()) throw Error(path_ + ": written to after commit()");
    if (byte_count == 0) return;
    if (buffer_.size() + byte_count > buffer_limit) flush();
    if (byte_count > buffer_limit)
      write_through(static_cast<const char*>(data), byte_count);
    else
      buffer_.append(static_cast<const char*>(data), byte_count);
  }
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }

  // Hands what was written to the operating system, so that a full disk is known before commit().
  void flush() {
    write_through(buffer_.data(), buffer_.size());
    buffer_.clear();
  }

  // The first half of commit(): all but the renaming.
  void finish(bool to_disk = false) {
    if (!file_.is_open()) throw Error(path_ + ": committed twice");
    flush();
    if (to_disk && !temporary_.empty() && ::fsync(file_.number()) != 0) throw_unwritable(errno, "fsync");
    if (int code = file_.close(); code != 0) throw_unwritable(code, "close");
  }

  // Makes the file appear. `to_disk` also waits until its bytes would survive a loss of power.
  void commit(bool to_disk = false) {
    finish(to_disk);
    appear();
  }

  // The second half.
  void appear() {
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw_unwritable(errno, "rename");
    temporary_.clear();
    registered_.clear();
  }

  const std::string& path() const { return path_; }

 private:
  static constexpr std::size_t buffer_limit = 65536;

  std::string folder() const {
    std::size_t slash = target_.find_last_of('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : target_.substr(0, slash);
  }

  // Sets target_ to where its symbolic links lead; tells whether something is there.
  bool follow_links(struct stat& status) {
    for (int depth = 0; depth < 40; ++depth) {
      if (open_stream(target_) > 0) return true;
      if (::lstat(target_.c_str(), &status) != 0) {
        if (errno == ENOENT) return false;
        throw_unwritable(errno, "lstat");
      }
      if (!S_ISLNK(status.st_mode)) return true;
      char link[PATH_MAX];
      ssize_t length = ::readlink(target_.c_str(), link, sizeof link);
      if (length < 0) throw_unwritable(errno, "readlink");
      std::string next(link, static_cast<std::size_t>(length));
      if (next.empty() || next.front() != '/') next.insert(0, folder() + "/");
      target_ = std::move(next);
    }
    throw_unwritable(ELOOP);
  }

  // What rename() would refuse only when the work is done: in a folder such as /tmp the file of somebody
  // else, and a file that is a mount of its own.
  void check_replaceable(const struct stat& status) const {
    struct stat around {};
    if (::stat(folder().c_str(), &around) != 0) throw_unwritable(errno, "stat");
    const ::uid_t user = ::geteuid();
    if ((around.st_mode & S_ISVTX) != 0 && user != 0 && user != status.st_uid && user != around.st_uid)
      throw_unwritable(EPERM);
#ifdef STATX_MNT_ID
    struct statx file {
    }, beside{};
    if (::statx(AT_FDCWD, target_.c_str(), 0, STATX_MNT_ID, &file) == 0 &&
        ::statx(AT_FDCWD, folder().c_str(), 0, STATX_MNT_ID, &beside) == 0 &&
        (file.stx_mask & beside.stx_mask & STATX_MNT_ID) != 0 && file.stx_mnt_id != beside.stx_mnt_id)
      throw_unwritable(EBUSY);
#endif
  }

  void open_directly() {
    int number = -1;
    do number = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    while (number < 0 && errno == EINTR);
    if (number < 0) throw_unwritable(errno, "open");
    file_ = FileDescriptor(number);
  }

  void open_temporary() {
    static std::atomic<unsigned> counter{0};
    // The name is short whatever the target's, so that it is never longer than the file system allows.
    const std::string start = folder() + "/.imu2music-" + std::to_string(::getpid()) + "-";
    for (int attempt = 0; attempt < 1000; ++attempt) {
      std::string name = start + std::to_string(counter.fetch_add(1)) + ".tmp";
      registered_.set(name);  // first, so that no signal finds it made and unknown
      int number = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (number >= 0) {
        file_ = FileDescriptor(number);
        temporary_ = std::move(name);
        return;
      }
      registered_.clear();
      if (errno != EEXIST && errno != EINTR) throw_unwritable(errno, "open");
    }
    throw_unwritable(EEXIST, "open");
  }

  void write_through(const char* data, std::size_t byte_count) {
    while (byte_count > 0) {
      ssize_t written = ::write(file_.number(), data, byte_count);
      if (written < 0) {
        if (errno == EINTR) continue;
        throw_unwritable(errno, "write");
      }
      data += written;
      byte_count -= static_cast<std::size_t>(written);
    }
  }

  [[noreturn]] void throw_unwritable(int code, const char* call = "open") const {
    const std::string fault = std::string("cannot be written (") + std::strerror(code) + ")";
    switch (code) {
      case EACCES:
      case EPERM:
      case EROFS:
        throw InputError(path_, fault, "choose a writable folder");
      case ENOENT:
        throw InputError(path_, fault, "make the folder " + folder() + " first, or choose another");
      case ENOTDIR:
        throw InputError(path_, fault, "a part of its path is a file: choose a folder");
      case EISDIR:
        throw InputError(path_, fault, "name a file, not a folder");
      case ENOSPC:
      case EDQUOT:
        throw InputError(path_, fault, "free space on that disk, or choose another");
      case EFBIG:
        throw InputError(path_, fault, "choose a disk that takes files of that size");
      case EBUSY:
        throw InputError(path_, fault, "something is mounted there: choose another name");
      case ENAMETOOLONG:
        throw InputError(path_, fault, "choose a shorter name");
      case ELOOP:
        throw InputError(path_, fault, "its symbolic links go round in a circle: remove them");
      case ENXIO:
      case EPIPE:
        throw InputError(path_, fault, "nothing reads from it: choose a file");
      case EBADF:
        throw InputError(path_, fault, "it is not open for writing: choose a file");
      default:
        throw SystemError(call, path_, code);
    }
  }

  std::string path_;       // as the caller named it
  std::string target_;     // after symbolic links
  std::string temporary_;  // empty when written directly, and after commit
  detail::RegisteredTemporary registered_;
  FileDescriptor file_;
  std::string buffer_;
};

// Commits files that belong together: the first appears when all are complete, and a handler that asks
// hold_signal() does not end the program between them.
inline void commit_all(std::deque<AtomicFile>& files, bool to_disk = false) {
  for (AtomicFile& file : files) file.finish(to_disk);
  const detail::Appearing together;
  for (AtomicFile& file : files) file.appear();
}

}  // namespace imu2music::inline v0
