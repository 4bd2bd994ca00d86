// The 390 ids of the decoder-only Music Transformer: notes as events on a grid of 10 ms, and back.
//
//   0..127    note_on  of pitch id
//   128..255  note_off of pitch id − 128
//   256..355  time_shift: time moves on by (id − 255) · 10 ms, 10 ms … 1 s
//   356..387  velocity of the note_ons that follow, 4 · (id − 356)
//   388 END, 389 PAD
//
// There is no id that begins a sequence: a model of these ids goes on from events that it is given.
//
// encode: note_ons and note_offs in order of time (what happens at one time: note_offs first, then by pitch).
// Times are rounded to the grid, from time 0 on, so gaps do not add up their roundings; a gap is written as
// shifts of 1 s and a remainder. Silence before the first note is kept. A note ends where its pitch is struck
// again (notes_on_grid()). A velocity stands before a note_on whose velocity, in steps of 4, is not that of
// the note_on before it; a velocity of 0, which tables of notes may have, counts as 1. O(N log N + ids).
//
// decode: time 0 s and velocity 64 at first; a note lasts at least 10 ms; one never closed, or followed by
// another of its pitch before its note_off, lasts 1 s; a note_off of a pitch that is not open is ignored. PAD
// is passed over; END ends the sequence. O(ids).
//
// Times are seconds, in double. Errors: InputError for an id outside the vocabulary, a note that is none of
// MIDI or begins before 0, or music of more than 10^6 s.
// Source: Oore et al. 2018 (arXiv:1808.03715, section 4.1), with the shifts of 10 ms and 100 steps, as the
// decoder-only weights have it (Huang et al. 2018, arXiv:1809.04281).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/notes.hpp"

namespace imu2music::inline v0 {

class PerformanceVocabulary {
 public:
  static constexpr int lowest_pitch = 0, highest_pitch = 127, pitches = 128;
  static constexpr int velocities = 32, time_shifts = 100;
  static constexpr int first_note_on = 0;
  static constexpr int first_note_off = first_note_on + pitches;
  static constexpr int first_time_shift = first_note_off + pitches;
  static constexpr int first_velocity = first_time_shift + time_shifts;
  static constexpr int eos = first_velocity + velocities, pad = eos + 1;
  static constexpr int size = pad + 1;
  static constexpr int sos = -1;  // there is none

  static constexpr int initial_velocity = 64;
  static constexpr double grid_s = 0.01;
  static constexpr double shortest_note_s = grid_s;
  static constexpr double unclosed_note_s = 1.0;

  static constexpr bool contains(int id) { return id >= 0 && id < size; }
  static EventKind kind(int id) {
    check(id);
    if (id < first_note_off) return EventKind::note_on;
    if (id < first_time_shift) return EventKind::note_off;
    if (id < first_velocity) return EventKind::time_shift;
    if (id < eos) return EventKind::velocity;
    return id == eos ? EventKind::eos : EventKind::pad;
  }
  static constexpr bool is_note_on(int id) { return id >= first_note_on && id < first_note_off; }
  static constexpr bool is_note_off(int id) { return id >= first_note_off && id < first_time_shift; }
  static constexpr bool is_time_shift(int id) { return id >= first_time_shift && id < first_velocity; }
  static constexpr bool is_velocity(int id) { return id >= first_velocity && id < eos; }
  static constexpr bool is_end(int id) { return id == eos; }

  // The MIDI pitch of a note_on or note_off.
  static constexpr int pitch(int id) { return id % pitches; }
  static constexpr bool has_pitch(int pitch) { return pitch >= lowest_pitch && pitch <= highest_pitch; }
  static constexpr int note_on(int pitch) { return first_note_on + pitch; }
  static constexpr int note_off(int pitch) { return first_note_off + pitch; }
  // How long a time_shift lasts, s; 0 for every other id.
  static constexpr double shift_s(int id) {
    return is_time_shift(id) ? grid_s * (id - first_time_shift + 1) : 0.0;
  }
  // The MIDI velocity that a velocity id stands for; 1 at least, since 0 would be no note.
  static constexpr int velocity(int id) { return std::max(4 * (id - first_velocity), 1); }
  static constexpr int velocity_id(int velocity) { return first_velocity + std::clamp(velocity, 0, 127) / 4; }

  static std::vector<int> encode(std::span<const Note> notes);
  static std::vector<Note> decode(std::span<const int> ids);

  static void check(int id) {
    if (!contains(id))
      throw InputError("event id " + std::to_string(id) + " is outside the performance vocabulary; it has " +
                       "ids 0 to " + std::to_string(size - 1));
  }
};

inline std::vector<Note> PerformanceVocabulary::decode(std::span<const int> ids) {
  EventDecoder<PerformanceVocabulary> decoder;
  for (const int id : ids) decoder.push(id);
  const std::span<const Note> notes = decoder.finish();
  return {notes.begin(), notes.end()};
}

inline std::vector<int> PerformanceVocabulary::encode(std::span<const Note> notes) {
  struct Event {
    std::int64_t time;  // on the grid
    bool is_on;
    int pitch, velocity;
  };
  std::vector<Note> audible(notes.begin(), notes.end());
  for (Note& note : audible)
    if (note.velocity == 0) note.velocity = 1;
  std::vector<Event> events;
  events.reserve(2 * notes.size());
  for (const GridNote& note : notes_on_grid(audible, 1 / grid_s)) {
    events.push_back({note.start, true, note.pitch, note.velocity});
    events.push_back({note.end, false, note.pitch, 0});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::tie(a.time, a.is_on, a.pitch, a.velocity) < std::tie(b.time, b.is_on, b.pitch, b.velocity);
  });
  std::vector<int> ids;
  ids.reserve(2 * events.size());
  std::int64_t time = 0;
  int velocity = -1;
  for (const Event& event : events) {
    std::int64_t gap = event.time - time;
    EventVocabulary1::check_length(static_cast<double>(event.time) * grid_s);
    for (; gap > 0; gap -= std::min<std::int64_t>(gap, time_shifts))
      ids.push_back(first_time_shift + static_cast<int>(std::min<std::int64_t>(gap, time_shifts)) - 1);
    time = event.time;
    if (event.is_on && velocity_id(event.velocity) != velocity)
      ids.push_back(velocity = velocity_id(event.velocity));
    ids.push_back(event.is_on ? note_on(event.pitch) : note_off(event.pitch));
  }
  return ids;
}

// What a model of length L is trained on from `start_s` on: the notes that begin there or later, the last one
// at least, and END where the piece is over, at most L + 1 ids; the silence before the first note is kept.
// `notes` are those of the whole piece by start, one at least; `goes_on`: there is more after them. O(N + L
// log L).
inline std::vector<int> performance_excerpt(std::span<const Note> notes, double start_s, std::size_t L,
                                            bool goes_on) {
  if (notes.empty()) throw ShapeError("[performance_excerpt] a piece without notes has no excerpts");
  start_s = std::min(start_s, notes.back().start);
  std::vector<Note> some;
  bool all = true;
  for (Note note : notes) {
    if (note.start < start_s) continue;
    all = some.size() <= L;  // a note is two ids at least
    if (!all) break;
    note.start -= start_s;
    note.end -= start_s;
    some.push_back(note);
  }
  std::vector<int> ids = PerformanceVocabulary::encode(some);
  if (all && !goes_on) ids.push_back(PerformanceVocabulary::eos);
  ids.resize(std::min(ids.size(), L + 1));
  return ids;
}

}  // namespace imu2music::inline v0
