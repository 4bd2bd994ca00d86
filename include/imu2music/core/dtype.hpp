// The element types a weight file can hold, by safetensors' names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imu2music::inline v0 {

enum class Dtype { boolean, u8, i8, i16, i32, i64, f16, bf16, f32, f64 };

constexpr std::int64_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::boolean:
    case Dtype::u8:
    case Dtype::i8:
      return 1;
    case Dtype::i16:
    case Dtype::f16:
    case Dtype::bf16:
      return 2;
    case Dtype::i32:
    case Dtype::f32:
      return 4;
    case Dtype::i64:
    case Dtype::f64:
      return 8;
  }
  return 0;
}

constexpr const char* name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::boolean:
      return "BOOL";
    case Dtype::u8:
      return "U8";
    case Dtype::i8:
      return "I8";
    case Dtype::i16:
      return "I16";
    case Dtype::i32:
      return "I32";
    case Dtype::i64:
      return "I64";
    case Dtype::f16:
      return "F16";
    case Dtype::bf16:
      return "BF16";
    case Dtype::f32:
      return "F32";
    case Dtype::f64:
      return "F64";
  }
  return "?";
}

constexpr bool is_floating(Dtype dtype) {
  return dtype == Dtype::f32 || dtype == Dtype::f64 || dtype == Dtype::f16 || dtype == Dtype::bf16;
}

inline std::optional<Dtype> dtype_named(std::string_view name) {
  for (Dtype dtype : {Dtype::boolean, Dtype::u8, Dtype::i8, Dtype::i16, Dtype::i32, Dtype::i64, Dtype::f16,
                      Dtype::bf16, Dtype::f32, Dtype::f64})
    if (name == name_of(dtype)) return dtype;
  return std::nullopt;
}

// The Dtype of a C++ scalar.
template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::f32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::f64;
};
template <>
struct DtypeOf<std::int64_t> {
  static constexpr Dtype value = Dtype::i64;
};
template <>
struct DtypeOf<std::int32_t> {
  static constexpr Dtype value = Dtype::i32;
};
template <>
struct DtypeOf<std::uint8_t> {
  static constexpr Dtype value = Dtype::u8;
};

}  // namespace imu2music::inline v0
