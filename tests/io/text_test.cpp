#include "imu2music/io/text.hpp"

#include "support.hpp"

using namespace imu2music;

TEST_CASE("quotes keep a message on one printable line") {
  CHECK(in_quotes("abc") == "'abc'");
  CHECK(in_quotes("") == "''");
  CHECK(in_quotes(std::string_view("a\n\x1b\0\xff", 5)) == "'a\\x0a\\x1b\\x00\\xff'");
  CHECK(in_quotes(std::string(80, 'x')) == "'" + std::string(80, 'x') + "'");
  CHECK(in_quotes(std::string(81, 'x')) == "'" + std::string(80, 'x') + "...'");
}

TEST_CASE("control characters become blanks") {
  CHECK(one_line("two\nlines\x7f\x1b[2J") == "two lines  [2J");
  CHECK(one_line("Größe \xff") == "Größe \xff");
}

TEST_CASE("edit distances") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("heads", "heads") == 0);
  CHECK(edit_distance("flaw", "lawn") == 2);
}

TEST_CASE("the nearest name; the first of equals; long names cost little") {
  const std::string_view known[] = {"d_model", "heads", "vocabulary"};
  CHECK(nearest_name("head", known) == "heads");
  CHECK(nearest_name("vocab", known) == "heads");  // both five edits away: the first
  CHECK(nearest_name("vocabulry", known) == "vocabulary");
  CHECK(nearest_name("dmodel", known) == "d_model");
  CHECK(nearest_name(std::string(1 << 20, 'x'), known) == "d_model");
}

TEST_CASE("advice on an unknown name: the nearest, or all where none is near") {
  const std::string_view known[] = {"d_model", "heads", "eps"};
  CHECK(unknown_name_advice("haeds", known) == "did you mean 'heads'?");
  CHECK(unknown_name_advice("head", known) == "did you mean 'heads'?");
  CHECK(unknown_name_advice("dmodle", known) == "there is 'd_model', 'heads', 'eps'");
  CHECK(unknown_name_advice("lr", known) == "there is 'd_model', 'heads', 'eps'");
  CHECK(unknown_name_advice("", known) == "there is 'd_model', 'heads', 'eps'");
  CHECK(unknown_name_advice(std::string(1 << 20, 'x'), known) == "there is 'd_model', 'heads', 'eps'");
}

TEST_CASE("the same without quotes") {
  CHECK(printable("layers.0.weight") == "layers.0.weight");
  CHECK(printable("a\x1b[2J") == "a\\x1b[2J");
  CHECK(printable(std::string(80, 'x')) == std::string(80, 'x'));
  CHECK(printable(std::string(81, 'x')) == std::string(80, 'x') + "...");
}

TEST_CASE("one line: blanks for what a terminal would obey, and for nothing else") {
  CHECK(one_line("left\n\tarm") == "left  arm");
  CHECK(one_line("été 左腕 🎻") == "été 左腕 🎻");
  CHECK(one_line("\u009b31mred\u202e") == " 31mred ");
  CHECK(one_line("caf\xe9 \x9b"
                 "2J") == "caf\xe9  2J");  // Latin-1, and its CSI
}

TEST_CASE("names in every script are shown, and nothing that is not a sign") {
  for (const char* name : {"été_2.csv", "左腕", "Ελλάδα", "🎻", "\u00a0", "\ufffd"})
    CHECK(printable(name) == name);
  const auto escaped = [](std::string_view text) {
    std::string result;
    for (const char c : text) {
      constexpr char digits[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
    return result;
  };
  for (const char* hidden :
       {"\u0080", "\u009b", "\u00ad", "\u061c", "\u180e", "\u200b", "\u200f", "\u2028", "\u202e", "\u2060",
        "\u206f", "\ufeff", "\ufff9", "\ufffb", "\uffff", "\U000e0001", "\U000e007f"})
    CHECK(printable(hidden) == escaped(hidden));
  // Bytes that are no UTF-8: cut short, overlong, a surrogate, beyond the last.
  for (const char* wrong :
       {"\xc3", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\x80"})
    CHECK(printable(wrong) == escaped(wrong));
  CHECK(printable("\xc3(") == "\\xc3(");
  // Cut between signs, never within one.
  CHECK(printable(std::string(79, 'x') + "é") == std::string(79, 'x') + "...");
  CHECK(printable(std::string(78, 'x') + "é") == std::string(78, 'x') + "é");
}
