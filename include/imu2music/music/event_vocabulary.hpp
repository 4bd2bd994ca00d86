// Notes as a sequence of events, and back: the tokens that a music transformer reads and writes.
//
// Vocabulary 1 (243 ids; the performance events of Music Transformer, arXiv 1809.04281, section 2, on an
// 88-key range):
//   0..87     note_on  of pitch 21 + id            (A0..C8)
//   88..175   note_off of pitch 21 + id − 88
//   176..207  velocity k = id − 176: the velocity of the note_ons that follow
//   208..239  time_shift k = id − 208: time moves on by 1.15^k / 65 s (15.4 ms … 1.171 s)
//   240 SOS, 241 EOS, 242 PAD
// Velocity bins b_i = 21 + i·88/31, i = 0..30. A velocity v, clamped to 21..108, has k = #{i : b_i < v}
// (0..31); reading k back gives ⌊b_min(k,30)⌋.
//
// encode: notes in order of start (stable), those outside the range left out; each gives velocity and note_on
// at its start and note_off at its end; these are ordered by time (stable) and every gap between two events
// is filled greedily with the largest time_shift that fits. What is left below the smallest shift is dropped,
// and so is the silence before the first note: time 0 of the ids is the first onset. O(N log N + ids).
//
// decode: time 0 s and velocity 64 at first. A note_off closes the latest note of its pitch, which lasts at
// least 0.25 s; a note never closed, or followed by another of its pitch before its note_off, lasts 1 s; a
// note_off of a pitch that is not open is ignored. SOS and PAD are passed over; EOS ends the sequence. Notes
// come in order of their onset. O(ids).
//
// Times are seconds, in double. Errors: InputError for an id outside the vocabulary, a note whose time is not
// finite, or music of more than 10^6 s.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/finite_math.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

// The last two are vocabulary 2's (music/event_vocabulary2.hpp).
enum class EventKind : std::uint8_t {
  note_on,
  note_off,
  velocity,
  time_shift,
  sos,
  eos,
  pad,
  continued,
  cut
};

// What every vocabulary can say of its ids. Another vocabulary stands beside this one as a class with the
// same static members; code that works with either is a template on it (`EventDecoder`, `model_tokens`).
class EventVocabulary1 {
 public:
  static constexpr int lowest_pitch = 21, highest_pitch = 108, pitches = 88;
  static constexpr int velocities = 32, time_shifts = 32;
  static constexpr int first_note_on = 0;
  static constexpr int first_note_off = first_note_on + pitches;
  static constexpr int first_velocity = first_note_off + pitches;
  static constexpr int first_time_shift = first_velocity + velocities;
  static constexpr int sos = first_time_shift + time_shifts, eos = sos + 1, pad = sos + 2;
  static constexpr int size = sos + 3;

  static constexpr int initial_velocity = 64;
  static constexpr double shortest_note_s = 0.25;
  static constexpr double unclosed_note_s = 1.0;
  static constexpr double longest_s = 1e6;  // of music: more is a mistake, and would be millions of ids
  // Whether model_tokens ends a sequence that it had to shorten with EOS, as the reference does.
  static constexpr bool ends_shortened_sequences = true;

  // Throws InputError for music of so many seconds that is too long to be written.
  static void check_length(double seconds) {
    if (!(seconds <= longest_s))
      throw InputError("the music lasts " + std::to_string(seconds) + " s; at most " +
                       std::to_string(static_cast<int>(longest_s)) + " s can be written as time shifts");
  }

  static constexpr bool contains(int id) { return id >= 0 && id < size; }

