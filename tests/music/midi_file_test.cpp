#include "imu2music/music/midi_file.hpp"

#include <cmath>
#include <filesystem>
#include <limits>
#include <random>

#include "support.hpp"

using namespace imu2music;

namespace {

// Bytes from hexadecimal text.
std::string hex(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (char c : text) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  return bytes;
}

std::string number(std::uint32_t value, int count) {
  std::string bytes;
  for (int i = count - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
std::string header(int format, int tracks, int division) {
  return "MThd" + number(6, 4) + number(static_cast<std::uint32_t>(format), 2) +
         number(static_cast<std::uint32_t>(tracks), 2) + number(static_cast<std::uint32_t>(division), 2);
}
std::string chunk(const std::string& data, const std::string& type = "MTrk") {
  return type + number(static_cast<std::uint32_t>(data.size()), 4) + data;
}
const std::string end_of_track = hex("00 ff 2f 00");

// One track of 100 ticks a quarter: 5 ms a tick.
MidiFile read_track(std::string_view events, const MidiReadOptions& options = {}) {
  return parse_midi(header(0, 1, 100) + chunk(hex(events) + end_of_track), "test.mid", options);
}
std::string message_of(const std::string& bytes) {
  try {
    parse_midi(bytes, "test.mid");
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}
bool same(const std::vector<Note>& got, const std::vector<Note>& expected) {
  if (got.size() != expected.size()) return false;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (got[i].pitch != expected[i].pitch || got[i].velocity != expected[i].velocity ||
        std::abs(got[i].start - expected[i].start) > 1e-9 || std::abs(got[i].end - expected[i].end) > 1e-9)
      return false;
  return true;
}

// A file with most of what the format has: running status, two tracks, tempo changes, sysex, pedal, bends,
// text.
std::string rich_file() {
  std::string first =
      hex("00 ff 03 04 54 65 73 74  00 ff 51 03 07 a1 20  64 ff 51 03 0f 42 40  00 ff 58 04 04 02 18 08") +
      end_of_track;
  std::string second =
      hex("00 c1 28  00 91 3c 40  10 40 50  00 f0 03 7e 7f f7  20 b1 40 7f  10 91 3c 00  05 40 00 "
          "08 e1 00 50  81 00 b1 40 00  00 a1 3c 10  00 d1 11  00 81 3c 00") +
      end_of_track;
  return header(1, 2, 100) + chunk(first) + chunk("what", "XFIH") + chunk(second);
}

}  // namespace

TEST_CASE("reading: running status, velocity 0 as off") {
  MidiFile file = read_track("00 90 3c 40  64 3e 50  64 3c 00  64 3e 00");
  CHECK(file.format == 0);
  CHECK(file.ticks_per_quarter == 100);
  CHECK(file.ticks_per_second == 0);
  REQUIRE(file.tracks.size() == 1);
  CHECK(file.tracks[0].channels == 1);
  CHECK(file.tracks[0].program == -1);
  CHECK(file.tracks[0].end == doctest::Approx(1.5));
  CHECK(same(file.tracks[0].notes, {{60, 64, 0, 1}, {62, 80, 0.5, 1.5}}));
  CHECK(file.tracks[0].note_channels == std::vector<std::uint8_t>{0, 0});
}

TEST_CASE("reading: running status goes on after meta and system-exclusive events") {
  MidiFile file = read_track("00 90 3c 40  00 ff 01 02 68 69  64 3c 00  00 f0 02 11 f7  00 3e 40  64 3e 00");
  CHECK(same(file.all_notes(), {{60, 64, 0, 0.5}, {62, 64, 0.5, 1.0}}));
  CHECK(file.system_exclusives == 1);
}

TEST_CASE("reading: repeated notes are matched first in, first out, for each channel") {
  MidiFile file =
      read_track("00 90 3c 01  64 3c 02  00 91 3c 03  64 80 3c 40  64 3c 40  64 3c 40  00 81 3c 00");
  CHECK(same(file.all_notes(), {{60, 1, 0, 1.0}, {60, 2, 0.5, 1.5}, {60, 3, 0.5, 2.0}}));
  CHECK(file.unmatched_note_offs == 1);
  CHECK(file.tracks[0].channels == 3);
  CHECK(file.tracks[0].note_channels == std::vector<std::uint8_t>{0, 0, 1});
}

TEST_CASE("reading: percussion is a channel of its own") {
  MidiFile file = read_track("00 99 24 40  00 90 3c 40  64 89 24 00  00 80 3c 00");
  CHECK(same(file.all_notes(), {{36, 64, 0, 0.5}, {60, 64, 0, 0.5}}));
  CHECK(same(file.pitched_notes(), {{60, 64, 0, 0.5}}));
}

TEST_CASE("reading: notes never ended end with their track") {
  MidiFile file = read_track("00 90 3c 40  64 3c 41  64 ff 01 00");
  CHECK(same(file.all_notes(), {{60, 64, 0, 1}, {60, 65, 0.5, 1}}));
  CHECK(file.unclosed_notes == 2);
}

TEST_CASE("reading: all notes off ends the notes of its channel") {
  MidiFile file = read_track("00 90 3c 40  00 91 3c 40  64 b0 7b 00  64 81 3c 00");
  CHECK(same(file.all_notes(), {{60, 64, 0, 0.5}, {60, 64, 0, 1}}));
  CHECK(file.unclosed_notes == 0);
}

TEST_CASE("reading: tempo changes of every track hold for all") {
  // 500 ms a quarter; from tick 100 on 1000 ms; from tick 200 on 250 ms (in the second track)
  std::string first = hex("64 ff 51 03 0f 42 40") + end_of_track;
  std::string second = hex("00 90 3c 40  81 48 ff 51 03 03 d0 90  64 80 3c 00") + end_of_track;
  MidiFile file = parse_midi(header(1, 2, 100) + chunk(first) + chunk(second), "test.mid");
  CHECK(same(file.all_notes(), {{60, 64, 0, 0.5 + 1.0 + 0.25}}));
  REQUIRE(file.tempo_changes.size() == 3);
  CHECK(file.tempo_changes[0].time == 0);
  CHECK(file.tempo_changes[0].bpm() == doctest::Approx(120));
  CHECK(file.tempo_changes[1].time == doctest::Approx(0.5));
  CHECK(file.tempo_changes[1].bpm() == doctest::Approx(60));
  CHECK(file.tempo_changes[2].tick == 200);
  CHECK(file.tempo_changes[2].time == doctest::Approx(1.5));
  CHECK(file.tempo_changes[2].bpm() == doctest::Approx(240));
}

TEST_CASE("reading: SMPTE divisions count frames, whatever the tempo") {
  std::string track =
      chunk(hex("00 ff 51 03 00 00 01  00 90 3c 40  83 74 80 3c 00") + end_of_track);  // 500 ticks
  CHECK(same(parse_midi(header(0, 1, 0xE728) + track, "25·40").all_notes(), {{60, 64, 0, 0.5}}));
  CHECK(same(parse_midi(header(0, 1, 0xE80A) + track, "24·10").all_notes(), {{60, 64, 0, 500.0 / 240}}));
  MidiFile drop_frame = parse_midi(header(0, 1, 0xE350) + track, "29.97·80");
  CHECK(drop_frame.ticks_per_second == doctest::Approx(30000.0 / 1001 * 80));
  CHECK(drop_frame.ticks_per_quarter == 0);
}

TEST_CASE("reading: the pedal holds notes until it rises, the pitch returns or the piece is over") {
  MidiReadOptions without;
  without.sustain_pedal = false;
  SUBCASE("until it rises") {
    const char* events = "00 90 3c 40  32 b0 40 40  32 80 3c 00  64 b0 40 3f  64 ff 01 00";
    CHECK(same(read_track(events).all_notes(), {{60, 64, 0, 1.0}}));
    CHECK(same(read_track(events, without).all_notes(), {{60, 64, 0, 0.5}}));
    CHECK(read_track(events).pedal_changes == 2);
  }
  SUBCASE("down before the note, and value 63 is up") {
    CHECK(same(read_track("00 b0 40 3f  00 90 3c 40  64 80 3c 00  64 ff 01 00").all_notes(),
               {{60, 64, 0, 0.5}}));
  }
  SUBCASE("until the pitch returns") {
    CHECK(same(read_track("00 b0 40 7f 00 90 3c 40 64 3c 00 64 3c 50 64 3c 00 64 b0 40 00").all_notes(),
               {{60, 64, 0, 1.0}, {60, 80, 1.0, 2.0}}));
  }
  SUBCASE("until the end") {
    CHECK(same(read_track("00 b0 40 7f 00 90 3c 40 64 3c 00 64 ff 01 00").all_notes(), {{60, 64, 0, 1.0}}));
  }
  SUBCASE("of another channel") {
    CHECK(same(read_track("00 b1 40 7f 00 90 3c 40 64 3c 00 64 ff 01 00").all_notes(), {{60, 64, 0, 0.5}}));
  }
  SUBCASE("pressed after the key was let go on the same tick, it holds nothing") {
    CHECK(same(read_track("00 90 3c 40 64 3c 00 00 b0 40 7f 64 ff 01 00").all_notes(), {{60, 64, 0, 0.5}}));
  }
  SUBCASE("pressed again before the rise") {
    CHECK(same(read_track("00 b0 40 7f 00 90 3c 40 64 3c 00 10 b0 40 7f 10 b0 40 00").all_notes(),
               {{60, 64, 0, 0.5 + 0.005 * 32}}));
  }
  SUBCASE("in another track") {
    std::string pedal = hex("00 b0 40 7f 81 48 b0 40 00") + end_of_track;
    std::string notes = hex("00 90 3c 40 64 3c 00") + end_of_track;
    MidiFile file = parse_midi(header(1, 2, 100) + chunk(pedal) + chunk(notes), "test.mid");
    CHECK(same(file.all_notes(), {{60, 64, 0, 1.0}}));
  }
}

TEST_CASE("reading: all sound off ends what the pedal holds, all notes off lets go the keys") {
  const std::string down = "00 b0 40 7f 00 90 3c 40 ", up = " 86 20 b0 40 00";  // 4 s later
  MidiReadOptions without;
  without.sustain_pedal = false;
  SUBCASE("the key still down") {
    const MidiFile file = read_track(down + "81 48 b0 78 00 64 80 3c 00" + up);
    CHECK(same(file.all_notes(), {{60, 64, 0, 1}}));
    CHECK(file.unmatched_note_offs == 1);
  }
  SUBCASE("the key let go before") {
    const std::string events = down + "64 80 3c 00 64 b0 78 00" + up;
    CHECK(same(read_track(events).all_notes(), {{60, 64, 0, 1}}));
    CHECK(same(read_track(events, without).all_notes(), {{60, 64, 0, 0.5}}));
  }
  SUBCASE("the key let go on the same tick") {
    CHECK(same(read_track(down + "81 48 80 3c 00 00 b0 78 00" + up).all_notes(), {{60, 64, 0, 1}}));
  }
  SUBCASE("a note of no length") {
    CHECK(same(read_track(down + "00 80 3c 00 00 b0 78 00" + up).all_notes(), {{60, 64, 0, 0}}));
    CHECK(same(read_track(down + "00 80 3c 00 64 b0 78 00" + up).all_notes(), {{60, 64, 0, 0.5}}));
  }
  SUBCASE("of another channel") {
    CHECK(same(read_track(down + "64 80 3c 00 64 b1 78 00" + up).all_notes(), {{60, 64, 0, 5}}));
  }
  SUBCASE("the pedal stays down for what comes after") {
    CHECK(same(read_track(down + "64 b0 78 00 64 90 3e 50 64 3e 00" + up).all_notes(),
               {{60, 64, 0, 0.5}, {62, 80, 1, 5.5}}));
  }
  SUBCASE("all notes off and the modes that imply it") {
    for (const char* message : {"7b", "7c", "7d", "7e", "7f"}) {
      const std::string events = down + "81 48 b0 " + message + " 00" + up;
      CHECK(same(read_track(events).all_notes(), {{60, 64, 0, 5}}));
      CHECK(same(read_track(events, without).all_notes(), {{60, 64, 0, 1}}));
    }
    for (const char* other : {"77", "79", "7a"})
      CHECK(same(read_track(down + "81 48 b0 " + other + " 00 64 80 3c 00", without).all_notes(),
                 {{60, 64, 0, 1.5}}));
  }
}

TEST_CASE("reading: what ends the notes of a channel ends them in every track") {
  const auto read = [](const std::vector<std::string>& tracks) {
    std::string bytes = header(1, static_cast<int>(tracks.size()), 100);
    for (const std::string& events : tracks) bytes += chunk(hex(events) + end_of_track);
    return parse_midi(bytes, "test.mid");
  };
  for (const char* message : {"78", "7b", "7f"})
    for (const bool first : {true, false}) {
      const std::string at_1_s = std::string("81 48 b0 ") + message + " 00";
      const auto with = [&](const std::string& notes) {
        return first ? read({at_1_s, notes}) : read({notes, at_1_s});
      };
      INFO(message, first ? " before" : " after", " the notes");
      MidiFile file = with("00 90 3c 40 00 91 3c 50 83 10 80 3c 00 00 81 3c 00");
      CHECK(same(file.all_notes(), {{60, 64, 0, 1}, {60, 80, 0, 2}}));
      CHECK(file.unmatched_note_offs == 1);
      // The note_off is the later note's.
      file = with("00 90 3c 40 82 2c 3c 50 64 3c 00");
      CHECK(same(file.all_notes(), {{60, 64, 0, 1}, {60, 80, 1.5, 2}}));
      CHECK(file.unmatched_note_offs + file.unclosed_notes == 0);
      // On its tick: let go there, begun there, the track's end.
      CHECK(with("00 90 3c 40 81 48 3c 00").unmatched_note_offs == 0);
      CHECK(same(with("81 48 90 3c 40 64 3c 00").all_notes(), {{60, 64, 1, 1.5}}));
      CHECK(same(with("00 90 3c 40 81 48 3c 50 64 3c 00").all_notes(), {{60, 64, 0, 1}, {60, 80, 1, 1.5}}));
      file = with("00 90 3c 40 81 48 ff 01 00");
      CHECK(same(file.all_notes(), {{60, 64, 0, 1}}));
      CHECK(file.unclosed_notes == 0);
    }
  SUBCASE("those that the pedal holds") {
    const std::string notes = "00 90 3c 40 64 3c 00", pedal = "00 b0 40 7f 83 10 b0 40 00";
    CHECK(same(read({"81 48 b0 78 00", notes, pedal}).all_notes(), {{60, 64, 0, 1}}));
    CHECK(same(read({notes, pedal, "64 b0 78 00"}).all_notes(), {{60, 64, 0, 0.5}}));
    CHECK(same(read({"32 b0 7b 00", notes, pedal}).all_notes(), {{60, 64, 0, 2}}));
  }
}

TEST_CASE("reading: pedal and messages that end notes do what a player of the merged tracks does") {
  struct Event {
    int tick, track, channel, kind, pitch;  // 0 note_on, 1 note_off, 2 pedal down, 3 up, 4 and 5 the messages
  };
  struct Playing {
    int track, channel, pitch, start;
    bool key = true;
    int end = -1;
  };
  std::mt19937 random(3);
  const auto below = [&](int end) { return static_cast<int>(random() % static_cast<unsigned>(end)); };
  for (int round = 0; round < 3000; ++round) {
    const int track_count = 1 + below(3);
    std::vector<Event> events;
    for (int tick = 2; tick < 120; tick += 2)  // one event a tick
      if (random() % 2 == 0)
        events.push_back({tick, below(track_count), below(2), below(8) % 6, 60 + below(2)});
    std::vector<Playing> notes;
    bool pedal[2] = {false, false};
    std::vector<int> track_ends(static_cast<std::size_t>(track_count), 0);
    for (const Event& event : events) track_ends[static_cast<std::size_t>(event.track)] = event.tick + 1;
    const auto let_go = [&](Playing& note, int tick) {
      note.key = false;
      if (!pedal[note.channel]) note.end = tick;
    };
    const auto track_over = [&](int tick) {
      for (Playing& note : notes)
        if (note.end < 0 && note.key && track_ends[static_cast<std::size_t>(note.track)] == tick)
          let_go(note, tick);
    };
    for (const Event& event : events) {
      for (Playing& note : notes) {
        if (note.end >= 0 || note.channel != event.channel) continue;
        if (event.kind == 0 && note.pitch == event.pitch && !note.key) note.end = event.tick;
        if (event.kind == 3 && !note.key) note.end = event.tick;
        if (event.kind == 4) note.end = event.tick;
        if (event.kind == 5 && note.key) let_go(note, event.tick);
      }
      if (event.kind == 0) notes.push_back({event.track, event.channel, event.pitch, event.tick});
      if (event.kind == 1)
        for (Playing& note : notes)
          if (note.end < 0 && note.key && note.track == event.track && note.channel == event.channel &&
              note.pitch == event.pitch) {
            let_go(note, event.tick);
            break;
          }
      if (event.kind == 2 || event.kind == 3) pedal[event.channel] = event.kind == 2;
      track_over(event.tick + 1);
    }
    std::string bytes = header(1, track_count, 100);
    std::vector<std::vector<Note>> expected(static_cast<std::size_t>(track_count));
    for (int track = 0; track < track_count; ++track) {
      std::string data;
      int before = 0;
      for (const Event& event : events) {
        if (event.track != track) continue;
        const int status = (event.kind == 0 ? 0x90 : event.kind == 1 ? 0x80 : 0xB0) | event.channel;
        const int first = event.kind < 2 ? event.pitch : event.kind < 4 ? 64 : event.kind == 4 ? 120 : 123;
        const int second = event.kind == 0 || event.kind == 2 ? 90 : 0;
        for (const int byte : {event.tick - before, status, first, second}) data += static_cast<char>(byte);
        before = event.tick;
      }
      bytes += chunk(data + hex("01 ff 2f 00"));
    }
    const int last = events.empty() ? 0 : events.back().tick + 1;
    for (const Playing& note : notes)
      expected[static_cast<std::size_t>(note.track)].push_back(
          {note.pitch, 90, 0.005 * note.start, 0.005 * (note.end < 0 ? last : note.end)});
    const MidiFile file = parse_midi(bytes, "merged");
    INFO("round ", round);
    for (std::size_t track = 0; track < expected.size(); ++track)
      REQUIRE(same(file.tracks[track].notes, expected[track]));
  }
}

TEST_CASE("reading: names, programs, counts, unknown chunks, all notes in order") {
  MidiFile file = parse_midi(rich_file(), "rich.mid");
  REQUIRE(file.tracks.size() == 2);
  CHECK(file.tracks[0].name == "Test");
  CHECK(file.tracks[0].notes.empty());
  CHECK(file.tracks[1].program == 40);
  CHECK(file.tracks[1].channels == 2);
  CHECK(file.pitch_bends == 1);
  CHECK(file.aftertouches == 2);
  CHECK(file.system_exclusives == 1);
  CHECK(file.pedal_changes == 2);
  CHECK(file.unmatched_note_offs == 1);
  CHECK(file.all_notes().size() == 2);

  std::string first = hex("64 90 3c 40 64 3c 00") + end_of_track;
  std::string second = hex("00 91 40 40 64 40 00 00 30 40 64 30 00") + end_of_track;
  file = parse_midi(header(1, 2, 100) + chunk(first) + chunk(second), "test.mid");
  CHECK(same(file.all_notes(), {{64, 64, 0, 0.5}, {48, 64, 0.5, 1}, {60, 64, 0.5, 1}}));
  CHECK(file.end() == doctest::Approx(1));

  CHECK(
      parse_midi(header(0, 1, 100) + chunk(hex("00 ff 03 03 61 0a 62") + end_of_track), "n").tracks[0].name ==
      "a b");
}

TEST_CASE("reading: what files do and the standard does not") {
  SUBCASE("a longer header") {
    std::string bytes = "MThd" + number(8, 4) + number(0, 2) + number(1, 2) + number(100, 2) + number(0, 2);
    CHECK(parse_midi(bytes + chunk(hex("00 90 3c 40 64 3c 00") + end_of_track), "long").all_notes().size() ==
          1);
  }
  SUBCASE("no end of track") {
    MidiFile file = parse_midi(header(0, 1, 100) + chunk(hex("00 90 3c 40 64 3c 00")), "open");
    CHECK(file.all_notes().size() == 1);
    CHECK(file.tracks_without_end == 1);
  }
  SUBCASE("bytes after the end of a track and of the last chunk") {
    MidiFile file = parse_midi(header(0, 1, 100) + chunk(end_of_track + "rest") + "more", "more");
    CHECK(file.all_notes().empty());
  }
}

TEST_CASE("reading: hostile files are refused with their name and what is wrong") {
  const std::string track = chunk(hex("00 90 3c 40 64 3c 00") + end_of_track);
  struct Case {
    std::string bytes, fault;
  };
  for (const Case& wrong : {
           Case{"", "empty"},
           Case{"MTh", "MThd"},
           Case{"To whom it may concern: this is text.\n", "MThd"},
           Case{"MThd", "ends within"},
           Case{"MThd" + number(0xFFFFFFFF, 4) + std::string(100, 'x'), "ends within"},
           Case{"MThd" + number(4, 4) + number(0, 2) + number(1, 2) + track, "at least 6"},
           Case{header(2, 1, 100) + track, "format 2"},
           Case{header(9, 1, 100) + track, "format 9"},
           Case{header(1, 0, 100) + track, "no tracks"},
           Case{header(1, 65535, 100) + track, "65535 tracks"},
           Case{header(1, 2, 100) + track, "ends within a chunk header"},
           Case{header(1, 2, 100) + track + chunk("not a track", "Junk"), "ends within a chunk header"},
           Case{header(0, 1, 0) + track, "0 ticks a quarter"},
           Case{header(0, 1, 0xE700) + track, "SMPTE"},
           Case{header(0, 1, 0x8004) + track, "SMPTE"},
           Case{header(0, 1, 100) + "MTrk" + number(0xFFFFFFFF, 4) + "abc", "4294967295 bytes"},
           Case{header(0, 1, 100) + chunk(hex("81 82 83 84 05 90 3c 40")), "more than four bytes"},
           Case{header(0, 1, 100) + chunk(hex("00 ff 01 ff ff ff ff 01")), "more than four bytes"},
           Case{header(0, 1, 100) + chunk(hex("00 ff 01 ff ff ff 7f 01")), "ends within a meta event"},
           Case{header(0, 1, 100) + chunk(hex("00 f0 ff ff ff 7f 01")),
                "ends within a system-exclusive event"},
           Case{header(0, 1, 100) + chunk(hex("00 3c 40")), "no running status"},
           Case{header(0, 1, 100) + chunk(hex("00 90 bc 40")), "high bit"},
           Case{header(0, 1, 100) + chunk(hex("00 90 3c c0")), "high bit"},
           Case{header(0, 1, 100) + chunk(hex("00 f8")), "system event"},
           Case{header(0, 1, 100) + chunk(hex("00 90 3c")), "ends within a channel event"},
           Case{header(0, 1, 100) + chunk(hex("00")), "ends within an event"},
           Case{header(0, 1, 100) + chunk(hex("00 ff 51 03 00 00 00")), "tempo of 0"},
           Case{header(0, 1, 100) + chunk(hex("00 ff 51 02 00 01")), "tempo has 2 bytes"},
       }) {
    std::string message = message_of(wrong.bytes);
    INFO(wrong.fault, " in ", message);
    CHECK(message.starts_with("test.mid: "));
    CHECK(message.find(wrong.fault) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
  CHECK_THROWS_AS(read_midi_file("/nonexistent/x.mid"), InputError);
  CHECK_THROWS_AS(read_midi_file("/"), InputError);
}

TEST_CASE("reading: a file cut anywhere is refused") {
  std::string whole = rich_file();
  REQUIRE_NOTHROW(parse_midi(whole, "whole"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO("cut to ", length, " of ", whole.size());
    CHECK_THROWS_AS(parse_midi(std::string_view(whole).substr(0, length), "cut"), InputError);
  }
}

TEST_CASE("reading: flipped bytes give notes in order or an InputError, and nothing else") {
  std::string whole = rich_file();
  std::mt19937 random(1);
  int read = 0;
  auto attempt = [&](const std::string& bytes) {
    try {
      MidiFile file = parse_midi(bytes, "flipped");
      ++read;
      for (const MidiTrack& track : file.tracks)
        for (std::size_t i = 0; i < track.notes.size(); ++i) {
          const Note& note = track.notes[i];
          REQUIRE((note.pitch >= 0 && note.pitch < 128));
          REQUIRE((note.velocity > 0 && note.velocity < 128));
          REQUIRE(std::isfinite(note.end));
          REQUIRE((note.start >= 0 && note.end >= note.start));
          REQUIRE((i == 0 || track.notes[i - 1].start <= note.start));
        }
    } catch (const InputError&) {
    }
  };
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      attempt(bytes);
    }
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (unsigned flips = 1 + random() % 8; flips > 0; --flips)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    attempt(bytes);
  }
  CHECK(read > 1000);  // or the test would test the header alone
}

TEST_CASE("reading: linear in the worst case that many open notes make") {
  // 200 000 notes of one pitch, all open at once under the pedal, then as many offs.
  std::string events = hex("00 b0 40 7f 00 90");
  for (int i = 0; i < 200000; ++i) events += hex(i == 0 ? "3c 40" : "01 3c 40");
  for (int i = 0; i < 200000; ++i) events += hex("01 3c 00");
  MidiFile file = parse_midi(header(0, 1, 100) + chunk(events + end_of_track), "many");
  CHECK(file.all_notes().size() == 200000);
  CHECK(file.unclosed_notes == 0);
}

TEST_CASE("reading: linear in tracks, in notes and in the messages that end them") {
  // A million messages of one channel, and as many notes in 60 000 tracks.
  std::string messages = hex("00 b0");
  for (int i = 0; i < 1000000; ++i) messages += hex(i % 2 == 0 ? "78 00 01" : "7b 00 01");
  std::string notes = hex("00 b0 40 7f 00 90 3c 40");
  for (int i = 1; i < 8; ++i) notes += hex("64 3c 40 64 3c 00");
  std::string bytes = header(1, 60001, 100) + chunk(messages + hex("40 00") + end_of_track);
  for (int i = 0; i < 60000; ++i) bytes += chunk(notes + end_of_track);
  const MidiFile file = parse_midi(bytes, "many");
  REQUIRE(file.tracks.size() == 60001);
  CHECK(same({file.tracks[60000].notes.begin(), file.tracks[60000].notes.begin() + 2},
             {{60, 64, 0, 0.01}, {60, 64, 0.5, 0.51}}));
  CHECK(file.controller_changes == 1000000);
  CHECK(file.unclosed_notes == 0);
}

TEST_CASE("reading: notes of three bytes that never end are read up to ten times the file in memory") {
  const auto file_of = [](int count) {
    std::string events = hex("00 90 3c 40");
    for (int i = 1; i < count; ++i) events += std::string("\1\x3c\x40", 3);
    return header(0, 1, 100) + chunk(events + end_of_track);
  };
  const MidiFile file = parse_midi(file_of(100000), "many");
  CHECK(file.unclosed_notes == 100000);
  CHECK(file.all_notes().size() == 100000);
  CHECK(message_of(file_of(2000000)).find("ten times its own size") != std::string::npos);
}

TEST_CASE("reading: tracks, of which a header can claim 65535, are read however many follow") {
  std::string bytes = header(1, 65535, 100);
  for (int i = 0; i < 1000000; ++i) bytes += chunk("");
  const MidiFile file = parse_midi(bytes, "many");
  CHECK(file.tracks.size() == 65535);
  CHECK(file.tracks_without_end == 65535);
}

TEST_CASE("writing: the bytes of a small file") {
  std::vector<Note> notes{{60, 64, 0, 0.5}, {64, 80, 0.5, 1}};
  MidiWriteOptions options;
  options.ticks_per_quarter = 480;
  options.track_name = std::string("Hi");
  options.text = std::string("x");
  std::string expected =
      header(0, 1, 480) + chunk(hex("00 ff 03 02 48 69  00 ff 01 01 78  00 ff 51 03 07 a1 20  00 c0 28 "
                                    "00 90 3c 40  83 60 80 3c 40  00 90 40 50  83 60 80 40 40  00 ff 2f 00"));
  CHECK(midi_bytes(notes, options) == expected);
  CHECK(midi_bytes(notes, options) == midi_bytes(notes, options));
}

TEST_CASE("writing, then reading, gives the notes to within half a tick") {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> gap(0.0, 0.4), length(0.05, 1.5);
  for (double bpm : {120.0, 97.3, 60.0, 251.7}) {
    std::vector<Note> notes;
    double time = 0;
    for (int i = 0; i < 500; ++i) {
      int pitch = i % 128;  // the same pitch comes back late enough not to overlap
      notes.push_back({pitch, 1 + static_cast<int>(random() % 127), time, time + length(random)});
      time += gap(random) + 0.001;
    }
    MidiWriteOptions options;
    options.tempo_bpm = bpm;
    options.program = 73;
    options.track_name = "N\xC3\xA4me";
    MidiFile file = parse_midi(midi_bytes(notes, options), "written");
    std::vector<Note> back = file.tracks.at(0).notes;
    CHECK(file.tracks[0].program == 73);
    CHECK(file.tracks[0].name == "N\xC3\xA4me");
    CHECK(file.tempo_changes.at(0).bpm() == doctest::Approx(bpm).epsilon(1e-5));
    CHECK(file.unclosed_notes + file.unmatched_note_offs == 0);
    REQUIRE(back.size() == notes.size());
    double worst = 0;
    for (std::size_t i = 0; i < notes.size(); ++i) {
      CHECK(back[i].pitch == notes[i].pitch);
      CHECK(back[i].velocity == notes[i].velocity);
      worst =
          std::max({worst, std::abs(back[i].start - notes[i].start), std::abs(back[i].end - notes[i].end)});
    }
    CHECK(worst <= 30.0 / bpm / 960 * 1.001);
    CHECK(worst <= 0.0006);
    CHECK(midi_bytes(back, options) == midi_bytes(notes, options));
  }
}

TEST_CASE("writing: repeated and overlapping notes read back apart") {
  std::vector<Note> notes{{60, 64, 0, 2}, {60, 70, 1, 1}, {60, 80, 1.5, 3}};
  std::vector<Note> back = parse_midi(midi_bytes(notes), "written").all_notes();
  const double tick = 0.5 / 960;
  CHECK(same(back, {{60, 64, 0, 1}, {60, 70, 1, 1 + tick}, {60, 80, 1.5, 3}}));
}

TEST_CASE("writing: nothing, and what cannot be written") {
  CHECK(parse_midi(midi_bytes({}), "empty").all_notes().empty());
  auto with = [](auto change) {
    MidiWriteOptions options;
    change(options);
    return options;
  };
  std::vector<Note> notes{{60, 64, 0, 1}};
  for (const MidiWriteOptions& wrong :
       {with([](auto& o) { o.program = 128; }), with([](auto& o) { o.program = -1; }),
        with([](auto& o) { o.tempo_bpm = 0; }), with([](auto& o) { o.tempo_bpm = -120; }),
        with([](auto& o) { o.tempo_bpm = 3; }), with([](auto& o) { o.tempo_bpm = std::nan(""); }),
        with([](auto& o) { o.ticks_per_quarter = 0; }), with([](auto& o) { o.ticks_per_quarter = 40000; })})
    CHECK_THROWS_AS(midi_bytes(notes, wrong), InputError);
  std::vector<Note> wrong{{60, 0, 0, 1}};
  CHECK_THROWS_AS(midi_bytes(wrong), InputError);
  wrong[0] = {60, 64, 1e6, 2e6};
  CHECK_THROWS_AS(midi_bytes(wrong), InputError);  // no delta time is that long
}

TEST_CASE("writing: the file appears whole or not at all") {
  test::ScratchFolder scratch;
  std::vector<Note> notes{{60, 64, 0, 1}};
  write_midi_file(scratch / "a.mid", notes);
  CHECK(test::read_file(scratch / "a.mid") == midi_bytes(notes));
  CHECK(read_midi_file(scratch / "a.mid").all_notes().size() == 1);
  std::vector<Note> wrong{{200, 64, 0, 1}};
  CHECK_THROWS_AS(write_midi_file(scratch / "a.mid", wrong), InputError);
  CHECK(test::read_file(scratch / "a.mid") == midi_bytes(notes));
  CHECK_THROWS_AS(write_midi_file(scratch / "no/such/folder.mid", notes), InputError);
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.path()), {}) == 1);
}

TEST_CASE("every MIDI file of the recordings at hand can be read") {
  struct Folder {
    const char* name;
    std::size_t files;
  };
  for (Folder folder : {Folder{"data/nottingham-midi", 828}, Folder{"data/violin-etudes-midi", 705}}) {
    std::string path = test::shared_file(folder.name);
    if (path.empty()) continue;
    std::size_t files = 0, notes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() != ".mid") continue;
      INFO(entry.path().string());
      MidiFile file;
      REQUIRE_NOTHROW(file = read_midi_file(entry.path().string()));
      CHECK(file.unmatched_note_offs + file.unclosed_notes + file.tracks_without_end == 0);
      std::vector<Note> all = file.all_notes();
      CHECK(!all.empty());
      CHECK(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.start < b.start; }));
      notes += all.size();
      ++files;
    }
    CHECK(files == folder.files);
    MESSAGE(std::string(folder.name) << ": " << files << " files, " << notes << " notes");
  }
}
