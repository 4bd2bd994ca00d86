#include "recording_options.hpp"

#include "command.hpp"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/motion_channels.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/imu/skeleton_keypoints.hpp"

using namespace imu2music;

void add_recording_options(CLI::App& command, RecordingOptions& options) {
  command
      .add_option(
          "--units", options.units,
          "Units that a table does not name: acceleration=g|mg|ms2, gyro=dps|mdps|rads, rotation=deg|rad, "
          "time=s|ms|us|ns, separated by commas")
      ->check(given());
  command.add_option("--rate", options.rate_hz, "Samples a second of a recording without a clock")
      ->check(positive_number());
}

ReadOptions read_options(const RecordingOptions& options) {
  ReadOptions result;
  result.units.rate_hz = options.rate_hz;
  std::string_view rest = options.units;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const std::size_t equals = part.find('=');
    const std::string name(part.substr(0, equals)),
        unit(equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1));
    bool known = false;
    if (name == "acceleration") {
      known = csv_detail::unit_scale(Quantity::acceleration, unit).has_value();
      result.units.acceleration = unit;
    } else if (name == "gyro") {
      known = csv_detail::unit_scale(Quantity::angular_velocity, unit).has_value();
      result.units.angular_velocity = unit;
    } else if (name == "rotation") {
      known = csv_detail::unit_scale(Quantity::rotation, unit).has_value();
      result.units.rotation = unit;
    } else if (name == "time") {
      known = csv_detail::time_scale(unit).has_value();
      result.units.time = unit;
    }
    if (!known)
      throw InputError("--units has " + in_quotes(part) +
                       "; it should be like acceleration=g,gyro=dps,rotation=deg,time=ms");
  }
  return result;
}

void tell_unused_rate(const std::string& path, const Recording& recording, double rate_hz) {
  if (!(rate_hz > 0) || recording.rate_was_given || recording.common_rate_hz() == rate_hz) return;
  std::fprintf(stderr, "imu2music: %s: has a clock of its own: --rate %s was not used\n", path.c_str(),
               number_text(rate_hz).c_str());
}

namespace {

// `recording` as it is after mapping `unmapped`, whose names the user knows.
void require_armbands(const Recording& recording, const Recording& unmapped,
                      const RecordingOptions& options) {
  std::string missing;
  bool sensor_missing = false;
  for (const std::string_view wanted : reference_sensors) {
    const SensorTrack* sensor = recording.find_sensor(wanted);
    if (sensor == nullptr) {
      sensor_missing = true;
      missing += (missing.empty() ? "" : ", ") + std::string("sensor ") + std::string(wanted);
      continue;
    }
    for (const ReferenceQuantity& quantity : reference_quantities)
      if (sensor->find(quantity.quantity) == nullptr)
        missing += (missing.empty() ? "" : ", ") + std::string(to_string(quantity.quantity)) + " of " +
                   std::string(wanted);
  }
  if (missing.empty()) return;
  std::string has, complete;
  std::size_t listed = 0;
  for (const SensorTrack& sensor : unmapped.sensors) {
    bool all = true;
    for (const ReferenceQuantity& quantity : reference_quantities)
      all = all && sensor.find(quantity.quantity) != nullptr;
    if (all && complete.empty()) complete = sensor.name;
    if (listed++ == 4) has += ", ...";
    if (listed > 4) continue;
    has += (has.empty() ? "" : ", ") + sensor.name + " (";
    for (std::size_t i = 0; i < sensor.channels.size(); ++i)
      has += (i == 0 ? "" : ", ") + std::string(to_string(sensor.channels[i].quantity));
    has += ")";
  }
  std::string remedy = "wanted are rotation, angular velocity and acceleration of two armbands";
  if (sensor_missing && !complete.empty())
    remedy += "; map sensors to them: --sensors myo1=" + complete + ",myo2=" + complete;
  else if (sensor_missing && options.sensors.empty())
    remedy += ", and none of its sensors has them all";
  throw InputError(recording.source, "lacks " + missing + "; it has " + (has.empty() ? "no sensors" : has),
                   remedy);
}

// One line each on standard error.
void tell(const std::string& path, std::span<const std::string> sentences) {
  for (const std::string& sentence : sentences)
    std::fprintf(stderr, "imu2music: %s: %s\n", path.c_str(), sentence.c_str());
}

// What the reader and, of the sensors `used`, diagnose() found in the recording is told; `mapped`, which is
// made of them, comes back evened out, once for all that is made of it. Through what it was held is told,
// too.
Recording told_and_even(const std::string& path, const Recording& recording, Recording mapped,
                        const std::vector<std::string>& used, double rate_hz) {
  // Each once: what is wrong with the others does not matter.
  std::vector<SensorMapEntry> once;
  for (const std::string& name : used)
    if (std::none_of(once.begin(), once.end(), [&](const SensorMapEntry& one) { return one.sensor == name; }))
      once.push_back({name, name});
  const std::size_t notes = mapped.notes.size();
  even_out(mapped, rate_hz);
  tell(path, recording.notes);
  tell(path, describe(diagnose(map_sensors(recording, once))));
  tell(path, std::span<const std::string>(mapped.notes).subspan(notes));
  return mapped;
}

std::vector<SensorMapEntry> map_of_armbands(const std::string& sensors) {
  if (sensors.empty()) return {};
  std::vector<SensorMapEntry> map = parse_sensor_map(sensors);
  for (const SensorMapEntry& entry : map)
    if (std::find(reference_sensors.begin(), reference_sensors.end(), entry.wanted) ==
        reference_sensors.end())
      throw InputError("--sensors names " + in_quotes(entry.wanted) +
                       "; these weights take 2 sensors, myo1 and myo2");
  return map;
}

}  // namespace