  static EventKind kind(int id) {
    check(id);
    if (id < first_note_off) return EventKind::note_on;
    if (id < first_velocity) return EventKind::note_off;
    if (id < first_time_shift) return EventKind::velocity;
    if (id < sos) return EventKind::time_shift;
    return id == sos ? EventKind::sos : id == eos ? EventKind::eos : EventKind::pad;
  }
  static constexpr bool is_note_on(int id) { return id >= first_note_on && id < first_note_off; }
  static constexpr bool is_note_off(int id) { return id >= first_note_off && id < first_velocity; }
  static constexpr bool is_velocity(int id) { return id >= first_velocity && id < first_time_shift; }
  static constexpr bool is_time_shift(int id) { return id >= first_time_shift && id < sos; }

  // Whether the sequence is complete with this id: no EOS need follow.
  static constexpr bool is_end(int id) { return id == eos; }
  // The MIDI pitch of a note_on or note_off.
  static constexpr int pitch(int id) {
    return lowest_pitch + (id < first_note_off ? id : id - first_note_off);
  }
  static constexpr bool has_pitch(int pitch) { return pitch >= lowest_pitch && pitch <= highest_pitch; }
  static constexpr int note_on(int pitch) { return first_note_on + pitch - lowest_pitch; }
  static constexpr int note_off(int pitch) { return first_note_off + pitch - lowest_pitch; }

  // How long a time_shift lasts, s; 0 for every other id.
  static double shift_s(int id) {
    return is_time_shift(id) ? time_shift_bins_s()[static_cast<std::size_t>(id - first_time_shift)] : 0.0;
  }
  static const std::array<double, time_shifts>& time_shift_bins_s() {
    static const std::array<double, time_shifts> bins = [] {
      std::array<double, time_shifts> values{};
      for (int k = 0; k < time_shifts; ++k) values[static_cast<std::size_t>(k)] = std::pow(1.15, k) / 65.0;
      return values;
    }();
    return bins;
  }

  static constexpr std::array<double, velocities - 1> velocity_bins() {
    std::array<double, velocities - 1> bins{};
    for (int i = 0; i < velocities - 1; ++i) bins[static_cast<std::size_t>(i)] = 21.0 + i * (88.0 / 31.0);
    return bins;
  }
  // The MIDI velocity that a velocity id stands for.
  static int velocity(int id) {
    static constexpr auto bins = velocity_bins();
    return static_cast<int>(bins[static_cast<std::size_t>(std::min(id - first_velocity, velocities - 2))]);
  }
  static int velocity_id(int velocity) {
    static constexpr auto bins = velocity_bins();
    double value =
        std::clamp(velocity, lowest_pitch, highest_pitch);  // the same bounds as pitch, in the reference
    return first_velocity +
           static_cast<int>(std::lower_bound(bins.begin(), bins.end(), value) - bins.begin());
  }

  static std::vector<int> encode(std::span<const Note> notes);
  static std::vector<Note> decode(std::span<const int> ids);

  static void check(int id) {
    if (!contains(id))
      throw InputError("event id " + std::to_string(id) + " is outside vocabulary 1; it has ids 0 to " +
                       std::to_string(size - 1));
  }
};

// Reads ids one by one. A note takes one note_on, so with room for as many notes as ids will come
// (`reserve`), no further memory is asked for.
template <class Vocabulary>
class EventDecoder {
 public:
  EventDecoder() { open_.fill(none); }
  explicit EventDecoder(std::size_t most_notes) : EventDecoder() { reserve(most_notes); }

  void reserve(std::size_t most_notes) { notes_.reserve(most_notes); }
  // Back to the start, keeping the memory. `time_s` is the time of the next event.
  void reset(double time_s = 0) {
    notes_.clear();
    open_.fill(none);
    open_count_ = 0;
    time_ = time_s;
    velocity_ = Vocabulary::initial_velocity;
    ended_ = false;
  }

