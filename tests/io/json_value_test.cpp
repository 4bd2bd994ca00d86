#include "imu2music/io/json_value.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

using namespace imu2music;

namespace {

bool same(const JsonValue& ours, const nlohmann::ordered_json& theirs) {
  switch (ours.kind) {
    case JsonValue::Kind::null:
      return theirs.is_null();
    case JsonValue::Kind::boolean:
      return theirs.is_boolean() && theirs.get<bool>() == ours.boolean;
    case JsonValue::Kind::number:
      return theirs.is_number() && theirs.get<double>() == ours.number;
    case JsonValue::Kind::text:
      return theirs.is_string() && theirs.get<std::string>() == ours.text;
    case JsonValue::Kind::list: {
      if (!theirs.is_array() || theirs.size() != ours.items.size()) return false;
      for (std::size_t i = 0; i < ours.items.size(); ++i)
        if (!same(ours.items[i], theirs[i])) return false;
      return true;
    }
    case JsonValue::Kind::object: {
      if (!theirs.is_object() || theirs.size() != ours.items.size()) return false;
      std::size_t i = 0;
      for (const auto& [name, value] : theirs.items()) {
        if (name != ours.names[i] || !same(ours.items[i], value)) return false;
        ++i;
      }
      return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("a tree holds what the text says") {
  for (const char* text :
       {R"({"a": [1, -2, 3.5e-3, {"b": null, "c": [[], {}, [true, false]]}], "d": "x\ty\u00e9", "": 0})",
        "[]", "{}", "7", "\"alone\"", "[[[[1],2],3],4]"}) {
    INFO(text);
    CHECK(same(parse_json(text, "t"), nlohmann::ordered_json::parse(text)));
  }
  const JsonValue root = parse_json(R"({"x": 1, "y": {"z": "deep"}})", "t");
  REQUIRE(root.find("y") != nullptr);
  REQUIRE(root.find("y")->find("z") != nullptr);
  CHECK(root.find("y")->find("z")->text == "deep");
  CHECK(root.find("z") == nullptr);
}

TEST_CASE("what is no JSON, or too deep, is refused with the file's name") {
  for (const std::string& text :
       {std::string("{\"a\": }"), std::string("[1,]"), std::string(""), std::string("{\"a\":1,\"a\":2}"),
        std::string(65, '['), std::string("[1e999]")}) {
    INFO(text);
    try {
      parse_json(text, "list.json");
      FAIL("was read");
    } catch (const InputError& error) {
      CHECK(std::string(error.what()).rfind("list.json: ", 0) == 0);
    }
  }
  CHECK_NOTHROW(parse_json(std::string(64, '[') + std::string(64, ']'), "t"));
}

TEST_CASE("texts are quoted whatever their bytes") {
  CHECK(json_text("a\"b") == "\"a\\\"b\"");
  CHECK(nlohmann::json::parse(json_text("\xff\xfeok")).get<std::string>() == "\xEF\xBF\xBD\xEF\xBF\xBDok");
}

TEST_CASE("many names cost no more than each by itself, and memory has an end") {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  CHECK(parse_json(text + "}", "t").items.size() == 200000);
  CHECK_THROWS_AS(parse_json(text + ",\"7\":1}", "t"), InputError);
  std::string numbers = "[0";
  for (int i = 0; i < 2000000; ++i) numbers += ",0";
  try {
    parse_json(numbers + "]", "list.json");
    FAIL("was read");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find("list.json: asks for more than") == 0);
  }
}
