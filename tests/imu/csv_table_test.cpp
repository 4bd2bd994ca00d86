#include "imu2music/imu/csv_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "error_text.hpp"

using namespace imu2music;

namespace {

const std::vector<CsvTrack> one_track = {{"s", {{Quantity::acceleration, {1, 2, 3}, 2.0}}}};

Recording read(const std::string& text, const std::vector<CsvTrack>& tracks = one_track) {
  const CsvTable table(text, "take.csv");
  CsvClock clock;
  clock.column = 0;
  return read_csv_recording(table, clock, tracks);
}

// Whose first column counts samples of 10 ms and begins again after 65536.
Recording read_counted(const std::string& text) {
  const CsvTable table(text, "f");
  CsvClock clock;
  clock.column = 0;
  clock.to_seconds = 0.01;
  clock.wrap = 65536;
  return read_csv_recording(table, clock, one_track);
}

std::string refusal(const std::string& text) {
  return test::error_text<InputError>([&] { read(text); });
}

}  // namespace

TEST_CASE("columns become channels, scaled, whatever separates them and ends the lines") {
  for (const char* text : {"t,x,y,z\n0,1,2,3\n0.5,4,5,6\n", "t;x;y;z\r\n0;1;2;3\r\n0.5;4;5;6",
                           "t\tx\ty\tz\n0\t1\t2\t3\n\n0.5\t4\t5\t6\n\n",
                           "\"t\",\"x\",\"y\",\"z\"\n\"0\",\"1\",\"2\",\"3\"\n0.5 , 4 ,\"5\" ,6\n",
                           "t,x,y,z\n\" 0\",\"1 \",\"\t2\",\" 3 \"\n0.5,4,5,6\n",
                           "# made by hand\n\nt,x,y,z\n0,1,2,3\n+0.5,+4,5.0,6e0\n",
                           "# by numpy\n# t,x,y,z\n0,1,2,3\n0.5,4,5,6\n", "// t,x,y,z\n0,1,2,3\n0.5,4,5,6\n",
                           "# a phone of 6\"\nt,x,y,z\n0,1,2,3\n0.5,4,5,6\n",
                           "// a comment\r\nt,x,y,z\r\n0,1,2,3\r\n0.5,4,5,6\r\n"}) {
    INFO(text);
    const Recording recording = read(text);
    REQUIRE(recording.sensors.size() == 1);
    CHECK(recording.sensors[0].clock.rate_hz == 2);
    CHECK(recording.sensors[0].channels[0].samples == std::vector<float>{2, 8, 4, 10, 6, 12});
  }
}

TEST_CASE("a first line that tells the separator is skipped, and holds") {
  for (const char* text :
       {"sep=;\nt;x, in g;y;z\n0;1;2;3\n0.5;4;5;6\n", "sep=,\r\nt,x;,y;,z;\r\n0,1,2,3\r\n0.5,4,5,6",
        "sep=\t\nt\tx\ty\tz\n0\t1\t2\t3\n0.5\t4\t5\t6\n",
        "\"sep=;\"\n# made by hand\nt;x;y;z\n0;1;2;3\n0.5;4;5;6\n"}) {
    INFO(text);
    CHECK(read(text).sensors.at(0).channels[0].samples == std::vector<float>{2, 8, 4, 10, 6, 12});
  }
  CHECK(test::is_line_with(refusal("sep=;\nt;x;y;z\n0;1;2\n"), {"line 3", "3 fields"}));
  CHECK(test::is_line_with(refusal("sep=;"), {"no table"}));
  CHECK(CsvTable("sep=|\n1\n", "f").names() == std::vector<std::string>{"sep=|"});
}

TEST_CASE("names may be quoted, with separators and quotes inside") {
  const std::string text = "\"Time (s)\",\"a, b\",\"say \"\"x\"\"\"\n0,1,2\n";
  const CsvTable table(text, "f");
  CHECK(table.names() == std::vector<std::string>{"Time (s)", "a, b", "say \"x\""});
  CHECK(table.require("a, b") == 1);
}

TEST_CASE("empty fields, nan and inf are values that are missing") {
  const Recording recording = read("t,x,y,z\n0,,nan,1\n1,-inf,2,NaN\n2,1,1e999,1e-999\n");
  const Channel& channel = recording.sensors[0].channels[0];
  CHECK(std::isnan(channel.axis(0)[0]));
  CHECK(std::isnan(channel.axis(1)[0]));
  CHECK(std::isnan(channel.axis(0)[1]));
  CHECK(std::isnan(channel.axis(2)[1]));
  CHECK(std::isnan(channel.axis(1)[2]));
  CHECK(channel.axis(2)[2] == 0);
  CHECK(channel.axis(2)[0] == 2);
}

