// UTF-8: where a sequence ends, and whether it can be seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace imu2music::inline v0 {

// The bytes of the UTF-8 sequence that `text`, not empty, starts with; 0 where it is none (RFC 3629, section
// 4).
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](std::size_t i, unsigned least = 0x80, unsigned most = 0xBF) {
    return byte(i) >= least && byte(i) <= most;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF)  // neither overlong nor a surrogate
    return follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
  if (first >= 0xF0 && first <= 0xF4)  // neither overlong nor beyond U+10FFFF
    return follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && follows(2) && follows(3)
               ? 4
               : 0;
  return 0;
}

// Whether a terminal shows the UTF-8 sequence as a sign of its own: neither a control character nor one that
// is invisible or turns the direction of what follows (Unicode 15, categories Cc, Zl, Zp and the Cf that are
// no letters' parts).
inline bool is_visible(std::string_view sequence) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[i]));
  };
  switch (sequence.size()) {
    case 1:
      return byte(0) >= 0x20 && byte(0) != 0x7F;
    case 2: {
      const std::uint32_t code = (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
      return code >= 0xA0 && code != 0xAD && code != 0x61C;
    }
    case 3: {
      const std::uint32_t code = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
      const auto within = [code](std::uint32_t first, std::uint32_t last) {
        return code >= first && code <= last;
      };
      return !within(0x200B, 0x200F) && !within(0x2028, 0x202E) && !within(0x2060, 0x206F) &&
             !within(0xFFF9, 0xFFFB) && code != 0x180E && code != 0xFEFF && code < 0xFFFE;
    }
    default:
      return byte(0) != 0xF3 || byte(1) != 0xA0;  // the tags from U+E0000 on
  }
}

}  // namespace imu2music::inline v0
