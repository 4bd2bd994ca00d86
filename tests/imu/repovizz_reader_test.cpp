#include "imu2music/imu/repovizz_reader.hpp"

#include <filesystem>
#include <string>

#include "error_text.hpp"
#include "imu2music/core/random.hpp"
#include "support.hpp"

using namespace imu2music;
using test::is_line_with;

namespace {

std::string reading_fault(const std::string& path) {
  return test::error_text<InputError>([&] { read_repovizz(path); });
}

std::string parsing_fault(std::string_view text) {
  return test::error_text<InputError>([&] { parse_repovizz_signal(text, "f.csv"); });
}

// A raw take of two armbands and four samples; value = 100·sensor + 10·axis + sample.
void write_raw_take(const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (int sensor = 1; sensor <= 2; ++sensor)
    for (const char* quantity : {"Rotation", "gyro", "acceleration"})
      for (int axis = 0; axis < 3; ++axis) {
        std::string text = "repovizz,framerate=25.0,minval=0,maxval=1\n";
        for (int i = 0; i < 4; ++i) text += std::to_string(100 * sensor + 10 * axis + i) + ".5,";
        test::write_file(
            folder + "/00_myo" + std::to_string(sensor) + "_" + quantity + "__" + "xyz"[axis] + ".csv",
            text + "\n");
      }
}

void write_processed_take(const std::string& folder, const std::string& take) {
  std::filesystem::create_directories(folder);
  for (const char* quantity : {"Rotation", "gyro", "acceleration"})
    for (const char* place : {"x1", "y1", "z1", "x2", "y2", "z2"})
      test::write_file(folder + "/" + take + "_" + quantity + "_" + place + ".csv",
                       "repovizz,framerate=50\n1,2,3\n");
}

}  // namespace

TEST_CASE("a signal's header and values") {
  const RepovizzSignal signal = parse_repovizz_signal(
      "repovizz,framerate=25.0,minval=-83.4514,maxval=8e1\n1.5,-2,3e-2,\n", "f.csv", 2.0);
  CHECK(signal.framerate == 25.0);
  CHECK(signal.minval == -83.4514);
  CHECK(signal.maxval == 80.0);
  CHECK(signal.values == std::vector<float>{3.0f, -4.0f, 0.06f});
}

TEST_CASE("what does not matter: last comma, line ends, blanks, the order and number of header fields") {
  for (const char* text :
       {"repovizz,framerate=25\n1,2", "repovizz,framerate=25\r\n1,2,\r\n", "repovizz,framerate=25\n1, 2\n\n",
        " repovizz , maxval=2,framerate = 25,unit=g,\n 1 ,\t2 ,  \n \n",
        "repovizz,minval=0,framerate=25,\n1,2,\n"}) {
    CAPTURE(text);
    const RepovizzSignal signal = parse_repovizz_signal(text, "f.csv");
    CHECK(signal.framerate == 25.0);
    CHECK(signal.values == std::vector<float>{1.0f, 2.0f});
  }
}

TEST_CASE("numbers are read alike under any locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  CHECK(parse_repovizz_signal("repovizz,framerate=25.5\n1.5,2", "f").values ==
        std::vector<float>{1.5f, 2.0f});
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("a signal that is wrong is refused with file, place and remedy") {
  const std::string good = "repovizz,framerate=25\n";
  CHECK(is_line_with(parsing_fault(""), {"f.csv: is empty", "repovizz,framerate="}));
  CHECK(is_line_with(parsing_fault(" \r\n"), {"f.csv: "}));
  CHECK(is_line_with(parsing_fault("time,x\n1,2\n"), {"f.csv: ", "'time'"}));
  CHECK(is_line_with(parsing_fault(std::string("\x01\x7f\xff\x00", 4)), {"f.csv: is no RepoVizz signal"}));
  CHECK(is_line_with(parsing_fault(std::string(100000, 'x')), {"'xxxx"}));
  CHECK(parsing_fault(std::string(100000, 'x')).size() < 300);
  CHECK(is_line_with(parsing_fault("repovizz\n1\n"), {"no framerate"}));
  CHECK(is_line_with(parsing_fault("repovizz,framerate\n1\n"), {"'framerate'"}));
  for (const char* rate : {"0", "-25", "nan", "inf", "1e400", "", "25Hz", "25,5.1", "0.5", "1000000"}) {
    CAPTURE(rate);
    CHECK_FALSE(parsing_fault("repovizz,framerate=" + std::string(rate) + "\n1\n").empty());
  }
  CHECK(is_line_with(parsing_fault("repovizz,framerate=-25\n1\n"), {"framerate='-25'", "1 to 100000"}));
  CHECK(is_line_with(parsing_fault("repovizz,framerate=25,minval=low\n1\n"), {"minval='low'"}));
  CHECK(is_line_with(parsing_fault("repovizz,framerate=25"), {"no samples"}));
  CHECK(is_line_with(parsing_fault(good), {"no samples"}));
  CHECK(is_line_with(parsing_fault(good + ",\n"), {"no samples"}));
  CHECK(is_line_with(parsing_fault(good + "1,2,abc,4\n"), {"f.csv: value 3", "'abc'"}));
  CHECK(is_line_with(parsing_fault(good + "1,2 3\n"), {"value 2", "'2 3'"}));
  CHECK(is_line_with(parsing_fault(good + "1,,3\n"), {"value 2", "empty"}));
  CHECK(is_line_with(parsing_fault(good + "1,2,,\n"), {"value 3", "empty"}));
  CHECK(is_line_with(parsing_fault(good + "1,nan\n"), {"value 2", "'nan'"}));
  CHECK(is_line_with(parsing_fault(good + "-inf\n"), {"value 1", "'-inf'"}));
  CHECK(is_line_with(parsing_fault(good + "1e39\n"), {"value 1"}));
  CHECK(is_line_with(parsing_fault(good + "1e999\n"), {"value 1"}));
  CHECK(is_line_with(parsing_fault(good + "0x10\n"), {"value 1"}));
  CHECK(is_line_with(parsing_fault(good + "1,2\n3,4\n"), {"line 2", "'3,4'"}));
}

