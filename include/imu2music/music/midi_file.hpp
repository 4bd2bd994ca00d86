// Standard MIDI Files (RP-001, "Standard MIDI Files 1.0"): read into notes in seconds, and written from them.
//
// Reading. Formats 0 and 1; a format 2 file holds independent patterns without a common time and is refused.
// Time: a tick lasts tempo / ticks_per_quarter µs (500 000 µs a quarter until the first tempo), tempo changes
// of all tracks together; or 1 / (frames · ticks_per_frame) s with an SMPTE division (29 means 30000/1001
// frames a second). Running status holds across meta and system-exclusive events, which the standard forbids
// and files do. Notes: a note_on of velocity 0 is a note_off; a note_off ends the earliest open note of its
// pitch and channel in its track; notes never ended end with their track. "All notes off" and the modes that
// imply it (controllers 123 to 127) let go the keys of their channel in every track. The sustain pedal
// (controller 64, down at 64 or more) holds the notes of its channel, in every track, until it rises, the
// same pitch starts again, or all tracks are over. "All sound off" (controller 120) ends the notes of its
// channel in every track, held by key or pedal. Of another track's notes, these messages end those that began
// before their tick. A note may last 0 s where the file says so. Chunks of other kinds are passed over, and
// so is what follows the last track or an end-of-track event.
//
// Cost O(bytes + n · log(n)) for n notes, changes of the pedal and messages that end notes; memory at most
// ten times the file and 16 MiB (io/byte_budget.hpp), whatever its header claims. Errors: InputError with the
// byte at which the file is wrong.
//
// Writing. Format 0, one track: name, text, tempo, program, then notes, offs before ons on the same tick.
// Times are rounded to ticks (960 a quarter at 120 bpm: ±0.26 ms). One note sounds per pitch (see
// notes_on_grid). The same arguments give the same bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/music/notes.hpp"

namespace imu2music::inline v0 {

struct TempoChange {
  std::int64_t tick = 0;
  double time = 0;                 // s
  double us_per_quarter = 500000;  // microseconds
  double bpm() const { return 60e6 / us_per_quarter; }
};

struct MidiTrack {
  std::string name;                         // as the file spells it, control characters as spaces
  std::uint16_t channels = 0;               // bit c: a note or program change of channel c (0..15)
  int program = -1;                         // the first program change, 0..127; −1 without one
  double end = 0;                           // s
  std::vector<Note> notes;                  // by start
  std::vector<std::uint8_t> note_channels;  // of each note, 0..15; 9 is percussion in General MIDI
};

struct MidiFile {
  int format = 0;
  double ticks_per_quarter = 0;            // 0 with an SMPTE division
  double ticks_per_second = 0;             // 0 without one
  std::vector<TempoChange> tempo_changes;  // by time; the first is at 0 s
  std::vector<MidiTrack> tracks;

  // What the file holds and notes cannot say.
  std::size_t pitch_bends = 0;
  std::size_t controller_changes = 0;  // without the pedal
  std::size_t pedal_changes = 0;
  std::size_t aftertouches = 0;
  std::size_t system_exclusives = 0;
  std::size_t unmatched_note_offs = 0;
  std::size_t unclosed_notes = 0;
  std::size_t tracks_without_end = 0;  // no end-of-track event

  // The notes of all tracks by start, then pitch.
  std::vector<Note> all_notes() const { return notes_of(true); }
  // Without percussion, whose pitches are those of no instrument.
  std::vector<Note> pitched_notes() const { return notes_of(false); }
  double end() const {
    double last = 0;
    for (const MidiTrack& track : tracks) last = std::max(last, track.end);
    return last;
  }

 private:
  std::vector<Note> notes_of(bool with_percussion) const {
    constexpr std::uint8_t percussion = 9;
    std::vector<Note> notes;
    for (const MidiTrack& track : tracks)
      for (std::size_t i = 0; i < track.notes.size(); ++i)
        if (with_percussion || track.note_channels[i] != percussion) notes.push_back(track.notes[i]);
    std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
      return a.start != b.start ? a.start < b.start : a.pitch < b.pitch;
    });
    return notes;
  }
};

