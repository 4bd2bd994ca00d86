// JSON as a stream of events, and texts in JSON's form: for the two JSON forms in a weight file, its header
// and its config. No tree is built, so that a hostile header of 100 MB takes no more memory than what it is
// asked for, and a program that loads weights does not pay the compile time of a whole JSON library (which is
// the oracle of the tests).
//
// Strict RFC 8259: no comments, no trailing commas, no byte order mark, texts in valid UTF-8, escaped
// surrogates in pairs only. Nesting costs one bit a level and none of the C++ stack. Cost: one pass.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "imu2music/io/utf8.hpp"

namespace imu2music::inline v0 {

// `text` as a JSON text, with its quotes; nothing where it is not UTF-8.
inline std::optional<std::string> json_quoted(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return std::nullopt;
    const char c = text[i];
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view letters = "btn-fr";  // 8 to 13
      if (c >= 8 && c <= 13 && c != 11) {
        result += '\\';
        result += letters[static_cast<std::size_t>(c - 8)];
      } else {
        result += "\\u00";
        result += digits[c >> 4];
        result += digits[c & 15];
      }
    } else {
      result += text.substr(i, length);
    }
    i += length;
  }
  return result + '"';
}

// Tells `handler` what stands in `text`, in order, by
//   null()  boolean(bool)  integer(std::int64_t), with a minus  unsigned_integer(std::uint64_t)
//   number(std::string_view), for all others, as they stand  string(std::string)
//   start_object()  key(std::string)  end_object()  start_array()  end_array()
// and returns nothing, or the byte at which the text stops being JSON. What the handler throws passes
// through.
template <class Handler>
class JsonReader {
 public:
  JsonReader(std::string_view text, Handler& handler) : text_(text), handler_(handler) {}

  std::optional<std::size_t> run() {
    if (!document()) return place_;
    skip_space();
    return place_ == text_.size() ? std::nullopt : std::optional(place_);
  }

 private:
  char peek() const { return place_ < text_.size() ? text_[place_] : '\0'; }  // '\0' is no part of JSON
  bool accept(char c) {
    if (peek() != c) return false;
    ++place_;
    return true;
  }
  bool accept(std::string_view word) {
    if (text_.substr(place_, word.size()) != word) return false;
    place_ += word.size();
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++place_;
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  bool document() {
    do {
      // Before a value: begin it, or begin and at once end an empty list or object.
      skip_space();
      if (accept('{')) {
        handler_.start_object();
        in_object_.push_back(true);
        skip_space();
        if (!accept('}')) {
          if (!key()) return false;
          continue;
        }
        end();
      } else if (accept('[')) {
        handler_.start_array();
        in_object_.push_back(false);
        skip_space();
        if (!accept(']')) continue;
        end();
      } else if (!scalar()) {
        return false;
      }
      // After a value: end what it was the last of, up to a comma.
      while (!in_object_.empty()) {
        skip_space();
        if (accept(',')) {
          skip_space();
          if (in_object_.back() && !key()) return false;
          break;
        }
        if (!accept(in_object_.back() ? '}' : ']')) return false;
        end();
      }
    } while (!in_object_.empty());
    return true;
  }

  void end() {
    const bool object = in_object_.back();
    in_object_.pop_back();
    if (object)
      handler_.end_object();
    else
      handler_.end_array();
  }

  bool key() {
    std::optional<std::string> text = string();
    if (!text) return false;
    handler_.key(*std::move(text));
    skip_space();
    return accept(':');
  }

  bool scalar() {
    if (peek() == '"') {
      std::optional<std::string> text = string();
      if (!text) return false;
      handler_.string(*std::move(text));
    } else if (accept("null")) {
      handler_.null();
    } else if (accept("true")) {
      handler_.boolean(true);
    } else if (accept("false")) {
      handler_.boolean(false);
    } else {
      return number();
    }
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return false;
    while (is_digit(peek())) ++place_;
    return true;
  }
  bool number() {
    const std::size_t start = place_;
    const bool negative = accept('-');
    if (!accept('0') && !digits()) return false;
    bool whole = true;
    if (accept('.')) {
      whole = false;
      if (!digits()) return false;
    }
    if (accept('e') || accept('E')) {
      whole = false;
      if (!accept('+')) accept('-');
      if (!digits()) return false;
    }
    const std::string_view text = text_.substr(start, place_ - start);
    const auto read_as = [&](auto value) -> std::optional<decltype(value)> {
      if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
        return std::nullopt;
      return value;
    };
    if (const auto below = whole && negative ? read_as(std::int64_t{}) : std::nullopt)
      handler_.integer(*below);
    else if (const auto above = whole && !negative ? read_as(std::uint64_t{}) : std::nullopt)
      handler_.unsigned_integer(*above);
    else
      handler_.number(text);
    return true;
  }

  std::optional<std::string> string() {
    if (!accept('"')) return std::nullopt;
    std::string result;
    while (place_ < text_.size()) {
      const char c = text_[place_];
      if (accept('"')) return result;
      if (accept('\\')) {
        if (!escape(result)) return std::nullopt;
        continue;
      }
      const std::size_t length = utf8_length(text_.substr(place_, 4));
      if (length == 0 || static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      result += text_.substr(place_, length);
      place_ += length;
    }
    return std::nullopt;
  }

  bool escape(std::string& result) {
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const std::size_t name = names.find(peek());
    if (name != std::string_view::npos) {
      result += meanings[name];
      ++place_;
      return true;
    }
    std::uint32_t code = 0;
    if (!unit(code) || (code >= 0xDC00 && code <= 0xDFFF)) return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
      std::uint32_t low = 0;
      if (!accept('\\') || !unit(low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    const auto put = [&](std::uint32_t byte) { result += static_cast<char>(byte); };
    const auto put_rest = [&](int shift) { put(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | code >> 6), put_rest(0);
    } else if (code < 0x10000) {
      put(0xE0 | code >> 12), put_rest(6), put_rest(0);
    } else {
      put(0xF0 | code >> 18), put_rest(12), put_rest(6), put_rest(0);
    }
    return true;
  }
  // uXXXX
  bool unit(std::uint32_t& code) {
    if (!accept('u') || text_.size() - place_ < 4) return false;
    const char* first = text_.data() + place_;
    if (std::from_chars(first, first + 4, code, 16).ptr != first + 4) return false;
    place_ += 4;
    return true;
  }

  std::string_view text_;
  Handler& handler_;
  std::size_t place_ = 0;
  std::vector<bool> in_object_;  // for each open level: an object, or a list
};

template <class Handler>
std::optional<std::size_t> read_json(std::string_view text, Handler& handler) {
  return JsonReader<Handler>(text, handler).run();
}

}  // namespace imu2music::inline v0