TEST_CASE("a value beyond a float's range stays finite") {
  const Recording recording = read("t,x,y,z\n0,1e300,-1e300,1\n1,1,1,1\n");
  CHECK(std::isfinite(recording.sensors[0].channels[0].axis(0)[0]));
  CHECK(recording.sensors[0].channels[0].axis(1)[0] < -1e38f);
}

TEST_CASE("bad tables are refused with line and column") {
  const auto is = [](const std::string& text, std::initializer_list<std::string_view> parts) {
    INFO(text);
    const std::string message = refusal(text);
    CHECK(message.find("take.csv") != std::string::npos);
    CHECK(test::is_line_with(message, parts));
  };
  is("", {"no table"});
  is("\n \n# only a comment\n", {"no table"});
  is("# t,x,y,z\n0,1,2,3\n1,4,5\n", {"line 3", "3 fields", "4"});
  is("# t,x,y\n0,1,2,3\n1,4,5,6\n", {"one sample"});  // fewer names than numbers are none
  is("t,x,y,z\n", {"no samples"});
  is("t,x,y,z\n0,1,2,3\n", {"one sample"});
  is("t,x,y,z\n0,1,2,3\n1,4,5\n", {"line 3", "3 fields", "4"});
  is("t,x,y,z\n0,1,2,3,4\n", {"line 2", "5 fields"});
  is("t,x,y,z\n0,1,two,3\n", {"line 2", "'y'", "'two'", "no number"});
  is("t,x,y,z\n0,1,0x10,3\n", {"line 2", "'0x10'"});
  is("t,x,y,z\n0,1,+,3\n", {"line 2", "'y'", "'+'", "no number"});
  is("t,x,y,z\n0,1,2,+-1\n", {"line 2", "'z'", "'+-1'", "no number"});
  is("t,x,y,z\n0,1,2,++1\n", {"'++1'", "no number"});
  is("t,x,y,z\n0,1,2 3,3\n", {"'2 3'"});
  is("t,x,y,z\n0,1,\x01\xff,3\n", {"\\x01\\xff"});
  is("t;x;y;z\n0,0;1,5;2;3\n", {"line 2", "decimal comma"});
  is("t,x,y,z\n,1,2,3\n", {"line 2", "no time"});
  is("t,x,y,z\nnan,1,2,3\n", {"line 2", "'nan'", "no time"});
  is("t,x,y,z\n0,1,2,\"3\n", {"line 2", "quote"});
  is("t,x,y,z\n0,1,2,\"3\"4\n", {"line 2", "quoted"});
  is("t,\"x,y,z\n0,1,2,3\n", {"line 1", "quote"});
  is(std::string(20000, ','), {"columns"});
  CHECK(test::is_line_with(test::error_text<InputError>([] { CsvTable("a,b,a\n", "f").require("a"); }),
                           {"two columns", "'a'"}));
  CHECK(test::is_line_with(test::error_text<InputError>([] { CsvTable("a,b,a\n", "f").require("c"); }),
                           {"no column 'c'", "a, b, a"}));
}

TEST_CASE("a count that begins again runs on") {
  std::string text = "n,x,y,z\n";
  for (int i = 0; i < 40; ++i) text += std::to_string((65520 + i) % 65536) + ",0,0,0\n";
  const Recording recording = read_counted(text);
  CHECK(recording.sensors[0].clock.rate_hz == doctest::Approx(100));
  CHECK(recording.sensors[0].clock.resets.empty());
}

