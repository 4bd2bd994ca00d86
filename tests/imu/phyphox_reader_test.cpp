#include "imu2music/imu/phyphox_reader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "error_text.hpp"
#include "recording_texts.hpp"
#include "support.hpp"

using namespace imu2music;

TEST_CASE("a phyphox table says its units in its names") {
  const CsvTable table(test::phyphox_csv, "Raw Data.csv");
  REQUIRE(is_phyphox_csv(table));
  const Recording recording = read_phyphox_csv(table);
  CHECK(recording.sensor_names() == "phone");
  CHECK(recording.sensors[0].clock.rate_hz == doctest::Approx(100));
  CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(0)[2] == 1.5f);
  CHECK(recording.notes.at(0).find("Absolute acceleration") != std::string::npos);
}

TEST_CASE("the tables of a folder become one sensor on the times of the first, where none is faster") {
  test::ScratchFolder scratch;
  std::string gyroscope =
      "\"Time (s)\",\"Gyroscope x (rad/s)\",\"Gyroscope y (rad/s)\",\"Gyroscope z (rad/s)\"\n";
  for (int i = 0; i < 10; ++i) gyroscope += std::to_string(0.01 * i) + "," + std::to_string(i) + ",0,0\n";
  test::write_file(scratch / "Accelerometer.csv", test::phyphox_csv);
  test::write_file(scratch / "Gyroscope.csv", gyroscope);
  test::write_file(scratch / "Light.csv", "\"Time (s)\",\"Illuminance (lx)\"\n0,3\n");
  const std::string folder = scratch.path().string();
  const std::vector<std::string> files = phyphox_files(folder, list_entries(folder));
  CHECK(files == std::vector<std::string>{"Accelerometer.csv", "Gyroscope.csv"});
  test::write_file(scratch / "00notes.csv", "take,who\n1,me\n");
  CHECK(phyphox_files(folder, list_entries(folder)) == files);
  const Recording recording = read_phyphox_folder(folder, files);
  REQUIRE(recording.sensors.size() == 1);
  const SensorTrack& phone = recording.sensors[0];
  CHECK(phone.clock.start_s == doctest::Approx(0));
  CHECK(phone.sample_count() == 3);
  CHECK(phone.find(Quantity::angular_velocity)->axis(0)[0] == doctest::Approx(1.25));
  CHECK(phone.find(Quantity::angular_velocity)->axis(0)[2] == doctest::Approx(3.25));

  test::write_file(scratch / "Gyroscope.csv", gyroscope.substr(0, gyroscope.find('\n') + 1));
  const Recording silent = read_phyphox_folder(folder, phyphox_files(folder, list_entries(folder)));
  CHECK(silent.sensors.at(0).find(Quantity::angular_velocity) == nullptr);
  CHECK(std::count(silent.notes.begin(), silent.notes.end(),
                   "left out: Gyroscope.csv, which has fewer than two rows") == 1);
  CHECK(silent.notes.back() == "left out: Light.csv, which has no motion with gravity in it");
  test::write_file(scratch / "Gyroscope.csv", gyroscope);
  test::write_file(scratch / "More.csv", gyroscope);
  CHECK(test::is_line_with(test::error_text<InputError>([&] {
                             read_phyphox_folder(folder, phyphox_files(folder, list_entries(folder)));
                           }),
                           {"two tables of angular velocity", "More.csv"}));
}

TEST_CASE("tables of iOS tell what they hold by their units, and linear acceleration by its file's name") {
  test::ScratchFolder scratch;
  const auto table = [](const std::string& unit, const std::string& values) {
    std::string text = "\"Time (s)\"";
    for (const char* axis : {"X", "Y", "Z"}) text += ",\"" + std::string(axis) + " (" + unit + ")\"";
    text += "\n";
    for (int i = 0; i < 10; ++i) text += std::to_string(0.01 * i) + "," + values + "\n";
    return text;
  };
  test::write_file(scratch / "Accelerometer.csv", table("m/s^2", "0,0,9.81"));
  test::write_file(scratch / "Gyroscope.csv", table("rad/s", "1,2,3"));
  test::write_file(scratch / "Linear Accelerometer.csv", table("m/s^2", "0,0,0"));
  test::write_file(scratch / "Magnetometer.csv", table("µT", "20,0,0"));
  const std::string folder = scratch.path().string();
  const std::vector<std::string> files = phyphox_files(folder, list_entries(folder));
  CHECK(files == std::vector<std::string>{"Accelerometer.csv", "Gyroscope.csv"});
  const Recording recording = read_phyphox_folder(folder, files);
  CHECK(recording.sensors.at(0).find(Quantity::acceleration)->axis(2)[5] == 9.81f);
  CHECK(recording.sensors.at(0).find(Quantity::angular_velocity)->axis(1)[5] == 2);
  CHECK(recording.notes ==
        std::vector<std::string>{"left out: Linear Accelerometer.csv, which has no motion with gravity in it",
                                 "left out: Magnetometer.csv, which has no motion with gravity in it"});
  CHECK(test::is_line_with(test::error_text<InputError>([&] {
                             read_phyphox_csv(
                                 CsvTable(table("m/s^2", "0,0,0"), "a/Linear Accelerometer.csv"));
                           }),
                           {"linear acceleration", "gravity"}));
}

TEST_CASE("decimal commas are refused by name, other folders are not taken for phyphox") {
  CHECK(test::is_line_with(test::error_text<InputError>([&] {
                             read_phyphox_csv(
                                 CsvTable("\"Time (s)\";\"Gyroscope x (rad/s)\";\"Gyroscope y "
                                          "(rad/s)\";\"Gyroscope z (rad/s)\"\n0,5;1;2;3\n",
                                          "f"));
                           }),
                           {"f: line 2", "decimal comma", "decimal points"}));
  test::ScratchFolder scratch;
  const std::string folder = scratch.path().string();
  CHECK(phyphox_files(folder, list_entries(folder)).empty());
  test::write_file(scratch / "a.csv", "onset_s,midi\n0,1\n");
  CHECK(phyphox_files(folder, list_entries(folder)).empty());
  test::write_file(scratch / "b.csv", test::phyphox_csv);
  CHECK(phyphox_files(folder, list_entries(folder)) == std::vector<std::string>{"b.csv"});
  test::write_file(scratch / "a.csv", test::generic_csv);
  CHECK(phyphox_files(folder, list_entries(folder)).empty());
}
