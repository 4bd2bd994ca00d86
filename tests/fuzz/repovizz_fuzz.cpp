// One file of a RepoVizz folder, the others being right.
#include <cmath>
#include <string>

#include "folder_input.hpp"
#include "imu2music/imu/read_recording.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  static const fuzz::Folder folder;
  static const bool once = [] {
    for (const char* axis : {"y", "z"})
      folder.write(std::string("00_myo1_gyro__") + axis + ".csv", "repovizz,framerate=50\n1,2,3,4\n");
    return true;
  }();
  fuzz::require(once, "the folder");
  folder.write("00_myo1_gyro__x.csv", bytes);
  fuzz::named(folder.path());
  const Recording recording = read_recording(folder.path());
  check_recording(recording);
  fuzz::require(recording.sensors.size() == 1 && recording.sensors[0].sample_count() == 4, "the samples");
  for (const float value : recording.sensors[0].channels.at(0).samples)
    fuzz::require(std::isfinite(value), "a value");
}

const fuzz::Target target("repovizz", read);

}  // namespace
