// Vocabulary 2: music in windows that lose neither the silence before a note nor the notes that sound across
// a window's border.
//
//   0..242     as in vocabulary 1: note_on, note_off, velocity, time_shift, SOS 240, EOS 241, PAD 242
//   243..330   continued note of pitch 21 + id − 243: it began in an earlier window and sounds on
//   331        CUT: the window is over, the music is not; time moves on to the window's end
//
// A window [begin, end) of a piece is written as
//   (velocity continued)*   the notes begun before `begin` that sound beyond it, by pitch
//   events                  note_ons at begin ≤ t < end, note_offs at begin < t ≤ end, with a velocity before
//                           each note_on; at equal times note_offs come first, then by pitch
//   CUT or nothing          CUT where a note sounds or starts later; else the piece ends, with EOS when
//                           a model reads it
// Its time starts at `begin`, so silence before the first event is written as time_shifts like any other. A
// note that sounds at `end` has no note_off here and is continued in the next window.
//
// Differences from vocabulary 1 besides:
//   - a time is written as the time_shifts that come nearest to it from where the ones before have really
//     led, so roundings do not add up: every time is right to half the smallest shift, 7.7 ms (15.4 ms in the
//     last 15.4 ms of a window, where rounding up would leave it);
//   - a note lasts at least the smallest shift, 15.4 ms, not 0.25 s;
//   - a pitch struck again ends the note before it, in encoding and decoding;
//   - a sequence cut at a model's length is not given an EOS (`model_tokens`).
//
// Decoding goes from window to window (`EventDecoder::start_window`). A note that sounds at CUT or EOS stays
// open; what the next window continues sounds on, and what it does not ends at the border. A continued note
// that is not open starts at the border with the velocity before it, so a window read by itself keeps all its
// notes. After the last window a note still open ends at the time reached, but lasts at least 1 s.
// Continued notes after a window's first time_shift, note_on or note_off are passed over.
//
// Cost: encode O(N log N + ids) a window of N notes, decode O(ids). Errors: InputError for an id outside the
// vocabulary, a time that is not finite, a window that does not end after it begins, an event more than 10^6
// s after it begins.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

class EventVocabulary2 : public EventVocabulary1 {
 public:
  static constexpr int first_continued = EventVocabulary1::size;
  static constexpr int cut = first_continued + pitches;
  static constexpr int size = cut + 1;

  static constexpr double shortest_note_s = 1.0 / 65;
  static constexpr bool ends_shortened_sequences = false;

  static constexpr bool contains(int id) { return id >= 0 && id < size; }
  static EventKind kind(int id) {
    check(id);
    if (id < first_continued) return EventVocabulary1::kind(id);
    return id == cut ? EventKind::cut : EventKind::continued;
  }
  static constexpr bool is_continued(int id) { return id >= first_continued && id < cut; }
  // Whether the sequence is complete with this id: no EOS need follow.
  static constexpr bool is_end(int id) { return id == eos || id == cut; }
  // The MIDI pitch of a note_on, note_off or continued note.
  static constexpr int pitch(int id) {
    return is_continued(id) ? lowest_pitch + id - first_continued : EventVocabulary1::pitch(id);
  }
  static constexpr int continued(int pitch) { return first_continued + pitch - lowest_pitch; }

  static void check(int id) {
    if (!contains(id))
      throw InputError("event id " + std::to_string(id) + " is outside vocabulary 2; it has ids 0 to " +
                       std::to_string(size - 1));
  }

  // Notes as the vocabulary can tell them, by start and pitch: within the range of pitches, at least
  // shortest_note_s long, and one at a time of each pitch: a note ends where its pitch is struck again, and
  // notes of one pitch that start together become one, with the later end and the greater velocity.
  static std::vector<Note> playable(std::span<const Note> notes);

