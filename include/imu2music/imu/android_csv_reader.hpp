// Reads a table of an Android phone's motion sensors:
//
//   session_id,timestamp,label,quaternion_w,quaternion_x,…,position_x,…,accelerometer_x,…,gyroscope_x,…
//
// timestamp is in milliseconds; accelerometer in m/s² with gravity, gyroscope in rad/s, as Android's
// SensorEvent defines them; the quaternion, w first in the file, turns the phone's coordinates into the
// world's. Becomes one sensor, phone: acceleration, angular velocity, orientation. Positions, magnetic field,
// linear acceleration, gravity and labels are left out. Errors: those of read_csv_recording().
#pragma once

#include <string>
#include <vector>

#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline bool is_android_csv(const CsvTable& table) {
  return table.has_all({"session_id", "timestamp", "quaternion_w", "accelerometer_x", "gyroscope_x"});
}

inline Recording read_android_csv(const CsvTable& table) {
  const auto axes = [&](const std::string& quantity) {
    return std::vector<int>{table.require(quantity + "_x"), table.require(quantity + "_y"),
                            table.require(quantity + "_z")};
  };
  CsvClock clock;
  clock.column = table.require("timestamp");
  clock.to_seconds = 1e-3;
  std::vector<int> quaternion = axes("quaternion");
  quaternion.push_back(table.require("quaternion_w"));
  return read_csv_recording(table, clock,
                            {{"phone",
                              {{Quantity::acceleration, axes("accelerometer"), 1.0},
                               {Quantity::angular_velocity, axes("gyroscope"), 1.0},
                               {Quantity::orientation, quaternion, 1.0}}}});
}

}  // namespace imu2music::inline v0
