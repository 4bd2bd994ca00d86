// The tensors of a weight file, whatever its format: names, element types, shapes, and where the bytes lie.
//
// Elements stand row-major, little-endian, with no gap. The bytes belong to the file (usually a mapping of
// it) and live as long as a TensorFile that holds them, or a copy of it. They need not be aligned to their
// type: read them through copy_values().
//
// Cost: find is O(log n); copy_values is one pass.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/core/dtype.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/core/shape.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and read in place");

struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  const std::byte* data = nullptr;
  std::int64_t byte_count = 0;
};

// IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. Exact.
inline float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 31u;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);  // infinity, NaN
  if (exponent == 0) {  // zero and subnormal: fraction · 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

// bfloat16 is the upper half of a binary32. Exact.
inline float float_from_bfloat16(std::uint16_t upper) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(upper) << 16);
}

// `value` as To: exactly where To has it; otherwise the nearest float, or the nearest integer (ties to even),
// which saturates at To's ends. NaN becomes the integer 0.
template <class To, class From>
To nearest_value(From value) {
  if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) return To{0};
    const double whole = std::nearbyint(static_cast<double>(value));
    // 2^digits is a double even where To's largest value is not.
    const double end = std::ldexp(1.0, std::numeric_limits<To>::digits);
    if (whole >= end) return std::numeric_limits<To>::max();
    if (whole < (std::is_signed_v<To> ? -end : 0.0)) return std::numeric_limits<To>::min();
    return static_cast<To>(whole);
  } else {
    if (std::cmp_greater(value, std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    if (std::cmp_less(value, std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  }
}

// Writes all elements of `entry` to out[0 .. element_count), converted by nearest_value; booleans become 0
// and 1.
template <class T>
void copy_values(const TensorEntry& entry, T* out) {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
  const std::int64_t count = entry.shape.element_count();
  if (entry.byte_count != count * size_of(entry.dtype))
    throw ShapeError("tensor " + in_quotes(entry.name) + " of shape " + entry.shape.to_string() + " has " +
                     std::to_string(entry.byte_count) + " bytes");
  if (count == 0) return;
  const auto convert = [&]<class Stored>(Stored, auto decode) {
    using Decoded = decltype(decode(Stored{}));
    if constexpr (std::is_same_v<Decoded, T> && std::is_same_v<Decoded, Stored>) {
      std::memcpy(out, entry.data, static_cast<std::size_t>(entry.byte_count));
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        Stored stored;
        std::memcpy(&stored, entry.data + i * static_cast<std::int64_t>(sizeof stored), sizeof stored);
        out[i] = nearest_value<T>(decode(stored));
      }
    }
  };
  const auto same = [](auto stored) { return stored; };
  switch (entry.dtype) {
    case Dtype::boolean:
      return convert(std::uint8_t{}, [](std::uint8_t byte) -> int { return byte != 0; });
    case Dtype::u8:
      return convert(std::uint8_t{}, same);
    case Dtype::i8:
      return convert(std::int8_t{}, same);
    case Dtype::i16:
      return convert(std::int16_t{}, same);
    case Dtype::i32:
      return convert(std::int32_t{}, same);
    case Dtype::i64:
      return convert(std::int64_t{}, same);
    case Dtype::f16:
      return convert(std::uint16_t{}, float_from_half);
    case Dtype::bf16:
      return convert(std::uint16_t{}, float_from_bfloat16);
    case Dtype::f32:
      return convert(float{}, same);
    case Dtype::f64:
      return convert(double{}, same);
  }
}

template <class T>
std::vector<T> values_of(const TensorEntry& entry) {
  std::vector<T> values(static_cast<std::size_t>(entry.shape.element_count()));
  copy_values(entry, values.data());
  return values;
}

class TensorFile {
 public:
  std::string path;  // the file that was read
  std::map<std::string, std::string>
      metadata;                      // safetensors' __metadata__, or a checkpoint's scalars as text
  std::vector<std::string> ignored;  // what else it holds: "optimizer_state_dict (412 values)"

  // In the file's order.
  const std::vector<TensorEntry>& entries() const { return entries_; }

  // The tensor of that name, or null. Valid until the next add().
  const TensorEntry* find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &entries_[found->second];
  }

  // Appends a tensor; false, and no change, where one of that name is there already.
  bool add(TensorEntry entry) {
    if (!index_.emplace(entry.name, entries_.size()).second) return false;
    entries_.push_back(std::move(entry));
    return true;
  }

  // Keeps alive what entries point into.
  void keep(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }
  void keep(std::shared_ptr<const MappedFile> mapping) {
    mapping_ = mapping;
    owners_.push_back(std::move(mapping));
  }

  // Gives back the memory of what was read of a mapped file.
  void release_pages() const {
    if (mapping_ != nullptr) mapping_->release_pages();
  }

 private:
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::shared_ptr<const void>> owners_;
  std::shared_ptr<const MappedFile> mapping_;
};

}  // namespace imu2music::inline v0