  // One window of `notes`, times in seconds on the notes' axis.
  static std::vector<int> encode_window(std::span<const Note> notes, double begin_s, double end_s);
  // `count` windows from time 0 on, each window_s long.
  static std::vector<std::vector<int>> encode_windows(std::span<const Note> notes, double window_s,
                                                      std::size_t count);
  // The notes of windows that follow one another, each window_s long, the first from time 0 on.
  static std::vector<Note> decode_windows(std::span<const std::vector<int>> windows, double window_s);

  // All notes, from time 0 on, as one window without end.
  static std::vector<int> encode(std::span<const Note> notes) {
    return encode_window(notes, 0, std::numeric_limits<double>::infinity());
  }
  static std::vector<Note> decode(std::span<const int> ids);

 private:
  // Of notes in order of their start.
  static std::vector<int> encode_playable(std::span<const Note> notes, double begin_s, double end_s);
};

// As for vocabulary 1, and from window to window.
template <>
class EventDecoder<EventVocabulary2> {
 public:
  using Vocabulary = EventVocabulary2;

  EventDecoder() { reset(); }
  explicit EventDecoder(std::size_t most_notes) : EventDecoder() { reserve(most_notes); }

  void reserve(std::size_t most_notes) { notes_.reserve(most_notes); }
  // Back to the start, keeping the memory: no notes, and one window from `time_s` on.
  void reset(double time_s = 0) {
    notes_.clear();
    open_.fill(none);
    open_count_ = 0;
    begin_window(time_s, std::numeric_limits<double>::infinity());
  }
  // The same, with notes that sound already, begun by time_s and one a pitch: the next window continues them.
  void reset(double time_s, std::span<const Note> sounding) {
    reset(time_s);
    for (const Note& note : sounding) {
      open_[static_cast<std::size_t>(note.pitch & 127)] = notes_.size();
      ++open_count_;
      notes_.push_back({note.pitch, note.velocity, note.start, note.start + Vocabulary::unclosed_note_s});
    }
  }
  // The next window, [start_s, start_s + length_s): open notes wait to be continued.
  void start_window(double start_s, double length_s = std::numeric_limits<double>::infinity()) {
    begin_window(start_s, start_s + length_s);
    awaited_ = open_;
  }

  // Takes one id. Returns the note that a note_off closed, or a note_on that struck its pitch again later, or
  // null. After EOS or CUT everything is ignored until the next window.
  const Note* push(int id) {
    const EventKind kind = Vocabulary::kind(id);
    if (ended_) return nullptr;
    const auto slot = static_cast<std::size_t>(Vocabulary::pitch(id) & 127);
    switch (kind) {
      case EventKind::velocity:
        velocity_ = Vocabulary::velocity(id);
        return nullptr;
      case EventKind::continued:
        if (!at_start_) return nullptr;
        if (open_[slot] == none)
          begin_note(Vocabulary::pitch(id));
        else
          awaited_[slot] = none;
        return nullptr;
      case EventKind::sos:
      case EventKind::pad:
        return nullptr;
      default:
        break;
    }
    settle();
    if (kind == EventKind::time_shift) {
      time_ += Vocabulary::shift_s(id);
    } else if (kind == EventKind::note_on) {
      const std::size_t before = open_[slot];
      if (before != none) end_note(slot);
      begin_note(Vocabulary::pitch(id));
      if (before != none && notes_[before].start < time_) return &notes_[before];
    } else if (kind == EventKind::note_off) {
      if (open_[slot] != none) return end_note(slot);
    } else {
      ended_ = true;
      cut_ = kind == EventKind::cut;
      if (cut_ && std::isfinite(window_end_)) time_ = std::max(time_, window_end_);
    }
    return nullptr;
  }

