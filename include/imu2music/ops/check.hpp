// What operations check about their operands, and how they share work among threads.
#pragma once

#include <cstdint>
#include <string>

#include "imu2music/core/error.hpp"
#include "imu2music/core/shape.hpp"

namespace imu2music::inline v0::detail {

// Throws ShapeError "[operation] message" unless `fits`. The message is built only where it is needed.
template <class Message>
void require(bool fits, const char* operation, const Message& message) {
  if (!fits) throw ShapeError(std::string("[") + operation + "] " + message());
}

// How many rows a thread must get to be worth waking: about 2^18 multiply-adds.
inline std::int64_t grain_for(std::int64_t cost_per_row) {
  constexpr std::int64_t worth_a_thread = std::int64_t{1} << 18;
  return cost_per_row <= 0 ? worth_a_thread : (worth_a_thread + cost_per_row - 1) / cost_per_row;
}

}  // namespace imu2music::inline v0::detail
