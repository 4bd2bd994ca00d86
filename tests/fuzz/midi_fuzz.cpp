// Standard MIDI Files: notes in order and in range, and the same ones again from the file that is written of
// them.
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "imu2music/music/midi_file.hpp"
#include "target.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  const MidiFile dry = parse_midi(bytes, fuzz::name, {.sustain_pedal = false});
  const MidiFile file = parse_midi(bytes, fuzz::name);
  fuzz::require(file.tracks.size() == dry.tracks.size(), "the number of tracks");
  for (std::size_t t = 0; t < file.tracks.size(); ++t) {
    const MidiTrack& track = file.tracks[t];
    fuzz::require(track.notes.size() == track.note_channels.size(), "the number of channels");
    fuzz::require(track.notes.size() == dry.tracks[t].notes.size(), "the number of notes");
    for (std::size_t i = 0; i < track.notes.size(); ++i) {
      const Note& note = track.notes[i];
      fuzz::require(note.pitch >= 0 && note.pitch < 128 && note.velocity > 0 && note.velocity < 128,
                    "a note");
      fuzz::require(note.start >= 0 && note.end >= note.start && std::isfinite(note.end), "a note's time");
      fuzz::require(i == 0 || track.notes[i - 1].start <= note.start, "the notes' order");
      fuzz::require(dry.tracks[t].notes[i].start == note.start && dry.tracks[t].notes[i].end <= note.end,
                    "what the pedal does");
      fuzz::require(track.note_channels[i] < 16, "a channel");
    }
  }
  for (std::size_t i = 1; i < file.tempo_changes.size(); ++i)
    fuzz::require(file.tempo_changes[i - 1].time <= file.tempo_changes[i].time, "the order of tempo changes");

  fuzz::allow(1000 * bytes.size() + (std::size_t{1} << 20));
  const std::vector<Note> notes = file.all_notes();
  if (notes.empty() || file.end() > 1e4) return;
  const std::vector<GridNote> grid = notes_on_grid(notes, 1920);
  const MidiFile again = parse_midi(midi_bytes(notes), fuzz::name);
  fuzz::require(again.all_notes().size() == grid.size(), "the notes that are written and read again");
}

const fuzz::Target target("midi", read);

}  // namespace
