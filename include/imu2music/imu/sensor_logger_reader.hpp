// Reads a recording of the phone application Sensor Logger: the folder of its unpacked zip, with one table a
// sensor.
//
//   TotalAcceleration.csv, Accelerometer.csv, Gravity.csv, Gyroscope.csv   time,seconds_elapsed,z,y,x
//   Orientation.csv    time,seconds_elapsed,yaw,qx,qz,roll,qw,qy,pitch     columns in any order
//   Metadata.csv       …,platform,…,standardisation,…
//
// time is in ns since 1970, seconds_elapsed in seconds since the recording began, which is the clock taken.
// Units are m/s², rad/s and rad. Accelerometer.csv has no gravity in it: acceleration is TotalAcceleration
// (Android) or else Accelerometer + Gravity (iOS). Where the platform is iOS and units and frames were not
// standardised, both have the opposite sign and are turned round. Rotation is roll, pitch, yaw as the file
// has them, whose sense differs between iOS and Android.
//
// Becomes one sensor, phone, on the times of the sensor with the most samples, of the acceleration's where
// none has a twentieth more (merge_sensors.hpp). The files tell their
// sensor by their names alone, so a single one is no recording. Without either kind of acceleration,
// Accelerometer.csv is refused and not passed off as acceleration with gravity. A table with fewer than two
// rows, which the application writes of a sensor that was off, counts as none and is told in
// Recording::notes.
//
// Errors: those of read_csv_recording() and merge_sensors(); InputError where no sensor is left.
// Source: github.com/tszheichoi/awesome-sensor-logger, UNITS, COORDINATES and CROSSPLATFORM.
#pragma once

#include <algorithm>
#include <array>
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

inline bool is_sensor_logger_csv(const CsvTable& table) { return table.has_all({"time", "seconds_elapsed"}); }

// Whether it is the table of one sensor: x, y, z, or Orientation.csv, which has nothing but angles and a
// quaternion.
inline bool is_sensor_logger_sensor_csv(const CsvTable& table) {
  if (!is_sensor_logger_csv(table)) return false;
  if (table.has_all({"x", "y", "z"})) return true;
  constexpr std::array<std::string_view, 9> orientation = {"time", "seconds_elapsed", "qx", "qy", "qz", "qw",
                                                           "roll", "pitch",           "yaw"};
  return table.has_all({"qx", "qy", "qz", "qw"}) &&
         std::all_of(table.names().begin(), table.names().end(), [&](const std::string& name) {
           return std::find(orientation.begin(), orientation.end(), name) != orientation.end();
         });
}

namespace sensor_logger_detail {

inline bool has_samples(const std::string& path) {
  const std::string text = read_text_file(path);
  return !csv_detail::trimmed(text).empty() && CsvTable(text, path).has_rows(2);
}

inline Recording read_track(const std::string& path, const std::string& name, Quantity quantity,
                            const std::vector<std::string_view>& names, double scale) {
  const std::string text = read_text_file(path);
  const CsvTable table(text, path);
  CsvClock clock;
  clock.column = table.require("seconds_elapsed");
  clock.origin_s = 0.0;
  std::vector<CsvChannel> channels = {{quantity, {}, scale}};
  for (const std::string_view column : names) channels[0].columns.push_back(table.require(column));
  if (quantity == Quantity::orientation && table.has_all({"roll", "pitch", "yaw"}))
    channels.push_back(
        {Quantity::rotation, {table.require("roll"), table.require("pitch"), table.require("yaw")}, 1.0});
  return read_csv_recording(table, clock, {{name, channels}});
}

// Whether signs of acceleration are those of iOS.
inline bool has_ios_signs(const std::string& path) {
  const std::string text = read_text_file(path);
  const CsvTable table(text, path);
  if (!table.has("platform")) return false;
  const auto platform = static_cast<std::size_t>(table.require("platform"));
  const int standardised = table.has("standardisation") ? table.require("standardisation") : -1;
  bool ios = false;
  table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t) {
    ios = csv_detail::lower_case(fields[platform]) == "ios" &&
          !(standardised >= 0 &&
            csv_detail::lower_case(fields[static_cast<std::size_t>(standardised)]) == "true");
  });
  return ios;
}

}  // namespace sensor_logger_detail

