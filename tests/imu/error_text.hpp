// The message of the exception that an action throws, for checks on its words.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace test {

// What `action` throws as an Exception; empty where it throws nothing.
template <class Exception, class Action>
std::string error_text(const Action& action) {
  try {
    action();
  } catch (const Exception& error) {
    return error.what();
  }
  return {};
}

// Whether `text` is one line that holds every one of `parts`.
inline bool is_line_with(const std::string& text, std::initializer_list<std::string_view> parts) {
  bool all = !text.empty() && text.find('\n') == std::string::npos;
  for (const std::string_view part : parts) all = all && text.find(part) != std::string::npos;
  if (!all) MESSAGE("the message is: " << text);
  return all;
}

}  // namespace test
