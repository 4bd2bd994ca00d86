#include "imu2music/imu/generic_csv_reader.hpp"

#include <doctest/doctest.h>

#include <string>

#include "error_text.hpp"

using namespace imu2music;
using csv_detail::ColumnName;
using csv_detail::read_column_name;

namespace {

Recording read(const std::string& text, const CsvUnits& units = {}) {
  return read_generic_csv(CsvTable(text, "take.csv"), units);
}

std::string refusal(const std::string& text, const CsvUnits& units = {}) {
  return test::error_text<InputError>([&] { read(text, units); });
}

}  // namespace

TEST_CASE("names tell sensor, quantity, axis and unit") {
  struct Expected {
    const char* name;
    Quantity quantity;
    int axis;
    const char* sensor;
    const char* unit;
  };
  using enum Quantity;
  for (const Expected& e : {
           Expected{"acc_x_g", acceleration, 0, "", "g"},
           Expected{"accel-Y (m/s^2)", acceleration, 1, "", "m/s^2"},
           Expected{"Acceleration z [m/s²]", acceleration, 2, "", "m/s²"},
           Expected{"acc_m_s2_x", acceleration, 0, "", "m/s2"},
           Expected{"X (m/s^2)", acceleration, 0, "", "m/s^2"},
           Expected{"z [rad/s]", angular_velocity, 2, "", "rad/s"},
           Expected{"a_ms2_x", acceleration, 0, "", "ms2"},
           Expected{"w_rads_x", angular_velocity, 0, "", "rads"},
           Expected{"a_g_x", angular_velocity, 0, "a", ""},
           Expected{"left gyro rad_s y", angular_velocity, 1, "left", "rad/s"},
           Expected{"left_angular_velocity_dps_x", angular_velocity, 0, "left", "dps"},
           Expected{"angular velocity deg_s z", angular_velocity, 2, "", "deg/s"},
           Expected{"gyro_x (deg/sec)", angular_velocity, 0, "", "deg/sec"},
           Expected{"acc_x [m/s\xb2]", acceleration, 0, "", "m/s\xb2"},
           Expected{"left_euler_deg_roll", rotation, 0, "left", "deg"},
           Expected{"left_angular_velocityX_dps", angular_velocity, 0, "left", "dps"},
           Expected{"ax", acceleration, 0, "", ""},
           Expected{"accX", acceleration, 0, "", ""},
           Expected{"az_ms2", acceleration, 2, "", "ms2"},
           Expected{"acc_x_m_s2", acceleration, 0, "", "m/s2"},
           Expected{"left_wrist_acc_x_mg", acceleration, 0, "left_wrist", "mg"},
           Expected{"g_x_dps", angular_velocity, 0, "", "dps"},
           Expected{"acc_g_x", acceleration, 0, "", "g"},
           Expected{"left_acc_mg_z", acceleration, 2, "left", "mg"},
           Expected{"gyro_dps_y", angular_velocity, 1, "", "dps"},
           Expected{"gz (deg/s)", angular_velocity, 2, "", "deg/s"},
           Expected{"gyro_y_rad_s", angular_velocity, 1, "", "rad/s"},
           Expected{"myo1.gyroscope.x.rads", angular_velocity, 0, "myo1", "rads"},
           Expected{"bow angular_velocity_z (rad/s)", angular_velocity, 2, "bow", "rad/s"},
           Expected{"wx", angular_velocity, 0, "", ""},
           Expected{"euler_x_rad", rotation, 0, "", "rad"},
           Expected{"roll_deg", rotation, 0, "", "deg"},
           Expected{"myo2_euler_yaw (rad)", rotation, 2, "myo2", "rad"},
           Expected{"qw", orientation, 3, "", ""},
           Expected{"quat_q0", orientation, 3, "", ""},
           Expected{"hand_quaternion_x", orientation, 0, "hand", ""},
           Expected{"q3", orientation, 2, "", ""},
       }) {
    INFO(e.name);
    const ColumnName name = read_column_name(e.name);
    CHECK(name.kind == ColumnName::Kind::value);
    CHECK(name.quantity == e.quantity);
    CHECK(name.axis == e.axis);
    CHECK(name.sensor == e.sensor);
    CHECK(name.unit == e.unit);
  }
}

