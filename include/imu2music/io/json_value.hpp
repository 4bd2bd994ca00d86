// A JSON text as a tree, for small files that people may edit: a data set's list, its splits.
//
// Weight files and configs are read without a tree (json_reader.hpp). An object keeps its members in their
// order; numbers are double, so whole numbers are exact up to 2^53. Lists and objects nest at most 64 deep
// and a name stands once in an object. Cost: one pass, and memory of some 200 bytes a value, up to ten times
// the text and 256 MiB. Errors: InputError that names the file and the place.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct JsonValue {
  enum class Kind { null, boolean, number, text, list, object } kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::string text;
  std::vector<std::string> names;  // of an object's members
  std::vector<JsonValue> items;    // of a list, or an object's members

  // The member of that name, or null.
  const JsonValue* find(std::string_view name) const {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return &items[i];
    return nullptr;
  }
};

namespace json_value_detail {

class TreeBuilder {
 public:
  TreeBuilder(const std::string& path, std::size_t text_size)
      : path_(path), budget_(path, static_cast<std::int64_t>(text_size), std::uint64_t{256} << 20) {}

  JsonValue root;

  void null() { place(); }
  void boolean(bool value) {
    JsonValue& here = place();
    here.kind = JsonValue::Kind::boolean;
    here.boolean = value;
  }
  void integer(std::int64_t value) { set(static_cast<double>(value)); }
  void unsigned_integer(std::uint64_t value) { set(static_cast<double>(value)); }
  void number(std::string_view text) {
    double value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
      throw InputError(path_, "the number " + in_quotes(text) + " is out of range", "write it in range");
    set(value);
  }
  void string(std::string text) {
    budget_.take(text.size());
    JsonValue& here = place();
    here.kind = JsonValue::Kind::text;
    here.text = std::move(text);
  }
  void start_object() { open(JsonValue::Kind::object); }
  void start_array() { open(JsonValue::Kind::list); }
  void end_object() { open_.pop_back(); }
  void end_array() { open_.pop_back(); }
  void key(std::string name) {
    budget_.take(128 + 2 * (sizeof name + name.size()));
    if (!open_.back().names.insert(name).second)
      throw InputError(path_, "names " + in_quotes(name) + " twice", "keep one of the two");
    open_.back().value->names.push_back(std::move(name));
  }

 private:
  static constexpr std::size_t deepest = 64;

  JsonValue& place() {
    if (open_.empty()) return root;
    budget_.take(2 * sizeof(JsonValue));
    std::vector<JsonValue>& items = open_.back().value->items;
    items.emplace_back();
    return items.back();
  }
  void set(double value) {
    JsonValue& here = place();
    here.kind = JsonValue::Kind::number;
    here.number = value;
  }
  void open(JsonValue::Kind kind) {
    if (open_.size() == deepest)
      throw InputError(path_, "nests more than 64 deep", "check that it is the file you mean");
    JsonValue& here = place();
    here.kind = kind;
    open_.push_back({&here, {}});
  }

  // A list or object that goes on. Its value stays where it is: while it is open, its siblings are complete.
  struct Open {
    JsonValue* value;
    // Of its members: a search of all for each is quadratic, and so are a hash's collisions, which a file
    // could choose.
    std::set<std::string> names;
  };

  const std::string& path_;
  ByteBudget budget_;
  std::vector<Open> open_;
};

}  // namespace json_value_detail

// `path` is the file that the text comes from, for messages.
inline JsonValue parse_json(std::string_view text, const std::string& path) {
  json_value_detail::TreeBuilder builder(path, text.size());
  if (const auto fault = read_json(text, builder))
    throw InputError(path, "is no JSON (at byte " + std::to_string(*fault) + ")", "write it again");
  return std::move(builder.root);
}

// `text` as a JSON text with its quotes; bytes that are not UTF-8 become U+FFFD.
inline std::string json_text(std::string_view text) {
  std::string valid;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      valid += "\xEF\xBF\xBD";
      ++i;
    } else {
      valid += text.substr(i, length);
      i += length;
    }
  }
  return json_quoted(valid).value_or("\"\"");
}

}  // namespace imu2music::inline v0
