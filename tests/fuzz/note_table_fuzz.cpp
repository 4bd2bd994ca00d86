// Tables of notes: in order and in range, and the same ones again from the table that is written of them.
#include <cmath>
#include <cstddef>

#include "imu2music/train/note_table.hpp"
#include "target.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  const NoteTable table = read_note_table(CsvTable(bytes, fuzz::name));
  for (std::size_t i = 0; i < table.notes.size(); ++i) {
    const Note& note = table.notes[i];
    fuzz::require(note.pitch >= 0 && note.pitch < 128 && note.velocity >= 0 && note.velocity < 128, "a note");
    fuzz::require(std::isfinite(note.start) && note.end >= note.start && std::isfinite(note.end),
                  "a note's time");
    fuzz::require(i == 0 || table.notes[i - 1].start <= note.start, "the notes' order");
  }
  fuzz::allow(100 * bytes.size() + (std::size_t{1} << 20));
  const std::string text = note_table_text(table.notes);
  const NoteTable again = read_note_table(CsvTable(text, fuzz::name));
  fuzz::require(again.notes == table.notes && again.reversed == 0,
                "the notes that are written and read again");
}

const fuzz::Target target("note_table", read);

}  // namespace
