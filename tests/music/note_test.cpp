#include "imu2music/music/note.hpp"

#include <doctest/doctest.h>

using namespace imu2music;

TEST_CASE("pitches are named in scientific notation") {
  CHECK(pitch_name(60) == "C4");
  CHECK(pitch_name(0) == "C-1");
  CHECK(pitch_name(127) == "G9");
  CHECK(pitch_name(54) == "F#3");
  CHECK(pitch_name(21) == "A0");
  CHECK(pitch_name(-1) == "B-2");
}
