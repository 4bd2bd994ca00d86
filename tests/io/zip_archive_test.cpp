// Zip archives: stored, deflated, zip64, with comments and descriptors, and every claim that can be false.
#include "imu2music/io/zip_archive.hpp"

#include <random>

#include "damage.hpp"
#include "error_text.hpp"
#include "support.hpp"
#include "zip_builder.hpp"

using namespace imu2music;
using test::contains;
using test::input_error;
using test::ZipBuilder;
using test::ZipRecord;

namespace {

std::map<std::string, std::string> read_all(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  ByteBudget budget(path, file->size());
  const ZipArchive archive(file, budget);
  std::map<std::string, std::string> contents;
  for (const ZipEntry& entry : archive.entries()) contents[entry.name] = archive.bytes_of(entry).text();
  return contents;
}

std::map<std::string, std::string> contents_of(const std::string& bytes) {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", bytes);
  return read_all(scratch / "f");
}

std::string fault_of(const std::string& bytes) {
  return input_error([&] { contents_of(bytes); });
}

// A record with one thing changed, alone in its archive.
std::string fault_with(bool deflate, const std::function<void(ZipRecord&)>& change) {
  return fault_of(ZipBuilder().add("x", std::string(1000, 'a'), deflate, change).bytes());
}

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

ZipBuilder sample() {
  ZipBuilder builder;
  builder.add("a/data.pkl", "pickle")
      .add("a/data/0", noise(300), true)
      .add("a/empty", "")
      .add("b", "bb", true);
  return builder;
}

}  // namespace

TEST_CASE("entries come back in every variant of the format") {
  for (bool zip64 : {false, true})
    for (bool descriptors : {false, true})
      for (const char* comment : {"", "a comment", "PK\5\6 in a comment, long enough to look like an end"}) {
        ZipBuilder builder = sample();
        builder.zip64 = zip64;
        builder.descriptors = descriptors;
        builder.comment = comment;
        const std::map<std::string, std::string> expected = {
            {"a/data.pkl", "pickle"}, {"a/data/0", noise(300)}, {"a/empty", ""}, {"b", "bb"}};
        CHECK(contents_of(builder.bytes()) == expected);
      }
  CHECK(contents_of(ZipBuilder().bytes()).empty());
}

TEST_CASE("stored entries stay where they are in the mapping; deflated ones live on their own") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", sample().bytes());
  const auto file = std::make_shared<const MappedFile>(scratch / "f");
  ByteBudget budget(file->path(), file->size());
  const ZipArchive archive(file, budget);
  const ZipBytes stored = archive.bytes_of(*archive.find("a/data.pkl"));
  CHECK(stored.bytes.data() >= file->data());
  CHECK(stored.bytes.data() < file->data() + file->size());
  CHECK((stored.bytes.data() - file->data()) % 64 == 0);
  const ZipBytes inflated = archive.bytes_of(*archive.find("a/data/0"));
  CHECK(inflated.text() == noise(300));
  CHECK(archive.find("a/data/1") == nullptr);
}

TEST_CASE("false claims about one entry") {
  for (bool deflate : {false, true}) {
    CHECK(fault_with(deflate, {}) == "no error");
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.crc ^= 1; }), "checksum"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.flags = 1; }), "encrypted"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.method = 12; }), "compressed by method 12"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.local_name = "y"; }), "another name"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.local_name = std::string(65535, 'x'); }),
                   "another name"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.header_offset = 1; }),
                   "not where the directory says"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.header_offset = 0xfffffffe; }),
                   "not where the directory says"));
    CHECK(contains(fault_with(deflate, [](ZipRecord& r) { r.stored_size = 0xfffffffe; }),
                   "claim more bytes than the file has"));
  }
  CHECK(contains(fault_with(false, [](ZipRecord& r) { r.size = 999; }), "two sizes"));
  CHECK(contains(fault_with(false, [](ZipRecord& r) { r.size = r.stored_size = 999; }), "checksum"));
  CHECK(contains(fault_with(false, [](ZipRecord& r) { r.size = r.stored_size = 1100; }), "beyond the end"));
}

