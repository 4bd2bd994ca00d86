// A data set as small as can be, for the targets that read its files and for their seeds. Its values are the
// same on every machine, since the list holds the digests of the other files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "imu2music/train/dataset_writer.hpp"

namespace fuzz {

// A sensor on a uniform clock, and one with time stamps and a reset.
inline imu2music::Recording small_recording() {
  using namespace imu2music;
  Recording recording;
  recording.source = "small.csv";
  recording.format = "test";
  recording.notes = {"made of nothing, µ"};
  for (const char* side : {"left", "right"}) {
    SensorTrack sensor;
    sensor.name = side;
    for (const Quantity quantity : {Quantity::acceleration, Quantity::orientation}) {
      Channel channel(quantity, 5);
      for (std::size_t i = 0; i < channel.samples.size(); ++i)
        channel.samples[i] = static_cast<float>(i % 5) / 4 - 0.5f;
      sensor.channels.push_back(std::move(channel));
    }
    recording.sensors.push_back(std::move(sensor));
  }
  recording.sensors[0].clock.rate_hz = 4;
  recording.sensors[1].clock.times_s = {0, 0.25, 0.5, 0.75, 1};
  recording.sensors[1].clock.resets = {{2, 0.5}, {4, 0.125}};
  return recording;
}

inline imu2music::Pair small_pair(const std::string& performer, const std::string& piece, bool motion) {
  imu2music::Pair pair;
  pair.info.id = piece + "_" + performer;
  pair.info.performer = performer;
  pair.info.piece = piece;
  pair.info.stroke = "legato";
  pair.info.source = "test/" + pair.info.id;
  pair.info.layout = "test";
  pair.info.seconds = 1;
  pair.info.has_motion = motion;
  pair.info.quality["clock_resets"] = 2;
  pair.info.remarks = {"the clock was set back"};
  if (motion) pair.motion = small_recording();
  pair.notes = {{60, 64, 0, 0.5}, {62, 80, 0.5, 1.25}};
  return pair;
}

inline void write_small_dataset(const std::string& folder) {
  imu2music::DatasetWriter writer(folder);
  for (const char* performer : {"s1", "s2"})
    for (const char* piece : {"a", "b"}) writer.add(small_pair(performer, piece, true));
  writer.add(small_pair("", "c", false));
  writer.drop("x.wav", "is sound");
  writer.commit();
}

}  // namespace fuzz