struct MidiReadOptions {
  bool sustain_pedal = true;  // false: a note ends where its key is let go
};

namespace midi_detail {

// Reads big-endian values up to a limit; what lies beyond it is an error that names the place.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, const std::string& name)
      : bytes_(bytes), limit_(bytes.size()), name_(name) {}

  std::size_t position() const { return position_; }
  void go_back(std::size_t position) { position_ = position; }
  std::size_t remaining() const { return limit_ - position_; }
  bool at_limit() const { return position_ == limit_; }
  void set_limit(std::size_t limit) { limit_ = limit; }
  void lift_limit() { limit_ = bytes_.size(); }

  [[noreturn]] void refuse(const std::string& fault, const std::string& remedy) const {
    throw InputError(name_, fault + " (byte " + std::to_string(position_) + ")", remedy);
  }
  std::uint8_t byte(const char* what) {
    need(1, what);
    return static_cast<std::uint8_t>(bytes_[position_++]);
  }
  std::uint8_t peek(const char* what) const {
    need(1, what);
    return static_cast<std::uint8_t>(bytes_[position_]);
  }
  std::uint32_t number(int byte_count, const char* what) {
    std::uint32_t value = 0;
    need(static_cast<std::size_t>(byte_count), what);
    for (int i = 0; i < byte_count; ++i) value = value << 8 | byte(what);
    return value;
  }
  std::string_view take(std::size_t count, const char* what) {
    need(count, what);
    std::string_view part = bytes_.substr(position_, count);
    position_ += count;
    return part;
  }
  // Seven bits a byte, most significant first, at most four bytes.
  std::uint32_t variable_length(const char* what) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      std::uint8_t next = byte(what);
      value = value << 7 | (next & 0x7Fu);
      if ((next & 0x80u) == 0) return value;
    }
    refuse(std::string(what) + " has more than four bytes", "variable-length numbers have one to four");
  }
  std::uint8_t data_byte(const char* what) {
    std::uint8_t value = peek(what);
    if (value > 127) refuse(std::string(what) + " has its high bit set", "data bytes are 0 to 127");
    ++position_;
    return value;
  }

 private:
  void need(std::size_t count, const char* what) const {
    if (count > limit_ - position_)
      refuse(std::string("it ends within ") + what,
             "check that it was copied whole: chunks are as long as they say");
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
  std::size_t limit_;
  const std::string& name_;
};

// When something happened, in ticks and in the order in which a player that merges the tracks meets it.
struct Moment {
  std::int64_t tick = 0;
  std::uint32_t track = 0;
  std::uint32_t order = 0;
  friend auto operator<=>(const Moment&, const Moment&) = default;
};

struct PedalChange {
  Moment moment;
  bool down = false;
};

// A message that ends the notes of its channel, in every track.
struct NotesEnd {
  Moment moment;
  bool sound_off = false;  // those that the pedal holds, too
};

// Of `ends`, in order of time: the first that does not come before `moment`; the first that ends what began
// at `moment`, later in its track or in another on a later tick.
inline std::size_t first_from(const std::deque<NotesEnd>& ends, const Moment& moment) {
  const auto found = std::lower_bound(ends.begin(), ends.end(), moment,
                                      [](const NotesEnd& end, const Moment& m) { return end.moment < m; });
  return static_cast<std::size_t>(found - ends.begin());
}
inline std::size_t first_after(const std::deque<NotesEnd>& ends, const Moment& moment) {
  const std::size_t first = first_from(ends, moment);
  if (first == ends.size() || ends[first].moment.tick != moment.tick ||
      ends[first].moment.track == moment.track)
    return first;
  return first_from(ends, {moment.tick + 1, 0, 0});
}