// Whether a folder with these files is such a recording; their content is looked at when it is read.
inline bool is_sensor_logger_folder(const std::string& folder, const FolderEntries& entries) {
  for (const std::string_view name : {"Gyroscope.csv", "TotalAcceleration.csv", "Accelerometer.csv"}) {
    if (!std::binary_search(entries.files.begin(), entries.files.end(), name)) continue;
    const std::string path = join_path(folder, std::string(name));
    const std::string text = read_text_file(path);
    if (csv_detail::trimmed(text).empty()) continue;
    return is_sensor_logger_csv(CsvTable(text, path));
  }
  return false;
}

inline Recording read_sensor_logger(const std::string& folder, const FolderEntries& entries) {
  namespace detail = sensor_logger_detail;
  const auto is_there = [&](std::string_view name) {
    return std::binary_search(entries.files.begin(), entries.files.end(), name);
  };
  const std::vector<std::string_view> xyz = {"x", "y", "z"};
  Recording recording;
  recording.source = folder;
  std::vector<std::string_view> with_samples;
  for (const std::string_view name :
       {"TotalAcceleration.csv", "Accelerometer.csv", "Gravity.csv", "Gyroscope.csv", "Orientation.csv"}) {
    if (!is_there(name)) continue;
    if (detail::has_samples(join_path(folder, std::string(name))))
      with_samples.push_back(name);
    else
      recording.notes.push_back("left out: " + std::string(name) + ", which has fewer than two rows");
  }
  if (with_samples.empty())
    throw InputError(folder, "holds no samples: each of its tables has fewer than two rows",
                     "record it again with the sensors on");
  const auto has = [&](std::string_view name) {
    return std::find(with_samples.begin(), with_samples.end(), name) != with_samples.end();
  };
  const bool turned = is_there("Metadata.csv") && detail::has_ios_signs(join_path(folder, "Metadata.csv"));
  const double sign = turned ? -1.0 : 1.0;

  std::vector<SensorTrack> tracks;
  const auto read = [&](const std::string& file, Quantity quantity,
                        const std::vector<std::string_view>& names, double scale) {
    Recording part = detail::read_track(join_path(folder, file), file, quantity, names, scale);
    for (const std::string& note : part.notes) recording.notes.push_back(file + ": " + note);
    return std::move(part.sensors.front());
  };
  if (has("TotalAcceleration.csv")) {
    tracks.push_back(read("TotalAcceleration.csv", Quantity::acceleration, xyz, sign));
  } else if (has("Accelerometer.csv") && has("Gravity.csv")) {
    const std::vector<SensorTrack> parts = {read("Accelerometer.csv", Quantity::acceleration, xyz, sign),
                                            read("Gravity.csv", Quantity::acceleration, xyz, sign)};
    SensorTrack sum = merge_sensors(parts, "Accelerometer.csv", folder);
    std::transform(sum.channels[0].samples.begin(), sum.channels[0].samples.end(),
                   sum.channels[1].samples.begin(), sum.channels[0].samples.begin(),
                   [](float motion, float gravity) { return motion + gravity; });
    sum.channels.resize(1);
    tracks.push_back(std::move(sum));
    recording.notes.push_back("acceleration is the sum of Accelerometer.csv and Gravity.csv");
  } else if (has("Accelerometer.csv")) {
    recording.notes.push_back("left out: Accelerometer.csv, which has no gravity in it");
  }
  if (turned && !tracks.empty())
    recording.notes.push_back("the signs of acceleration, those of iOS, were turned round");
  if (has("Gyroscope.csv")) tracks.push_back(read("Gyroscope.csv", Quantity::angular_velocity, xyz, 1.0));
  if (has("Orientation.csv"))
    tracks.push_back(read("Orientation.csv", Quantity::orientation, {"qx", "qy", "qz", "qw"}, 1.0));
  if (tracks.empty())
    throw InputError(folder,
                     "holds " + std::string(with_samples.front()) + " alone, which " +
                         (has("Gravity.csv") ? "is no motion" : "has no gravity in it"),
                     "record TotalAcceleration, or Accelerometer and Gravity, and the gyroscope, too");
  recording.sensors.push_back(merge_sensors(tracks, "phone", folder));
  start_at_zero(recording);
  return recording;
}

}  // namespace imu2music::inline v0
