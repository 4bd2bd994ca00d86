// Reading every layout, told by its content; and the recordings in ../shared/data, one by one.
#include "imu2music/imu/read_recording.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "error_text.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/resample.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

std::string refusal(const std::string& text) {
  return test::error_text<InputError>([&] { parse_recording(text, "take.csv"); });
}

// The files of ../shared/data/<folder>, sorted; none, with a message, where it is not present.
std::vector<std::string> shared_files(const std::string& folder) {
  std::vector<std::string> files;
  const std::string path = test::shared_file("data/" + folder);
  if (path.empty()) return files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

std::string name_of(const std::string& path) { return std::filesystem::path(path).filename().string(); }

}  // namespace

TEST_CASE("the content tells the layout, whatever the file is called") {
  const auto format = [](const std::string& text) { return parse_recording(text, "anything.bin").format; };
  CHECK(format("ms,ax,ay,az,gx,gy,gz\n1,0,0,1,0,0,0\n9,0,0,1,0,0,0\n") == "wand table");
  CHECK(format("{\"imu\":{\"frequency\":200,\"data\":[{\"gyroscope\":[0,0,0],\"acceleration\":[0,0,1],"
               "\"orientation\":[0,0,0,1]}]}}") == "Myo JSON");
  CHECK(format("time_s,acc_x_g,acc_y_g,acc_z_g\n0,0,0,1\n1,0,0,1\n") == "generic table");
  CHECK(format("// Update Rate: 100Hz\nPacketCounter\tAcc_X\tAcc_Y\tAcc_Z\n1\t0\t0\t9\n2\t0\t0\t9\n") ==
        "Xsens MT Manager");
  CHECK(format("sep=,\nDeviceTag:,a,,\n\nPacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z\n0,10,0,0,9\n1,30,0,"
               "0,9\n") == "Xsens DOT");
  CHECK(format("\"Time (s)\",\"Gyroscope x (rad/s)\",\"Gyroscope y (rad/s)\",\"Gyroscope z "
               "(rad/s)\"\n0,1,2,3\n1,1,2,3\n") == "phyphox");
}

TEST_CASE("a byte order mark, line ends and a name with spaces do not matter to a file") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "my take 1";
  test::write_file(path, "\xEF\xBB\xBFms,ax,ay,az,gx,gy,gz\r\n100,1,0,0,180,0,0\r\n108,1,0,0,180,0,0\r\n");
  const Recording recording = read_recording(path);
  CHECK(recording.source == path);
  CHECK(recording.format == "wand table");
  CHECK(recording.sensors[0].clock.rate_hz == 125);
  CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(0)[0] == doctest::Approx(9.80665));
  CHECK(recording.sensors[0].find(Quantity::angular_velocity)->axis(0)[1] == doctest::Approx(3.14159265));
}

TEST_CASE("units that are given reach every table, whatever its first column is called") {
  ReadOptions options;
  options.units = {"g", "dps", "deg", "", 0};
  const std::string columns = ",ax,ay,az,gx,gy,gz,roll,pitch,yaw\n", rows =
                                                                         "0,0,0,1,180,0,0,90,0,0\n"
                                                                         "1,0,0,1,180,0,0,90,0,0\n";
  test::ScratchFolder scratch;
  test::write_file(scratch / "Raw.csv", "Time (s)" + columns + rows);
  for (const Recording& recording : {parse_recording("Time (s)" + columns + rows, "f", options),
                                     parse_recording("time" + columns + rows, "f", options),
                                     read_recording(scratch.path().string(), options)}) {
    INFO(recording.format);
    const SensorTrack& sensor = recording.sensors.at(0);
    CHECK(sensor.find(Quantity::acceleration)->axis(2)[0] == doctest::Approx(9.80665));
    CHECK(sensor.find(Quantity::angular_velocity)->axis(0)[0] == doctest::Approx(3.14159265));
    CHECK(sensor.find(Quantity::rotation)->axis(0)[0] == doctest::Approx(1.57079633));
  }
  CHECK(test::is_line_with(refusal("Time (s)" + columns + rows), {"'ax'", "no unit"}));
}

