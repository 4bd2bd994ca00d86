#include "imu2music/io/tensor_file.hpp"

#include <cmath>
#include <limits>

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

// An entry over `values`, put at an odd address: no file promises more.
template <class Stored>
struct Packed {
  Packed(Dtype dtype, const std::vector<Stored>& values) : bytes(1 + values.size() * sizeof(Stored)) {
    if (!values.empty()) std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(Stored));
    entry = {"x", dtype, Shape{static_cast<std::int64_t>(values.size())}, bytes.data() + 1,
             static_cast<std::int64_t>(values.size() * sizeof(Stored))};
  }
  std::vector<std::byte> bytes;
  TensorEntry entry;
};

}  // namespace

TEST_CASE("each half and bfloat16 is decoded exactly") {
  for (int bits = 0; bits < 65536; ++bits) {
    const float value = float_from_half(static_cast<std::uint16_t>(bits));
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double sign = bits < 32768 ? 1 : -1;
    if (exponent == 31) {
      if (fraction != 0 ? !std::isnan(value) : value != sign * INFINITY) FAIL("half " << bits);
    } else {
      const double expected =
          sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
      if (value != expected || std::signbit(value) != (sign < 0)) FAIL("half " << bits);
    }
  }
  CHECK(float_from_bfloat16(0x3f80) == 1.0f);
  CHECK(float_from_bfloat16(0xc049) == -3.140625f);
  CHECK(float_from_bfloat16(0x0001) == std::ldexp(1.0f, -133));
  CHECK(std::isinf(float_from_bfloat16(0x7f80)));
  CHECK(std::isnan(float_from_bfloat16(0x7fc0)));
}

TEST_CASE("values are copied from every element type, unaligned") {
  CHECK(values_of<float>(Packed<float>(Dtype::f32, {1.5f, -2}).entry) == std::vector<float>{1.5f, -2});
  CHECK(values_of<double>(Packed<float>(Dtype::f32, {0.1f}).entry) ==
        std::vector<double>{static_cast<double>(0.1f)});
  CHECK(values_of<float>(Packed<double>(Dtype::f64, {0.1, 1e-60}).entry) == std::vector<float>{0.1f, 0});
  CHECK(values_of<double>(Packed<std::uint16_t>(Dtype::f16, {0x3c00, 0xc000}).entry) ==
        std::vector<double>{1, -2});
  CHECK(values_of<float>(Packed<std::uint16_t>(Dtype::bf16, {0x3f80}).entry) == std::vector<float>{1});
  CHECK(values_of<float>(Packed<std::uint8_t>(Dtype::boolean, {0, 1, 255}).entry) ==
        std::vector<float>{0, 1, 1});
  CHECK(values_of<std::int64_t>(Packed<std::uint8_t>(Dtype::u8, {0, 255}).entry) ==
        std::vector<std::int64_t>{0, 255});
  CHECK(values_of<std::int64_t>(Packed<std::int8_t>(Dtype::i8, {-128, 127}).entry) ==
        std::vector<std::int64_t>{-128, 127});
  CHECK(values_of<float>(Packed<std::int16_t>(Dtype::i16, {-32768}).entry) == std::vector<float>{-32768});
  CHECK(values_of<double>(Packed<std::int32_t>(Dtype::i32, {INT32_MIN}).entry) ==
        std::vector<double>{INT32_MIN});
  CHECK(values_of<std::int64_t>(Packed<std::int64_t>(Dtype::i64, {INT64_MIN, INT64_MAX}).entry) ==
        std::vector<std::int64_t>{INT64_MIN, INT64_MAX});
  CHECK(values_of<float>(Packed<float>(Dtype::f32, {}).entry).empty());
}

TEST_CASE("integers round to nearest even and saturate") {
  Packed<double> values(Dtype::f64, {0.5, 1.5, -2.5, 1e300, -1e300, NAN, 3e9});
  CHECK(values_of<std::int64_t>(values.entry) ==
        std::vector<std::int64_t>{0, 2, -2, INT64_MAX, INT64_MIN, 0, 3000000000});
  CHECK(values_of<std::int32_t>(values.entry) ==
        std::vector<std::int32_t>{0, 2, -2, INT32_MAX, INT32_MIN, 0, INT32_MAX});
  CHECK(values_of<std::uint8_t>(values.entry) == std::vector<std::uint8_t>{0, 2, 0, 255, 0, 0, 255});
  CHECK(values_of<std::uint8_t>(Packed<std::int64_t>(Dtype::i64, {-1, 256, 7}).entry) ==
        std::vector<std::uint8_t>{0, 255, 7});
}

TEST_CASE("a scalar and an empty tensor; a byte count that does not fit is refused") {
  const float one = 1;
  TensorEntry entry{"x", Dtype::f32, Shape{}, reinterpret_cast<const std::byte*>(&one), 4};
  CHECK(values_of<float>(entry) == std::vector<float>{1});
  entry.byte_count = 8;
  CHECK_THROWS_AS(values_of<float>(entry), ShapeError);
  CHECK(values_of<float>({"x", Dtype::f32, Shape{3, 0, 2}, nullptr, 0}).empty());
}

TEST_CASE("entries keep their order, are found by name, and a name stands once") {
  TensorFile file;
  for (const char* name : {"z", "a", "m"}) CHECK(file.add({name, Dtype::f32, Shape{0}, nullptr, 0}));
  CHECK_FALSE(file.add({"a", Dtype::f64, Shape{0}, nullptr, 0}));
  REQUIRE(file.entries().size() == 3);
  CHECK(file.entries()[0].name == "z");
  CHECK(file.find("a")->dtype == Dtype::f32);
  CHECK(file.find("m") == &file.entries()[2]);
  CHECK(file.find("") == nullptr);
  CHECK(file.find("mm") == nullptr);
}

TEST_CASE("copies of a file share what keeps the bytes alive") {
  auto owner = std::make_shared<int>(1);
  TensorFile first;
  first.keep(owner);
  {
    TensorFile second = first;
    first = {};
    CHECK(owner.use_count() == 2);
  }
  CHECK(owner.use_count() == 1);
}