std::vector<SensorMapEntry> sensor_map_for(const ModelConfig& config, const std::string& sensors) {
  if (sensors.empty()) return {};
  if (config.encoder == "none")
    throw InputError("--sensors maps motion sensors; these weights write music without motion");
  if (config.encoder == "pose")
    throw InputError("--sensors maps motion sensors; these weights take keypoints, which are found by name");
  if (config.encoder != "temporal") return map_of_armbands(sensors);
  std::vector<SensorMapEntry> map = parse_sensor_map(sensors);
  if (map.size() != static_cast<std::size_t>(config.sensors))
    throw InputError("--sensors names " + std::to_string(map.size()) +
                     (map.size() == 1 ? " sensor" : " sensors") + "; these weights take " +
                     std::to_string(config.sensors));
  return map;
}

Recording open_armbands(const std::string& path, const RecordingOptions& options) {
  const ReadOptions how = read_options(options);
  const std::vector<SensorMapEntry> map = map_of_armbands(options.sensors);
  const Recording recording = read_recording(path, how);
  Recording mapped = map.empty() ? recording : map_sensors(recording, map);
  require_armbands(mapped, recording, options);
  tell_unused_rate(path, recording, options.rate_hz);
  std::vector<std::string> used;
  for (const SensorMapEntry& entry : map) used.push_back(entry.sensor);
  if (map.empty())
    for (const std::string_view name : reference_sensors) used.emplace_back(name);
  return told_and_even(path, recording, std::move(mapped), used, reference_rate_hz);
}

Recording open_sensors(const std::string& path, const RecordingOptions& options, const ModelConfig& config) {
  const ReadOptions how = read_options(options);
  const std::vector<SensorMapEntry> map = sensor_map_for(config, options.sensors);
  const Recording recording = read_recording(path, how);
  Recording mapped = wanted_sensors(map.empty() ? recording : map_sensors(recording, map), config);
  tell_unused_rate(path, recording, options.rate_hz);
  std::vector<std::string> used;
  for (std::size_t i = 0; i < mapped.sensors.size(); ++i)
    used.push_back(map.empty() ? mapped.sensors[i].name : map[i].sensor);
  return told_and_even(path, recording, std::move(mapped), used, config.rate_hz);
}

Recording open_keypoints(const std::string& path, const RecordingOptions& options,
                         const ModelConfig& config) {
  sensor_map_for(config, options.sensors);
  Recording recording = read_recording(path, read_options(options));
  require_keypoints(recording, config.layout);
  tell_unused_rate(path, recording, options.rate_hz);
  tell(path, recording.notes);
  return recording;
}
