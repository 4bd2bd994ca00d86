// The sound of a WAV file, for telling where it is silent: header and samples, read in place from a mapping.
//
//   RIFF <size> WAVE { <id> <size> <bytes, padded to an even count> }…, little-endian
//   "fmt "   PCM (1) of 8 (unsigned), 16, 24 or 32 bits; IEEE float (3) of 32 or 64 bits; or the extensible
//            form (0xFFFE) of one of these
//   "data"   frames of interleaved samples; where it claims more than the file has, or 0 bytes in a file
//            whose end is not told either, as recorders that were stopped leave it, what is there counts
//
// Samples become full scale ±1: integer / 2^(bits − 1), floats as they are. The library decodes nothing else
// and needs no sound library for this; compressed and other formats are refused. RF64 files (over 4 GiB) too.
//
// Cost: opening reads the headers, samples are decoded where they are asked for. Errors: InputError with what
// is wrong.
// Source: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, chapter 3; RFC
// 2361.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

class WavFile {
 public:
  explicit WavFile(const std::string& path) : file_(path) {
    const auto mapped = file_.bytes();
    const std::string_view bytes(reinterpret_cast<const char*>(mapped.data()), mapped.size());
    const std::string wanted = "PCM or float WAV files can be read";
    if (bytes.size() < 12 || bytes.substr(0, 4) != "RIFF" || bytes.substr(8, 4) != "WAVE")
      throw InputError(path, bytes.starts_with("RF64") ? "is an RF64 file" : "is no WAV file", wanted);
    const auto number = [&](std::size_t at, int count) {
      std::uint32_t value = 0;
      for (int i = count - 1; i >= 0; --i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
      return value;
    };
    bool has_format = false;
    std::size_t at = 12;
    while (at + 8 <= bytes.size()) {
      const std::string_view id = bytes.substr(at, 4);
      const std::size_t claimed = number(at + 4, 4), begin = at + 8;
      const std::size_t size = std::min(claimed, bytes.size() - begin);
      if (id == "fmt ") {
        if (size < 16) throw InputError(path, "has a format of " + std::to_string(size) + " bytes", wanted);
        std::uint32_t coding = number(begin, 2);
        channels_ = static_cast<int>(number(begin + 2, 2));
        rate_hz_ = number(begin + 4, 4);
        bits_ = static_cast<int>(number(begin + 14, 2));
        if (coding == 0xFFFE && size >= 40) coding = number(begin + 24, 2);
        float_ = coding == 3;
        const bool known = coding == 1 ? bits_ == 8 || bits_ == 16 || bits_ == 24 || bits_ == 32
                                       : coding == 3 && (bits_ == 32 || bits_ == 64);
        if (!known)
          throw InputError(
              path,
              "holds sound of coding " + std::to_string(coding) + " with " + std::to_string(bits_) + " bits",
              wanted);
        if (channels_ < 1 || rate_hz_ < 1 ||
            number(begin + 12, 2) != static_cast<std::uint32_t>(channels_ * bits_ / 8))
          throw InputError(path,
                           "has a format that contradicts itself: " + std::to_string(channels_) +
                               " channels at " + std::to_string(rate_hz_) + " Hz in frames of " +
                               std::to_string(number(begin + 12, 2)) + " bytes",
                           wanted);
        has_format = true;
      } else if (id == "data") {
        if (!has_format) throw InputError(path, "has its samples before their format", wanted);
        data_ = mapped.data() + begin;
        // A recorder that was cut off has not come to writing the sizes.
        const std::size_t there = claimed == 0 && number(4, 4) <= begin - 8 ? bytes.size() - begin : size;
        frames_ = static_cast<std::int64_t>(there) / (channels_ * (bits_ / 8));
        return;
      }
      if (claimed > bytes.size() - begin) break;
      at = begin + claimed + claimed % 2;
    }
    throw InputError(path, has_format ? "has no samples" : "has no format", wanted);
  }

  int channels() const { return channels_; }
  double rate_hz() const { return rate_hz_; }
  std::int64_t frames() const { return frames_; }
  double seconds() const { return static_cast<double>(frames_) / rate_hz_; }

  // One sample, full scale ±1. `frame` below frames(), `channel` below channels(). A float that is not finite
  // is 0.
  double sample(std::int64_t frame, int channel) const {
    const int width = bits_ / 8;
    const std::byte* at = data_ + (frame * channels_ + channel) * width;
    if (float_) {
      double value = 0;
      if (bits_ == 32) {
        float narrow = 0;
        std::memcpy(&narrow, at, 4);
        value = static_cast<double>(narrow);
      } else {
        std::memcpy(&value, at, 8);
      }
      return std::isfinite(value) ? value : 0;
    }
    if (bits_ == 8) return (static_cast<double>(std::to_integer<int>(*at)) - 128) / 128;
    std::uint32_t value = 0;
    for (int i = width - 1; i >= 0; --i) value = value << 8 | std::to_integer<std::uint32_t>(at[i]);
    // Shifted up so that the sign is the word's own.
    const auto whole = std::bit_cast<std::int32_t>(value << (32 - bits_));
    return static_cast<double>(whole) / 2147483648.0;
  }

 private:
  static_assert(std::endian::native == std::endian::little, "floats are read in place");

  MappedFile file_;
  const std::byte* data_ = nullptr;
  int channels_ = 0, bits_ = 0;
  double rate_hz_ = 0;
  std::int64_t frames_ = 0;
  bool float_ = false;
};

}  // namespace imu2music::inline v0
