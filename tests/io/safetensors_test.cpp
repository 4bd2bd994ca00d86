// safetensors: round trips, the format's promises one by one, and damage of every kind.
#include "imu2music/io/safetensors.hpp"

#include <numeric>

#include "damage.hpp"
#include "error_text.hpp"
#include "support.hpp"
#include "zip_builder.hpp"

using namespace imu2music;
using test::contains;
using test::input_error;

namespace {

std::string file_with(const std::string& header, const std::string& data) {
  return test::little_endian(header.size(), 8) + header + data;
}

// The message that reading `bytes` ends in, without the path.
std::string fault_of(const std::string& bytes) {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", bytes);
  const std::string message = input_error([&] { read_safetensors(scratch / "f"); });
  const std::string start = (scratch / "f") + ": ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

std::string fault_of(const std::string& header, const std::string& data) {
  return fault_of(file_with(header, data));
}

template <class T>
TensorEntry entry_of(std::string name, Dtype dtype, Shape shape, const std::vector<T>& values) {
  return {std::move(name), dtype, shape, reinterpret_cast<const std::byte*>(values.data()),
          static_cast<std::int64_t>(values.size() * sizeof(T))};
}

const std::vector<float> six = {1, 2, 3, 4, 5, 6};
const std::vector<std::int64_t> two = {-1, 1LL << 40};
const std::vector<std::uint8_t> three = {1, 0, 1};
const std::vector<std::uint16_t> halves = {0x3c00};

std::vector<TensorEntry> samples() {
  return {entry_of("w", Dtype::f32, {2, 3}, six), entry_of("odd", Dtype::boolean, {3}, three),
          entry_of("half", Dtype::bf16, {}, halves),
          entry_of("none", Dtype::f64, {0, 4}, std::vector<double>{}),
          entry_of("n.i64", Dtype::i64, {2, 1}, two)};
}

}  // namespace

TEST_CASE("what is written is read back, in place and in order") {
  test::ScratchFolder scratch;
  const std::map<std::string, std::string> metadata = {
      {"b", "2"}, {"a", "quote \" and \n and \xC3\xA9"}, {"", ""}};
  write_safetensors(scratch / "f", samples(), metadata);
  TensorFile file = read_safetensors(scratch / "f");
  std::filesystem::remove(scratch / "f");
  CHECK(file.path == scratch / "f");
  CHECK(file.metadata == metadata);
  CHECK(file.ignored.empty());
  const auto expected = samples();
  REQUIRE(file.entries().size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const TensorEntry& entry = file.entries()[i];
    CHECK(entry.name == expected[i].name);
    CHECK(entry.dtype == expected[i].dtype);
    CHECK(entry.shape == expected[i].shape);
    REQUIRE(entry.byte_count == expected[i].byte_count);
    if (entry.byte_count != 0)
      CHECK(std::memcmp(entry.data, expected[i].data, static_cast<std::size_t>(entry.byte_count)) == 0);
  }
  CHECK(values_of<float>(*file.find("w")) == six);
  CHECK(values_of<std::int64_t>(*file.find("n.i64")) == two);  // after three odd bytes: unaligned
  const TensorFile copy = file;
  file = {};
  CHECK(values_of<float>(*copy.find("half")) == std::vector<float>{0.0078125f});
}

TEST_CASE("the bytes are the format's, and the same each time") {
  test::ScratchFolder scratch;
  const std::vector<TensorEntry> entries = {samples()[0], samples()[1]};
  write_safetensors(scratch / "a", entries, {{"k", "v"}});
  write_safetensors(scratch / "b", entries, {{"k", "v"}});
  const std::string bytes = test::read_file(scratch / "a");
  CHECK(bytes == test::read_file(scratch / "b"));
  std::string header = R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                       R"("odd":{"dtype":"BOOL","shape":[3],"data_offsets":[24,27]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(bytes == file_with(header, std::string(reinterpret_cast<const char*>(six.data()), 24) + "\1" +
                                       std::string(1, '\0') + "\1"));
}

TEST_CASE("no tensors, no metadata") {
  test::ScratchFolder scratch;
  write_safetensors(scratch / "f", {});
  CHECK(test::read_file(scratch / "f") == file_with("{}      ", ""));
  CHECK(read_safetensors(scratch / "f").entries().empty());
}

TEST_CASE("entries may stand in any order in the header; the data decides") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", file_with(R"({"b":{"data_offsets":[4,8],"shape":[1],"dtype":"F32"},)"
                                            R"("e":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},)"
                                            R"("a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}   )",
                                            std::string(8, '\0')));
  const TensorFile file = read_safetensors(scratch / "f");
  REQUIRE(file.entries().size() == 3);
  CHECK(file.entries()[0].name == "a");
  CHECK(file.entries()[1].name == "e");
  CHECK(file.entries()[2].name == "b");
}

