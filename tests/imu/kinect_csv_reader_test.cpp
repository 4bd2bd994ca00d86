#include "imu2music/imu/kinect_csv_reader.hpp"

#include <doctest/doctest.h>

#include "error_text.hpp"
#include "recording_texts.hpp"

using namespace imu2music;

TEST_CASE("each joint in space is a sensor with a position in metres") {
  const CsvTable table(test::kinect_csv, "skeleton.csv");
  REQUIRE(is_kinect_csv(table));
  const Recording recording = read_kinect_csv(table);
  CHECK(recording.sensor_names() == "SpineBase, Neck");
  CHECK(recording.sensors[0].clock.rate_hz == 30);
  CHECK(recording.find_sensor("Neck")->find(Quantity::position)->axis(2)[1] == 2.5f);
  REQUIRE(recording.notes.size() == 2);
  CHECK(recording.notes[1] == "1 of 4 positions are inferred and not tracked");
  const Recording faster = read_kinect_csv(table, 60);
  CHECK(faster.sensors[0].clock.rate_hz == 60);
  CHECK(faster.notes.size() == 1);
}

TEST_CASE("keypoints of a picture have two axes and numbers for names") {
  const CsvTable table(test::kinect_picture_csv, "picture.csv", false);
  REQUIRE(is_kinect_picture_csv(table));
  const Recording recording = read_kinect_picture_csv(table);
  CHECK(recording.sensors.size() == 10);
  CHECK(recording.sensors[0].find(Quantity::image_position)->axis(0)[1] == 1.5f);
  CHECK(recording.find_sensor("joint10")->find(Quantity::image_position)->axis(1)[1] == -20);
}

TEST_CASE("a joint that lacks a coordinate is refused, and so is a foreign column") {
  const auto refusal = [](const char* text) {
    return test::error_text<InputError>([&] { read_kinect_csv(CsvTable(text, "f")); });
  };
  CHECK(test::is_line_with(refusal("A.x,A.y,A.z,state,B.x,B.y,state\n0,0,0,t,0,0,t\n"), {"f: ", "'B.z'"}));
  CHECK(test::is_line_with(refusal("A.x,A.y,A.z,state,frame\n0,0,0,t,0\n"), {"'frame'"}));
  CHECK(test::is_line_with(refusal("A.x,A.y,A.z,state\n"), {"no samples"}));
}
