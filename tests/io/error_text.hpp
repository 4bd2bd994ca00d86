// The message of the InputError that an action ends in.
#pragma once

#include <string>

#include "imu2music/core/error.hpp"

namespace test {

template <class Action>
std::string input_error(Action&& action) {
  try {
    action();
  } catch (const imu2music::InputError& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace test
