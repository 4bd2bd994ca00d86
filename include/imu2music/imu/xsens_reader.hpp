// Reads what Xsens motion trackers record, as text, one file a tracker, with columns separated by tabs,
// semicolons or commas: the export of MT Manager (MTw and others), and that of Xsens DOT (now Movella DOT).
//
//   // Update Rate: 100.0Hz
//   PacketCounter  SampleTimeFine  Acc_X  Acc_Y  Acc_Z  Gyr_X …  Quat_q0 …  Roll  Pitch  Yaw
//
//   sep=,
//   DeviceTag:,left wrist
//   SyncStatus:,Synced
//   OutputRate:,60Hz
//
//   PacketCounter,SampleTimeFine,Quat_W,Quat_X,Quat_Y,Quat_Z,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z
//
//                 MT Manager                            DOT
//   Acc           m/s², with gravity                    m/s², with gravity       → acceleration
//   Gyr           rad/s                                 °/s                      → angular velocity
//   Quat          q0 … q3, q0 is w                      W X Y Z                  → orientation, to earth
//   angles, °     Roll Pitch Yaw, or Euler_X _Y _Z      Euler_X _Y _Z            → rotation
//   clock         packet counter over the update rate   SampleTimeFine in µs, or packet counter over the
//                                                       output rate where it is not there
//   begins again  after 2¹⁶ packets                     after 2³² µs or packets
//   name          what follows the last _ in the        DeviceTag, or the file's name
//                 file's name (…_00B421AF.txt)
//
// A file is of DOT where its first lines are, or where it has no // comments and a column Quat_W, Euler_X or
// dq_W, which MT Manager does not write; it is of MT Manager where it has such comments, or Quat_q0 or Roll.
// A file that tells neither and has Gyr is refused, for its unit is not known. The rate may be given where no
// line tells it; a line that does holds. Packets that were lost are gaps. MT Manager's SampleTimeFine, whose
// unit differs between devices, and all other columns are left out.
//
// A folder whose text files are all of these forms is one recording: their counters are one clock, and so are
// the clocks of DOTs, which must have been synchronised.
//
// Errors: those of read_csv_recording(); InputError where the rate is told nowhere, no quantity is there or
// the maker is not known; for a folder of both kinds, or of DOTs without a common clock.
// Sources: Xsens, MTw Awinda User Manual, document MW0502P; Movella DOT User Manual, document XD0502P.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
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

inline bool is_xsens_csv(const CsvTable& table) { return table.has("PacketCounter"); }

namespace xsens_detail {

enum class Program { mt_manager, dot };

// What follows `key` in one of the lines before the header; empty where none has it.
inline std::string_view told(const CsvTable& table, std::string_view key) {
  for (const std::string_view comment : table.comments()) {
    const std::size_t at = comment.find(key);
    if (at == std::string_view::npos) continue;
    std::string_view text = comment.substr(at + key.size());
    const std::size_t first = text.find_first_not_of(" \t,;");
    if (first == std::string_view::npos) return {};
    text.remove_prefix(first);
    return csv_detail::trimmed(text.substr(0, text.find_first_of("\t,;")));
  }
  return {};
}

inline Program program_of(const CsvTable& table) {
  bool slashes = false;
  for (const std::string_view comment : table.comments()) {
    if (comment.starts_with("DeviceTag:")) return Program::dot;
    slashes = slashes || comment.starts_with("//");
  }
  if (slashes) return Program::mt_manager;
  if (table.has("Quat_W") || table.has("Euler_X") || table.has("dq_W")) return Program::dot;
  if (table.has("Gyr_X") && !table.has("Quat_q0") && !table.has("Roll"))
    throw InputError(table.path(),
                     "does not tell whether MT Manager or Xsens DOT wrote it, and so not the unit of Gyr",
                     "leave the lines before its column names in it");
  return Program::mt_manager;
}

// "// Update Rate: 100.0Hz", "OutputRate:,60Hz" → the rate; 0 where no line tells it.
inline double rate_of(const CsvTable& table, Program program) {
  const std::string_view text = told(table, program == Program::dot ? "OutputRate:" : "Update Rate:");
  double rate = 0;
  const bool is_number = std::from_chars(text.data(), text.data() + text.size(), rate).ec == std::errc{};
  return is_number && rate > 0 && rate <= 100000 ? rate : 0;
}

inline CsvClock clock_of(const CsvTable& table, Program program, double rate_hz) {
  CsvClock clock;
  clock.wrap = program == Program::dot ? 4294967296.0 : 65536.0;
  if (program == Program::dot && table.has("SampleTimeFine")) {
    clock.column = table.require("SampleTimeFine");
    clock.to_seconds = 1e-6;
    return clock;
  }
  if (const double told_hz = rate_of(table, program); told_hz > 0) rate_hz = told_hz;
  if (!(rate_hz > 0))
    throw InputError(table.path(), "does not tell its rate",
                     program == Program::dot
                         ? "it should have a line 'OutputRate:,60Hz'; or give the rate (--rate 60)"
                         : "it should have a line '// Update Rate: 100.0Hz'; or give the rate (--rate 100)");
  clock.column = table.require("PacketCounter");
  clock.to_seconds = 1 / rate_hz;
  return clock;
}

}  // namespace xsens_detail

