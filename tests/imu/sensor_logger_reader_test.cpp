#include "imu2music/imu/sensor_logger_reader.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "error_text.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

// n rows at 100 Hz from `start` on, columns z y x with these values.
std::string rows(int n, double start, double z, double y, double x) {
  std::string text = "time,seconds_elapsed,z,y,x\n";
  for (int i = 0; i < n; ++i)
    text += std::to_string(1718030736872695300 + i * 10000000LL) + "," + std::to_string(start + 0.01 * i) +
            "," + std::to_string(z) + "," + std::to_string(y) + "," + std::to_string(x) + "\n";
  return text;
}

std::string orientation(int n, double start) {
  std::string text = "time,seconds_elapsed,qz,qy,qx,qw,roll,pitch,yaw\n";
  for (int i = 0; i < n; ++i)
    text += "1," + std::to_string(start + 0.01 * i) + ",0,0,0,1," + std::to_string(0.01 * i) + ",0.5,-0.5\n";
  return text;
}

Recording read(const test::ScratchFolder& scratch) {
  const std::string folder = scratch.path().string();
  const FolderEntries entries = list_entries(folder);
  CHECK(is_sensor_logger_folder(folder, entries));
  return read_sensor_logger(folder, entries);
}

}  // namespace

TEST_CASE("an Android recording: acceleration with gravity, one clock") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "Accelerometer.csv", rows(100, 0.1, 0, 0, 0));
  test::write_file(scratch / "TotalAcceleration.csv", rows(100, 0.1, 9.8, 2, 1));
  test::write_file(scratch / "Gyroscope.csv", rows(100, 0.105, 3, 2, 1));
  test::write_file(scratch / "Orientation.csv", orientation(100, 0.1));
  test::write_file(scratch / "Metadata.csv", "version,platform,standardisation\n3,android,false\n");
  test::write_file(scratch / "Location.csv", "time,seconds_elapsed,latitude\n1,0,0\n");
  const Recording recording = read(scratch);
  REQUIRE(recording.sensors.size() == 1);
  const SensorTrack& phone = recording.sensors[0];
  CHECK(phone.name == "phone");
  CHECK(phone.clock.rate_hz == doctest::Approx(100));
  CHECK(phone.clock.start_s == doctest::Approx(0));
  CHECK(phone.find(Quantity::acceleration)->axis(0)[5] == 1);
  CHECK(phone.find(Quantity::acceleration)->axis(2)[5] == 9.8f);
  CHECK(phone.find(Quantity::angular_velocity)->axis(2)[5] == doctest::Approx(3));
  CHECK(phone.find(Quantity::orientation)->axis(3)[5] == 1);
  // The first common sample is the second of acceleration and orientation.
  CHECK(phone.find(Quantity::rotation)->axis(0)[0] == doctest::Approx(0.01));
  CHECK(phone.sample_count() == 99);
}

TEST_CASE("an iOS recording: motion and gravity are added and turned round") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "Accelerometer.csv", rows(50, 0, 0.25, 0, -1));
  test::write_file(scratch / "Gravity.csv", rows(50, 0, -9.75, 0, 0));
  test::write_file(scratch / "Gyroscope.csv", rows(50, 0, 3, 2, 1));
  SUBCASE("as it comes") {
    test::write_file(scratch / "Metadata.csv", "version,platform,standardisation\n3,ios,false\n");
    const Recording recording = read(scratch);
    CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(2)[0] == 9.5f);
    CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(0)[0] == 1);
    CHECK(recording.notes.size() == 2);
  }
  SUBCASE("standardised") {
    test::write_file(scratch / "Metadata.csv", "version,platform,standardisation\n3,ios,true\n");
    CHECK(read(scratch).sensors[0].find(Quantity::acceleration)->axis(2)[0] == -9.5f);
  }
  SUBCASE("without metadata") {
    CHECK(read(scratch).sensors[0].find(Quantity::acceleration)->axis(2)[0] == -9.5f);
  }
}

