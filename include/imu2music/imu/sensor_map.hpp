// Which sensor of a recording stands for each one that a model wants.
//
//   "myo1=left,myo2=right"      myo1 is the recording's left, myo2 its right
//   "myo1=phone,myo2=phone"     one sensor may stand for several
//   "1=wrist"                   for weights of our own model, which take sensors by order: the wrist is first
//
// map_sensors(recording, map) gives a recording with the named sensors only, under their new names. Cost: a
// copy of what is mapped. Errors: InputError for a map that is not as above, a name given twice, a sensor
// that the recording lacks.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct SensorMapEntry {
  std::string wanted, sensor;
};

inline std::vector<SensorMapEntry> parse_sensor_map(std::string_view text) {
  std::vector<SensorMapEntry> map;
  const auto refuse = [&](const std::string& fault) {
    throw InputError("the sensor map " + in_quotes(text) + " " + fault +
                     "; it should be like myo1=left,myo2=right");
  };
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == part.size())
      refuse("has " + in_quotes(part) + ", which is no NAME=SENSOR");
    map.push_back({std::string(part.substr(0, equals)), std::string(part.substr(equals + 1))});
    for (std::size_t i = 0; i + 1 < map.size(); ++i)
      if (map[i].wanted == map.back().wanted) refuse("names " + in_quotes(map.back().wanted) + " twice");
    if (comma == std::string_view::npos) return map;
    text.remove_prefix(comma + 1);
  }
}

inline Recording map_sensors(const Recording& recording, const std::vector<SensorMapEntry>& map) {
  Recording mapped;
  mapped.source = recording.source;
  mapped.notes = recording.notes;
  mapped.format = recording.format;
  for (const SensorMapEntry& entry : map) {
    const SensorTrack* sensor = recording.find_sensor(entry.sensor);
    if (sensor == nullptr)
      throw InputError(recording.source, "has no sensor " + in_quotes(entry.sensor),
                       "its sensors: " + recording.sensor_names());
    mapped.sensors.push_back(*sensor);
    mapped.sensors.back().name = entry.wanted;
  }
  return mapped;
}

}  // namespace imu2music::inline v0
