#include "imu2music/imu/sensor_map.hpp"

#include <doctest/doctest.h>

#include "error_text.hpp"

using namespace imu2music;

TEST_CASE("sensors are renamed, and one may stand for two") {
  Recording recording;
  recording.source = "take";
  for (const char* name : {"left", "right", "hip"}) {
    recording.sensors.emplace_back();
    recording.sensors.back().name = name;
    recording.sensors.back().clock.rate_hz = 50;
    recording.sensors.back().channels = {Channel(Quantity::acceleration, 4)};
  }
  const Recording mapped = map_sensors(recording, parse_sensor_map("myo1=left,myo2=right"));
  CHECK(mapped.sensor_names() == "myo1, myo2");
  CHECK(mapped.source == "take");
  CHECK(map_sensors(recording, parse_sensor_map("myo1=hip,myo2=hip")).sensors.size() == 2);
  CHECK(test::is_line_with(
      test::error_text<InputError>([&] { map_sensors(recording, parse_sensor_map("myo1=foot")); }),
      {"take", "'foot'", "left, right, hip"}));
}

TEST_CASE("maps that are none are refused") {
  for (const char* text :
       {"", "myo1", "=left", "myo1=", "myo1=left,", "myo1=left,myo1=right", ",myo1=left"}) {
    INFO(text);
    CHECK(test::is_line_with(test::error_text<InputError>([&] { parse_sensor_map(text); }), {"sensor map"}));
  }
}
