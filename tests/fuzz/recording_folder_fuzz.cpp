// One file of a folder of Sensor Logger, phyphox, Xsens or OpenPose, the others being right. The first byte
// tells which.
#include <array>
#include <string>
#include <string_view>

#include "../imu/openpose_texts.hpp"
#include "folder_input.hpp"
#include "imu2music/imu/read_recording.hpp"

namespace {

constexpr std::string_view logger =
    "time,seconds_elapsed,z,y,x\n1,0.00,9.5,0,1\n2,0.02,9.5,0,1\n3,0.04,9.5,0,2\n4,0.06,9.5,0,3\n";
constexpr std::string_view phyphox =
    "\"Time (s)\",\"Gyroscope x (rad/s)\",\"Gyroscope y (rad/s)\",\"Gyroscope z "
    "(rad/s)\"\n0.01,1,2,3\n0.02,1,2,3\n"
    "0.03,1,2,4\n0.04,1,2,5\n";
constexpr std::string_view xsens =
    "// Update Rate: 40.0Hz\nPacketCounter\tAcc_X\tAcc_Y\tAcc_Z\n10\t9.5\t-1.5\t-1.75\n11\t9.5\t-1.5\t-1.75\n"
    "12\t9.5\t-1.5\t-1.5\n";

struct Form {
  const char* fuzzed;  // the file that the input becomes
  const char* other;
  std::string text;  // of the other
};
const std::array<Form, 8> forms = {{
    {"Gyroscope.csv", "TotalAcceleration.csv", std::string(logger)},
    {"TotalAcceleration.csv", "Gyroscope.csv", std::string(logger)},
    {"Orientation.csv", "Gyroscope.csv", std::string(logger)},
    {"Metadata.csv", "TotalAcceleration.csv", std::string(logger)},
    {"Accelerometer.csv", "Gyroscope.csv", std::string(phyphox)},
    {"MT_1.txt", "MT_2.txt", std::string(xsens)},
    {"v_0_keypoints.json", "v_1_keypoints.json", test::openpose_frame(test::openpose_person(0))},
    {"v_1_keypoints.json", "v_0_keypoints.json", test::openpose_frame(test::openpose_person(0))},
}};

void read(std::string_view bytes) {
  using namespace imu2music;
  static const std::array<fuzz::Folder, forms.size()> folders;
  static const bool once = [] {
    for (std::size_t i = 0; i < forms.size(); ++i) folders[i].write(forms[i].other, forms[i].text);
    return true;
  }();
  fuzz::require(once, "the folders");
  if (bytes.empty()) throw InputError(fuzz::name, "is empty", "a byte should tell which folder it is");
  const std::size_t which = static_cast<unsigned char>(bytes.front()) % forms.size();
  folders[which].write(forms[which].fuzzed, bytes.substr(1));
  fuzz::named(folders[which].path());
  check_recording(read_recording(folders[which].path()));
}

const fuzz::Target target("recording_folder", read);

}  // namespace