TEST_CASE("bytes changed and cut at random are refused or read, and never do worse") {
  const std::string original =
      "repovizz,framerate=25.0,minval=-83.451400,maxval=86.236100\n31.861100,-22.9,1e-3,4,\n";
  Philox random(20);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = original;
    for (std::uint32_t flip = 1 + random.below(4); flip > 0; --flip)
      text[random.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(random.below(256));
    if (random.below(3) == 0) text.resize(random.below(static_cast<std::uint32_t>(text.size())));
    // An exact allocation, so that a sanitizer sees reading beyond the end.
    const std::vector<char> exact(text.begin(), text.end());
    try {
      const RepovizzSignal signal = parse_repovizz_signal({exact.data(), exact.size()}, "f.csv");
      REQUIRE(signal.framerate >= 1.0);
      REQUIRE_FALSE(signal.values.empty());
      for (const float value : signal.values) REQUIRE(std::isfinite(value));
    } catch (const InputError& error) {
      ++refused;
      REQUIRE(std::string(error.what()).find('\n') == std::string::npos);
    }
  }
  CHECK(refused > 5000);
  CHECK(refused < 20000);
}

TEST_CASE("a raw take is read into SI units") {
  test::ScratchFolder scratch;
  write_raw_take(scratch / "take");
  for (const std::string& path : {scratch / "take", scratch / "take/", scratch / ""}) {
    CAPTURE(path);
    const Recording recording = read_repovizz(path);
    CHECK(recording.source == path);
    REQUIRE(recording.sensors.size() == 2);
    CHECK(recording.sensor_names() == "myo1, myo2");
    CHECK(recording.common_rate_hz() == 25.0);
    CHECK(recording.duration_s() == doctest::Approx(0.16));
    const SensorTrack& myo2 = *recording.find_sensor("myo2");
    REQUIRE(myo2.channels.size() == 3);
    CHECK(myo2.channels[0].quantity == Quantity::rotation);
    CHECK(myo2.channels[1].quantity == Quantity::angular_velocity);
    CHECK(myo2.channels[2].quantity == Quantity::acceleration);
    CHECK(myo2.channels[0].axis(1)[3] == 213.5f);
    CHECK(myo2.channels[1].axis(1)[3] == doctest::Approx(213.5 * 3.14159265358979 / 180));
    CHECK(myo2.channels[2].axis(2)[0] == 220.5f);
    CHECK(recording.notes.empty());
    CHECK_NOTHROW(check_recording(recording));
  }
}

TEST_CASE("a path in the working folder needs no slash") {
  test::ScratchFolder scratch;
  write_raw_take(scratch / "take");
  write_processed_take(scratch / "p", "a");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(scratch.path());
  CHECK(read_repovizz("take").sensors.size() == 2);
  std::filesystem::current_path(scratch / "p");
  CHECK(read_repovizz("a").sensors.size() == 2);
  CHECK(read_repovizz(".").sensors.size() == 2);
  std::filesystem::current_path(before);
}

TEST_CASE("files of other quantities and other kinds are left out, the former are told") {
  test::ScratchFolder scratch;
  write_raw_take(scratch / "take");
  test::write_file(scratch / "take/00_myo1_emg__x.csv", "not read");
  test::write_file(scratch / "take/00_myo2_emg__x.csv", "not read");
  test::write_file(scratch / "take/audio.wav", "RIFF");
  test::write_file(scratch / "take/.00_myo1_gyro__x.csv", "hidden");
  const Recording recording = read_repovizz(scratch / "take");
  REQUIRE(recording.notes.size() == 1);
  CHECK(is_line_with(recording.notes[0], {"emg"}));
}

