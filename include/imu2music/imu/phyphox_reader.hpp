// Reads recordings of the phone application phyphox, exported as CSV: one table, or a folder with one a
// sensor.
//
//   "Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)",…
//   "Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)",…
//   "Time (s)","X (rad/s)","Y (rad/s)","Z (rad/s)"                       some of iOS
//
// The columns are read by the rules of generic_csv_reader.hpp and say all that is needed; a table of another
// program, with the same first column and no units in the rest, has those that are given. The files of a
// folder become one sensor, phone (merge_sensors.hpp); their names mean nothing, but for that of a Linear
// Accelerometer.csv of iOS, whose columns are those of its Accelerometer.csv. Linear acceleration, which has
// no gravity in it, is left out. Commas, tabs and semicolons are told apart; the export with decimal commas
// is refused. In a folder, tables without motion and those with fewer than two rows, of a sensor which was
// silent, are left out and told in Recording::notes.
//
// Errors: those of read_generic_csv() and merge_sensors(); InputError for a file of linear acceleration, and
// where a folder's tables are all silent.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/generic_csv_reader.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/file_bytes.hpp"

namespace imu2music::inline v0 {

inline bool is_phyphox_csv(const CsvTable& table) {
  return !table.names().empty() && table.names()[0] == "Time (s)";
}

namespace phyphox_detail {

// Whether the file's name alone tells that its acceleration has no gravity in it.
inline bool is_linear_by_name(const CsvTable& table) {
  const std::string name = csv_detail::lower_case(table.path().substr(table.path().rfind('/') + 1));
  return name.starts_with("linear") && table.has("X (m/s^2)");
}

// What of motion the table's columns hold.
inline std::set<Quantity> quantities(const CsvTable& table) {
  std::set<Quantity> held;
  for (const std::string& name : table.names()) {
    const csv_detail::ColumnName column = csv_detail::read_column_name(name);
    if (column.kind == csv_detail::ColumnName::Kind::value && (!column.is_bare || is_phyphox_csv(table)))
      held.insert(column.quantity);
  }
  return held;
}

// The names of the folder's other phyphox tables.
inline std::vector<std::string> other_tables(const std::string& folder,
                                             const std::vector<std::string>& files) {
  std::vector<std::string> others;
  for (const std::string& name : list_entries(folder).files) {
    if (!name.ends_with(".csv") || std::find(files.begin(), files.end(), name) != files.end()) continue;
    const std::string path = join_path(folder, name), text = read_text_file(path);
    const std::optional<CsvTable> table = table_in(text, path);
    if (table && is_phyphox_csv(*table)) others.push_back(name);
  }
  return others;
}

}  // namespace phyphox_detail

inline Recording read_phyphox_csv(const CsvTable& table, const CsvUnits& units = {}) {
  if (phyphox_detail::is_linear_by_name(table))
    throw InputError(table.path(), "holds linear acceleration, which has no gravity in it",
                     "record the accelerometer with gravity");
  return read_generic_csv(table, units, "phone");
}

// The names of the folder's phyphox tables of motion; none where it holds no such recording.
inline std::vector<std::string> phyphox_files(const std::string& folder, const FolderEntries& entries) {
  std::vector<std::string> files;
  constexpr std::size_t most_files = 32;
  std::size_t others = 0;
  for (const std::string& name : entries.files) {
    if (!name.ends_with(".csv")) continue;
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    if (csv_detail::trimmed(text).empty() || text.find('\0') != std::string::npos) continue;
    // A folder of other tables is told by its first one with motion; what is no table tells nothing.
    const std::optional<CsvTable> table = table_in(text, path);
    if (!table) continue;
    const bool motion =
        !phyphox_detail::quantities(*table).empty() && !phyphox_detail::is_linear_by_name(*table);
    if (!is_phyphox_csv(*table)) {
      if (files.empty() && (motion || ++others == most_files)) return {};
      continue;
    }
    if (motion) files.push_back(name);
    if (files.size() == most_files) return files;
  }
  return files;
}

// What two of the folder's tables hold, and the second of them; empty where each holds something else, as the
// tables of one recording do.
inline std::string phyphox_repeats(const std::string& folder, const std::vector<std::string>& files) {
  std::set<Quantity> held;
  for (const std::string& name : files) {
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    for (const Quantity quantity : phyphox_detail::quantities(CsvTable(text, path)))
      if (!held.insert(quantity).second) return std::string(to_string(quantity)) + ": the second is " + name;
  }
  return {};
}

inline Recording read_phyphox_folder(const std::string& folder, const std::vector<std::string>& files,
                                     const CsvUnits& units = {}) {
  if (const std::string repeats = phyphox_repeats(folder, files); !repeats.empty())
    throw InputError(folder, "holds two tables of " + repeats,
                     "name one of them, or keep one recording in a folder");
  Recording recording;
  recording.source = folder;
  std::vector<SensorTrack> tracks;
  for (const std::string& name : files) {
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    const CsvTable table(text, path);
    if (!table.has_rows(2)) {
      recording.notes.push_back("left out: " + name + ", which has fewer than two rows");
      continue;
    }
    Recording part = read_generic_csv(table, units, "phone", 0.0);
    for (const std::string& note : part.notes) recording.notes.push_back(name + ": " + note);
    for (SensorTrack& sensor : part.sensors) tracks.push_back(std::move(sensor));
  }
  for (const std::string& name : phyphox_detail::other_tables(folder, files))
    recording.notes.push_back("left out: " + one_line(name) + ", which has no motion with gravity in it");
  if (tracks.empty())
    throw InputError(folder, "holds no samples: each of its tables has fewer than two rows",
                     "record it again with the sensors on");
  recording.sensors.push_back(merge_sensors(tracks, "phone", folder));
  start_at_zero(recording);
  return recording;
}

}  // namespace imu2music::inline v0