TEST_CASE("rows out of order are sorted with their values, rows in bunches are spread, and both are told") {
  std::string text = "t,x,y,z\n";
  for (int i = 0; i < 20; ++i) {
    const int row = i == 10 ? 11 : i == 11 ? 10 : i;
    text += std::to_string(row) + "," + std::to_string(row) + ",0," + std::to_string(-row) + "\n";
  }
  const Recording sorted = read(text);
  CHECK(sorted.sensors[0].clock.rate_hz == 1);
  CHECK(sorted.sensors[0].clock.resets.empty());
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(sorted.sensors[0].channels[0].axis(0)[i] == 2 * static_cast<float>(i));
    CHECK(sorted.sensors[0].channels[0].axis(2)[i] == -2 * static_cast<float>(i));
  }
  CHECK(sorted.notes == std::vector<std::string>{"out of order: 1 row, which was sorted by time"});

  text = "t,x,y,z\n";
  for (int i = 0; i < 20; ++i) text += std::to_string(i / 4 * 4) + "," + std::to_string(i) + ",0,0\n";
  const Recording spread = read(text);
  CHECK(spread.sensors[0].clock.rate_hz == 1);
  CHECK(spread.sensors[0].channels[0].axis(0)[19] == 38);
  CHECK(spread.notes ==
        std::vector<std::string>{"time stamps come in bunches: 20 rows in 5, which were spread "
                                 "evenly up to the next"});
}

TEST_CASE("rows of different sensors are told apart, however close their times are") {
  const std::vector<CsvTrack> two = {{"a", {{Quantity::acceleration, {1, 2, 3}, 1.0}}},
                                     {"b", {{Quantity::angular_velocity, {4, 5, 6}, 1.0}}}};
  for (const char* lag : {"0", "5"}) {
    std::string text = "t,ax,ay,az,gx,gy,gz\n";
    for (int i = 0; i < 200; ++i)
      text +=
          std::to_string(i / 2) + (i % 2 == 0 ? ".00,1,2,3,,,\n" : ".0" + std::string(lag) + ",,,,4,5,6\n");
    const Recording recording = read(text, two);
    CHECK(recording.notes.empty());
    for (const SensorTrack& sensor : recording.sensors) {
      CHECK(sensor.sample_count() == 100);
      CHECK(sensor.clock.rate_hz == 1);
    }
    CHECK(recording.sensors[0].clock.start_s == 0);
    CHECK(recording.sensors[1].clock.start_s == doctest::Approx((lag[0] - '0') / 100.0));
    CHECK(recording.sensors[1].channels[0].axis(2)[99] == 6);
    // The quantities of one sensor are brought to the times of the first.
    const Recording one = read(
        text,
        {{"a", {{Quantity::acceleration, {1, 2, 3}, 1.0}, {Quantity::angular_velocity, {4, 5, 6}, 1.0}}}});
    CHECK(one.notes.empty());
    REQUIRE(one.sensors.size() == 1);
    CHECK(one.sensors[0].clock.rate_hz == 1);
    CHECK(one.sensors[0].sample_count() == (lag[0] == '0' ? 100 : 99));
    CHECK(one.sensors[0].channels[0].axis(0)[50] == 1);
    CHECK(one.sensors[0].channels[1].axis(2)[50] == 6);
  }
  // Packets of one sensor, then of the other, and rows of what is left out between them.
  std::string text = "t,ax,ay,az,gx,gy,gz,mag\n";
  for (int i = 0; i < 100; ++i) {
    const std::string stamp = std::to_string(4 * i);
    for (int k = 0; k < 4; ++k) text += stamp + ",1,2,3,,,,\n" + stamp + ",,,,,,,7\n";
    for (int k = 0; k < 4; ++k) text += stamp + ",,,,4,5,6,\n";
  }
  const Recording packets = read(text, two);
  REQUIRE(packets.notes.size() == 2);
  CHECK(packets.notes[1].find("sensor b: time stamps come in bunches: 400 rows in 100") == 0);
}

