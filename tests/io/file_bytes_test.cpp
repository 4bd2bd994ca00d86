#include "imu2music/io/file_bytes.hpp"

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
  test::ScratchFolder scratch;
  REQUIRE(test::run_command("mkfifo '" + (scratch / "pipe") + "'").status == 0);
  // The writer runs beside: opening a pipe waits for its other end.
  REQUIRE(std::system(("(head -c 200000 /dev/zero > '" + (scratch / "pipe") + "') &").c_str()) == 0);
  CHECK(read_binary_file(scratch / "pipe") == std::string(200000, '\0'));
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