TEST_CASE("time has its names, and what is neither is left out") {
  for (const char* name : {"t_s", "time_s", "Time (s)"}) {
    INFO(name);
    CHECK(read_column_name(name).kind == ColumnName::Kind::time);
    CHECK(read_column_name(name).unit == "s");
  }
  for (const char* name : {"t", "time", "seconds", "seconds_elapsed"}) {
    INFO(name);
    CHECK(read_column_name(name).kind == ColumnName::Kind::time);
    CHECK(read_column_name(name).unit.empty());
    CHECK(read_column_name(name).usual_unit == "s");
  }
  for (const char* name : {"ms", "time_ms", "timestamp (ms)", "t [ms]"}) {
    INFO(name);
    CHECK(read_column_name(name).kind == ColumnName::Kind::time);
    CHECK(read_column_name(name).unit == "ms");
  }
  CHECK(read_column_name("timestamp").unit.empty());
  CHECK(read_column_name("timestamp").usual_unit.empty());
  for (const char* name : {"",
                           "_",
                           "x",
                           "g",
                           "x (g)",
                           "x (deg)",
                           "w (rad/s)",
                           "max",
                           "index",
                           "label",
                           "linear_acceleration_x",
                           "gravity_x",
                           "mag_x",
                           "norm_acc_x",
                           "Absolute acceleration (m/s^2)",
                           "Linear Acceleration x (m/s^2)",
                           "angular_acc_x",
                           "hip_ang_acc_z",
                           "angular_accx",
                           "acc_w",
                           "temp_x",
                           "emg_1",
                           "acc_x_y_"}) {
    INFO(name);
    CHECK((read_column_name(name).kind == ColumnName::Kind::other || std::string(name) == "acc_x_y_"));
  }
}

TEST_CASE("axes alone are motion where a table names no other") {
  const std::string bare = "X (m/s^2),Y (m/s^2),Z (m/s^2)";
  const Recording alone = read("time_s," + bare + ",x (rad/s)\n0,1,2,3,4\n1,1,2,3,4\n");
  CHECK(alone.sensors.at(0).channels.size() == 1);
  CHECK(alone.notes == std::vector<std::string>{"left out: 'x (rad/s)'"});
  const Recording beside =
      read("time_s,acc_x_ms2,acc_y_ms2,acc_z_ms2," + bare + "\n0,1,2,3,4,5,6\n1,1,2,3,4,5,6\n");
  CHECK(beside.sensors.at(0).channels.at(0).axis(2)[0] == 3);
  CHECK(beside.notes == std::vector<std::string>{"left out: 'X (m/s^2)', 'Y (m/s^2)', 'Z (m/s^2)'"});
}

TEST_CASE("two armbands in one table become two sensors in SI units") {
  const Recording recording = read(
      "time_ms,myo1_acc_x_g,myo1_acc_y_g,myo1_acc_z_g,myo1_gyro_x_dps,myo1_gyro_y_dps,myo1_gyro_z_dps,"
      "myo2_acc_z_ms2,myo2_acc_y_ms2,myo2_acc_x_ms2,emg\n"
      "1000,0,0,1,180,0,0,9,8,7,5\n1020,0,0,2,90,0,0,3,2,1,5\n1040,0,0,2,90,0,0,3,2,1,5\n");
  CHECK(recording.sensor_names() == "myo1, myo2");
  CHECK(recording.sensors[0].clock.rate_hz == doctest::Approx(50));
  CHECK(recording.sensors[0].clock.start_s == 0);
  CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(2)[1] == doctest::Approx(2 * 9.80665));
  CHECK(recording.sensors[0].find(Quantity::angular_velocity)->axis(0)[0] == doctest::Approx(3.14159265));
  CHECK(recording.sensors[1].find(Quantity::acceleration)->axis(0)[0] == 7);
  CHECK(recording.sensors[1].find(Quantity::acceleration)->axis(2)[0] == 9);
  REQUIRE(recording.notes.size() == 1);
  CHECK(recording.notes[0] == "left out: 'emg'");
}