TEST_CASE("a quantity that stops early, and a clock that is put back, keep a table's sensors together") {
  const CsvChannel acceleration{Quantity::acceleration, {1, 2, 3}, 1.0},
      turning{Quantity::angular_velocity, {4, 5, 6}, 1.0};
  std::string dies = "t,ax,ay,az,gx,gy,gz\n", reset = dies, silent = dies;
  for (int i = 0; i < 200; ++i) {
    dies += std::to_string(i) + ".0,1,2,3,,,\n";
    if (i < 30) dies += std::to_string(i) + ".5,,,,4,5,6\n";
    reset += std::to_string(i % 100) + ".0,1,2,3,,,\n";
    if (i >= 100) reset += std::to_string(i % 100) + ".5,,,,4,5,6\n";
    silent += std::to_string(i) + ",1,2,3,,,\n";
    if (i == 50) silent += "50,,,,4,5,6\n50,,,,4,5,6\n";
  }
  const Recording one = read(dies, {{"a", {acceleration, turning}}});
  CHECK(one.sensors[0].duration_s() == doctest::Approx(199));
  const Recording two = read(reset, {{"a", {acceleration}}, {"b", {turning}}});
  REQUIRE(two.sensors.size() == 2);
  for (const SensorTrack& sensor : two.sensors) {
    CHECK(sensor.sample_count() == 300);
    CHECK(sensor.clock.resets.size() == 1);
    CHECK(sensor.duration_s() == doctest::Approx(199.5).epsilon(0.01));
  }
  CHECK(read(silent, {{"a", {acceleration}}, {"b", {turning}}}).sensors[0].sample_count() == 202);

  // Beside a sensor in every row whose clock is put back, the other goes back with it.
  std::string beside = "t,ax,ay,az,gx,gy,gz\n";
  for (int i = 0; i < 200; ++i)
    beside += std::to_string(i % 100) + ",1,2,3," + (i >= 100 && i % 2 == 0 ? "4,5,6\n" : ",,\n");
  for (const SensorTrack& sensor : read(beside, {{"a", {acceleration}}, {"b", {turning}}}).sensors)
    CHECK(sensor.clock.resets.size() == 1);
  // In packets of a sensor each, the table's stamps fall all the time: each has its own clock, put back or
  // not.
  std::string packets = "t,ax,ay,az,gx,gy,gz\n";
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 20; ++k) packets += std::to_string(20 * i + k - (i >= 10 ? 6 : 0)) + ",1,2,3,,,\n";
    for (int k = 0; k < 20; ++k) packets += std::to_string(20 * i + k) + ",,,,4,5,6\n";
  }
  const Recording own = read(packets, {{"a", {acceleration}}, {"b", {turning}}});
  CHECK(own.sensors.at(0).clock.resets.size() == 1);
  CHECK(own.sensors.at(1).clock.resets.empty());
  for (const SensorTrack& sensor : own.sensors) CHECK(sensor.sample_count() == 400);
}

TEST_CASE(
    "a sensor that falls silent beside others lacks values; sensors below one another have their clocks") {
  const std::vector<CsvTrack> two = {{"a", {{Quantity::acceleration, {1, 2, 3}, 1.0}}},
                                     {"b", {{Quantity::angular_velocity, {4, 5, 6}, 1.0}}}};
  std::string dies = "t,ax,ay,az,gx,gy,gz\n", begins = dies, below = dies;
  for (int i = 0; i < 200; ++i) {
    const std::string row = std::to_string(i) + ",1,2,3,";
    dies += row + (i < 30 ? "4,5,6\n" : ",,\n");
    begins += row + (i >= 100 ? "4,5,6\n" : ",,\n");
    below += i < 100 ? row + ",,\n" : std::to_string(i - 100) + ",,,,4,5,6\n";
  }
  for (const std::string& text : {dies, begins})
    for (const SensorTrack& sensor : read(text, two).sensors) CHECK(sensor.sample_count() == 200);
  for (const SensorTrack& sensor : read(below, two).sensors) {
    CHECK(sensor.sample_count() == 100);
    CHECK(sensor.clock.rate_hz == 1);
  }
}

TEST_CASE("rows of sensors in turn may be late, and a clock that few rows cannot tell is that of the table") {
  const auto tracks = [](int sensors) {
    std::vector<CsvTrack> result;
    for (int s = 0; s < sensors; ++s)
      result.push_back(
          {"s" + std::to_string(s), {{Quantity::acceleration, {1 + 3 * s, 2 + 3 * s, 3 + 3 * s}, 1.0}}});
    return result;
  };
  // Every row is of one sensor, at a time of its own.
  const auto row = [](double time, int sensor, int sensors) {
    std::string text = std::to_string(time);
    for (int s = 0; s < sensors; ++s) text += s == sensor ? ",1,2,3" : ",,,";
    return text + "\n";
  };
  constexpr int five = 5;
  std::string polled = "t,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o\n";
  for (int i = 0; i < 100; ++i) {
    const int round = i == 50 ? 51 : i == 51 ? 50 : i;
    for (int s = 0; s < five; ++s) polled += row((s == 0 ? round : i) * 0.01 + s * 5e-5, s, five);
  }
  for (const SensorTrack& sensor : read(polled, tracks(five)).sensors) {
    CHECK(sensor.sample_count() == 100);
    CHECK(sensor.clock.resets.empty());
    CHECK(sensor.clock.rate_hz == doctest::Approx(100));
  }
  std::string few = "t,a,b,c,d,e,f\n";
  for (int i = 0; i < 60; ++i) {
    few += row(i, 0, 2);
    if (i % 7 == 0) few += row(i == 28 ? 19.5 : i + 0.5, 1, 2);
  }
  for (const SensorTrack& sensor : read(few, tracks(2)).sensors) CHECK(sensor.sample_count() == 69);
}

