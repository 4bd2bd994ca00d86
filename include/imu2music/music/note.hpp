// A note.
//
// Times are seconds on one timeline, pitch is a MIDI key number 0..127 (60 = C4), velocity 0..127.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace imu2music::inline v0 {

struct Note {
  int pitch = 60;
  int velocity = 64;
  double start = 0;  // seconds
  double end = 0;    // seconds

  friend bool operator==(const Note&, const Note&) = default;
};

// "C4" for 60, "F#3" for 54.
inline std::string pitch_name(int pitch) {
  static constexpr std::array<const char*, 12> names{"C",  "C#", "D",  "D#", "E",  "F",
                                                     "F#", "G",  "G#", "A",  "A#", "B"};
  int pitch_class = ((pitch % 12) + 12) % 12;
  return names[static_cast<std::size_t>(pitch_class)] + std::to_string((pitch - pitch_class) / 12 - 1);
}

}  // namespace imu2music::inline v0
