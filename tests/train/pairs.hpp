// Small pairs for the tests of data sets: two sensors of noise and a scale.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "imu2music/core/random.hpp"
#include "imu2music/train/dataset.hpp"

namespace test {

inline imu2music::Recording noise_recording(std::uint64_t seed, double seconds = 4, double rate_hz = 50) {
  using namespace imu2music;
  Philox random(seed);
  Recording recording;
  recording.source = "noise" + std::to_string(seed);
  recording.format = "test";
  recording.notes = {"made of noise, µ"};
  for (const char* name : {"left", "right"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = rate_hz;
    const auto n = static_cast<std::int64_t>(seconds * rate_hz);
    for (const Quantity quantity :
         {Quantity::acceleration, Quantity::angular_velocity, Quantity::orientation}) {
      Channel channel(quantity, n);
      for (float& value : channel.samples) value = static_cast<float>(random.normal());
      sensor.channels.push_back(std::move(channel));
    }
    recording.sensors.push_back(std::move(sensor));
  }
  return recording;
}

inline std::vector<imu2music::Note> scale(int lowest, int count, double start = 0.4, double each = 0.3) {
  std::vector<imu2music::Note> notes;
  for (int i = 0; i < count; ++i)
    notes.push_back({lowest + i, 60 + i, start + i * each, start + (i + 1) * each});
  return notes;
}

inline imu2music::Pair pair(const std::string& id, const std::string& performer, const std::string& piece,
                            const std::string& stroke, std::uint64_t seed, bool with_motion = true) {
  imu2music::Pair result;
  result.info.id = id;
  result.info.performer = performer;
  result.info.piece = piece;
  result.info.stroke = stroke;
  result.info.source = "test/" + id;
  result.info.seconds = 4;
  result.info.has_motion = with_motion;
  if (with_motion) result.motion = noise_recording(seed);
  result.notes = scale(55 + static_cast<int>(seed % 10), 12);
  return result;
}

}  // namespace test