  double time_s() const { return time_; }
  int velocity() const { return velocity_; }
  bool ended() const { return ended_; }        // EOS or CUT has come
  bool cut() const { return cut_; }            // it was CUT
  bool at_start() const { return at_start_; }  // notes may be continued
  std::size_t open_count() const { return open_count_; }
  std::size_t closed_count() const { return notes_.size() - open_count_; }
  bool is_open(int pitch) const {
    return pitch >= 0 && pitch < 128 && open_[static_cast<std::size_t>(pitch)] != none;
  }
  // Whether the note of this pitch, open at the border, has not been continued so far.
  bool is_awaited(int pitch) const {
    return pitch >= 0 && pitch < 128 && awaited_[static_cast<std::size_t>(pitch)] != none;
  }
  // The open note of a pitch, which is_open.
  const Note& open_note(int pitch) const { return notes_[open_[static_cast<std::size_t>(pitch)]]; }
  // Every note begun so far, by onset; one still open ends, for now, after the length of a note never closed.
  std::span<const Note> notes() const { return notes_; }
  // Ends the piece: open notes end now, or after the length of a note never closed where that is later.
  std::span<const Note> finish() {
    settle();
    for (std::size_t slot : open_)
      if (slot != none) notes_[slot].end = std::max(notes_[slot].end, time_);
    ended_ = true;
    open_.fill(none);
    open_count_ = 0;
    return notes_;
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  void begin_window(double start_s, double end_s) {
    time_ = start_s;
    window_end_ = end_s;
    velocity_ = Vocabulary::initial_velocity;
    ended_ = cut_ = false;
    at_start_ = true;
    awaited_.fill(none);
  }
  // The window's first event has come: what was not continued ended at the border.
  void settle() {
    if (!at_start_) return;
    at_start_ = false;
    for (std::size_t slot = 0; slot < open_.size(); ++slot)
      if (awaited_[slot] != none) end_note(slot);
    awaited_.fill(none);
  }
  void begin_note(int pitch) {
    open_[static_cast<std::size_t>(pitch)] = notes_.size();
    ++open_count_;
    notes_.push_back({pitch, velocity_, time_, time_ + Vocabulary::unclosed_note_s});
  }
  const Note* end_note(std::size_t slot) {
    Note& note = notes_[open_[slot]];
    note.end = std::max(time_, note.start + Vocabulary::shortest_note_s);
    open_[slot] = none;
    --open_count_;
    return &note;
  }

  std::vector<Note> notes_;
  std::array<std::size_t, 128> open_{};     // per pitch: its open note, at most one
  std::array<std::size_t, 128> awaited_{};  // those of them that a new window has not yet continued
  std::size_t open_count_ = 0;
  double time_ = 0;
  double window_end_ = std::numeric_limits<double>::infinity();
  int velocity_ = Vocabulary::initial_velocity;
  bool ended_ = false, cut_ = false;
  bool at_start_ = true;
};

using EventDecoder2 = EventDecoder<EventVocabulary2>;

inline std::vector<Note> EventVocabulary2::playable(std::span<const Note> notes) {
  std::vector<Note> kept;
  kept.reserve(notes.size());
  for (std::size_t i = 0; i < notes.size(); ++i) {
    Note note = notes[i];
    if (!std::isfinite(note.start) || !std::isfinite(note.end))
      throw InputError("note " + std::to_string(i), "a time is not finite", "times are seconds");
    if (!has_pitch(note.pitch)) continue;
    note.end = std::max(note.end, note.start + shortest_note_s);
    kept.push_back(note);
  }
  std::stable_sort(kept.begin(), kept.end(), [](const Note& a, const Note& b) {
    return std::tie(a.start, a.pitch) < std::tie(b.start, b.pitch);
  });
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::array<std::size_t, 128> latest{};
  latest.fill(none);
  std::size_t count = 0;
  for (const Note& note : kept) {
    std::size_t& last = latest[static_cast<std::size_t>(note.pitch)];
    if (last != none && kept[last].start == note.start) {
      kept[last].end = std::max(kept[last].end, note.end);
      kept[last].velocity = std::max(kept[last].velocity, note.velocity);
      continue;
    }
    if (last != none) kept[last].end = std::min(kept[last].end, note.start);
    last = count;
    kept[count++] = note;
  }
  kept.resize(count);
  return kept;
}

inline std::vector<int> EventVocabulary2::encode_playable(std::span<const Note> notes, double begin_s,
                                                          double end_s) {
  struct Event {
    double time;  // from begin_s
    int order;    // 0 continued, 1 note_off, 2 note_on
    int pitch;
    int velocity;
  };
  if (!std::isfinite(begin_s) || !(end_s > begin_s))
    throw InputError("a window from " + std::to_string(begin_s) + " s to " + std::to_string(end_s) +
                     " s cannot be written; it must end after it begins");
  std::vector<Event> events;
  bool more = false;
  for (const Note& note : notes) {
    if (note.start >= end_s) {
      more = true;
      break;
    }
    if (note.end <= begin_s) continue;
    if (note.end > end_s) more = true;
    if (note.start < begin_s)
      events.push_back({0, 0, note.pitch, note.velocity});
    else
      events.push_back({note.start - begin_s, 2, note.pitch, note.velocity});
    if (note.end <= end_s) events.push_back({note.end - begin_s, 1, note.pitch, 0});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::tie(a.time, a.order, a.pitch) < std::tie(b.time, b.order, b.pitch);
  });

