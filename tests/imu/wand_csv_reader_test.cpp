#include "imu2music/imu/wand_csv_reader.hpp"

#include <doctest/doctest.h>

#include "recording_texts.hpp"

using namespace imu2music;

TEST_CASE("a wand's table is in milliseconds, g and degrees a second") {
  const CsvTable table(test::wand_csv, "60bpm.csv");
  REQUIRE(is_wand_csv(table));
  const Recording recording = read_wand_csv(table);
  const SensorTrack& wand = recording.sensors.at(0);
  CHECK(wand.name == "wand");
  REQUIRE_FALSE(wand.clock.is_uniform());
  CHECK(wand.clock.times_s[2] == doctest::Approx(0.016));
  CHECK(wand.find(Quantity::acceleration)->axis(2)[1] == doctest::Approx(-9.80665));
  CHECK(wand.find(Quantity::angular_velocity)->axis(0)[1] == doctest::Approx(1.57079633));
}

TEST_CASE("other tables with such names are not taken for a wand's") {
  CHECK_FALSE(is_wand_csv(CsvTable("ms,ax,ay,az,gx,gy,gz,mx\n", "f")));
  CHECK_FALSE(is_wand_csv(CsvTable("ms,ax,ay,az\n", "f")));
  CHECK_FALSE(is_wand_csv(CsvTable("t,ax,ay,az,gx,gy,gz\n", "f")));
}
