// Reads a skeleton of the Kinect, one frame a row, without a clock: 30 frames a second, the camera's rate,
// are taken, or the rate that is given. Recording::notes says so.
//
//   in space      SpineBase.x,SpineBase.y,SpineBase.z,state,SpineMid.x,…    metres, in camera coordinates
//                 (x to the camera's left, y up, z away from it); state is tracked, inferred or not tracked
//   in a picture  no header, 20 numbers a row: x, y of ten keypoints, in units of the picture that the file
//                 does not tell
//
// Each joint becomes a sensor of its name with a position (m); each keypoint of a picture joint1 … joint10
// with an image position. How many positions are not tracked is told in Recording::notes.
//
// Errors: those of read_csv_recording(); InputError where a joint lacks a coordinate.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline constexpr double kinect_rate_hz = 30.0;
inline constexpr std::size_t kinect_picture_columns = 20;

inline bool is_kinect_csv(const CsvTable& table) {
  const std::vector<std::string>& names = table.names();
  return names.size() >= 4 && names[0].ends_with(".x") && names[1].ends_with(".y") &&
         names[2].ends_with(".z") && names[3] == "state";
}

namespace kinect_detail {

inline CsvClock clock(double rate_hz) {
  CsvClock result;
  result.rate_hz = rate_hz > 0 ? rate_hz : kinect_rate_hz;
  return result;
}

inline void note_clock(Recording& recording, double rate_hz) {
  recording.rate_was_given = rate_hz > 0;
  if (!(rate_hz > 0)) recording.notes.push_back("the file has no clock: 30 frames a second are taken");
}

}  // namespace kinect_detail

inline Recording read_kinect_csv(const CsvTable& table, double rate_hz = 0) {
  std::vector<CsvTrack> joints;
  std::vector<std::size_t> states;
  const std::vector<std::string>& names = table.names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "state") {
      states.push_back(i);
      continue;
    }
    if (!names[i].ends_with(".x")) {
      if (names[i].ends_with(".y") || names[i].ends_with(".z") || names[i].empty()) continue;
      throw InputError(table.path(), "has a column " + in_quotes(names[i]) + " in a Kinect skeleton",
                       "its columns should be <joint>.x, <joint>.y, <joint>.z and state");
    }
    const std::string joint = names[i].substr(0, names[i].size() - 2);
    joints.push_back({joint,
                      {{Quantity::position,
                        {table.require(names[i]), table.require(joint + ".y"), table.require(joint + ".z")},
                        1.0}}});
  }
  Recording recording = read_csv_recording(table, kinect_detail::clock(rate_hz), joints);
  kinect_detail::note_clock(recording, rate_hz);
  std::int64_t untracked = 0, all = 0;
  table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t) {
    for (const std::size_t state : states) {
      untracked += fields[state] != "tracked";
      ++all;
    }
  });
  if (untracked > 0)
    recording.notes.push_back(std::to_string(untracked) + " of " + std::to_string(all) +
                              " positions are inferred and not tracked");
  return recording;
}

// `table` was made without a header.
inline bool is_kinect_picture_csv(const CsvTable& table) {
  return table.column_count() == kinect_picture_columns;
}

inline Recording read_kinect_picture_csv(const CsvTable& table, double rate_hz = 0) {
  std::vector<CsvTrack> joints;
  for (int joint = 0; joint < static_cast<int>(kinect_picture_columns / 2); ++joint)
    joints.push_back(
        {"joint" + std::to_string(joint + 1), {{Quantity::image_position, {2 * joint, 2 * joint + 1}, 1.0}}});
  Recording recording = read_csv_recording(table, kinect_detail::clock(rate_hz), joints);
  kinect_detail::note_clock(recording, rate_hz);
  return recording;
}

}  // namespace imu2music::inline v0
