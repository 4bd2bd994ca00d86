// Every reader of one-file recordings, what is told of what they read, and its resampling.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/resample.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imu2music;
  try {
    ReadOptions options;
    options.units = {"g", "dps", "deg", "ms", size % 2 == 0 ? 100.0 : 0.0};
    const Recording recording =
        parse_recording(std::string_view(reinterpret_cast<const char*>(data), size), "fuzzed", options);
    check_recording(recording);
    describe(diagnose(recording));
    recording.summary();
    if (recording.sensors.size() <= 30) at_rate(recording, 25);
  } catch (const InputError&) {
  }
  return 0;
}