TEST_CASE("processed takes are chosen by their name") {
  test::ScratchFolder scratch;
  write_processed_take(scratch / "p", "27_take");
  CHECK(read_repovizz(scratch / "p").sensor_names() == "myo1, myo2");
  CHECK(read_repovizz(scratch / "p/27_take").common_rate_hz() == 50.0);
  write_processed_take(scratch / "p", "28_take");
  CHECK(read_repovizz(scratch / "p/28_take").sensor_names() == "myo1, myo2");
  CHECK(is_line_with(reading_fault(scratch / "p"), {"27_take", "28_take", "choose", scratch / "p/27_take"}));
  CHECK(is_line_with(reading_fault(scratch / "p/29_take"), {"29_take", "no such recording", "28_take"}));
}

TEST_CASE("several takes below a folder are listed with how to choose") {
  test::ScratchFolder scratch;
  write_raw_take(scratch / "raw/27_take");
  write_processed_take(scratch / "processed", "27_take");
  CHECK(is_line_with(reading_fault(scratch.path().string()),
                     {"processed/27_take", "raw/27_take", "choose one", scratch / "processed/27_take"}));
  CHECK(read_repovizz(scratch / "raw").sensors.size() == 2);
  CHECK(read_repovizz(scratch / "processed").sensors.size() == 2);
  for (int take = 0; take < 40; ++take) write_raw_take(scratch / "many/" + std::to_string(take));
  const std::string fault = reading_fault(scratch / "many");
  CHECK(is_line_with(fault, {"several recordings", "…"}));
  CHECK(fault.size() < 600);
}

TEST_CASE("what is no recording") {
  test::ScratchFolder scratch;
  CHECK(is_line_with(reading_fault(scratch.path().string()),
                     {"holds no recording that is known", "name the file", "inspect"}));
  CHECK(is_line_with(reading_fault(scratch / "absent"), {"absent", "no such recording"}));
  CHECK(is_line_with(reading_fault(scratch / "absent/deeper"), {"no such recording"}));
  CHECK(is_line_with(reading_fault(""), {"empty path"}));
  CHECK(is_line_with(reading_fault(std::string("a\0b", 3)), {"zero byte"}));
  test::write_file(scratch / "song.mid", "MThd");
  CHECK(is_line_with(reading_fault(scratch / "song.mid"), {"song.mid", "is a file", "folder"}));
  write_raw_take(scratch / "take");
  CHECK(is_line_with(reading_fault(scratch / "take/00_myo1_gyro__x.csv"), {"one axis", scratch / "take"}));
  std::filesystem::create_directory_symlink(scratch.path(), scratch / "loop");
  CHECK_FALSE(reading_fault(scratch.path().string()).empty());
}

TEST_CASE("a missing axis file is named") {
  for (const char* name : {"00_myo2_gyro__z.csv", "00_myo1_Rotation__x.csv"}) {
    test::ScratchFolder scratch;
    write_raw_take(scratch / "take");
    std::filesystem::remove(scratch / "take/" + name);
    CHECK(is_line_with(reading_fault(scratch / "take"), {scratch / "take/" + name, "missing", "x, y and z"}));
  }
  test::ScratchFolder scratch;
  write_processed_take(scratch / "p", "27_take");
  std::filesystem::remove(scratch / "p/27_take_acceleration_y2.csv");
  CHECK(is_line_with(reading_fault(scratch / "p"), {"27_take_acceleration_y2.csv", "missing"}));
}

TEST_CASE("axes that disagree, files that are wrong") {
  test::ScratchFolder scratch;
  const std::string folder = scratch / "take";
  const std::string file = folder + "/00_myo2_acceleration__y.csv";
  write_raw_take(folder);
  test::write_file(file, "repovizz,framerate=25\n1,2,3\n");
  CHECK(is_line_with(reading_fault(folder), {file, "3 samples", "has 4", "one length"}));
  test::write_file(file, "repovizz,framerate=50\n1,2,3,4\n");
  CHECK(is_line_with(reading_fault(folder), {file, "50 Hz", "25 Hz", "one rate"}));
  test::write_file(file, "repovizz,framerate=25\n1,2,loud,4\n");
  CHECK(is_line_with(reading_fault(folder), {file, "value 3", "'loud'"}));
  test::write_file(file, "");
  CHECK(is_line_with(reading_fault(folder), {file, "is empty"}));
  test::write_file(file, "\xEF\xBB\xBFrepovizz,framerate=25\n1,2,3,4\n");
  CHECK(reading_fault(folder).empty());
  test::write_file(folder + "/01_myo2_acceleration__y.csv", "repovizz,framerate=25\n1,2,3,4\n");
  CHECK(is_line_with(reading_fault(folder),
                     {"00_myo2_acceleration__y.csv", "01_myo2_acceleration__y.csv", "two files"}));
}

TEST_CASE("one armband is a recording, too") {
  test::ScratchFolder scratch;
  write_raw_take(scratch / "take");
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "take"))
    if (entry.path().filename().string().find("myo2") != std::string::npos)
      std::filesystem::remove(entry.path());
  CHECK(read_repovizz(scratch / "take").sensor_names() == "myo1");
}
