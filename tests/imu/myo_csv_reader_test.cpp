#include "imu2music/imu/myo_csv_reader.hpp"

#include <doctest/doctest.h>

#include <string>

#include "error_text.hpp"
#include "recording_texts.hpp"

using namespace imu2music;

TEST_CASE("a Myo table becomes one sensor with three quantities") {
  const CsvTable table(test::myo_csv, "take.csv");
  REQUIRE(is_myo_csv(table));
  const Recording recording = read_myo_csv(table);
  CHECK(recording.sensor_names() == "myo");
  const SensorTrack& myo = recording.sensors[0];
  CHECK(myo.clock.rate_hz == 100);
  CHECK(myo.sample_count() == 4);
  CHECK(myo.find(Quantity::acceleration)->axis(2)[0] == doctest::Approx(9.80665));
  CHECK(myo.find(Quantity::angular_velocity)->axis(1)[0] == doctest::Approx(-1.57079633));
  CHECK(myo.find(Quantity::rotation)->axis(2)[1] == 0.4f);
  CHECK(recording.notes.empty());
}

TEST_CASE("marks that disagree with the values are told, angles may be absent, axes may not") {
  std::string text = test::myo_csv;
  text.replace(text.find("0.02,0"), 6, "0.02,1");
  const Recording recording = read_myo_csv(CsvTable(text, "f"));
  REQUIRE(recording.notes.size() == 1);
  CHECK(recording.notes[0] == "new_sample disagrees with the values in 1 of 4 rows");

  text =
      "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n0,1,0,0,1,0,0,0\n1,1,0,0,1,0,"
      "0,1\n";
  CHECK(read_myo_csv(CsvTable(text, "f")).sensors[0].find(Quantity::rotation) == nullptr);
  text = "t_s,new_sample,acc_x_g,acc_y_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n0,1,0,0,1,0,0\n";
  CHECK(test::is_line_with(test::error_text<InputError>([&] { read_myo_csv(CsvTable(text, "f")); }),
                           {"f: ", "'acc_z_g'"}));
}