TEST_CASE("the caller's mistakes in writing leave no file") {
  test::ScratchFolder scratch;
  const auto w = samples()[0];
  auto wrong = w;
  wrong.byte_count = 23;
  auto latin = w;
  latin.name = "\xE9";
  auto reserved = w;
  reserved.name = "__metadata__";
  CHECK_THROWS_AS(write_safetensors(scratch / "f", std::vector{w, w}), Error);
  CHECK_THROWS_AS(write_safetensors(scratch / "f", std::vector{wrong}), ShapeError);
  CHECK_THROWS_AS(write_safetensors(scratch / "f", std::vector{latin}), Error);
  CHECK_THROWS_AS(write_safetensors(scratch / "f", std::vector{reserved}), Error);
  CHECK_THROWS_AS(write_safetensors(scratch / "f", {}, {{"k", "\xE9"}}), Error);
  CHECK_THROWS_AS(write_safetensors(scratch / "no/f", {}), InputError);
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("hostile lengths") {
  CHECK(contains(fault_of(""), "is empty"));
  CHECK(contains(fault_of(std::string(7, '\0')), "has 7 bytes, too few"));
  CHECK(contains(fault_of(std::string(8, '\0')), "is not a JSON object"));
  CHECK(contains(fault_of(test::little_endian(1ULL << 62, 8) + "{}"),
                 "claims a header of 4611686018427387904 bytes"));
  CHECK(contains(fault_of(test::little_endian(UINT64_MAX, 8) + "{}"), "more than 100 MB"));
  CHECK(contains(fault_of(test::little_endian(100'000'001, 8) + "{}"), "more than 100 MB"));
  CHECK(contains(fault_of(test::little_endian(3, 8) + "{}"), "claims a header of 3 bytes, but has only 2"));
}

TEST_CASE("hostile headers") {
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::string four(4, '\0');
  CHECK(fault_of("{" + a + "}", four) == "no error");

  CHECK(contains(fault_of("[]", ""), "is not a JSON object"));
  CHECK(contains(fault_of("  {}", ""), "is not a JSON object"));
  CHECK(contains(fault_of("{" + a, four), "is no JSON"));
  CHECK(contains(fault_of("{" + a + "}}", four), "is no JSON"));
  CHECK(contains(fault_of(std::string("{}\0\0", 4), ""), "is no JSON (at byte 10)"));
  CHECK(contains(fault_of("{\"\xE9\":1}", ""), "is no JSON"));
  CHECK(contains(fault_of("{" + a + "," + a + "}", four), "names 'a' twice"));
  CHECK(contains(fault_of(R"({"a":5})", ""), "has the number 5 under 'a'"));
  CHECK(contains(fault_of(R"({"a":null})", ""), "has null under 'a'"));
  CHECK(contains(fault_of(R"({"a":[]})", ""), "has a list under 'a'"));
  CHECK(contains(fault_of(R"({"a":{}})", ""), "'a' has no dtype"));
  CHECK(contains(fault_of(R"({"a":{"dtype":"F32"}})", ""), "'a' has no shape"));
  CHECK(contains(fault_of(R"({"a":{"dtype":"F32","shape":[]}})", ""), "'a' has no data_offsets"));
  CHECK(contains(fault_of(R"({"a":{"dtype":"F32","dtype":"F32"}})", ""), "gives 'dtype' twice"));
  CHECK(contains(fault_of(R"({"a":{"type":"F32"}})", ""), "unknown field 'type'"));
  CHECK(contains(fault_of(R"({"a":{"dtype":32}})", ""), "has the number 32 as its dtype"));
  CHECK(contains(fault_of(R"({"a":{"dtype":{}}})", ""), "has an object as its dtype"));
  CHECK(contains(fault_of(R"({"a":{"shape":"1"}})", ""), "has the text '1' as its shape"));
  CHECK(contains(fault_of(R"({"a":{"shape":[[1]]}})", ""), "has a list in its shape"));
  CHECK(contains(fault_of(R"({"a":{"shape":[true]}})", ""), "has a truth value in its shape"));
  CHECK(contains(fault_of(R"({"a":{"shape":[{"x":1}]}})", ""), "has an object in its shape"));
  CHECK(contains(fault_of(R"({"__metadata__":5})", ""), "its __metadata__ is the number 5"));
  CHECK(contains(fault_of(R"({"__metadata__":{"epoch":3}})", ""), "has the number 3 under 'epoch'"));
  CHECK(contains(fault_of(R"({"__metadata__":{"x":{}}})", ""), "has an object under 'x'"));
  CHECK(contains(fault_of(R"({"__metadata__":{"x":["y"]}})", ""), "has a list under 'x'"));
  CHECK(contains(fault_of(R"({"__metadata__":{"x":"1","x":"2"}})", ""), "names 'x' twice"));
  CHECK(contains(fault_of(R"({"__metadata__":{},"__metadata__":{}})", ""), "names '__metadata__' twice"));
  // Nesting costs the reader nothing: the first list in a wrong place ends it.
  CHECK(contains(fault_of("{\"a\":" + std::string(1'000'000, '['), ""), "has a list under 'a'"));
}

TEST_CASE("hostile dtypes, shapes and offsets") {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" + offsets +
           "]}}";
  };
  const std::string eight(8, '\0');
  CHECK(fault_of(one("F32", "2", "0,8"), eight) == "no error");
  CHECK(fault_of(one("F32", "1,1,1,1,2,1", "0,8"), eight) == "no error");

  CHECK(contains(fault_of(one("F33", "2", "0,8"), eight), "the dtype 'F33'"));
  CHECK(contains(fault_of(one("F8_E4M3", "8", "0,8"), eight), "the dtype 'F8_E4M3'"));
  CHECK(contains(fault_of(one("F32", "-2", "0,8"), eight), "the number -2 in its shape"));
  CHECK(contains(fault_of(one("F32", "2.0", "0,8"), eight), "the number 2.0 in its shape"));
  CHECK(contains(fault_of(one("F32", "1,1,1,1,1,1,2", "0,8"), eight), "more than 6 axes"));
  CHECK(contains(fault_of(one("F32", "4294967296,4294967296", "0,8"), eight), "more than 2^58 elements"));
  CHECK(contains(fault_of(one("F32", "18446744073709551615", "0,8"), eight), "more than 2^58 elements"));
  CHECK(contains(fault_of(one("F32", "4611686018427387904", "0,8"), eight), "more than 2^58 elements"));
  CHECK(contains(fault_of(one("F32", "288230376151711744", "0,8"), eight), "does not take 8 bytes"));
  CHECK(contains(fault_of(one("F32", "99999999999999999999999", "0,8"), eight), "in its shape"));
  CHECK(contains(fault_of(one("F32", "1", "0,8"), eight), "F32 (1) does not take 8 bytes"));
  CHECK(contains(fault_of(one("F32", "3", "0,8"), eight), "does not take 8 bytes"));
  CHECK(contains(fault_of(one("F32", "0", "0,8"), eight), "does not take 8 bytes"));
  CHECK(contains(fault_of(one("F32", "2", "8,0"), eight), "reversed (8, 0)"));
  CHECK(contains(fault_of(one("F32", "2", "4,12"), eight),
                 "ends at byte 12 of the data, of which there are 8"));
  CHECK(contains(fault_of(one("F32", "2", "18446744073709551608,18446744073709551615"), eight),
                 "ends at byte"));
  CHECK(contains(fault_of(one("F32", "2", "0"), eight), "not two data_offsets"));
  CHECK(contains(fault_of(one("F32", "2", "0,8,8"), eight), "more than two data_offsets"));
  CHECK(contains(fault_of(one("F32", "2", "-1,7"), eight), "the number -1 in its data_offsets"));
  CHECK(contains(fault_of(one("F32", "1", "4,8"), eight), "a hole of 4 bytes before tensor 'a'"));
  CHECK(contains(fault_of(one("F32", "1", "0,4"), eight), "4 bytes after the last tensor belong to none"));
  CHECK(contains(fault_of("{}", eight), "8 bytes after the last tensor"));
  CHECK(contains(fault_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                          eight),
                 "tensor 'b' overlaps"));
}