// Ticks → seconds.
class Clock {
 public:
  Clock(double ticks_per_quarter, double ticks_per_second, std::deque<TempoChange> changes)
      : per_quarter_(ticks_per_quarter), per_second_(ticks_per_second) {
    std::stable_sort(changes.begin(), changes.end(),
                     [](const TempoChange& a, const TempoChange& b) { return a.tick < b.tick; });
    changes_.reserve(changes.size() + 1);
    changes_.push_back({});
    for (TempoChange change : changes) {
      change.time = seconds(change.tick);
      if (changes_.back().tick == change.tick)
        changes_.back() = change;
      else
        changes_.push_back(change);
    }
  }
  double seconds(std::int64_t tick) const {
    if (per_second_ > 0) return double(tick) / per_second_;
    auto after = std::upper_bound(changes_.begin() + 1, changes_.end(), tick,
                                  [](std::int64_t t, const TempoChange& change) { return t < change.tick; });
    const TempoChange& tempo = *(after - 1);
    return tempo.time + double(tick - tempo.tick) * tempo.us_per_quarter * 1e-6 / per_quarter_;
  }
  std::vector<TempoChange> take_changes() { return std::move(changes_); }

 private:
  double per_quarter_, per_second_;
  std::vector<TempoChange> changes_;
};

class Parser {
 public:
  Parser(std::string_view bytes, const std::string& name, const MidiReadOptions& options)
      : reader_(bytes, name), options_(options), budget_(name, static_cast<std::int64_t>(bytes.size())) {}

  MidiFile parse() {
    std::uint32_t track_count = header();
    // Counted first, so that no vector grows to twice what it needs, and since a track's notes may be ended
    // in a later one.
    while (tracks_.size() < track_count) chunk();
    for (std::deque<NotesEnd>& ends : ends_)
      std::sort(ends.begin(), ends.end(),
                [](const NotesEnd& a, const NotesEnd& b) { return a.moment < b.moment; });
    for (track_number_ = 0; track_number_ < track_count; ++track_number_) read_track();
    Clock clock(file_.ticks_per_quarter, file_.ticks_per_second, std::move(tempo_changes_));
    if (options_.sustain_pedal) hold_notes();
    file_.tracks.reserve(tracks_.size());
    for (Track& track : tracks_) {
      MidiTrack& result = file_.tracks.emplace_back();
      result.name = std::move(track.name);
      result.channels = track.channels;
      result.program = track.program;
      result.end = clock.seconds(track.end_tick);
      for (Note& note : track.notes) {
        note.start = clock.seconds(tick_of(note.start));
        note.end = clock.seconds(tick_of(note.end));
      }
      result.notes = std::move(track.notes);
      result.note_channels = std::move(track.note_channels);
    }
    file_.tempo_changes = clock.take_changes();
    return std::move(file_);
  }

