#include "imu2music/imu/xsens_reader.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

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
  CHECK_FALSE(recording.rate_was_given);
  // The rate of the file holds before one that is given.
  CHECK(read_xsens_csv(table, 100).sensors[0].clock.rate_hz == doctest::Approx(40));
  CHECK_FALSE(read_xsens_csv(table, 100).rate_was_given);
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
}

TEST_CASE("notes beside the trackers of a folder change nothing, a table of motion does") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "trial_001-000_00B421AF.txt", test::xsens_txt);
  test::write_file(scratch / "notes.txt", "Second take, left arm first.\n");
  const std::string folder = scratch.path().string();
  const std::vector<std::string> files = xsens_files(folder, list_entries(folder));
  CHECK(files == std::vector<std::string>{"trial_001-000_00B421AF.txt"});
  CHECK(read_xsens_folder(folder, files).notes ==
        std::vector<std::string>{"left out: notes.txt, which has no column of motion"});
  test::write_file(scratch / "other.csv", "time_s,acc_x_g,acc_y_g,acc_z_g\n0,0,0,1\n1,0,0,1\n");
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

TEST_CASE("an Xsens DOT file: degrees a second, microseconds that begin again, its tag for a name") {
  const CsvTable table(test::xsens_dot_csv, "folder/left_20230501_100000.csv");
  REQUIRE(is_xsens_csv(table));
  const Recording recording = read_xsens_csv(table);
  CHECK(recording.format == "Xsens DOT");
  const SensorTrack& tracker = recording.sensors.at(0);
  CHECK(tracker.name == "left wrist");
  CHECK(tracker.clock.rate_hz == doctest::Approx(1e6 / 16667).epsilon(1e-4));
  CHECK(tracker.clock.start_s == 0);
  CHECK(tracker.clock.resets.empty());
  CHECK(tracker.find(Quantity::acceleration)->axis(0)[0] == 9.5f);
  CHECK(tracker.find(Quantity::angular_velocity)->axis(0)[0] == doctest::Approx(3.14159265));
  CHECK(tracker.find(Quantity::angular_velocity)->axis(2)[3] == doctest::Approx(-0.78539816));
  CHECK(tracker.find(Quantity::rotation)->axis(2)[0] == doctest::Approx(1.57079633));
  CHECK(tracker.find(Quantity::orientation)->axis(0)[0] == 0.1f);
  CHECK(tracker.find(Quantity::orientation)->axis(3)[0] == 0.9f);
}

TEST_CASE("a DOT is told by its columns too, and has its packets for a clock where it has no other") {
  const Recording bare =
      read_xsens_csv(CsvTable("PacketCounter,SampleTimeFine,Euler_X,Euler_Y,Euler_Z,Gyr_X,Gyr_Y,Gyr_Z\n"
                              "1,100000,0,0,0,180,0,0\n2,120000,0,0,0,180,0,0\n",
                              "right_1.csv"));
  CHECK(bare.format == "Xsens DOT");
  CHECK(bare.sensors[0].name == "right_1");
  CHECK(bare.sensors[0].clock.rate_hz == 50);
  CHECK(bare.sensors[0].find(Quantity::angular_velocity)->axis(0)[0] == doctest::Approx(3.14159265));
  const std::string rows = "\nPacketCounter,Gyr_X,Gyr_Y,Gyr_Z\n1,180,0,0\n2,180,0,0\n";
  const std::string told = "DeviceTag:,\nOutputRate:,60Hz,,\n" + rows;
  CHECK(read_xsens_csv(CsvTable(told, "f")).sensors[0].clock.rate_hz == doctest::Approx(60));
  CHECK(read_xsens_csv(CsvTable(told, "f")).sensors[0].name == "f");
  const std::string silent = "sep=,\nDeviceTag:,a" + rows;
  CHECK(test::is_line_with(test::error_text<InputError>([&] { read_xsens_csv(CsvTable(silent, "f")); }),
                           {"f: ", "rate", "OutputRate"}));
  CHECK(read_xsens_csv(CsvTable(silent, "f"), 120).sensors[0].clock.rate_hz == doctest::Approx(120));
  CHECK(read_xsens_csv(CsvTable(silent, "f"), 120).rate_was_given);
}

TEST_CASE("a file that tells neither program is refused where the unit of Gyr depends on it") {
  const std::string rows =
      "PacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z\n"
      "1,100000,0,0,9.8,1,0,0\n2,120000,0,0,9.8,1,0,0\n";
  CHECK(test::is_line_with(test::error_text<InputError>([&] { read_xsens_csv(CsvTable(rows, "f"), 60); }),
                           {"f: ", "MT Manager or Xsens DOT", "Gyr"}));
  const std::string told = "// Update Rate: 60.0Hz\n" + rows;
  const Recording recording = read_xsens_csv(CsvTable(told, "f"));
  CHECK(recording.format == "Xsens MT Manager");
  CHECK(recording.sensors[0].find(Quantity::angular_velocity)->axis(0)[0] == 1);
}

TEST_CASE("the DOTs of a folder share one clock where they were synchronised") {
  test::ScratchFolder scratch;
  const std::string folder = scratch.path().string();
  const auto tracker = [&](const std::string& name, const std::string& sync, std::int64_t first) {
    std::string text =
        "sep=,\nDeviceTag:,Xsens DOT,,\n" + sync + "\nPacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z\n";
    for (int i = 0; i < 10; ++i)
      text += std::to_string(i) + "," + std::to_string((first + 10000 * i) % 4294967296) + ",1,2,3\n";
    test::write_file(scratch / name, text);
  };
  const auto read = [&] { return read_xsens_folder(folder, xsens_files(folder, list_entries(folder))); };
  const std::string synced = "SyncStatus:,Synced,,\n";
  tracker("a_1.csv", synced, 4294967296 - 20000);
  tracker("b_1.csv", synced, 4294967296 + 20000);
  const Recording recording = read();
  CHECK(recording.format == "Xsens DOT");
  CHECK(recording.sensor_names() == "Xsens DOT, b_1");
  CHECK(recording.sensors[0].clock.start_s == doctest::Approx(0));
  CHECK(recording.sensors[1].clock.start_s == doctest::Approx(0.04));
  CHECK(recording.notes.empty());
  tracker("b_1.csv", "", 20000);
  CHECK(read().notes ==
        std::vector<std::string>{"no line tells whether the trackers were synchronised: one clock is taken"});
  const auto refusal = [&] { return test::error_text<InputError>(read); };
  tracker("b_1.csv", "SyncStatus:,Un-synced,,\n", 20000);
  CHECK(test::is_line_with(refusal(), {"b_1.csv", "not synchronised"}));
  test::write_file(scratch / "b_1.csv",
                   "DeviceTag:,b\nOutputRate:,60Hz\nPacketCounter,Acc_X,Acc_Y,Acc_Z\n1,1,2,3\n2,1,2,3\n");
  CHECK(test::is_line_with(refusal(), {"b_1.csv", "no SampleTimeFine"}));
  test::write_file(scratch / "b_1.csv", test::xsens_txt);
  CHECK(test::is_line_with(refusal(), {folder, "MT Manager and of Xsens DOT"}));
}