TEST_CASE("quaternions are x y z w inside, w first or last in the file") {
  const Recording recording = read("t,q0,q1,q2,q3\n0,0.5,0.1,0.2,0.3\n1,1,0,0,0\n");
  const Channel& q = *recording.sensors[0].find(Quantity::orientation);
  CHECK(q.axis(0)[0] == 0.1f);
  CHECK(q.axis(3)[0] == 0.5f);
  CHECK(read("t,qw,qx,qy,qz\n0,1,0,0,0\n1,1,0,0,0\n").sensors[0].find(Quantity::orientation)->axis(3)[1] ==
        1);
}

TEST_CASE("units and rate that a file does not tell are given") {
  CsvUnits units;
  units.acceleration = "g";
  units.rate_hz = 50;
  const Recording recording = read("ax,ay,az\n1,0,0\n", units);
  CHECK(recording.sensors[0].find(Quantity::acceleration)->axis(0)[0] == doctest::Approx(9.80665));
  CHECK(recording.sensors[0].clock.rate_hz == 50);
  units.time = "ms";
  CHECK(read("timestamp,ax,ay,az\n1,1,0,0\n5,1,0,0\n", units).sensors[0].clock.rate_hz == 250);
}

TEST_CASE("a unit of time that is given holds where the name tells none, seconds where neither does") {
  CsvUnits units;
  for (const std::string name : {"t", "time", "seconds", "seconds_elapsed"}) {
    INFO(name);
    const std::string text = name + ",acc_x_g,acc_y_g,acc_z_g\n1,1,0,0\n5,1,0,0\n";
    units.time = "ms";
    CHECK(read(text, units).sensors[0].clock.rate_hz == 250);
    units.time.clear();
    CHECK(read(text, units).sensors[0].clock.rate_hz == 0.25);
  }
  units.time = "ms";
  CHECK(read("time_s,acc_x_g,acc_y_g,acc_z_g\n1,1,0,0\n5,1,0,0\n", units).sensors[0].clock.rate_hz == 0.25);
}

TEST_CASE("a unit that is given holds where the one in the name is not known") {
  const std::string text =
      "time_s,gyro_x (deg per s),gyro_y (deg per s),gyro_z (deg per s)\n0,180,0,0\n1,0,0,0\n";
  CHECK(test::is_line_with(refusal(text), {"deg per s", "--units gyro=dps"}));
  CsvUnits units;
  units.angular_velocity = "dps";
  CHECK(read(text, units).sensors[0].channels[0].axis(0)[0] == doctest::Approx(3.14159265));
  units.rotation = "deg";
  CHECK(test::is_line_with(refusal("time_s,roll_deg_s,pitch_deg_s,yaw_deg_s\n0,1,2,3\n1,1,2,3\n", units),
                           {"'roll_deg_s'", "the unit 'deg/s'", "no unit of rotation"}));
}

