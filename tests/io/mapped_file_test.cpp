#include "imu2music/io/mapped_file.hpp"

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;
using test::contains;
using test::input_error;

namespace {

std::string text_of(const MappedFile& file) {
  return std::string(reinterpret_cast<const char*>(file.data()), static_cast<std::size_t>(file.size()));
}

}  // namespace

TEST_CASE("a mapping shows the file's bytes and outlives the name") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", "bytes");
  MappedFile file(scratch / "f");
  std::filesystem::remove(scratch / "f");
  CHECK(text_of(file) == "bytes");
  CHECK(reinterpret_cast<std::uintptr_t>(file.data()) % 4096 == 0);

  MappedFile moved = std::move(file);
  CHECK(text_of(moved) == "bytes");
  CHECK(file.size() == 0);
  CHECK(file.data() == nullptr);
}

TEST_CASE("an empty file maps to no bytes") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", "");
  MappedFile file(scratch / "f");
  CHECK(file.size() == 0);
  CHECK(file.bytes().empty());
}

TEST_CASE("assignment lets the old mapping go") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "a", "first");
  test::write_file(scratch / "b", "second");
  MappedFile file(scratch / "a");
  file = MappedFile(scratch / "b");
  CHECK(text_of(file) == "second");
  CHECK(file.path() == scratch / "b");
}

TEST_CASE("missing files, folders and devices are refused") {
  test::ScratchFolder scratch;
  CHECK(contains(input_error([&] { MappedFile file(scratch / "missing"); }), "there is no such file"));
  CHECK(contains(input_error([&] { MappedFile file(scratch.path().string()); }), "is a folder"));
  CHECK(contains(input_error([&] { MappedFile file("/dev/zero"); }), "is a device or a pipe"));
}
