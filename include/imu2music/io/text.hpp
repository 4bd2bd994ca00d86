// Text for messages: outside names made printable, numbers in short, and what a name that is not known may
// have been meant to be. And a number's text read back.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "imu2music/core/finite_math.hpp"
#include "imu2music/io/utf8.hpp"

namespace imu2music::inline v0 {

// `text`, at most 80 bytes of it, as visible signs on one line whatever a damaged or hostile file puts there:
// what is not visible, and bytes that are not UTF-8, appear as \xNN.
inline std::string printable(std::string_view text) {
  constexpr std::size_t longest = 80;
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t length = utf8_length(text.substr(i, 4));
    const std::size_t taken = std::max<std::size_t>(length, 1);
    if (i + taken > longest) break;
    if (length > 0 && is_visible(text.substr(i, length))) {
      result += text.substr(i, length);
    } else {
      for (const char c : text.substr(i, taken)) {
        const auto byte = static_cast<unsigned char>(c);
        result += "\\x";
        result += digits[byte >> 4];
        result += digits[byte & 15];
      }
    }
    i += taken;
  }
  return i < text.size() ? result + "..." : result;
}

// The same in quotes.
inline std::string in_quotes(std::string_view text) { return "'" + printable(text) + "'"; }

// `text` with a blank for what no terminal shows (is_visible()) and for bytes that no encoding of letters
// has: names and remarks of a file, which reports show as they are.
inline std::string one_line(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i, 4)), taken = std::max<std::size_t>(length, 1);
    const bool shown =
        length > 0 ? is_visible(text.substr(i, length)) : static_cast<unsigned char>(text[i]) >= 0xA0;
    if (shown)
      result += text.substr(i, taken);
    else
      result += ' ';
    i += taken;
  }
  return result;
}

// The shortest text that reads back as the same number: 25, 22.52.
inline std::string number_text(double value) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, result.ptr);
}

// A finite number that fills `text`; false otherwise.
inline bool parse_number(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

// The Levenshtein distance: how many insertions, deletions and replacements lead from a to b. Cost |a|·|b|.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// Of `known`, which must not be empty, the first that is nearest to `name`.
inline std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known) {
  name = name.substr(0, 200);  // nobody misspells at that length, and the cost is a product
  return *std::min_element(known.begin(), known.end(), [&](std::string_view a, std::string_view b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
}

// Whether `name` may be `known` misspelt: one letter in three is wrong at most.
inline bool may_be_misspelt(std::string_view name, std::string_view known) {
  return name.size() < 200 && edit_distance(name, known) <= std::max<std::size_t>((name.size() + 1) / 3, 1);
}

// What to say of a name that is none of `known`, which must not be empty: the nearest of them, or all of them
// where none is near.
inline std::string unknown_name_advice(std::string_view name, std::span<const std::string_view> known) {
  if (const std::string_view nearest = nearest_name(name, known); may_be_misspelt(name, nearest))
    return "did you mean '" + std::string(nearest) + "'?";
  std::string all;
  for (const std::string_view one : known)
    all += std::string(all.empty() ? "there is '" : ", '").append(one) + "'";
  return all;
}

}  // namespace imu2music::inline v0