TEST_CASE("what is no recording is refused in one line that says what it is") {
  CHECK(test::is_line_with(refusal(""), {"take.csv", "is empty"}));
  CHECK(test::is_line_with(refusal(std::string(5000, '\n')), {"is empty"}));
  CHECK(test::is_line_with(refusal("PK\x03\x04zip"), {"zip archive"}));
  CHECK(test::is_line_with(refusal("MThd"), {"MIDI"}));
  CHECK(test::is_line_with(refusal("repovizz,framerate=25\n1,2,3"), {"one axis"}));
  CHECK(test::is_line_with(refusal(std::string("a\0b", 3)), {"no text"}));
  CHECK(test::is_line_with(refusal("onset_s,offset_s,midi,string\n0,1,55,G\n"),
                           {"no recording", "onset_s, offset_s, midi, string"}));
  CHECK(test::is_line_with(refusal("start,end,pitch,velocity\n0,1,55,64\n"), {"no recording"}));
  CHECK(test::is_line_with(refusal("1,2,3\n4,5,6\n"), {"without column names"}));
  CHECK(test::is_line_with(refusal("time,seconds_elapsed,z,y,x\n1,0,0,0,0\n"), {"Sensor Logger", "folder"}));
  CHECK(test::is_line_with(
      refusal("time,seconds_elapsed,yaw,qx,qz,roll,qw,qy,pitch\n1718030736872695300,0.1,0,0,0,0,1,0,0\n"),
      {"one sensor of a Sensor Logger recording", "folder"}));
  CHECK(test::is_line_with(refusal("{\"a\": 1}"), {"no imu"}));
  CHECK(test::is_line_with(refusal("just a line of prose\nand another\n"), {"no recording"}));
  ReadOptions options;
  options.units.rate_hz = -1;
  CHECK(test::is_line_with(test::error_text<InputError>([&] { parse_recording("t,ax\n", "f", options); }),
                           {"-1 Hz"}));
  test::ScratchFolder scratch;
  CHECK(test::is_line_with(test::error_text<InputError>([&] { read_recording(scratch / "none"); }),
                           {"none", "no such"}));
  CHECK(test::is_line_with(test::error_text<InputError>([&] { read_recording(scratch.path().string()); }),
                           {"no recording that is known"}));
}

TEST_CASE("the Myo takes: 100 Hz rows, as many of them new as the file marks") {
  const std::vector<std::string> files = shared_files("violin-myo/takes");
  CHECK((files.empty() || files.size() == 32));
  for (const std::string& path : files) {
    INFO(path);
    const Recording recording = read_recording(path);
    const Diagnosis d = diagnose(recording);
    CHECK(recording.format == "Myo table");
    CHECK(recording.notes.empty());  // new_sample agrees with the values everywhere
    REQUIRE(d.sensors.size() == 1);
    const SensorDiagnosis& myo = d.sensors[0];
    CHECK(myo.rate_hz == 100);
    CHECK(myo.uniform_clock);
    CHECK((d.duration_s >= 21.75 && d.duration_s <= 23.25));
    CHECK(myo.channels.size() == 3);

    const std::string text = read_text_file(path);
    const CsvTable table(text, path);
    const auto mark = static_cast<std::size_t>(table.require("new_sample"));
    double marked = 0;
    table.for_each_row(
        [&](const std::vector<std::string_view>& fields, std::int64_t) { marked += fields[mark] == "1"; });
    CHECK(myo.new_share == doctest::Approx(marked / static_cast<double>(myo.samples)).epsilon(1e-12));
    // Player 3's stream stalled: down to 41 % new rows, with holds; the others have 80 to 95 %.
    const bool third = name_of(path).find("_s3") != std::string::npos;
    CHECK((myo.new_share >= (third ? 0.40 : 0.80) && myo.new_share <= 0.95));
    // Acceleration and angular velocity are never sent in one row: each is new in about half of them.
    for (const ChannelDiagnosis& channel : myo.channels) CHECK(channel.new_share <= 0.51);
    CHECK(d.gaps.empty());
    CHECK(d.clock_resets.empty());
    CHECK(d.saturations.empty());
    CHECK(d.missing.empty());
    CHECK(d.unit_doubts.empty());
    CHECK((*myo.median_acceleration_m_s2 > 8 && *myo.median_acceleration_m_s2 < 12));
    if (name_of(path) == "7_colle_s3.csv") {
      CHECK(d.holds.size() == 32);
      const auto longest =
          std::max_element(d.holds.begin(), d.holds.end(),
                           [](const Finding& a, const Finding& b) { return a.length_s < b.length_s; });
      CHECK(longest->length_s == doctest::Approx(0.49));
      CHECK(longest->time_s == doctest::Approx(15.38));
    }
  }
}

