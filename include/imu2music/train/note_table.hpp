// Notes as a table of text: read from the forms in which performed music is published, and written.
//
//   onset_s,offset_s,midi[,velocity]     seconds; the form that is written
//   start,end,…,pitch[,velocity]         seconds; columns onset and offset beside them are a score's ticks
//   onset,offset,…,midi_number           seconds
//
// Columns may stand in any order among others. Velocity is 64 where there is none. Notes come by start, then
// pitch. Written times are the shortest texts that read back as the same double, so a table gives back
// exactly the notes it was made of. A note that ends before it starts is left out and counted; one without
// length is kept (transcriptions have frames).
//
// Cost: one pass. Errors: InputError with the line for a time that is no finite number, a pitch or velocity
// that is no whole number in 0..127.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct NoteTable {
  std::vector<Note> notes;
  std::size_t reversed = 0;  // notes left out, for they ended before they started
};

namespace note_table_detail {

struct Columns {
  int start = -1, end = -1, pitch = -1, velocity = -1;
};

// Of a table that holds notes; all −1 otherwise.
inline Columns columns_of(const CsvTable& table) {
  struct Names {
    std::string_view start, end, pitch;
  };
  static constexpr std::array<Names, 3> forms = {
      {{"onset_s", "offset_s", "midi"}, {"start", "end", "pitch"}, {"onset", "offset", "midi_number"}}};
  for (const Names& form : forms) {
    if (!table.has_all({form.start, form.end, form.pitch})) continue;
    Columns columns{table.require(form.start), table.require(form.end), table.require(form.pitch), -1};
    if (table.has("velocity")) columns.velocity = table.require("velocity");
    return columns;
  }
  return {};
}

inline int midi_number(const CsvTable& table, std::string_view field, int column, std::int64_t line) {
  const double value = table.number(field, column, line);
  if (!(value >= 0 && value <= 127) || value != std::floor(value))
    throw InputError(
        table.path(),
        "line " + std::to_string(line) + ", column " + table.name_of(column) + ": " + in_quotes(field),
        "a whole number from 0 to 127 is right");
  return static_cast<int>(value);
}

}  // namespace note_table_detail

inline bool is_note_table(const CsvTable& table) { return note_table_detail::columns_of(table).pitch >= 0; }

inline void sort_notes(std::vector<Note>& notes) {
  std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
    return a.start != b.start ? a.start < b.start : a.pitch < b.pitch;
  });
}

inline NoteTable read_note_table(const CsvTable& table) {
  const note_table_detail::Columns columns = note_table_detail::columns_of(table);
  if (columns.pitch < 0)
    throw InputError(table.path(), "holds no notes: its columns are " + table.list_of_names(),
                     "a table of notes has the columns onset_s, offset_s and midi");
  NoteTable result;
  result.notes.reserve(table.row_limit(3));  // a vector that grows would take more than the text may ask for
  table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t line) {
    const auto field = [&](int column) { return fields[static_cast<std::size_t>(column)]; };
    const auto time = [&](int column) {
      const double value = table.number(field(column), column, line);
      if (!std::isfinite(value))
        throw InputError(
            table.path(),
            "line " + std::to_string(line) + ", column " + table.name_of(column) + ": there is no time",
            "every note should have a start and an end in seconds");
      return value;
    };
    Note note;
    note.start = time(columns.start);
    note.end = time(columns.end);
    note.pitch = note_table_detail::midi_number(table, field(columns.pitch), columns.pitch, line);
    if (columns.velocity >= 0)
      note.velocity = note_table_detail::midi_number(table, field(columns.velocity), columns.velocity, line);
    if (note.end < note.start)
      ++result.reversed;
    else
      result.notes.push_back(note);
  });
  sort_notes(result.notes);
  return result;
}

inline NoteTable read_note_table(const std::string& path) {
  const std::string text = read_text_file(path);
  return read_note_table(CsvTable(text, path));
}

inline std::string note_table_text(std::span<const Note> notes) {
  std::string text = "onset_s,offset_s,midi,velocity\n";
  for (const Note& note : notes)
    text += number_text(note.start) + "," + number_text(note.end) + "," + std::to_string(note.pitch) + "," +
            std::to_string(note.velocity) + "\n";
  return text;
}

inline void write_note_table(const std::string& path, std::span<const Note> notes) {
  AtomicFile file(path);
  file.write(note_table_text(notes));
  file.commit();
}

}  // namespace imu2music::inline v0
