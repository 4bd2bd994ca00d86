// How much memory reading one file may take: ten times its size and 16 MiB, unless a reader allows itself
// more whatever the size.
//
// A few bytes of a compressed or pickled file can ask for gigabytes. Every allocation whose size such a file
// decides is taken from one budget first, so that a hostile file is refused before it hurts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "imu2music/core/error.hpp"

namespace imu2music::inline v0 {

class ByteBudget {
 public:
  ByteBudget(std::string path, std::int64_t file_size, std::uint64_t whatever_size = std::uint64_t{16} << 20)
      : path_(std::move(path)), left_(10 * static_cast<std::uint64_t>(file_size) + whatever_size) {}

  void take(std::uint64_t byte_count) {
    if (byte_count > left_)
      throw InputError(path_, "asks for more than ten times its own size in memory",
                       "it is damaged or made to do harm: fetch it again, from a source you trust");
    left_ -= byte_count;
  }

 private:
  std::string path_;
  std::uint64_t left_;
};

}  // namespace imu2music::inline v0
