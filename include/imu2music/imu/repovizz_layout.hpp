// The file names of the RepoVizz layout in which the TELMI project keeps its recordings: one text file an
// axis.
//
//   raw        <take>/<number>_<sensor>_<quantity>__<axis>.csv    27_take/00_myo1_gyro__x.csv
//   processed  <take>_<quantity>_<axis><n>.csv                    27_take_gyro_x1.csv: 1 is myo1
//
//   quantity      in the file    here
//   Rotation      rad            rotation, rad
//   gyro          degrees/s      angular velocity, rad/s
//   acceleration  m/s²           acceleration, m/s²
//
// The case of a quantity's letters does not matter. Pure functions on names; nothing throws.
// Source: RepoVizz (repovizz.upf.edu, CSV signal files) and the TELMI violin recordings (Universitat Pompeu
// Fabra).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

struct RepovizzQuantity {
  Quantity quantity;
  std::string_view name;  // in file names
  double to_si;           // SI value = to_si · value in the file
};

inline constexpr std::array<RepovizzQuantity, 3> repovizz_quantities = {{
    {Quantity::rotation, "Rotation", 1.0},
    {Quantity::angular_velocity, "gyro", radians_per_degree},
    {Quantity::acceleration, "acceleration", 1.0},
}};

inline constexpr std::string_view repovizz_axes = "xyz";

struct RepovizzFileName {
  bool is_raw = true;
  std::string take;               // processed only
  std::string sensor;             // "myo1"
  std::string quantity_name;      // as written
  int axis = 0;                   // 0 x, 1 y, 2 z
  std::string name;               // the whole file name
  std::size_t axis_position = 0;  // of the axis letter in `name`

  const RepovizzQuantity* quantity() const {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    for (const RepovizzQuantity& known : repovizz_quantities) {
      bool equal = known.name.size() == quantity_name.size();
      for (std::size_t i = 0; equal && i < known.name.size(); ++i)
        equal = lower(known.name[i]) == lower(quantity_name[i]);
      if (equal) return &known;
    }
    return nullptr;
  }

  // The name of the file beside this one that holds another axis.
  std::string sibling(int other_axis) const {
    std::string other = name;
    other[axis_position] = repovizz_axes[static_cast<std::size_t>(other_axis)];
    return other;
  }
};

// What a file name says, or nothing where it is not of this layout. The quantity may be an unknown one.
inline std::optional<RepovizzFileName> parse_repovizz_file_name(std::string_view name) {
  constexpr std::string_view extension = ".csv";
  if (!name.ends_with(extension)) return std::nullopt;
  const std::string_view stem = name.substr(0, name.size() - extension.size());
  const std::size_t last = stem.rfind('_');
  if (last == std::string_view::npos || last == 0 || last + 1 >= stem.size()) return std::nullopt;
  const std::size_t axis = repovizz_axes.find(stem[last + 1]);
  if (axis == std::string_view::npos) return std::nullopt;

  RepovizzFileName result;
  result.name = name;
  result.axis = static_cast<int>(axis);
  result.axis_position = last + 1;
  const std::string_view number = stem.substr(last + 2);
  result.is_raw = number.empty();
  if (result.is_raw != (stem[last - 1] == '_')) return std::nullopt;

  // What stands before the axis: "00_myo1_gyro" or "27_take_gyro".
  const std::string_view head = stem.substr(0, result.is_raw ? last - 1 : last);
  const std::size_t cut = head.rfind('_');
  if (cut == std::string_view::npos || cut == 0 || cut + 1 >= head.size()) return std::nullopt;
  result.quantity_name = head.substr(cut + 1);
  if (result.is_raw) {
    const std::size_t first = head.find('_');
    if (first + 1 >= cut) return std::nullopt;  // no sensor between number and quantity
    result.sensor = head.substr(first + 1, cut - first - 1);
  } else {
    if (number.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    result.take = head.substr(0, cut);
    result.sensor = "myo";
    result.sensor += number;
  }
  return result;
}

}  // namespace imu2music::inline v0