TEST_CASE("a sensor that fell silent leaves missing values, not invented ones") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "TotalAcceleration.csv", rows(200, 0, 9.8, 2, 1));
  std::string gyroscope = rows(50, 0, 3, 2, 1);
  const std::string late = rows(50, 1.5, 3, 2, 1);
  test::write_file(scratch / "Gyroscope.csv", gyroscope + late.substr(late.find('\n') + 1));
  const Diagnosis d = diagnose(read(scratch));
  REQUIRE(d.missing.size() == 1);
  CHECK(d.missing[0].quantity == Quantity::angular_velocity);
  CHECK(d.missing[0].time_s == doctest::Approx(0.5));
  CHECK(d.missing[0].length_s == doctest::Approx(1.0));
  CHECK(d.gaps.empty());
}

TEST_CASE("a sensor that was off, whose table has no rows, is left out") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "Accelerometer.csv", rows(50, 0, 0.25, 0, -1));
  test::write_file(scratch / "Gravity.csv", rows(50, 0, 9.75, 0, 0));
  test::write_file(scratch / "Gyroscope.csv", rows(0, 0, 0, 0, 0));
  test::write_file(scratch / "Orientation.csv", orientation(50, 0));
  SUBCASE("the gyroscope") {
    const Recording recording = read(scratch);
    CHECK(recording.sensors[0].find(Quantity::angular_velocity) == nullptr);
    CHECK(recording.sensors[0].find(Quantity::rotation) != nullptr);
    CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(2)[0] == 10);
    REQUIRE(recording.notes.size() == 2);
    CHECK(recording.notes[0] == "left out: Gyroscope.csv, which has fewer than two rows");
  }
  SUBCASE("acceleration with gravity, for which its parts stand in") {
    test::write_file(scratch / "TotalAcceleration.csv", rows(0, 0, 0, 0, 0) + "\r\n");
    const Recording recording = read(scratch);
    CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(2)[0] == 10);
    CHECK(recording.notes.size() == 3);
  }
  SUBCASE("the gyroscope after its first sample") {
    test::write_file(scratch / "Gyroscope.csv", rows(1, 0, 0, 0, 0));
    CHECK(read(scratch).sensors[0].find(Quantity::angular_velocity) == nullptr);
  }
  SUBCASE("all") {
    for (const char* name : {"Accelerometer.csv", "Gravity.csv"})
      test::write_file(scratch / name, rows(0, 0, 0, 0, 0));
    test::write_file(scratch / "Orientation.csv", orientation(0, 0));
    CHECK(test::is_line_with(test::error_text<InputError>([&] { read(scratch); }),
                             {scratch.path().string(), "no samples"}));
  }
}

TEST_CASE("an empty file of a sensor that was off is left out too") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "TotalAcceleration.csv", rows(100, 0.1, 9.8, 2, 1));
  test::write_file(scratch / "Gyroscope.csv", rows(100, 0.1, 3, 2, 1));
  test::write_file(scratch / "Orientation.csv", "");
  CHECK(read(scratch).sensors.at(0).channels.size() == 2);
}

TEST_CASE("what cannot be a recording is refused") {
  test::ScratchFolder scratch;
  const std::string folder = scratch.path().string();
  const auto refusal = [&] {
    return test::error_text<InputError>([&] { read_sensor_logger(folder, list_entries(folder)); });
  };
  CHECK_FALSE(is_sensor_logger_folder(folder, list_entries(folder)));
  test::write_file(scratch / "Accelerometer.csv", rows(50, 0, 0, 0, 0));
  CHECK(test::is_line_with(refusal(), {"Accelerometer.csv alone", "no gravity"}));
  test::write_file(scratch / "Gravity.csv", rows(50, 0, 9.8, 0, 0));
  test::write_file(scratch / "Accelerometer.csv", rows(0, 0, 0, 0, 0));
  CHECK(test::is_line_with(refusal(), {"Gravity.csv alone", "no motion"}));
  test::write_file(scratch / "TotalAcceleration.csv", rows(50, 0, 0, 0, 0));
  test::write_file(scratch / "Gyroscope.csv", rows(50, 100, 0, 0, 0));
  CHECK(test::is_line_with(refusal(), {"not recorded at the same time"}));
  test::write_file(scratch / "Gyroscope.csv", "time,seconds_elapsed,z,y\n0,0,1,2\n0,1,1,2\n");
  CHECK(test::is_line_with(refusal(), {"Gyroscope.csv", "'x'"}));
}
