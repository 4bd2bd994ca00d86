// What the temporal encoder hears of a recording: chosen quantities of chosen sensors as channels of one
// frame rate.
//
//   values[c, i]   channel c at the time start_s + i / rate_hz on the recording's time axis
//
// Channels, sensor after sensor in the recording's order (map_sensors() gives it another), each with the
// quantities that the config names, in this order, axes x y z (w):
//   acceleration      m/s², 3
//   angular velocity  rad/s, 3
//   orientation       unit quaternion x y z w, 4; q and −q are one attitude: the sign is the one nearer to
//                     the frame before, and w ≥ 0 in the first
// Not standardised: mean and deviation stand with the encoder's weights.
//
// Every sensor is brought to rate_hz (resample.hpp: low-pass, and gaps held), then cut to where all have
// begun and none has ended. Sensors that begin at different times are aligned to the nearest frame.
//
// Sizes: values [C, frames], C = sensors × channels a sensor. Cost: that of at_rate for the channels used.
// Errors: InputError for a recording with too few sensors, a sensor without a wanted quantity or without
// samples, sensors that do not overlap in time, and what at_rate refuses; Error for a config whose channels
// are not those of its sensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/io/model_config.hpp"

namespace imu2music::inline v0 {

struct MotionChannels {
  Tensor<float> values;  // [C, frames]
  double rate_hz = 0;
  double start_s = 0;  // of frame 0, on the recording's time axis

  std::int64_t frames() const { return values.dim(1); }
};

// The quantities that a config names, in the order of its channels.
inline std::vector<Quantity> motion_quantities(const ModelConfig& config) {
  std::vector<Quantity> quantities;
  if (config.quantities != "angular_velocity") quantities.push_back(Quantity::acceleration);
  if (config.quantities != "acceleration") quantities.push_back(Quantity::angular_velocity);
  if (config.quantities == "acceleration+angular_velocity+orientation")
    quantities.push_back(Quantity::orientation);
  return quantities;
}

// C.
inline std::int64_t motion_channel_count(const ModelConfig& config) {
  return std::int64_t{config.sensors} * channels_per_sensor(config.quantities);
}

// The sensors and quantities that a config wants, still at their own rates. Throws InputError where one is
// lacking.
inline Recording wanted_sensors(const Recording& recording, const ModelConfig& config) {
  const std::vector<Quantity> quantities = motion_quantities(config);
  const auto count = static_cast<std::size_t>(config.sensors);
  const auto has_all = [&](const SensorTrack& sensor) {
    return std::all_of(quantities.begin(), quantities.end(),
                       [&](Quantity quantity) { return sensor.find(quantity) != nullptr; });
  };
  std::string wanted, missing, complete;
  for (const Quantity quantity : quantities)
    wanted += (wanted.empty() ? "" : ", ") + std::string(to_string(quantity));
  for (const SensorTrack& sensor : recording.sensors)
    if (has_all(sensor)) complete += (complete.empty() ? "" : ", ") + sensor.name;
  const std::string remedy = "wanted of " + std::to_string(count) +
                             (count == 1 ? " sensor: " : " sensors: ") + wanted +
                             "; its sensors with them: " + (complete.empty() ? "none" : complete);
  if (recording.sensors.size() < count)
    throw InputError(recording.source,
                     "has " + std::to_string(recording.sensors.size()) +
                         (recording.sensors.size() == 1 ? " sensor" : " sensors"),
                     remedy);
  for (std::size_t s = 0; s < count; ++s)
    for (const Quantity quantity : quantities)
      if (recording.sensors[s].find(quantity) == nullptr)
        missing += (missing.empty() ? "" : ", ") + std::string(to_string(quantity)) + " of sensor " +
                   recording.sensors[s].name;
  if (!missing.empty()) throw InputError(recording.source, "lacks " + missing, remedy);

  Recording result;
  result.source = recording.source;
  result.format = recording.format;
  for (std::size_t s = 0; s < count; ++s) {
    const SensorTrack& sensor = recording.sensors[s];
    SensorTrack used;
    used.name = sensor.name;
    used.clock = sensor.clock;
    for (const Quantity quantity : quantities) used.channels.push_back(*sensor.find(quantity));
    if (used.sample_count() == 0)
      throw InputError(recording.source, "sensor " + sensor.name + " has no samples", remedy);
    result.sensors.push_back(std::move(used));
  }
  return result;
}

// `notes`, where given, gets a sentence for each sensor that was held through gaps, and for each that begins
// late or ends early.
inline MotionChannels motion_channels(const Recording& recording, const ModelConfig& config,
                                      std::vector<std::string>* notes = nullptr) {
  const std::int64_t C = motion_channel_count(config);
  if (C != config.channels)
    throw Error("[motion_channels] a config of " + std::to_string(config.channels) + " channels has " +
                std::to_string(config.sensors) + " sensors with " + std::to_string(C) + " in all");
  const double rate_hz = config.rate_hz;
  Recording motion = at_rate(wanted_sensors(recording, config), rate_hz);
  if (notes != nullptr) {
    notes->insert(notes->end(), motion.notes.begin(), motion.notes.end());
    for (std::string& sentence : describe_late_and_early(motion)) notes->push_back(std::move(sentence));
  }
  start_together(motion);

  MotionChannels result;
  result.rate_hz = rate_hz;
  std::int64_t frames = motion.sensors.front().sample_count();
  for (const SensorTrack& sensor : motion.sensors) {
    frames = std::min(frames, sensor.sample_count());
    result.start_s =
        &sensor == &motion.sensors.front() ? sensor.start_s() : std::max(result.start_s, sensor.start_s());
  }
  result.values = Tensor<float>::uninitialised({C, frames});
  float* row = result.values.data();
  for (const SensorTrack& sensor : motion.sensors)
    for (const Channel& channel : sensor.channels) {
      const int axes = axis_count(channel.quantity);
      for (int axis = 0; axis < axes; ++axis)
        std::copy_n(channel.axis(axis).begin(), frames, row + axis * frames);
      if (channel.quantity == Quantity::orientation)
        for (std::int64_t i = 0; i < frames; ++i) {
          double agreement = i == 0 ? static_cast<double>(row[3 * frames]) : 0;
          for (int axis = 0; axis < 4 && i > 0; ++axis)
            agreement +=
                static_cast<double>(row[axis * frames + i]) * static_cast<double>(row[axis * frames + i - 1]);
          for (int axis = 0; axis < 4 && agreement < 0; ++axis)
            row[axis * frames + i] = -row[axis * frames + i];
        }
      row += axes * frames;
    }
  return result;
}

}  // namespace imu2music::inline v0