TEST_CASE("rows of several sensors are refused; a column that tells other things is left out") {
  // What the column holds in row i, and the row's time.
  const auto table = [](const std::string& name, const auto& value, const auto& time) {
    std::string text = name + ",time_s,acc_x_g,acc_y_g,acc_z_g\n";
    for (int i = 0; i < 120; ++i) text += std::string(value(i)) + "," + std::to_string(time(i)) + ",0,0,1\n";
    return text;
  };
  const auto rising = [](int i) { return i; };
  const auto side_of = [](int i) { return std::string(i == 0 ? "left" : "right"); };
  const auto in_turn = [&](int i) { return side_of(i % 2); };
  const auto packets = [&](int i) { return side_of(i / 12 % 2); };
  const auto blocks = [&](int i) { return side_of(i / 60); };
  for (const char* name : {"device", "Device-ID", "imu_id", "sensor number", "MAC"}) {
    INFO(name);
    CHECK(test::is_line_with(refusal(table(name, in_turn, rising)),
                             {"rows are of 2 sensors", "changes 119 times"}));
    CHECK(test::is_line_with(refusal(table(name, packets, [](int i) { return i % 12 + i / 24 * 12; })),
                             {"rows are of 2 sensors", "changes 9 times in 120 rows"}));
    CHECK(test::is_line_with(refusal(table(name, blocks, [](int i) { return i % 60; })),
                             {"rows are of 2 sensors", "changes 1 time in"}));
    CHECK(read(table(
                   name, [](int) { return "left"; }, rising))
              .sensors.size() == 1);
  }
  for (const char* name : {"hand", "sensor", "location", "side"}) {
    INFO(name);
    CHECK(test::is_line_with(refusal(table(name, in_turn, [](int i) { return i / 2; })),
                             {"rows are of 2 sensors", "changes 119 times"}));
    CHECK(read(table(name, packets, rising)).sensors.size() == 1);
    CHECK(read(table(name, in_turn, rising)).sensors.size() == 1);
  }
  CHECK(read(table(
                 "sensor", [](int i) { return std::to_string(i * 37 % 101); }, rising))
            .sensors.size() == 1);
  CHECK(read(table(
                 "device", [](int i) { return i % 10 == 0 ? "left" : ""; }, rising))
            .sensors.size() == 1);
  // Sensors with columns of their own need no names, and may have them.
  std::string own =
      "device,time_s,left_acc_x_g,left_acc_y_g,left_acc_z_g,right_acc_x_g,right_acc_y_g,right_acc_z_g\n";
  for (int i = 0; i < 120; ++i)
    own += side_of(i % 2) + "," + std::to_string(i / 2) + (i % 2 == 0 ? ",0,0,1,,,\n" : ",,,,0,0,1\n");
  CHECK(read(own).sensors.size() == 2);
}

TEST_CASE("what is missing or does not fit is told") {
  const auto is = [](const std::string& text, std::initializer_list<std::string_view> parts) {
    INFO(text);
    CHECK(test::is_line_with(refusal(text), parts));
  };
  is("time_s,ax,ay,az\n0,1,2,3\n1,1,2,3\n",
     {"take.csv", "'ax'", "no unit", "_g or _ms2", "--units acceleration=g"});
  is("time_s,gx,gy,gz\n0,1,2,3\n1,1,2,3\n", {"'gx'", "no unit", "_dps or _rads", "--units gyro=dps"});
  is("time_s,roll,pitch,yaw\n0,1,2,3\n1,1,2,3\n", {"no unit", "_rad or _deg", "--units rotation=deg"});
  is("time_s,gyro_x_g,gyro_y_g,gyro_z_g\n0,1,2,3\n1,1,2,3\n", {"angular velocity", "the unit 'g'"});
  is("time_s,acc_x_g,acc_y_ms2,acc_z_g\n0,1,2,3\n1,1,2,3\n", {"differ in their unit", "'acc_y_ms2'"});
  is("time_s,acc_x_g,acc_z_g\n0,1,3\n1,1,3\n", {"lacks the y axis", "acceleration"});
  is("time_s,acc_x_g,acc_y_g,acc_z_g,accel_x_g\n0,1,2,3,4\n", {"two columns for one axis", "'accel_x_g'"});
  is("acc_x_g,acc_y_g,acc_z_g\n1,2,3\n", {"no time column", "--rate"});
  is("timestamp,acc_x_g,acc_y_g,acc_z_g\n0,1,2,3\n1,1,2,3\n", {"'timestamp'", "no unit"});
  is("time_h,acc_x_g,acc_y_g,acc_z_g\n0,1,2,3\n", {"no time column"});
  is("time (h),acc_x_g,acc_y_g,acc_z_g\n0,1,2,3\n", {"the unit 'h'"});
  is("a,b,c\n1,2,3\n", {"no recording", "a, b, c"});
}

TEST_CASE("a name of more than 200 characters is that of no column") {
  std::string name;
  for (int i = 0; i < 100; ++i) name += "a ";
  CHECK(csv_detail::read_column_name(name + "acc x (g)").kind == csv_detail::ColumnName::Kind::other);
  CHECK(csv_detail::read_column_name("left acc x (g)").kind == csv_detail::ColumnName::Kind::value);
}
