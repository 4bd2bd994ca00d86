#include "imu2music/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;
using test::contains;
using test::input_error;

TEST_CASE("files of every size come back as they are") {
  test::ScratchFolder scratch;
  for (std::size_t size : {0u, 1u, 4095u, 65535u, 65536u, 65537u, 1000000u}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 % 256);
    test::write_file(scratch / "f", bytes);
    CHECK(read_binary_file(scratch / "f") == bytes);
    CHECK(read_binary_file(scratch / "f", static_cast<std::int64_t>(size)) == bytes);
  }
}

TEST_CASE("a byte order mark is dropped from text only") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", "\xEF\xBB\xBFtext");
  CHECK(read_text_file(scratch / "f") == "text");
  CHECK(read_binary_file(scratch / "f") == "\xEF\xBB\xBFtext");
}

TEST_CASE("pipes and files of no stated size are read to their end") {
  CHECK(read_binary_file("/dev/null").empty());
  CHECK(contains(read_text_file("/proc/self/status"), "Pid:"));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::close(ends[0]);
    const std::string bytes(200000, 'x');
    std::size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t count = ::write(ends[1], bytes.data() + written, bytes.size() - written);
      if (count <= 0) ::_exit(1);
      written += static_cast<std::size_t>(count);
    }
    ::_exit(0);
  }
  REQUIRE(writer > 0);
  ::close(ends[1]);
  CHECK(read_binary_file("/dev/fd/" + std::to_string(ends[0])) == std::string(200000, 'x'));
  ::close(ends[0]);
  int status = 0;
  CHECK(::waitpid(writer, &status, 0) == writer);
}

TEST_CASE("a named pipe that is open already is read by the name of its stream") {
  test::ScratchFolder scratch;
  const std::string pipe = scratch / "pipe";
  REQUIRE(test::run_command("mkfifo '" + pipe + "'").status == 0);
  const int both = ::open(pipe.c_str(), O_RDWR);  // so that the next does not wait for a writer
  REQUIRE(both >= 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY);
  REQUIRE(::write(both, "text", 4) == 4);
  ::close(both);
  CHECK(read_binary_file("/dev/fd/" + std::to_string(reader)) == "text");
  ::close(reader);
}

TEST_CASE("a named pipe is refused and not waited for") {
  test::ScratchFolder scratch;
  REQUIRE(test::run_command("mkfifo '" + (scratch / "pipe") + "'").status == 0);
  std::filesystem::create_symlink("pipe", scratch / "link");
  for (const char* name : {"pipe", "link"})
    CHECK(input_error([&] { read_text_file(scratch / name); }) ==
          (scratch / name) + ": is a named pipe; name a regular file, or hand the pipe over as /dev/stdin");
}

TEST_CASE("what cannot be read is refused with file and remedy") {
  test::ScratchFolder scratch;
  CHECK(input_error([&] { read_text_file(scratch / "missing"); }) ==
        (scratch / "missing") + ": there is no such file; check the name and the folder");
  CHECK(input_error([&] { read_text_file(scratch.path().string()); }) ==
        scratch.path().string() + ": is a folder; name a file in it");
  test::write_file(scratch / "f", "12345");
  CHECK(contains(input_error([&] { read_text_file(scratch / "f/g"); }), "not a folder"));
  CHECK(contains(input_error([&] { read_text_file(scratch / "f", 4); }), "more than the 4 bytes"));
  CHECK(contains(input_error([&] { read_binary_file("/dev/zero", 100000); }), "more than the 100000 bytes"));
  CHECK(contains(input_error([&] { read_text_file(""); }), "empty file name"));
  CHECK(contains(input_error([&] { read_text_file(std::string("a\0b", 3)); }), "zero byte"));
  CHECK(contains(input_error([&] { read_text_file(scratch / std::string(300, 'n')); }), "cannot be opened"));
  if (::geteuid() == 0) {
    MESSAGE("skipped: root may read everything");
    return;
  }
  std::filesystem::permissions(scratch / "f", std::filesystem::perms::none);
  CHECK(contains(input_error([&] { read_text_file(scratch / "f"); }), "cannot be read (Permission denied)"));
}
