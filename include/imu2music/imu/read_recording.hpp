// Reads a recording of any form that is known, told by its content; names of files decide nothing but which
// sensor a file of Sensor Logger or Xsens belongs to, and that a folder holds OpenPose's frames or RepoVizz's
// signals.
//
//   folder   Sensor Logger, phyphox, Xsens trackers, OpenPose's frames; otherwise RepoVizz
//   file     Myo JSON; Xsens; Myo, wand and Android tables; Kinect skeletons; phyphox; any table whose
//            columns say what they are (generic_csv_reader.hpp)
//
// Every layout is described in docs/formats.md. What is read is in SI units on one clock that begins at 0 and
// never falls, quaternions x y z w, sensors by name; what is wrong with it is found by diagnose().
//
// Options matter only where a file is silent: units that no column names, the rate of a file without a clock.
//
// Cost: linear in the file, at most ten times its size in memory. Errors: InputError, as the readers say.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/android_csv_reader.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/generic_csv_reader.hpp"
#include "imu2music/imu/kinect_csv_reader.hpp"
#include "imu2music/imu/myo_csv_reader.hpp"
#include "imu2music/imu/myo_json_reader.hpp"
#include "imu2music/imu/openpose_reader.hpp"
#include "imu2music/imu/phyphox_reader.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/repovizz_reader.hpp"
#include "imu2music/imu/sensor_logger_reader.hpp"
#include "imu2music/imu/wand_csv_reader.hpp"
#include "imu2music/imu/xsens_reader.hpp"
#include "imu2music/io/file_bytes.hpp"

namespace imu2music::inline v0 {

struct ReadOptions {
  CsvUnits units;
};

namespace read_recording_detail {

// Whether a line of the text has numbers only: such a table has no header.
inline bool begins_with_numbers(const CsvTable& table) {
  return std::all_of(table.names().begin(), table.names().end(), [](const std::string& name) {
    double value = 0;
    return !name.empty() && csv_detail::parse_field(name, value);
  });
}

inline Recording as(const char* format, Recording recording) {
  recording.format = format;
  return recording;
}

}  // namespace read_recording_detail

// The recording that `text`, the content of the file `path`, holds. `path` serves the messages, and names the
// sensor of an Xsens file.
inline Recording parse_recording(std::string_view text, const std::string& path,
                                 const ReadOptions& options = {}) {
  using read_recording_detail::as;
  const std::string known = "docs/formats.md tells which recordings can be read";
  const double rate_hz = options.units.rate_hz;
  if (options.units.rate_hz != 0 && !(rate_hz > 0 && rate_hz <= 100000))
    throw InputError(path, "a rate of " + number_text(rate_hz) + " Hz is no rate",
                     "it should be from above 0 to 100000");
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) throw InputError(path, "is empty", known);
  if (text.starts_with("PK\x03\x04"))
    throw InputError(path, "is a zip archive", "unpack it and name its folder");
  if (text.starts_with("MThd")) throw InputError(path, "is a MIDI file and no recording of motion", known);
  if (text.starts_with("repovizz,"))
    throw InputError(path, "is one axis of a RepoVizz recording", "name the recording's folder");
  if (text.find('\0') != std::string_view::npos) throw InputError(path, "is no text and no recording", known);
  if (text[first] == '{' || text[first] == '[') return as("Myo JSON", read_myo_json(text, path));

  const CsvTable table(text, path);
  if (is_xsens_csv(table)) return read_xsens_csv(table, rate_hz);
  if (is_kinect_csv(table)) return as("Kinect skeleton", read_kinect_csv(table, rate_hz));
  if (is_myo_csv(table)) return as("Myo table", read_myo_csv(table));
  if (is_wand_csv(table)) return as("wand table", read_wand_csv(table));
  if (is_android_csv(table)) return as("Android table", read_android_csv(table));
  if (is_phyphox_csv(table)) return as("phyphox", read_phyphox_csv(table, options.units));
  if (is_sensor_logger_sensor_csv(table))
    throw InputError(path, "is one sensor of a Sensor Logger recording and does not tell which",
                     "name the recording's folder");
  if (read_recording_detail::begins_with_numbers(table)) {
    const CsvTable rows(text, path, false);
    if (is_kinect_picture_csv(rows))
      return as("Kinect skeleton in a picture", read_kinect_picture_csv(rows, rate_hz));
    throw InputError(path, "is a table without column names", "its first line should name the columns");
  }
  return as("generic table", read_generic_csv(table, options.units));
}

// What the files of a folder itself, not of folders below it, make.
enum class FolderKind { other, repovizz, sensor_logger, phyphox, xsens, openpose };

inline FolderKind folder_kind(const std::string& path) {
  const FolderEntries entries = list_entries(path);
  if (is_sensor_logger_folder(path, entries)) return FolderKind::sensor_logger;
  // A folder of RepoVizz signals has hundreds of tables that need not be looked at.
  for (const std::string& name : entries.files) {
    const auto signal = parse_repovizz_file_name(name);
    if (signal && signal->quantity() != nullptr) return FolderKind::repovizz;
  }
  if (!phyphox_files(path, entries).empty()) return FolderKind::phyphox;
  if (is_openpose_folder(entries)) return FolderKind::openpose;
  if (!xsens_files(path, entries).empty()) return FolderKind::xsens;
  return FolderKind::other;
}

inline Recording read_recording(const std::string& path, const ReadOptions& options = {}) {
  using read_recording_detail::as;
  if (is_folder(path)) {
    const FolderEntries entries = list_entries(path);
    switch (folder_kind(path)) {
      case FolderKind::sensor_logger:
        return as("Sensor Logger", read_sensor_logger(path, entries));
      case FolderKind::phyphox:
        return as("phyphox", read_phyphox_folder(path, phyphox_files(path, entries), options.units));
      case FolderKind::xsens:
        return read_xsens_folder(path, xsens_files(path, entries), options.units.rate_hz);
      case FolderKind::openpose:
        return as("OpenPose keypoints", read_openpose(path, entries, options.units.rate_hz));
      case FolderKind::repovizz:
      case FolderKind::other:  // of which one may lie below, and which it refuses otherwise
        return as("RepoVizz", read_repovizz(path));
    }
  }
  struct stat status {};
  if (path.find('\0') != std::string::npos || ::stat(path.c_str(), &status) != 0)
    return as("RepoVizz", read_repovizz(path));  // <folder>/<take>, or an error
  const std::string text = read_text_file(path);
  return parse_recording(text, path, options);
}

}  // namespace imu2music::inline v0
