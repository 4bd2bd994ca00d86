#include "imu2music/io/file_descriptor.hpp"

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;

TEST_CASE("a descriptor closes once, at its last owner's end") {
  struct stat status {};
  int number = -1;
  {
    FileDescriptor first = open_to_read("/dev/null", status);
    number = first.number();
    FileDescriptor second = std::move(first);
    CHECK_FALSE(first.is_open());
    CHECK(second.number() == number);
    CHECK(::fcntl(number, F_GETFD) >= 0);
  }
  CHECK(::fcntl(number, F_GETFD) == -1);
  FileDescriptor closed = open_to_read("/dev/null", status);
  CHECK(closed.close() == 0);
  CHECK_FALSE(closed.is_open());
  CHECK(FileDescriptor().close() == EBADF);
}

TEST_CASE("failures of the machine are system errors, not the file's fault") {
  try {
    throw_unreadable("f", "read", EIO);
  } catch (const SystemError& error) {
    CHECK(error.code() == EIO);
    CHECK(std::string(error.what()).starts_with("f: read failed"));
  }
}
