// Reads a table of a conductor's wand (Arduino Nano 33 BLE):
//
//   ms,ax,ay,az,gx,gy,gz        milliseconds since the board started, g, °/s
//
// Becomes one sensor, wand. The header must be just that one: names as short as these say nothing of units,
// so other tables with them are read as generic_csv_reader.hpp says. Errors: those of read_csv_recording().
#pragma once

#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline bool is_wand_csv(const CsvTable& table) {
  return table.names() == std::vector<std::string>{"ms", "ax", "ay", "az", "gx", "gy", "gz"};
}

inline Recording read_wand_csv(const CsvTable& table) {
  CsvClock clock;
  clock.column = 0;
  clock.to_seconds = 1e-3;
  return read_csv_recording(table, clock,
                            {{"wand",
                              {{Quantity::acceleration, {1, 2, 3}, standard_gravity},
                               {Quantity::angular_velocity, {4, 5, 6}, radians_per_degree}}}});
}

}  // namespace imu2music::inline v0