TEST_CASE("false claims about deflated sizes, and bombs") {
  const std::string does_not = "does not inflate to the";
  CHECK(contains(fault_with(true, [](ZipRecord& r) { r.size = 999; }), does_not));
  CHECK(contains(fault_with(true, [](ZipRecord& r) { r.size = 1001; }), does_not));
  CHECK(contains(fault_with(true, [](ZipRecord& r) { r.size = 0; }), does_not));
  CHECK(contains(fault_with(true, [](ZipRecord& r) { r.size = 0xfffffffe; }),
                 "claims more bytes than it can hold"));
  CHECK(contains(fault_with(true, [](ZipRecord& r) { r.packed = std::string(r.packed.size(), '\xff'); }),
                 does_not));
  CHECK(contains(fault_with(true, [](ZipRecord& r) { r.packed.pop_back(), --r.stored_size; }), does_not));
  // 40 MB of zeros in 40 kB: more than ten times the file and 16 MiB, honest or not.
  const std::string zeros(40'000'000, '\0');
  CHECK(contains(fault_of(ZipBuilder().add("x", zeros, true).bytes()), "ten times its own size"));
  CHECK(contains(fault_of(ZipBuilder().add("x", zeros, true, [](ZipRecord& r) { r.size = 1000; }).bytes()),
                 does_not));
  // Many entries share one budget.
  ZipBuilder many;
  for (int i = 0; i < 10; ++i) many.add(std::to_string(i), zeros.substr(0, 4'000'000), true);
  CHECK(contains(fault_of(many.bytes()), "ten times its own size"));
}

TEST_CASE("entries that overlap are refused") {
  const std::string content(600, 'a');
  const auto over = [](ZipRecord& record) { record.header_offset = 0; };
  ZipBuilder builder;
  for (int i = 0; i < 3; ++i)
    builder.add(std::to_string(i), content, false,
                [&](ZipRecord& r) { over(r), r.packed = i == 0 ? content : ""; });
  CHECK(contains(fault_of(builder.bytes()), "claim more bytes than the file has"));
}

TEST_CASE("false claims in the directory") {
  CHECK(contains(fault_of(ZipBuilder().add("x", "1").add("x", "2").bytes()), "two entries named 'x'"));
  const std::string good = sample().bytes();
  const std::size_t end = good.size() - 22;
  const auto with = [&](std::size_t place, std::uint64_t value, int size) {
    return fault_of(
        std::string(good).replace(place, static_cast<std::size_t>(size), test::little_endian(value, size)));
  };
  CHECK(contains(with(end + 4, 1, 2), "split archive"));
  CHECK(contains(with(end + 10, 5, 2), "split archive"));
  CHECK(contains(with(end + 12, 0xffffffff, 4), "directory reaches beyond"));
  CHECK(contains(with(end + 16, 0xffffffff, 4), "directory reaches beyond"));
  CHECK(contains(with(end + 16, 0, 4), "breaks off at entry 0"));
  CHECK(contains(with(end + 12, 100, 4), "more entries than it has room for"));
  CHECK(contains(with(end + 20, 1, 2), "without its end"));
  CHECK(contains(fault_of(good + "x"), "without its end"));
  CHECK(contains(fault_of("PK\3\4"), "without its end"));
  CHECK(contains(fault_of(""), "without its end"));

  ZipBuilder large = sample();
  large.zip64 = true;
  const std::string big = large.bytes();
  const std::size_t locator = big.size() - 22 - 20, record = locator - 56;
  const auto with64 = [&](std::size_t place, std::uint64_t value) {
    return fault_of(std::string(big).replace(place, 8, test::little_endian(value, 8)));
  };
  CHECK(contains(with64(locator + 8, UINT64_MAX), "zip64 record is not where"));
  CHECK(contains(with64(locator + 8, locator), "zip64 record is not where"));
  CHECK(contains(with64(record + 24, 1ULL << 60), "split archive"));
  CHECK(contains(with64(record + 40, UINT64_MAX), "directory reaches beyond"));
  CHECK(contains(with64(record + 48, UINT64_MAX), "directory reaches beyond"));
  CHECK(
      contains(fault_of(std::string(big).replace(
                   record + 24, 16, test::little_endian(1ULL << 60, 8) + test::little_endian(1ULL << 60, 8))),
               "more entries than it has room for"));
}

TEST_CASE("an archive cut off or damaged anywhere") {
  for (bool zip64 : {false, true}) {
    ZipBuilder builder = sample();
    builder.zip64 = zip64;
    const std::string bytes = builder.bytes();
    CHECK(test::truncate_everywhere(bytes, read_all).refused == static_cast<int>(bytes.size()));
    const test::DamageCount count = test::flip_bytes(bytes, 4000, read_all);
    CHECK(count.refused > 1000);
    CHECK(count.read > 0);  // times and padding say nothing
  }
}
