// Pickles for the tests, put together opcode by opcode in the forms that Python's picklers write.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "zip_builder.hpp"

namespace test::pickle {

using Bytes = std::string;

// ---- protocol 2 ----------------------------------------------------------------------------------
inline Bytes proto(int protocol) { return {'\x80', static_cast<char>(protocol)}; }
inline Bytes integer(std::int64_t value) {
  if (value >= 0 && value < 256) return {'K', static_cast<char>(value)};
  if (value >= 0 && value < 65536) return Bytes("M") + little_endian(static_cast<std::uint64_t>(value), 2);
  if (value >= INT32_MIN && value <= INT32_MAX)
    return "J" + little_endian(static_cast<std::uint64_t>(value), 4);
  return Bytes("\x8a") + little_endian(8, 1) + little_endian(static_cast<std::uint64_t>(value), 8);
}
inline Bytes real(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, 8);
  const std::string little = little_endian(bits, 8);
  return Bytes("G") + Bytes(little.rbegin(), little.rend());
}
inline Bytes text(std::string_view value) {
  return Bytes("X") + little_endian(value.size(), 4) + Bytes(value);
}
inline Bytes global(const Bytes& module, const Bytes& name) { return "c" + module + "\n" + name + "\n"; }
inline Bytes marked(const std::vector<Bytes>& items, char opcode) {
  Bytes bytes(1, '(');
  for (const Bytes& item : items) bytes += item;
  bytes += opcode;
  return bytes;
}
inline Bytes tuple(const std::vector<Bytes>& items) {
  if (items.empty()) return ")";
  Bytes bytes;
  for (const Bytes& item : items) bytes += item;
  if (items.size() == 1) return bytes + "\x85";
  if (items.size() == 2) return bytes + "\x86";
  if (items.size() == 3) return bytes + "\x87";
  return marked(items, 't');
}
inline Bytes list(const std::vector<Bytes>& items) { return Bytes("]") + marked(items, 'e'); }
inline Bytes call(const Bytes& callable, const std::vector<Bytes>& arguments) {
  return callable + tuple(arguments) + "R";
}
struct Pair {
  Bytes key;  // a text
  Bytes value;
};
inline Bytes items(const std::vector<Pair>& pairs) {
  std::vector<Bytes> flat;
  for (const Pair& pair : pairs) {
    flat.push_back(text(pair.key));
    flat.push_back(pair.value);
  }
  return marked(flat, 'u');
}
inline Bytes dict(const std::vector<Pair>& pairs) { return Bytes("}") + items(pairs); }
inline Bytes ordered_dict(const std::vector<Pair>& pairs) {
  return call(global("collections", "OrderedDict"), {}) + items(pairs);
}
inline Bytes none() { return "N"; }
inline Bytes boolean(bool value) { return value ? "\x88" : "\x89"; }

// ---- protocol 4 ----------------------------------------------------------------------------------
inline Bytes short_text(std::string_view value) {
  return Bytes("\x8c") + little_endian(value.size(), 1) + Bytes(value);
}
inline Bytes stack_global(const Bytes& module, const Bytes& name) {
  return short_text(module) + "\x94" + short_text(name) + "\x94" + "\x93" + "\x94";
}
inline Bytes framed(const Bytes& bytes) { return Bytes("\x95") + little_endian(bytes.size(), 8) + bytes; }

// ---- torch ---------------------------------------------------------------------------------------
inline Bytes sizes(const std::vector<std::int64_t>& values) {
  std::vector<Bytes> numbers;
  for (const std::int64_t value : values) numbers.push_back(integer(value));
  return tuple(numbers);
}
inline Bytes storage(const Bytes& key, std::int64_t count, const Bytes& type = "FloatStorage",
                     const Bytes& module = "torch") {
  return tuple({text("storage"), global(module, type), text(key), text("cpu"), integer(count)}) + "Q";
}
// torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)
inline Bytes tensor(const Bytes& storage_bytes, std::int64_t offset, const std::vector<std::int64_t>& size,
                    const std::vector<std::int64_t>& stride) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage_bytes, integer(offset), sizes(size), sizes(stride), boolean(false), ordered_dict({})});
}
inline Bytes whole(const Bytes& value, int protocol = 2) { return proto(protocol) + value + "."; }

}  // namespace test::pickle

namespace test {

template <class T>
std::string raw_bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace test