 private:
  static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);

  struct Track {
    std::string name;
    std::uint16_t channels = 0;
    int program = -1;
    std::size_t begin = 0, end = 0;  // bytes
    std::size_t note_count = 0;
    std::int64_t end_tick = 0;
    std::vector<Note> notes;  // their times are ticks, which a double holds exactly, until all are read
    std::vector<std::uint8_t> note_channels;
    std::vector<std::uint32_t> end_orders;  // Moment::order of each note's end
    std::vector<std::uint16_t> end_tracks;  // Moment::track of each note's end
  };
  // The open notes of one channel and pitch, earliest first: a list through `next_open_`.
  struct OpenNotes {
    std::uint32_t first = none, last = none;
  };

  static std::int64_t tick_of(double time) { return static_cast<std::int64_t>(time); }

  std::uint32_t header() {
    if (reader_.remaining() == 0) reader_.refuse("the file is empty", "it must be a Standard MIDI File");
    if (reader_.remaining() < 4 || reader_.take(4, "the header") != "MThd") throw_not_midi();
    std::uint32_t length = reader_.number(4, "the header");
    if (length < 6)
      reader_.refuse("its header is " + std::to_string(length) + " bytes long",
                     "a MIDI header has at least 6");
    std::string_view body = reader_.take(length, "the header");
    auto word = [&](std::size_t at) {
      return static_cast<std::uint32_t>(static_cast<std::uint8_t>(body[at]) << 8 |
                                        static_cast<std::uint8_t>(body[at + 1]));
    };
    file_.format = static_cast<int>(word(0));
    std::uint32_t track_count = word(2);
    std::uint32_t division = word(4);
    if (file_.format == 2)
      reader_.refuse("it is of format 2, patterns without a common time", "save it as format 0 or 1");
    if (file_.format > 2)
      reader_.refuse("it is of format " + std::to_string(file_.format), "formats 0 and 1 can be read");
    if (track_count == 0) reader_.refuse("it has no tracks", "a MIDI file has at least one");
    if (track_count > reader_.remaining() / 8)  // a chunk's own header has 8 bytes
      reader_.refuse("it claims " + std::to_string(track_count) + " tracks and ends before them",
                     "check that it was copied whole");
    if ((division & 0x8000u) != 0) {
      int frames = 256 - static_cast<int>(division >> 8);
      int ticks_per_frame = static_cast<int>(division & 0xFFu);
      if ((frames != 24 && frames != 25 && frames != 29 && frames != 30) || ticks_per_frame == 0)
        reader_.refuse("its SMPTE division is " + std::to_string(frames) + " frames of " +
                           std::to_string(ticks_per_frame) + " ticks",
                       "there are 24, 25, 29 or 30 frames a second and at least 1 tick a frame");
      file_.ticks_per_second = (frames == 29 ? 30000.0 / 1001.0 : frames) * ticks_per_frame;
    } else {
      if (division == 0) reader_.refuse("it has 0 ticks a quarter", "a MIDI division is at least 1");
      file_.ticks_per_quarter = division;
    }
    return track_count;
  }

  [[noreturn]] void throw_not_midi() const {
    reader_.refuse("it does not begin with MThd", "it must be a Standard MIDI File (.mid)");
  }

  void chunk() {
    std::string_view type = reader_.take(4, "a chunk header");
    std::uint32_t length = reader_.number(4, "a chunk header");
    if (length > reader_.remaining())
      reader_.refuse("a chunk says that it has " + std::to_string(length) + " bytes, and " +
                         std::to_string(reader_.remaining()) + " are left",
                     "check that it was copied whole");
    std::size_t end = reader_.position() + length;
    if (type == "MTrk") {
      reader_.set_limit(end);
      count_track(end);
      reader_.lift_limit();
    }
    reader_.take(end - reader_.position(), "a chunk");
  }

  void count_track(std::size_t end) {
    track_number_ = static_cast<std::uint32_t>(tracks_.size());
    budget_.take(sizeof(Track) + sizeof(MidiTrack) + 64);
    Track& track = tracks_.emplace_back();
    track.begin = reader_.position();
    track.end = end;
    events<true>();
    // With where a note goes on in a list, what ends it, and, for the pedal, its start once more.
    budget_.take(track.note_count * (sizeof(Note) + 1 + 4 + 2 + 4 + 4 + 8));
  }

  void read_track() {
    Track& track = tracks_[track_number_];
    reader_.go_back(track.begin);
    reader_.set_limit(track.end);
    track.notes.reserve(track.note_count);
    track.note_channels.reserve(track.note_count);
    track.end_orders.reserve(track.note_count);
    track.end_tracks.reserve(track.note_count);
    next_open_.clear();
    next_open_.reserve(track.note_count);
    ended_by_.clear();
    ended_by_.reserve(track.note_count);
    open_.assign(16 * 128, {});
    if (!events<false>()) ++file_.tracks_without_end;
    track.end_tick = now_.tick;
    ++now_.order;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      OpenNotes& open = open_notes(i / 128, i % 128, {now_.tick + 1, 0, 0});
      while (open.first != none) {
        close(open, now_);
        ++file_.unclosed_notes;
      }
    }
  }

  // Reads the track's events, or only counts its notes. True where it has an end-of-track.
  template <bool counting>
  bool events() {
    now_ = {0, track_number_, 0};
    int status = 0;  // of the latest channel event
    bool ended = false;
    while (!ended && !reader_.at_limit()) {
      now_.tick += reader_.variable_length("a delta time");
      ++now_.order;
      std::uint8_t first = reader_.peek("an event");
      if (first == 0xFF) {
        reader_.byte("an event");
        ended = meta<counting>();
      } else if (first == 0xF0 || first == 0xF7) {
        reader_.byte("an event");
        reader_.take(reader_.variable_length("the length of a system-exclusive event"),
                     "a system-exclusive event");
        if (!counting) ++file_.system_exclusives;
      } else if (first >= 0xF0) {
        reader_.refuse("a system event " + std::to_string(first) + " stands in a track",
                       "tracks hold channel, meta and system-exclusive events");
      } else {
        if (first >= 0x80) status = reader_.byte("an event");
        if (status == 0)
          reader_.refuse("a data byte stands where no running status holds",
                         "an event begins with a status byte");
        if (counting)
          count_event(status);
        else
          channel_event(status);
      }
    }
    return ended;
  }

  void count_event(int status) {
    const std::uint8_t first = reader_.data_byte("a channel event");
    const int kind = status >> 4;
    if (kind == 0xC || kind == 0xD) return;
    const std::uint8_t second = reader_.data_byte("a channel event");
    if (kind == 0x9 && second > 0) ++tracks_[track_number_].note_count;
    constexpr std::uint8_t all_sound_off = 120, all_notes_off = 123;  // and the modes above
    if (kind == 0xB && (first == all_sound_off || first >= all_notes_off)) {
      budget_.take(sizeof(NotesEnd));
      ends_[static_cast<std::size_t>(status & 0x0F)].push_back({now_, first == all_sound_off});
    }
  }

  // True for end-of-track.
  template <bool counting>
  bool meta() {
    std::uint8_t type = reader_.byte("a meta event");
    std::string_view data =
        reader_.take(reader_.variable_length("the length of a meta event"), "a meta event");
    if (counting) return type == 0x2F;
    auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(data[i]); };
    if (type == 0x2F) return true;
    if (type == 0x03 && tracks_[track_number_].name.empty()) {
      std::string name(data.substr(0, 256));
      for (char& c : name)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
      tracks_[track_number_].name = std::move(name);
    }
    if (type == 0x51) {
      if (data.size() != 3)
        reader_.refuse("a tempo has " + std::to_string(data.size()) + " bytes", "it has 3");
      int us = byte(0) << 16 | byte(1) << 8 | byte(2);
      if (us == 0) reader_.refuse("a tempo of 0 µs a quarter", "a quarter lasts at least 1 µs");
      budget_.take(2 * sizeof(TempoChange) + sizeof(TempoChange) / 2);
      tempo_changes_.push_back({now_.tick, 0, double(us)});
    }
    return false;
  }

  void channel_event(int status) {
    auto channel = static_cast<std::uint8_t>(status & 0x0F);
    Track& track = tracks_[track_number_];
    std::uint8_t first = reader_.data_byte("a channel event");
    switch (status >> 4) {
      case 0x8:
        reader_.data_byte("a channel event");
        note_off(channel, first);
        break;
      case 0x9: {
        std::uint8_t velocity = reader_.data_byte("a channel event");
        if (velocity == 0) {
          note_off(channel, first);
          break;
        }
        track.channels = static_cast<std::uint16_t>(track.channels | 1u << channel);
        OpenNotes& open = open_notes(channel, first, now_);
        const auto index = static_cast<std::uint32_t>(track.notes.size());
        (open.first == none ? open.first : next_open_[open.last]) = index;
        open.last = index;
        const auto tick = static_cast<double>(now_.tick);
        track.notes.push_back({first, velocity, tick, tick});
        track.note_channels.push_back(channel);
        track.end_orders.push_back(now_.order);
        track.end_tracks.push_back(static_cast<std::uint16_t>(track_number_));
        next_open_.push_back(none);
        ended_by_.push_back(static_cast<std::uint32_t>(first_after(ends_[channel], now_)));
        break;
      }
      case 0xA:
        reader_.data_byte("a channel event");
        ++file_.aftertouches;
        break;
      case 0xB:
        controller(channel, first, reader_.data_byte("a channel event"));
        break;
      case 0xC:
        if (track.program < 0) track.program = first;
        track.channels = static_cast<std::uint16_t>(track.channels | 1u << channel);
        break;
      case 0xD:
        ++file_.aftertouches;
        break;
      default:
        reader_.data_byte("a channel event");
        ++file_.pitch_bends;
        break;
    }
  }

  void controller(std::uint8_t channel, std::uint8_t number, std::uint8_t value) {
    if (number == 64) {
      ++file_.pedal_changes;
      pedal(channel, value >= 64);
      return;
    }
    ++file_.controller_changes;
    if (number == 121) pedal(channel, false);  // reset all controllers
  }

  void pedal(std::uint8_t channel, bool down) {
    budget_.take(sizeof(PedalChange) + sizeof(std::int64_t));
    pedals_[channel].push_back({now_, down});
  }

  void note_off(std::uint8_t channel, std::uint8_t pitch) {
    OpenNotes& open = open_notes(channel, pitch, now_);
    if (open.first == none)
      ++file_.unmatched_note_offs;
    else
      close(open, now_);
  }
  // The notes of this channel and pitch that are open at `now`: those that a message has ended are closed.
  OpenNotes& open_notes(std::size_t channel, std::size_t pitch, const Moment& now) {
    OpenNotes& open = open_[channel * 128 + pitch];
    const std::deque<NotesEnd>& ends = ends_[channel];
    while (open.first != none && ended_by_[open.first] < ends.size()) {
      const Moment& end = ends[ended_by_[open.first]].moment;
      if (!(end.track == track_number_ ? end < now : end.tick < now.tick)) break;
      close(open, end);
    }
    return open;
  }
  void close(OpenNotes& open, const Moment& end) {
    Track& track = tracks_[track_number_];
    track.notes[open.first].end = static_cast<double>(end.tick);
    track.end_orders[open.first] = end.order;
    track.end_tracks[open.first] = static_cast<std::uint16_t>(end.track);
    open.first = next_open_[open.first];
  }

  // Moves the ends of notes whose key was let go while the pedal was down.
  void hold_notes() {
    std::int64_t last_tick = 0;
    for (const Track& track : tracks_) last_tick = std::max(last_tick, track.end_tick);
    for (std::uint8_t channel = 0; channel < 16; ++channel) {
      std::deque<PedalChange>& pedal = pedals_[channel];
      if (pedal.empty()) continue;
      std::deque<NotesEnd>& sound_offs = ends_[channel];
      std::erase_if(sound_offs, [](const NotesEnd& end) { return !end.sound_off; });
      std::sort(pedal.begin(), pedal.end(),
                [](const PedalChange& a, const PedalChange& b) { return a.moment < b.moment; });
      std::vector<std::int64_t> rise(pedal.size());  // per change: when the pedal is next up
      std::int64_t next_rise = last_tick;
      for (std::size_t i = pedal.size(); i-- > 0;) {
        if (!pedal[i].down) next_rise = pedal[i].moment.tick;
        rise[i] = next_rise;
      }
      const auto each_note = [&](auto action) {
        for (std::uint32_t t = 0; t < tracks_.size(); ++t)
          for (std::size_t i = 0; i < tracks_[t].notes.size(); ++i)
            if (tracks_[t].note_channels[i] == channel) action(t, i, tracks_[t].notes[i]);
      };
      std::array<std::size_t, 128> counts{};
      each_note([&](std::uint32_t, std::size_t, const Note& note) { ++counts[pitch_index(note)]; });
      std::array<std::vector<std::int64_t>, 128> onsets;
      for (std::size_t pitch = 0; pitch < 128; ++pitch) onsets[pitch].reserve(counts[pitch]);
      each_note([&](std::uint32_t, std::size_t, const Note& note) {
        onsets[pitch_index(note)].push_back(tick_of(note.start));
      });
      for (auto& ticks : onsets) std::sort(ticks.begin(), ticks.end());
      each_note([&](std::uint32_t track, std::size_t i, Note& note) {
        const std::int64_t start = tick_of(note.start), let_go = tick_of(note.end);
        const Moment end_of_note{let_go, tracks_[track].end_tracks[i], tracks_[track].end_orders[i]};
        const auto after = std::upper_bound(
            pedal.begin(), pedal.end(), end_of_note,
            [](const Moment& end, const PedalChange& change) { return end < change.moment; });
        if (after == pedal.begin() || !(after - 1)->down) return;
        std::int64_t end = rise[static_cast<std::size_t>(after - 1 - pedal.begin())];
        const auto& ticks = onsets[pitch_index(note)];
        const auto again = std::lower_bound(ticks.begin(), ticks.end(), std::max(let_go, start + 1));
        if (again != ticks.end()) end = std::min(end, *again);
        const std::size_t off =
            start < let_go ? first_from(sound_offs, {let_go, 0, 0}) : first_after(sound_offs, end_of_note);
        if (off < sound_offs.size()) end = std::min(end, sound_offs[off].moment.tick);
        note.end = static_cast<double>(std::max(let_go, end));
      });
    }
  }
  static std::size_t pitch_index(const Note& note) { return static_cast<std::size_t>(note.pitch); }

  ByteReader reader_;
  MidiReadOptions options_;
  ByteBudget budget_;
  MidiFile file_;
  std::deque<Track> tracks_;
  std::deque<TempoChange> tempo_changes_;
  std::array<std::deque<PedalChange>, 16> pedals_;
  std::array<std::deque<NotesEnd>, 16> ends_;
  // of the track being read
  std::uint32_t track_number_ = 0;
  Moment now_;
  std::vector<OpenNotes> open_;
  std::vector<std::uint32_t> next_open_;  // per note: the next open note of its channel and pitch
  std::vector<std::uint32_t> ended_by_;   // per note: the first of its channel's `ends_` that ends it
};