  // Takes one id. Returns the note that a note_off closed, or null. After EOS everything is ignored until
  // `reset`.
  const Note* push(int id) {
    EventKind kind = Vocabulary::kind(id);
    if (ended_) return nullptr;
    if (kind == EventKind::eos) {
      ended_ = true;
    } else if (kind == EventKind::velocity) {
      velocity_ = Vocabulary::velocity(id);
    } else if (kind == EventKind::time_shift) {
      time_ += Vocabulary::shift_s(id);
    } else if (kind == EventKind::note_on) {
      int pitch = Vocabulary::pitch(id);
      std::size_t& latest = open_[static_cast<std::size_t>(pitch)];
      if (latest == none) ++open_count_;
      latest = notes_.size();
      notes_.push_back({pitch, velocity_, time_, time_ + Vocabulary::unclosed_note_s});
    } else if (kind == EventKind::note_off) {
      std::size_t& latest = open_[static_cast<std::size_t>(Vocabulary::pitch(id))];
      if (latest == none) return nullptr;
      Note& note = notes_[latest];
      note.end = std::max(time_, note.start + Vocabulary::shortest_note_s);
      latest = none;
      --open_count_;
      return &note;
    }
    return nullptr;
  }

  double time_s() const { return time_; }     // of the next event
  int velocity() const { return velocity_; }  // of the next note_on
  bool ended() const { return ended_; }       // EOS has come
  std::size_t open_count() const { return open_count_; }
  std::size_t closed_count() const { return notes_.size() - open_count_; }
  bool is_open(int pitch) const {
    return pitch >= 0 && pitch < 128 && open_[static_cast<std::size_t>(pitch)] != none;
  }
  // Every note begun so far, by onset; one still open ends, for now, after the length of a note never closed.
  std::span<const Note> notes() const { return notes_; }
  // Ends the sequence: open notes keep that length. The decoder is then as after EOS.
  std::span<const Note> finish() {
    ended_ = true;
    open_.fill(none);
    open_count_ = 0;
    return notes_;
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<Note> notes_;
  std::array<std::size_t, 128> open_{};  // per pitch: its open note, at most one
  std::size_t open_count_ = 0;
  double time_ = 0;
  int velocity_ = Vocabulary::initial_velocity;
  bool ended_ = false;
};

using EventDecoder1 = EventDecoder<EventVocabulary1>;

inline std::vector<Note> EventVocabulary1::decode(std::span<const int> ids) {
  EventDecoder1 decoder;
  for (int id : ids) decoder.push(id);
  std::span<const Note> notes = decoder.finish();
  return {notes.begin(), notes.end()};
}

inline std::vector<int> EventVocabulary1::encode(std::span<const Note> notes) {
  struct Event {
    double time;
    int id;
  };
  for (std::size_t i = 0; i < notes.size(); ++i)
    if (!std::isfinite(notes[i].start) || !std::isfinite(notes[i].end))
      throw InputError("note " + std::to_string(i), "a time is not finite", "times are seconds");
  std::vector<std::size_t> order(notes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return notes[a].start < notes[b].start; });
  std::vector<Event> events;
  events.reserve(3 * notes.size());
  for (std::size_t i : order) {
    const Note& note = notes[i];
    if (!has_pitch(note.pitch)) continue;
    events.push_back({note.start, velocity_id(note.velocity)});
    events.push_back({note.start, note_on(note.pitch)});
    events.push_back({note.end, note_off(note.pitch)});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.time < b.time; });

  const auto& bins = time_shift_bins_s();
  std::vector<int> ids;
  ids.reserve(2 * events.size());
  if (!events.empty()) check_length(events.back().time - events.front().time);
  for (std::size_t i = 0; i < events.size(); ++i) {
    double gap = i == 0 ? 0.0 : events[i].time - events[i - 1].time;
    while (gap >= bins.front()) {
      auto largest = std::upper_bound(bins.begin(), bins.end(), gap) - bins.begin() - 1;
      ids.push_back(first_time_shift + static_cast<int>(largest));
      gap -= bins[static_cast<std::size_t>(largest)];
    }
    ids.push_back(events[i].id);
  }
  return ids;
}

