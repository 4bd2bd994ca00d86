#include "imu2music/imu/android_csv_reader.hpp"

#include <doctest/doctest.h>

#include "error_text.hpp"
#include "recording_texts.hpp"

using namespace imu2music;

TEST_CASE("a phone's quaternion, w first in the file, is x y z w inside") {
  const CsvTable table(test::android_csv, "phone.csv");
  REQUIRE(is_android_csv(table));
  const Recording recording = read_android_csv(table);
  const SensorTrack& phone = recording.sensors.at(0);
  CHECK(phone.name == "phone");
  CHECK(phone.clock.time_s(1) == doctest::Approx(0.020));
  CHECK(phone.clock.time_s(2) == doctest::Approx(0.039));
  const Channel& q = *phone.find(Quantity::orientation);
  CHECK(q.axis(0)[0] == 0.1f);
  CHECK(q.axis(2)[0] == 0.3f);
  CHECK(q.axis(3)[0] == 1);
  CHECK(phone.find(Quantity::acceleration)->axis(2)[0] == 9.5f);
  CHECK(phone.find(Quantity::angular_velocity)->axis(1)[0] == -0.25f);
}

TEST_CASE("a missing column is named") {
  const CsvTable table("session_id,timestamp,quaternion_w,accelerometer_x,gyroscope_x\n", "phone.csv");
  REQUIRE(is_android_csv(table));
  CHECK(test::is_line_with(test::error_text<InputError>([&] { read_android_csv(table); }),
                           {"phone.csv", "no column"}));
}
