// Reads a table of a Thalmic Myo armband, sampled and held at an even rate:
//
//   t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,…,euler_x_rad,…
//
// Becomes one sensor, myo: acceleration (g → m/s²), angular velocity (°/s → rad/s) and, where the file has
// them, three angles (rad) as its rotation. new_sample is 1 in rows that differ from the row before; that is
// what diagnose() finds by itself, so a column that disagrees is told in Recording::notes. Other columns are
// left out.
//
// Errors: those of read_csv_recording() in csv_table.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline bool is_myo_csv(const CsvTable& table) {
  return table.has_all({"t_s", "new_sample", "acc_x_g", "gyro_x_dps"});
}

inline Recording read_myo_csv(const CsvTable& table) {
  const auto axes = [&](const std::string& quantity, const std::string& unit) {
    return std::vector<int>{table.require(quantity + "_x_" + unit), table.require(quantity + "_y_" + unit),
                            table.require(quantity + "_z_" + unit)};
  };
  CsvTrack track{"myo",
                 {{Quantity::acceleration, axes("acc", "g"), standard_gravity},
                  {Quantity::angular_velocity, axes("gyro", "dps"), radians_per_degree}}};
  if (table.has("euler_x_rad")) track.channels.push_back({Quantity::rotation, axes("euler", "rad"), 1.0});
  CsvClock clock;
  clock.column = table.require("t_s");
  Recording recording = read_csv_recording(table, clock, {track});

  const int marks = table.require("new_sample");
  const SensorTrack& sensor = recording.sensors.front();
  std::int64_t wrong = 0;
  std::size_t i = 0;
  table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t line) {
    const bool marked = table.number(fields[static_cast<std::size_t>(marks)], marks, line) != 0;
    bool differs = i == 0;
    for (const Channel& channel : sensor.channels)
      for (int axis = 0; axis < axis_count(channel.quantity) && !differs; ++axis)
        differs = channel.axis(axis)[i] != channel.axis(axis)[i - 1];
    wrong += marked != differs;
    ++i;
  });
  if (wrong > 0)
    recording.notes.push_back("new_sample disagrees with the values in " + std::to_string(wrong) + " of " +
                              std::to_string(i) + " rows");
  return recording;
}

}  // namespace imu2music::inline v0
