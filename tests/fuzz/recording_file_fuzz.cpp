// A recording as a data set keeps it: what is read can be diagnosed, and is written and read again as the
// same.
#include <bit>
#include <cstddef>
#include <cstdint>

#include "folder_input.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "imu2music/train/recording_file.hpp"
#include "memory_input.hpp"

namespace {

using namespace imu2music;

bool same(const Recording& a, const Recording& b) {
  if (a.source != b.source || a.format != b.format || a.notes != b.notes ||
      a.sensors.size() != b.sensors.size())
    return false;
  for (std::size_t s = 0; s < a.sensors.size(); ++s) {
    const SensorTrack &x = a.sensors[s], &y = b.sensors[s];
    if (x.name != y.name || x.clock.times_s != y.clock.times_s ||
        x.clock.resets.size() != y.clock.resets.size() || x.channels.size() != y.channels.size())
      return false;
    for (std::size_t c = 0; c < x.channels.size(); ++c) {
      const Channel &left = x.channels[c], &right = y.channels[c];
      if (left.quantity != right.quantity || left.samples.size() != right.samples.size()) return false;
      for (std::size_t i = 0; i < left.samples.size(); ++i)  // bit for bit, as not every value is a number
        if (std::bit_cast<std::uint32_t>(left.samples[i]) != std::bit_cast<std::uint32_t>(right.samples[i]))
          return false;
    }
  }
  return true;
}

void read(std::string_view bytes) {
  const Recording recording = read_recording_file(fuzz::as_file(bytes));
  check_recording(recording);
  if (bytes.size() > (std::size_t{1} << 20)) return;
  fuzz::allow(std::size_t{256} << 20);
  describe(diagnose(recording));
  static const fuzz::Folder folder;
  const std::string path = folder.path() + "/again.safetensors";
  write_recording_file(recording, path);
  fuzz::named(path);
  fuzz::require(same(read_recording_file(path), recording), "the recording that is written and read again");
}

const fuzz::Target target("recording_file", read);

}  // namespace
