// The JSON reader against a whole JSON library, on good, bad and random text.
#include "imu2music/io/json_reader.hpp"

#include <nlohmann/json.hpp>
#include <random>

#include "support.hpp"

using namespace imu2music;

namespace {

// Both record what they are told in one form.
struct Events {
  std::string log;
  void put(const std::string& event) { log += event + "\n"; }

  void null() { put("null"); }
  void boolean(bool value) { put(value ? "true" : "false"); }
  void integer(std::int64_t value) { put("i " + std::to_string(value)); }
  void unsigned_integer(std::uint64_t value) { put("u " + std::to_string(value)); }
  void number(std::string_view text) { put(std::string("n ").append(text)); }
  void string(const std::string& text) { put("s " + text); }
  void start_object() { put("{"); }
  void key(const std::string& text) { put("k " + text); }
  void end_object() { put("}"); }
  void start_array() { put("["); }
  void end_array() { put("]"); }
};

struct Oracle : nlohmann::json_sax<nlohmann::json> {
  Events events;
  bool out_of_range = false;

  bool null() override { return events.null(), true; }
  bool boolean(bool value) override { return events.boolean(value), true; }
  bool number_integer(std::int64_t value) override { return events.integer(value), true; }
  bool number_unsigned(std::uint64_t value) override { return events.unsigned_integer(value), true; }
  bool number_float(double, const std::string& text) override { return events.number(text), true; }
  bool string(std::string& text) override { return events.string(text), true; }
  bool binary(nlohmann::json::binary_t&) override { return true; }
  bool start_object(std::size_t) override { return events.start_object(), true; }
  bool key(std::string& text) override { return events.key(text), true; }
  bool end_object() override { return events.end_object(), true; }
  bool start_array(std::size_t) override { return events.start_array(), true; }
  bool end_array() override { return events.end_array(), true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) override {
    out_of_range = error.id == 406;  // 1e999: good JSON, no double
    return false;
  }
};

struct Outcome {
  bool good;
  std::string log;
};

Outcome read(std::string_view text) {
  Events events;
  const auto fault = read_json(text, events);
  if (fault) CHECK(*fault <= text.size());
  return {!fault.has_value(), events.log};
}

// The two agree: on whether it is JSON, and if so on all that it says.
bool agree(std::string_view text) {
  Oracle oracle;
  const bool good = nlohmann::json::sax_parse(text.begin(), text.end(), &oracle);
  if (oracle.out_of_range) return true;
  const Outcome mine = read(text);
  // The library takes a byte order mark, and a zero byte for the end.
  if (text.starts_with("\xEF") || text.find('\0') != std::string_view::npos) return !mine.good;
  return mine.good == good && (!good || mine.log == oracle.events.log);
}

std::size_t fault_at(std::string_view text) {
  Events events;
  return read_json(text, events).value_or(std::string_view::npos);
}

}  // namespace

TEST_CASE("good JSON is told event by event") {
  CHECK(read(R"( {"a" : [1, -2, 3.5e1, true, false, null, "x"], "b": {}, "c":[ ] } )").log ==
        "{\nk a\n[\nu 1\ni -2\nn 3.5e1\ntrue\nfalse\nnull\ns x\n]\nk b\n{\n}\nk c\n[\n]\n}\n");
  for (const char* text : {"0",
                           "-0",
                           "10",
                           "-9223372036854775808",
                           "9223372036854775807",
                           "18446744073709551615",
                           "18446744073709551616",
                           "-9223372036854775809",
                           "0.5",
                           "1E+5",
                           "1e-5",
                           "\"\"",
                           "[]",
                           "[[]]",
                           "{}",
                           "[{}]",
                           R"(["\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83c\udfb5"])",
                           "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8E\xB5\x7f\"]",
                           "\t\n\r [1 , 2]\n",
                           R"({"":{"":[]}})",
                           R"({"a":1,"a":2})"}) {
    CHECK_MESSAGE(read(text).good, text);
    CHECK_MESSAGE(agree(text), text);
  }
}

TEST_CASE("what is no JSON is refused where it stops being JSON") {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1e",
                           "1e+",
                           "0x1",
                           "NaN",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{",
                           "}",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "{\"a\" 1}",
                           "{\"a\":1]",
                           "[1}",
                           "1 2",
                           "{}x",
                           "\"",
                           "\"a",
                           "\"\\",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\u-123\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\n\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\ud800\"",
                           "\"\n\"",
                           "\"\x80\"",
                           "\"\xC0\x80\"",
                           "\"\xC3\"",
                           "\"\xE0\x80\x80\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF0\x80\x80\x80\"",
                           "\"\xF4\x90\x80\x80\"",
                           "\"\xF5\x80\x80\x80\"",
                           "\"\xFF\"",
                           "// x\n1",
                           "[1]//",
                           "'a'",
                           "\xEF\xBB\xBF{}"}) {
    CHECK_MESSAGE(!read(text).good, text);
    CHECK_MESSAGE(agree(text), text);
  }
  CHECK(!read(std::string_view("{}\0", 3)).good);
  CHECK(!read(std::string_view("\"\0\"", 3)).good);
  CHECK(fault_at("[1, x]") == 4);
  CHECK(fault_at("{}  x") == 4);
  CHECK(fault_at("[1") == 2);
}

TEST_CASE("nesting is not a matter of the stack") {
  std::string deep(2'000'000, '[');
  CHECK(fault_at(deep) == deep.size());
  deep += std::string(2'000'000, ']');
  CHECK(read(deep).good);
}

TEST_CASE("random texts and damaged texts are judged as the library judges them") {
  std::mt19937 random(11);
  const std::string letters = "{}[]\":,\\ \n019-+.eEtruefalsn\"\"u\x80\xC3\xA9\x1f";
  const std::string good =
      R"({"a":[1,-2.5e3,"x\u00e9\n\ud83c\udfb5",true],"b":{"c":null,"d":[[],{}]},"é":0})";
  for (int round = 0; round < 40000; ++round) {
    std::string text;
    if (round % 2 == 0) {
      for (auto left = random() % 12; left > 0; --left) text += letters[random() % letters.size()];
    } else {
      text = good;
      for (auto left = 1 + random() % 3; left > 0; --left) {
        const std::size_t place = random() % text.size();
        if (random() % 2 == 0)
          text[place] = letters[random() % letters.size()];
        else
          text.erase(place, 1);
      }
    }
    if (!agree(text)) FAIL("they differ on: " << text);
  }
}

TEST_CASE("texts are written as they are read, and as the library writes them") {
  std::string all;
  for (int i = 0; i < 128; ++i) all += static_cast<char>(i);
  for (const std::string& text :
       {std::string(), all, std::string("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\xB5"), std::string("\"\\/")}) {
    const std::string quoted = json_quoted(text).value();
    CHECK(quoted == nlohmann::json(text).dump());
    CHECK(read(quoted).log == "s " + text + "\n");
  }
  for (const char* text : {"\x80", "a\xC3", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80"})
    CHECK_FALSE(json_quoted(text).has_value());
}