inline void append_number(std::string& bytes, std::uint32_t value, int byte_count) {
  for (int i = byte_count - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xFFu));
}

inline void append_variable_length(std::string& bytes, std::int64_t value) {
  if (value > 0x0FFFFFFF)
    throw InputError("MIDI file", "two events lie more than 2^28 ticks apart", "use fewer ticks a quarter");
  for (int shift = 21; shift >= 0; shift -= 7)
    if (shift == 0 || value >> shift != 0)
      bytes.push_back(static_cast<char>((value >> shift & 0x7F) | (shift != 0 ? 0x80 : 0)));
}

inline void append_meta(std::string& track, int type, std::string_view data) {
  track += '\0';  // no time since the event before
  track += '\xFF';
  track += static_cast<char>(type);
  append_variable_length(track, static_cast<std::int64_t>(data.size()));
  track += data;
}

}  // namespace midi_detail

// `name` stands for the bytes in messages.
inline MidiFile parse_midi(std::string_view bytes, const std::string& name,
                           const MidiReadOptions& options = {}) {
  return midi_detail::Parser(bytes, name, options).parse();
}
inline MidiFile parse_midi(std::span<const std::byte> bytes, const std::string& name,
                           const MidiReadOptions& options = {}) {
  return parse_midi(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), name,
                    options);
}

