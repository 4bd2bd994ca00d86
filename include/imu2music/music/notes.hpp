// Many notes: when they end, and laid on a grid of ticks or samples.
//
// `notes_on_grid` prepares notes for a device that knows one sounding note a pitch, as a MIDI channel and a
// synthesiser do. Each time t becomes round(t · units_per_second); a note lasts at least one unit; a note
// that starts while the same pitch sounds ends the earlier one; notes of one pitch that start on the same
// unit become one, with the later end and the greater velocity. The result is ordered by start, then as
// given. Cost O(N log N). Errors: InputError where pitch, velocity or a time is out of range.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

// The time at which the last of `notes` ends; 0 without notes.
inline double end_of(std::span<const Note> notes) {
  double end = 0;
  for (const Note& note : notes) end = std::max(end, note.end);
  return end;
}

struct GridNote {
  int pitch = 60;
  int velocity = 64;
  std::int64_t start = 0;  // units of the grid
  std::int64_t end = 0;

  friend bool operator==(const GridNote&, const GridNote&) = default;
};

inline std::vector<GridNote> notes_on_grid(std::span<const Note> notes, double units_per_second) {
  // 2^52 units keep every product and its rounding exact in double.
  constexpr double most_units = 4503599627370496.0;
  std::vector<GridNote> grid;
  grid.reserve(notes.size());
  for (std::size_t i = 0; i < notes.size(); ++i) {
    const Note& note = notes[i];
    auto refuse = [&](const std::string& fault, const std::string& remedy) {
      throw InputError("note " + std::to_string(i), fault, remedy);
    };
    if (note.pitch < 0 || note.pitch > 127)
      refuse("pitch " + std::to_string(note.pitch), "MIDI has 0 to 127");
    if (note.velocity < 1 || note.velocity > 127)
      refuse("velocity " + std::to_string(note.velocity), "a sounding note has 1 to 127");
    if (!(note.start >= 0) || !(note.end >= note.start) || !(note.end * units_per_second < most_units))
      refuse("it lasts from " + std::to_string(note.start) + " s to " + std::to_string(note.end) + " s",
             "times are finite, not negative, and a note ends after it starts");
    std::int64_t start = std::llround(note.start * units_per_second);
    std::int64_t end = std::max<std::int64_t>(std::llround(note.end * units_per_second), start + 1);
    grid.push_back({note.pitch, note.velocity, start, end});
  }
  std::stable_sort(grid.begin(), grid.end(),
                   [](const GridNote& a, const GridNote& b) { return a.start < b.start; });
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::array<std::size_t, 128> latest{};
  latest.fill(none);
  std::size_t kept = 0;
  for (const GridNote& note : grid) {
    std::size_t& last = latest[static_cast<std::size_t>(note.pitch)];
    if (last != none && grid[last].start == note.start) {
      grid[last].end = std::max(grid[last].end, note.end);
      grid[last].velocity = std::max(grid[last].velocity, note.velocity);
      continue;
    }
    if (last != none) grid[last].end = std::min(grid[last].end, note.start);
    last = kept;
    grid[kept++] = note;
  }
  grid.resize(kept);
  return grid;
}

// What is heard of these notes up to end_s: those that begin before it, ended there at the latest, one
// sounding note a pitch, on a grid of microseconds. Ordered by start, then as given.
inline std::vector<Note> notes_until(std::span<const Note> notes, double end_s) {
  constexpr double microseconds = 1e6;  // a second
  std::vector<Note> kept;
  for (Note note : notes) {
    if (note.start >= end_s) continue;
    note.end = std::min(note.end, end_s);
    kept.push_back(note);
  }
  const std::vector<GridNote> grid = notes_on_grid(kept, microseconds);
  kept.clear();
  for (const GridNote& note : grid)
    kept.push_back({note.pitch, note.velocity, static_cast<double>(note.start) / microseconds,
                    static_cast<double>(note.end) / microseconds});
  return kept;
}

}  // namespace imu2music::inline v0