TEST_CASE("a file cut off anywhere is refused") {
  test::ScratchFolder scratch;
  write_safetensors(scratch / "f", samples(), {{"imu2music.config", "{}"}});
  const std::string bytes = test::read_file(scratch / "f");
  const test::DamageCount count = test::truncate_everywhere(bytes, read_safetensors);
  CHECK(count.refused == static_cast<int>(bytes.size()));
}

TEST_CASE("replaced bytes never get past the checks as anything but values") {
  test::ScratchFolder scratch;
  write_safetensors(scratch / "f", samples(), {{"k", "v"}});
  const std::string bytes = test::read_file(scratch / "f");
  const test::DamageCount count = test::flip_bytes(
      bytes, 5000,
      [](const std::string& path) {
        const TensorFile file = read_safetensors(path);
        for (const TensorEntry& entry : file.entries()) values_of<double>(entry);
      },
      0, bytes.size() - 45);
  CHECK(count.refused > 3000);
  CHECK(count.read > 0);  // a changed letter of a name, say
}

TEST_CASE("the reference expectations read") {
  const std::string path = test::shared_file("golden/imu-conv-d32/expected.safetensors");
  if (path.empty()) return;
  const TensorFile file = read_safetensors(path);
  CHECK(file.metadata.at("d_model") == "32");
  REQUIRE(file.find("tokens_in") != nullptr);
  CHECK(file.find("tokens_in")->dtype == Dtype::i64);
  CHECK(file.find("logits_eval")->shape.rank() == 3);
  CHECK(file.find("grad.embedding.weight")->shape == Shape{243, 32});
}

TEST_CASE("a header of nothing but tensors without bytes may take ten times its size, not more") {
  test::ScratchFolder scratch;
  const auto file_of = [&](int tensors) {
    std::string header = "{";
    for (int i = 0; i < tensors; ++i)
      header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
                R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
    header += "}";
    test::write_file(scratch / "f", test::little_endian(header.size(), 8) + header);
    return read_safetensors(scratch / "f");
  };
  CHECK(file_of(10000).entries().size() == 10000);
  CHECK(contains(input_error([&] { file_of(150000); }), "ten times its own size"));
}