inline MidiFile read_midi_file(const std::string& path, const MidiReadOptions& options = {}) {
  constexpr std::int64_t most_bytes = std::int64_t{64} << 20;
  return parse_midi(read_binary_file(path, most_bytes), path, options);
}

struct MidiWriteOptions {
  int program = 40;  // General MIDI, 0..127; 40 is the violin
  double tempo_bpm = 120;
  int ticks_per_quarter = 960;  // 1..32767; a time is off by at most 30 / (tempo_bpm · ticks_per_quarter) s
  std::string track_name;
  std::string text;  // a comment
};

inline std::string midi_bytes(std::span<const Note> notes, const MidiWriteOptions& options = {}) {
  using namespace midi_detail;
  auto refuse = [](const std::string& fault, const std::string& remedy) {
    throw InputError("MIDI file", fault, remedy);
  };
  if (options.program < 0 || options.program > 127)
    refuse("program " + std::to_string(options.program), "General MIDI has 0 to 127");
  if (options.ticks_per_quarter < 1 || options.ticks_per_quarter > 32767)
    refuse(std::to_string(options.ticks_per_quarter) + " ticks a quarter", "there can be 1 to 32767");
  const double us_per_quarter = std::round(60e6 / options.tempo_bpm);
  if (!(us_per_quarter >= 1 && us_per_quarter <= 0xFFFFFF))
    refuse("a tempo of " + std::to_string(options.tempo_bpm) + " bpm", "there can be 3.6 to 60 million");

  // The tempo as stored, not as asked for, so that rounding it does not add up over the piece.
  std::vector<GridNote> grid = notes_on_grid(notes, 1e6 / us_per_quarter * options.ticks_per_quarter);
  struct Event {
    std::int64_t tick;
    bool on;
    const GridNote* note;
  };
  std::vector<Event> events;
  events.reserve(2 * grid.size());
  for (const GridNote& note : grid) {
    events.push_back({note.start, true, &note});
    events.push_back({note.end, false, &note});
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return a.tick != b.tick ? a.tick < b.tick : a.on < b.on;
  });

  std::string track;
  if (!options.track_name.empty()) append_meta(track, 0x03, options.track_name);
  if (!options.text.empty()) append_meta(track, 0x01, options.text);
  std::string tempo;
  append_number(tempo, static_cast<std::uint32_t>(us_per_quarter), 3);
  append_meta(track, 0x51, tempo);
  track += '\0';
  track += '\xC0';
  track += static_cast<char>(options.program);
  std::int64_t tick = 0;
  for (const Event& event : events) {
    append_variable_length(track, event.tick - tick);
    tick = event.tick;
    track += event.on ? '\x90' : '\x80';
    track += static_cast<char>(event.note->pitch);
    track += static_cast<char>(event.on ? event.note->velocity : 64);
  }
  append_meta(track, 0x2F, {});
  if (track.size() > std::numeric_limits<std::uint32_t>::max())
    refuse("the notes take more than 4 GiB", "write fewer to a file");

  std::string bytes = "MThd";
  append_number(bytes, 6, 4);
  append_number(bytes, 0, 2);  // format
  append_number(bytes, 1, 2);  // tracks
  append_number(bytes, static_cast<std::uint32_t>(options.ticks_per_quarter), 2);
  bytes += "MTrk";
  append_number(bytes, static_cast<std::uint32_t>(track.size()), 4);
  bytes += track;
  return bytes;
}

// The whole file or none: it is written beside `path` and renamed.
inline void write_midi_file(const std::string& path, std::span<const Note> notes,
                            const MidiWriteOptions& options = {}) {
  std::string bytes = midi_bytes(notes, options);
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace imu2music::inline v0
