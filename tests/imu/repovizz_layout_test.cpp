#include "imu2music/imu/repovizz_layout.hpp"

#include <doctest/doctest.h>

using namespace imu2music;

TEST_CASE("raw names") {
  const auto name = parse_repovizz_file_name("00_myo1_gyro__y.csv");
  REQUIRE(name.has_value());
  CHECK(name->is_raw);
  CHECK(name->sensor == "myo1");
  CHECK(name->axis == 1);
  REQUIRE(name->quantity() != nullptr);
  CHECK(name->quantity()->quantity == Quantity::angular_velocity);
  CHECK(name->sibling(2) == "00_myo1_gyro__z.csv");
  CHECK(parse_repovizz_file_name("12_left_arm_ROTATION__x.csv")->sensor == "left_arm");
  CHECK(parse_repovizz_file_name("12_left_arm_ROTATION__x.csv")->quantity()->quantity == Quantity::rotation);
}

TEST_CASE("processed names") {
  const auto name = parse_repovizz_file_name("27_take_acceleration_z12.csv");
  REQUIRE(name.has_value());
  CHECK_FALSE(name->is_raw);
  CHECK(name->take == "27_take");
  CHECK(name->sensor == "myo12");
  CHECK(name->axis == 2);
  CHECK(name->quantity()->quantity == Quantity::acceleration);
  CHECK(name->sibling(0) == "27_take_acceleration_x12.csv");
}

TEST_CASE("an unknown quantity is a name of the layout, of no known quantity") {
  const auto name = parse_repovizz_file_name("00_myo1_emg__x.csv");
  REQUIRE(name.has_value());
  CHECK(name->quantity() == nullptr);
  CHECK(name->quantity_name == "emg");
}

TEST_CASE("other names are none") {
  for (const char* name : {"",
                           ".csv",
                           "_.csv",
                           "x.csv",
                           "_x.csv",
                           "__x.csv",
                           "gyro__x.csv",
                           "_gyro__x.csv",
                           "00_gyro__x.csv",
                           "00__gyro__x.csv",
                           "00_myo1___x.csv",
                           "00_myo1_gyro__w.csv",
                           "00_myo1_gyro__x.txt",
                           "00_myo1_gyro__x1.csv",
                           "27_take_gyro_x.csv",
                           "27_take_gyro_x1a.csv",
                           "gyro_x1.csv",
                           "_gyro_x1.csv",
                           "27_take_gyro_.csv",
                           "00_myo1_gyro__x.csv.bak",
                           "readme.md",
                           "___________.csv"}) {
    CAPTURE(name);
    CHECK_FALSE(parse_repovizz_file_name(name).has_value());
  }
}
