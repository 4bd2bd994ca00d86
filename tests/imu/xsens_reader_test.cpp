#include "imu2music/imu/xsens_reader.hpp"

#include <doctest/doctest.h>

#include <string>

#include "error_text.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "recording_texts.hpp"
#include "support.hpp"

using namespace imu2music;

TEST_CASE("an Xsens file: rate from its comments, a counter that begins again, quaternion w first") {
  const CsvTable table(test::xsens_txt, "folder/trial_001-000_00B421AF.txt");
  REQUIRE(is_xsens_csv(table));
  const Recording recording = read_xsens_csv(table);
  const SensorTrack& tracker = recording.sensors.at(0);
  CHECK(tracker.name == "00B421AF");
  CHECK(tracker.clock.rate_hz == doctest::Approx(40));
  CHECK(tracker.clock.resets.empty());
  CHECK(tracker.sample_count() == 4);
  CHECK(tracker.find(Quantity::acceleration)->axis(0)[0] == 9.5f);
  CHECK(tracker.find(Quantity::orientation)->axis(0)[0] == 0.1f);
  CHECK(tracker.find(Quantity::orientation)->axis(3)[0] == 0.9f);
  CHECK(tracker.find(Quantity::rotation)->axis(0)[0] == doctest::Approx(3.14159265));
  CHECK(read_xsens_csv(table, 100).sensors[0].clock.rate_hz == doctest::Approx(100));
}

TEST_CASE("lost packets are a gap") {
  std::string text = "// Update Rate: 100.0Hz\nPacketCounter,Gyr_X,Gyr_Y,Gyr_Z\n";
  for (int i = 0; i < 20; ++i)
    text += std::to_string(i < 10 ? i : i + 7) + "," + std::to_string(i) + ",0,0\n";
  const Diagnosis d = diagnose(read_xsens_csv(CsvTable(text, "f")));
  REQUIRE(d.gaps.size() == 1);
  CHECK(d.gaps[0].time_s == doctest::Approx(0.09));
  CHECK(d.gaps[0].length_s == doctest::Approx(0.08));
}

TEST_CASE("the trackers of a folder share one clock") {
  test::ScratchFolder scratch;
  const auto tracker = [&](const std::string& name, int first) {
    std::string text = "// Update Rate: 100.0Hz\nPacketCounter\tAcc_X\tAcc_Y\tAcc_Z\n";
    for (int i = 0; i < 10; ++i) text += std::to_string((first + i) % 65536) + "\t1\t2\t3\n";
    test::write_file(scratch / name, text);
  };
  tracker("t_A.txt", 65534);
  tracker("t_B.txt", 2);  // four packets later
  const std::string folder = scratch.path().string();
  const std::vector<std::string> files = xsens_files(folder, list_entries(folder));
  REQUIRE(files.size() == 2);
  const Recording recording = read_xsens_folder(folder, files);
  CHECK(recording.sensor_names() == "A, B");
  CHECK(recording.sensors[0].clock.start_s == doctest::Approx(0));
  CHECK(recording.sensors[1].clock.start_s == doctest::Approx(0.04));
  test::write_file(scratch / "u.txt", "a,b\n1,2\n");
  CHECK(xsens_files(folder, list_entries(folder)).empty());
}

TEST_CASE("an Xsens file without rate or quantities is refused") {
  CHECK(test::is_line_with(test::error_text<InputError>([] {
                             read_xsens_csv(CsvTable("PacketCounter,Acc_X,Acc_Y,Acc_Z\n1,2,3,4\n", "f"));
                           }),
                           {"f: ", "rate"}));
  CHECK(test::is_line_with(
      test::error_text<InputError>([] { read_xsens_csv(CsvTable("PacketCounter,Mag_X\n1,2\n", "f"), 100); }),
      {"f: ", "Mag_X"}));
  CHECK(test::is_line_with(test::error_text<InputError>([] {
                             read_xsens_csv(CsvTable("PacketCounter,Acc_X,Acc_Z\n1,2,3\n", "f"), 100);
                           }),
                           {"f: ", "'Acc_Y'"}));
}