TEST_CASE("a late packet from before the count began again may be the second") {
  std::string text = "n,x,y,z\n0,0,0,0\n65535,0,0,0\n";
  for (int i = 1; i < 40; ++i) text += std::to_string(i) + ",0,0,0\n";
  const Recording recording = read_counted(text);
  CHECK(recording.sensors[0].clock.rate_hz == doctest::Approx(100));
  CHECK(recording.sensors[0].duration_s() == doctest::Approx(0.41));
}

TEST_CASE("a packet that comes late just after the counter began again costs no turn") {
  std::string text = "n,x,y,z\n";
  for (int i = 0; i < 40; ++i) {
    const int row = i == 20 ? 21 : i == 21 ? 20 : i;
    text += std::to_string((65515 + row) % 65536) + ",0,0,0\n";
  }
  const Recording recording = read_counted(text);
  CHECK(recording.sensors[0].clock.rate_hz == doctest::Approx(100));
  CHECK(recording.notes == std::vector<std::string>{"out of order: 1 row, which was sorted by time"});
}

TEST_CASE("a row of tabs has missing values, as one of commas; at the end of a table neither is a row") {
  CHECK(read("t\tx\ty\tz\n0\t1\t2\t3\n\t\n\t\t\t\n1\t4\t5\t6\n").sensors[0].sample_count() == 2);
  CHECK(read("t,x,y,z\n0,1,2,3\n,,,\n1,4,5,6\n").sensors[0].sample_count() == 2);
  for (const char separator : {'\t', ',', ';'}) {
    std::string text = "x,y,z\n1,2,3\n,,\n4,5,6\r\n,,\r\n,,\n\n";
    std::replace(text.begin(), text.end(), ',', separator);
    const CsvTable table(text, "f");
    CsvClock clock;
    clock.rate_hz = 10;
    const Recording recording =
        read_csv_recording(table, clock, {{"s", {{Quantity::acceleration, {0, 1, 2}, 1.0}}}});
    REQUIRE(recording.sensors[0].sample_count() == 3);
    CHECK(std::isnan(recording.sensors[0].channels[0].axis(0)[1]));
    CHECK(recording.sensors[0].channels[0].axis(0)[2] == 4);
    CHECK(table.has_rows(3));
    CHECK_FALSE(table.has_rows(4));
  }
}

TEST_CASE("a table without a clock has the rate that is given, and one sample is enough") {
  const CsvTable table("1,2,3,4\n", "f", false);
  CHECK(table.column_count() == 4);
  CsvClock clock;
  clock.rate_hz = 30;
  const Recording recording = read_csv_recording(table, clock, one_track);
  CHECK(recording.sensors[0].sample_count() == 1);
  CHECK(recording.sensors[0].clock.rate_hz == 30);
}

TEST_CASE("room is kept for the rows that the text can hold, not for its lines, and not for every comment") {
  std::string header = "t";
  for (int i = 0; i < 99; ++i) header += ",x" + std::to_string(i);
  const std::string lines(100000, '\n');
  const std::string text = header + "\n" + lines;
  CHECK(CsvTable(text, "f").row_limit() <= 1001);
  const std::string rows = "t,x\n0,1\n1,2\n2,3";
  CHECK(CsvTable(rows, "f").row_limit() >= 3);
  std::string comments;
  for (int i = 0; i < 100000; ++i) comments += "#\n";
  comments += rows;
  CHECK(CsvTable(comments, "f").comments().size() == CsvTable::most_comments);
}

TEST_CASE("a sensor's name has no control characters, whatever the table says") {
  const CsvTable table("1,2,3,4\n", "f", false);
  CsvClock clock;
  clock.rate_hz = 30;
  std::vector<CsvTrack> tracks = one_track;
  tracks[0].name = "hand\x1b[2J\x7f";
  CHECK(read_csv_recording(table, clock, tracks).sensors[0].name == "hand [2J ");
}