inline Recording read_xsens_csv(const CsvTable& table, double rate_hz = 0,
                                std::optional<double> origin_s = std::nullopt) {
  const xsens_detail::Program program = xsens_detail::program_of(table);
  const bool dot = program == xsens_detail::Program::dot;
  CsvClock clock = xsens_detail::clock_of(table, program, rate_hz);
  clock.origin_s = origin_s;
  const std::string stem = file_stem(table.path());
  CsvTrack track;
  track.name = dot ? std::string(xsens_detail::told(table, "DeviceTag:")) : stem.substr(stem.rfind('_') + 1);
  if (track.name.empty()) track.name = stem;
  const auto add = [&](Quantity quantity, const std::vector<std::string_view>& names, double scale) {
    if (std::none_of(names.begin(), names.end(), [&](std::string_view name) { return table.has(name); }))
      return;
    if (std::any_of(track.channels.begin(), track.channels.end(),
                    [&](const CsvChannel& known) { return known.quantity == quantity; }))
      return;
    CsvChannel channel{quantity, {}, scale};
    for (const std::string_view name : names) channel.columns.push_back(table.require(name));
    track.channels.push_back(std::move(channel));
  };
  add(Quantity::acceleration, {"Acc_X", "Acc_Y", "Acc_Z"}, 1.0);
  add(Quantity::angular_velocity, {"Gyr_X", "Gyr_Y", "Gyr_Z"}, dot ? radians_per_degree : 1.0);
  if (!dot) add(Quantity::rotation, {"Roll", "Pitch", "Yaw"}, radians_per_degree);
  add(Quantity::rotation, {"Euler_X", "Euler_Y", "Euler_Z"}, radians_per_degree);
  if (dot)
    add(Quantity::orientation, {"Quat_X", "Quat_Y", "Quat_Z", "Quat_W"}, 1.0);
  else
    add(Quantity::orientation, {"Quat_q1", "Quat_q2", "Quat_q3", "Quat_q0"}, 1.0);
  if (track.channels.empty())
    throw InputError(table.path(), "is an Xsens file without Acc, Gyr, Quat, Euler or Roll, Pitch, Yaw",
                     "export one of them; its columns are: " + table.list_of_names());
  Recording recording = read_csv_recording(table, clock, {track});
  recording.format = dot ? "Xsens DOT" : "Xsens MT Manager";
  recording.rate_was_given =
      rate_hz > 0 && !(dot && table.has("SampleTimeFine")) && !(xsens_detail::rate_of(table, program) > 0);
  return recording;
}

// The folder's .txt and .csv files, if there are any and all that are tables of motion are of this form.
inline std::vector<std::string> xsens_files(const std::string& folder, const FolderEntries& entries) {
  std::vector<std::string> files;
  for (const std::string& name : entries.files) {
    if (!name.ends_with(".txt") && !name.ends_with(".csv")) continue;
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    const std::optional<CsvTable> table = table_in(text, path);
    if (!table) continue;
    if (!is_xsens_csv(*table)) {
      // What has no column of motion, as a README, is no recording that could be meant in its place.
      if (std::all_of(table->names().begin(), table->names().end(), [](const std::string& column) {
            return csv_detail::read_column_name(column).kind == csv_detail::ColumnName::Kind::other;
          }))
        continue;
      return {};
    }
    files.push_back(name);
  }
  return files;
}

inline Recording read_xsens_folder(const std::string& folder, const std::vector<std::string>& files,
                                   double rate_hz = 0) {
  using xsens_detail::Program;
  Recording recording;
  recording.source = folder;
  bool sync_is_told = true;
  for (const std::string& name : files) {
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    const CsvTable table(text, path);
    Recording part = read_xsens_csv(table, rate_hz, 0.0);
    if (recording.format.empty()) recording.format = part.format;
    recording.rate_was_given = recording.rate_was_given || part.rate_was_given;
    if (part.format != recording.format)
      throw InputError(folder, "holds files of MT Manager and of Xsens DOT, which have no clock in common",
                       "keep one recording in a folder");
    const Program program = xsens_detail::program_of(table);
    if (program == Program::dot && files.size() > 1) {
      const std::string_view sync = xsens_detail::told(table, "SyncStatus:");
      if (!table.has("SampleTimeFine") || csv_detail::lower_case(sync).starts_with("un"))
        throw InputError(path,
                         table.has("SampleTimeFine")
                             ? "was not synchronised, so the folder's trackers have no clock in common"
                             : "has no SampleTimeFine, so the folder's trackers have no clock in common",
                         "synchronise them before they record; or name one of the files");
      sync_is_told = sync_is_told && !sync.empty();
    }
    for (const std::string& note : part.notes) recording.notes.push_back(name + ": " + note);
    SensorTrack sensor = std::move(part.sensors.front());
    if (recording.find_sensor(sensor.name) != nullptr) sensor.name = file_stem(name);
    // A tracker whose first packet came just after the counter began again.
    if (!recording.sensors.empty()) {
      const CsvClock clock = xsens_detail::clock_of(table, program, rate_hz);
      const double turn = clock.wrap * clock.to_seconds;
      const double turns = std::round((recording.sensors.front().start_s() - sensor.start_s()) / turn);
      sensor.clock.start_s += sensor.clock.is_uniform() ? turns * turn : 0;
      for (double& time : sensor.clock.times_s) time += turns * turn;
    }
    recording.sensors.push_back(std::move(sensor));
  }
  for (const std::string& name : list_entries(folder).files)
    if ((name.ends_with(".txt") || name.ends_with(".csv")) &&
        std::find(files.begin(), files.end(), name) == files.end())
      recording.notes.push_back("left out: " + one_line(name) + ", which has no column of motion");
  if (!sync_is_told)
    recording.notes.push_back("no line tells whether the trackers were synchronised: one clock is taken");
  start_at_zero(recording);
  return recording;
}

}  // namespace imu2music::inline v0
