// Every reader of one-file recordings, what is told of what they read, and its resampling.
#include <cmath>

#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/resample.hpp"
#include "target.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  ReadOptions options;
  options.units = {"g", "dps", "deg", "ms", bytes.size() % 2 == 0 ? 100.0 : 0.0};
  const Recording recording = parse_recording(bytes, fuzz::name, options);
  check_recording(recording);
  if (bytes.size() > (std::size_t{1} << 20)) return;  // the rest is work on samples, and takes its time
  fuzz::allow(std::size_t{256} << 20);
  describe(diagnose(recording));
  recording.summary();
  if (recording.sensors.size() > 30) return;
  const Recording even = at_rate(recording, 25);
  check_recording(even);
  for (const SensorTrack& sensor : even.sensors)
    for (const Channel& channel : sensor.channels)
      for (const float value : channel.samples) fuzz::require(std::isfinite(value), "a resampled value");
}

const fuzz::Target target("recording", read);

}  // namespace
