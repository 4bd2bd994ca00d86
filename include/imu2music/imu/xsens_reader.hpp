// Reads what MT Manager exports of Xsens motion trackers (MTw and others): text, one file a tracker, with
// comment lines, then columns separated by tabs, semicolons or commas.
//
//   // Update Rate: 100.0Hz
//   PacketCounter  SampleTimeFine  Acc_X  Acc_Y  Acc_Z  Gyr_X … Quat_q0 Quat_q1 Quat_q2 Quat_q3  Roll Pitch
//   Yaw
//
//   Acc   m/s², with gravity     → acceleration         Quat_q0 … q3   w first, tracker to earth →
//   orientation Gyr   rad/s                  → angular velocity     Roll, Pitch, Yaw or Euler_X, _Y, _Z,
//   degrees → rotation
//
// The clock is the packet counter over the update rate of the comments, or the rate that is given. The
// counter has 16 bits and begins again after 65535; packets that were lost are gaps. SampleTimeFine, whose
// unit differs between devices, and all other columns are left out.
//
// A file becomes a sensor named by what follows the last _ in its file name, the tracker's identifier
// (…_00B421AF.txt). A folder whose text files are all of this form is one recording: their counters are one
// clock.
//
// Errors: those of read_csv_recording(); InputError where the rate is told nowhere or no quantity is there.
// Source: Xsens, MTw Awinda User Manual, document MW0502P.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/file_bytes.hpp"

namespace imu2music::inline v0 {

inline bool is_xsens_csv(const CsvTable& table) { return table.has("PacketCounter"); }

namespace xsens_detail {

inline constexpr double counter_values = 65536;

// "// Update Rate: 100.0Hz" → 100; 0 where no comment tells it.
inline double update_rate(const CsvTable& table) {
  for (const std::string_view comment : table.comments()) {
    const std::size_t at = comment.find("Update Rate:");
    if (at == std::string_view::npos) continue;
    const std::string_view text = csv_detail::trimmed(comment.substr(at + 12));
    double rate = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), rate).ec == std::errc{} && rate > 0 &&
        rate <= 100000)
      return rate;
  }
  return 0;
}

}  // namespace xsens_detail

inline Recording read_xsens_csv(const CsvTable& table, double rate_hz = 0,
                                std::optional<double> origin_s = std::nullopt) {
  if (!(rate_hz > 0)) rate_hz = xsens_detail::update_rate(table);
  if (!(rate_hz > 0))
    throw InputError(table.path(), "does not tell its rate",
                     "it should have a line '// Update Rate: 100.0Hz'; or give the rate");
  const std::string stem = file_stem(table.path());
  CsvTrack track;
  track.name = stem.substr(stem.rfind('_') + 1);
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
  add(Quantity::angular_velocity, {"Gyr_X", "Gyr_Y", "Gyr_Z"}, 1.0);
  add(Quantity::rotation, {"Roll", "Pitch", "Yaw"}, radians_per_degree);
  add(Quantity::rotation, {"Euler_X", "Euler_Y", "Euler_Z"}, radians_per_degree);
  add(Quantity::orientation, {"Quat_q1", "Quat_q2", "Quat_q3", "Quat_q0"}, 1.0);
  if (track.channels.empty())
    throw InputError(table.path(), "is an Xsens file without Acc, Gyr, Quat, Euler or Roll, Pitch, Yaw",
                     "export one of them; its columns are: " + table.list_of_names());
  CsvClock clock;
  clock.column = table.require("PacketCounter");
  clock.to_seconds = 1 / rate_hz;
  clock.wrap = xsens_detail::counter_values;
  clock.origin_s = origin_s;
  return read_csv_recording(table, clock, {track});
}

// The folder's .txt and .csv files, if there are any and all that are tables are of this form.
inline std::vector<std::string> xsens_files(const std::string& folder, const FolderEntries& entries) {
  std::vector<std::string> files;
  for (const std::string& name : entries.files) {
    if (!name.ends_with(".txt") && !name.ends_with(".csv")) continue;
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    const std::optional<CsvTable> table = table_in(text, path);
    if (!table) continue;
    if (!is_xsens_csv(*table)) return {};
    files.push_back(name);
  }
  return files;
}

inline Recording read_xsens_folder(const std::string& folder, const std::vector<std::string>& files,
                                   double rate_hz = 0) {
  Recording recording;
  recording.source = folder;
  for (const std::string& name : files) {
    const std::string path = join_path(folder, name);
    const std::string text = read_text_file(path);
    const CsvTable table(text, path);
    Recording part = read_xsens_csv(table, rate_hz, 0.0);
    for (const std::string& note : part.notes) recording.notes.push_back(name + ": " + note);
    SensorTrack sensor = std::move(part.sensors.front());
    if (recording.find_sensor(sensor.name) != nullptr) sensor.name = file_stem(name);
    // A tracker whose first packet came just after the counter began again.
    if (!recording.sensors.empty()) {
      const double turn =
          xsens_detail::counter_values / (rate_hz > 0 ? rate_hz : xsens_detail::update_rate(table));
      const double turns = std::round((recording.sensors.front().start_s() - sensor.start_s()) / turn);
      sensor.clock.start_s += sensor.clock.is_uniform() ? turns * turn : 0;
      for (double& time : sensor.clock.times_s) time += turns * turn;
    }
    recording.sensors.push_back(std::move(sensor));
  }
  start_at_zero(recording);
  return recording;
}

}  // namespace imu2music::inline v0
