// What kind of file a source is, told by its first bytes, and the music in it: MIDI files
// (music/midi_file.hpp) and tables of notes (train/note_table.hpp).
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/music/midi_file.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/train/note_table.hpp"

namespace imu2music::inline v0 {

namespace sources_detail {

enum class FileKind { midi, notes, table, json, sound, other };

// Told by the first bytes of the file.
inline FileKind file_kind(const std::string& path) {
  struct stat status {};
  const FileDescriptor file = open_to_read(path, status);
  std::string head(65536, '\0');
  std::size_t filled = 0;
  while (filled < head.size()) {
    const ssize_t count = ::read(file.number(), head.data() + filled, head.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_unreadable(path, "read", errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  head.resize(filled);
  if (head.starts_with("MThd")) return FileKind::midi;
  if (head.starts_with("RIFF") && head.size() >= 12 && head.compare(8, 4, "WAVE") == 0)
    return FileKind::sound;
  if (head.starts_with("\xEF\xBB\xBF")) head.erase(0, 3);
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || head.find('\0') != std::string::npos) return FileKind::other;
  if (head[first] == '{' || head[first] == '[') return FileKind::json;
  try {
    const CsvTable table(head, path);
    if (is_note_table(table)) return FileKind::notes;
    return table.column_count() >= 3 ? FileKind::table : FileKind::other;
  } catch (const InputError&) {
    return FileKind::other;
  }
}

inline std::vector<Note> read_music(const std::string& path, std::vector<std::string>& remarks) {
  if (file_kind(path) == FileKind::notes) {
    NoteTable table = read_note_table(path);
    if (table.reversed > 0)
      remarks.push_back("left out, for they end before they start: " + std::to_string(table.reversed) +
                        " notes");
    return std::move(table.notes);
  }
  const MidiFile midi = read_midi_file(path);
  std::vector<Note> notes = midi.pitched_notes();
  std::size_t percussion = 0;
  for (const MidiTrack& track : midi.tracks) percussion += track.notes.size();
  percussion -= notes.size();
  if (percussion > 0) remarks.push_back("left out: percussion, " + std::to_string(percussion) + " notes");
  if (midi.pitch_bends > 0)
    remarks.push_back(std::to_string(midi.pitch_bends) + " pitch bends were passed over");
  return notes;
}

// What tells music whatever kind of file it was written in: its pitches in rising order, a byte each, and of
// every one the onset, in seconds from the first of all.
struct MusicKey {
  std::string pitches;
  std::vector<double> onsets;

  // MIDI files have onsets in ticks, tables perhaps in milliseconds.
  bool is_music_of(const MusicKey& other) const {
    constexpr double near_s = 5e-3;
    return pitches == other.pitches &&
           std::equal(onsets.begin(), onsets.end(), other.onsets.begin(), other.onsets.end(),
                      [](double a, double b) { return std::abs(a - b) <= near_s; });
  }
};

// Without notes where there are none, or they cannot be read.
inline MusicKey music_key(const std::string& path) {
  MusicKey key;
  std::vector<Note> notes;
  try {
    std::vector<std::string> remarks;
    notes = read_music(path, remarks);
  } catch (const InputError&) {
  }
  if (notes.empty()) return key;
  std::sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
    return a.pitch != b.pitch ? a.pitch < b.pitch : a.start < b.start;
  });
  const double first = std::min_element(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
                         return a.start < b.start;
                       })->start;
  for (const Note& note : notes) {
    key.pitches += static_cast<char>(note.pitch);
    key.onsets.push_back(note.start - first);
  }
  return key;
}

}  // namespace sources_detail

}  // namespace imu2music::inline v0