TEST_CASE("the wand: 121 Hz, one long gap or one clock that runs backwards") {
  struct Expected {
    const char* name;
    double gap_s, back_s;
  };
  for (const Expected& e : {Expected{"60bpm3.csv", 32.141, 0}, Expected{"70bpm3.csv", 398.339, 0},
                            Expected{"80bpm3.csv", 172.199, 0}, Expected{"90bpm3.csv", 0, 1131.866},
                            Expected{"100bpm3.csv", 314.156, 0}, Expected{"110bpm3.csv", 545.517, 0},
                            Expected{"120bpm3.csv", 0, 10.015}}) {
    const std::string path = test::shared_file(std::string("data/conducting-wand/") + e.name);
    if (path.empty()) return;
    INFO(path);
    const Recording recording = read_recording(path);
    const Diagnosis d = diagnose(recording);
    REQUIRE(d.sensors.size() == 1);
    CHECK(d.sensors[0].usual_interval_s == doctest::Approx(0.008));
    CHECK(d.sensors[0].rate_hz == doctest::Approx(121.08).epsilon(1e-3));
    CHECK_FALSE(d.sensors[0].uniform_clock);
    CHECK(d.gaps.size() == (e.gap_s > 0 ? 1 : 0));
    CHECK(d.clock_resets.size() == (e.back_s > 0 ? 1 : 0));
    for (const std::vector<Finding>* findings : {&d.gaps, &d.clock_resets})
      for (const Finding& finding : *findings) {
        CHECK(finding.length_s == doctest::Approx(e.gap_s + e.back_s));
        CHECK(finding.time_s == doctest::Approx(60).epsilon(1e-3));
      }
    CHECK(d.duration_s == doctest::Approx(179.99 + e.gap_s).epsilon(1e-3));
    CHECK(
        std::is_sorted(recording.sensors[0].clock.times_s.begin(), recording.sensors[0].clock.times_s.end()));
    CHECK(d.sensors[0].new_share == 1);
    CHECK(d.missing.empty());
    CHECK(d.holds.empty());
    CHECK(d.unit_doubts.empty());
    // At 120 beats a minute the swing leaves the accelerometer's ±4 g.
    CHECK(d.saturations.empty() == (std::string(e.name) != "120bpm3.csv"));
    for (const Finding& finding : d.saturations)
      CHECK(finding.value == doctest::Approx(-4 * standard_gravity).epsilon(1e-3));
    const Recording even = at_rate(recording, 25);
    CHECK(even.sensors[0].sample_count() == doctest::Approx(d.duration_s * 25).epsilon(1e-3));
    CHECK(even.notes.size() == (e.gap_s > 0 ? 2 : 0));
  }
}