  const auto& bins = time_shift_bins_s();
  const double smallest = bins.front(), length = end_s - begin_s;
  constexpr double rounding = 1e-9;  // sums of shifts are exact to much less
  double now = 0;
  std::vector<int> ids;
  ids.reserve(3 * events.size() + 1);
  for (const Event& event : events) {
    double gap = event.time - now;
    check_length(event.time);
    const auto shift = [&](std::ptrdiff_t k) {
      ids.push_back(first_time_shift + static_cast<int>(k));
      now += bins[static_cast<std::size_t>(k)];
      gap = event.time - now;
    };
    while (gap >= smallest - rounding)
      shift(std::upper_bound(bins.begin(), bins.end(), gap + rounding) - bins.begin() - 1);
    if (gap > smallest / 2 && now + smallest < length) shift(0);
    if (event.order != 1) ids.push_back(velocity_id(event.velocity));
    ids.push_back(event.order == 0   ? continued(event.pitch)
                  : event.order == 1 ? note_off(event.pitch)
                                     : note_on(event.pitch));
  }
  if (more) ids.push_back(cut);
  return ids;
}

inline std::vector<int> EventVocabulary2::encode_window(std::span<const Note> notes, double begin_s,
                                                        double end_s) {
  return encode_playable(playable(notes), begin_s, end_s);
}

inline std::vector<std::vector<int>> EventVocabulary2::encode_windows(std::span<const Note> notes,
                                                                      double window_s, std::size_t count) {
  const std::vector<Note> all = playable(notes);
  std::vector<std::vector<int>> windows;
  windows.reserve(count);
  for (std::size_t w = 0; w < count; ++w)
    windows.push_back(
        encode_playable(all, static_cast<double>(w) * window_s, static_cast<double>(w + 1) * window_s));
  return windows;
}

inline std::vector<Note> EventVocabulary2::decode_windows(std::span<const std::vector<int>> windows,
                                                          double window_s) {
  EventDecoder2 decoder;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    decoder.start_window(static_cast<double>(w) * window_s, window_s);
    for (int id : windows[w]) decoder.push(id);
  }
  const std::span<const Note> notes = decoder.finish();
  return {notes.begin(), notes.end()};
}

inline std::vector<Note> EventVocabulary2::decode(std::span<const int> ids) {
  EventDecoder2 decoder;
  for (int id : ids) decoder.push(id);
  const std::span<const Note> notes = decoder.finish();
  return {notes.begin(), notes.end()};
}

}  // namespace imu2music::inline v0