// Pitch-class control. The time t_i of event i is the sum of the shifts before it (a time_shift has the time
// at which it begins). Row i counts the pitch classes (C = 0) of the note_ons at i or later with t_i ≤ t ≤
// t_i + 2 s, divided by their number; 1/12 each where there are none.
using PitchHistogram = std::array<double, 12>;
inline constexpr double pitch_histogram_span_s = 2.0;

// One row an event of `ids` (no SOS, EOS or PAD needed; they count as events without duration). O(ids).
template <class Vocabulary = EventVocabulary1>
std::vector<PitchHistogram> pitch_histograms(std::span<const int> ids) {
  std::vector<double> times(ids.size());
  double time = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    times[i] = time;
    time += Vocabulary::shift_s((Vocabulary::check(ids[i]), ids[i]));
  }
  std::vector<PitchHistogram> rows(ids.size());
  std::array<int, 12> counts{};
  int total = 0;
  auto count = [&](int id, int change) {
    if (!Vocabulary::is_note_on(id)) return;
    counts[static_cast<std::size_t>(Vocabulary::pitch(id) % 12)] += change;
    total += change;
  };
  std::size_t end = 0;  // the window is [i, end)
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (; end < ids.size() && times[end] <= times[i] + pitch_histogram_span_s; ++end) count(ids[end], 1);
    for (std::size_t c = 0; c < 12; ++c) rows[i][c] = total > 0 ? double(counts[c]) / total : 1.0 / 12.0;
    count(ids[i], -1);
  }
  return rows;
}

// Row i alone.
template <class Vocabulary = EventVocabulary1>
PitchHistogram pitch_histogram(std::span<const int> ids, std::size_t i) {
  if (i >= ids.size())
    throw ShapeError("[pitch_histogram] event " + std::to_string(i) + " of " + std::to_string(ids.size()));
  // Absolute times, as in `pitch_histograms`, so that both round alike.
  double time = 0;
  for (std::size_t j = 0; j < i; ++j) time += Vocabulary::shift_s((Vocabulary::check(ids[j]), ids[j]));
  const double last = time + pitch_histogram_span_s;
  PitchHistogram row{};
  int total = 0;
  for (std::size_t j = i; j < ids.size() && time <= last; ++j) {
    Vocabulary::check(ids[j]);
    if (Vocabulary::is_note_on(ids[j])) {
      row[static_cast<std::size_t>(Vocabulary::pitch(ids[j]) % 12)] += 1;
      ++total;
    }
    time += Vocabulary::shift_s(ids[j]);
  }
  for (double& share : row) share = total > 0 ? share / total : 1.0 / 12.0;
  return row;
}

// What a model of length L trains on: s = [SOS] ids [EOS], cut to L + 1 with the last set to EOS, padded with
// PAD to L + 1. x [L] = all but the last, y [L] = all but the first. Where the vocabulary says so (vocabulary
// 2), a sequence that had to be cut keeps the id that stood there instead of a false EOS, and one that is
// complete with its last id is given none.
struct ModelTokens {
  std::vector<int> x, y;
};

template <class Vocabulary = EventVocabulary1>
ModelTokens model_tokens(std::span<const int> ids, std::size_t L) {
  if (L == 0) throw ShapeError("[model_tokens] the length is 0; it must be at least 1");
  std::vector<int> sequence;
  sequence.reserve(L + 1);
  sequence.push_back(Vocabulary::sos);
  for (int id : ids.first(std::min(ids.size(), L))) {
    Vocabulary::check(id);
    sequence.push_back(id);
  }
  if (sequence.size() == L + 1) {
    if (Vocabulary::ends_shortened_sequences) sequence.back() = Vocabulary::eos;
  } else if (ids.empty() || !Vocabulary::is_end(ids.back()) || Vocabulary::ends_shortened_sequences) {
    sequence.push_back(Vocabulary::eos);
  }
  sequence.resize(L + 1, Vocabulary::pad);
  return {{sequence.begin(), sequence.end() - 1}, {sequence.begin() + 1, sequence.end()}};
}

}  // namespace imu2music::inline v0