TEST_CASE("the phone: 52.3 Hz, gravity along the world's z by its quaternion") {
  const std::vector<std::string> files = shared_files("phone-imu");
  CHECK((files.empty() || files.size() == 10));
  for (const std::string& path : files) {
    INFO(path);
    const Recording recording = read_recording(path);
    const Diagnosis d = diagnose(recording);
    REQUIRE(d.sensors.size() == 1);
    CHECK(d.sensors[0].rate_hz == doctest::Approx(52.34).epsilon(1e-3));
    CHECK(d.sensors[0].usual_interval_s == doctest::Approx(0.019));
    CHECK((d.duration_s > 4.9 && d.duration_s < 5.1));
    CHECK(d.gaps.empty());
    CHECK(d.clock_resets.empty());
    CHECK(d.holds.empty());
    CHECK(d.unit_doubts.empty());
    const Channel& a = *recording.sensors[0].find(Quantity::acceleration);
    const Channel& q = *recording.sensors[0].find(Quantity::orientation);
    double up = 0, length = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(a.sample_count()); ++i) {
      const double x = static_cast<double>(q.axis(0)[i]), y = static_cast<double>(q.axis(1)[i]),
                   z = static_cast<double>(q.axis(2)[i]), w = static_cast<double>(q.axis(3)[i]);
      const double ax = static_cast<double>(a.axis(0)[i]), ay = static_cast<double>(a.axis(1)[i]),
                   az = static_cast<double>(a.axis(2)[i]);
      up += 2 * (x * z - w * y) * ax + 2 * (y * z + w * x) * ay + (1 - 2 * (x * x + y * y)) * az;
      length += x * x + y * y + z * z + w * w;
    }
    const double n = static_cast<double>(a.sample_count());
    CHECK(up / n == doctest::Approx(10).epsilon(0.05));
    CHECK(length / n == doctest::Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("the signs: 200 Hz, three quarters of the rows new, gravity along the world's z") {
  const std::vector<std::string> files = shared_files("myo-signs");
  CHECK((files.empty() || files.size() == 13));
  for (const std::string& path : files) {
    INFO(path);
    const Recording recording = read_recording(path);
    const Diagnosis d = diagnose(recording);
    REQUIRE(d.sensors.size() == 1);
    CHECK(d.sensors[0].rate_hz == 200);
    CHECK(d.sensors[0].samples == 400);
    CHECK(d.duration_s == 2);
    CHECK((d.sensors[0].new_share > 0.71 && d.sensors[0].new_share < 0.77));
    REQUIRE(d.sensors[0].gravity_m_s2);
    CHECK((*d.sensors[0].gravity_m_s2 > 9.2 && *d.sensors[0].gravity_m_s2 < 9.6));
    CHECK(d.gaps.empty());
    CHECK(d.saturations.empty());
    CHECK(d.unit_doubts.empty());
    const Channel& a = *recording.sensors[0].find(Quantity::acceleration);
    const Channel& q = *recording.sensors[0].find(Quantity::orientation);
    double up = 0;
    for (std::size_t i = 0; i < 400; ++i) {
      const double x = static_cast<double>(q.axis(0)[i]), y = static_cast<double>(q.axis(1)[i]),
                   z = static_cast<double>(q.axis(2)[i]), w = static_cast<double>(q.axis(3)[i]);
      up += 2 * (x * z - w * y) * static_cast<double>(a.axis(0)[i]) +
            2 * (y * z + w * x) * static_cast<double>(a.axis(1)[i]) +
            (1 - 2 * (x * x + y * y)) * static_cast<double>(a.axis(2)[i]);
    }
    CHECK(up / 400 == doctest::Approx(9.4).epsilon(0.03));
  }
}

TEST_CASE("the skeletons: 25 joints in metres, or ten in a picture, at 30 frames a second") {
  const std::vector<std::string> files = shared_files("kinect-bowing");
  CHECK((files.empty() || files.size() == 12));
  for (const std::string& path : files) {
    INFO(path);
    const Recording recording = read_recording(path);
    const Diagnosis d = diagnose(recording);
    const bool in_space = name_of(path).rfind("3D", 0) == 0;
    CHECK(d.sensors.size() == (in_space ? 25 : 10));
    for (const SensorDiagnosis& joint : d.sensors) CHECK(joint.rate_hz == 30);
    CHECK(d.unit_doubts.size() == (in_space ? 0 : 10));
    CHECK(recording.notes[0] == "the file has no clock: 30 frames a second are taken");
    if (in_space) {
      CHECK((d.duration_s >= 1 && d.duration_s < 2.8));
      const SensorTrack* wrist = recording.find_sensor("WristRight");
      REQUIRE(wrist != nullptr);
      for (const float z : wrist->find(Quantity::position)->axis(2)) CHECK((z > 1 && z < 2));
      CHECK(recording.notes.size() == 2);
    } else {
      CHECK(recording.sensors[0].sample_count() == 28);
      CHECK(recording.find_sensor("joint10") != nullptr);
    }
  }
}

TEST_CASE("the reference recording is read as before") {
  const std::string folder = test::shared_file("golden/repovizz-recording/raw");
  if (folder.empty()) return;
  const Recording recording = read_recording(folder), reference = read_repovizz(folder);
  CHECK(recording.format == "RepoVizz");
  REQUIRE(recording.sensors.size() == reference.sensors.size());
  CHECK(recording.sensors[1].channels[2].samples == reference.sensors[1].channels[2].samples);
}
