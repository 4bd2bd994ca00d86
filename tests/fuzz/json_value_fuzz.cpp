// JSON as a tree: nested no deeper than it should be.
#include <algorithm>
#include <cstddef>

#include "imu2music/io/json_value.hpp"
#include "target.hpp"

namespace {

int depth_of(const imu2music::JsonValue& value) {
  using imu2music::JsonValue;
  const bool object = value.kind == JsonValue::Kind::object, list = value.kind == JsonValue::Kind::list;
  fuzz::require(value.names.size() == (object ? value.items.size() : 0), "the names of an object");
  int deepest = 0;
  for (const JsonValue& item : value.items) deepest = std::max(deepest, depth_of(item));
  return deepest + (object || list ? 1 : 0);
}

void read(std::string_view bytes) {
  fuzz::require(depth_of(imu2music::parse_json(bytes, fuzz::name)) <= 64, "the depth");
}

// A tree of small values takes some hundred bytes for each byte, which its reader allows itself up to 256
// MiB.
const fuzz::Target target("json_value", read, std::size_t{32} << 20);

}  // namespace
