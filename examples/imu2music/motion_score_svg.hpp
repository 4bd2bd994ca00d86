// The picture of a piece: rows of motion above a piano roll, on one time axis. SVG, readable on light and
// dark.
//
// A row draws three axes of one quantity; rows of one unit share their scale, so that sensors can be
// compared. A note is a rectangle, the more opaque the louder. Where a row has more samples than the picture
// has columns, it draws the smallest and the largest of each column (an envelope), so that no peak is lost
// and ten minutes stay below 1 MB. Samples that are not finite leave a gap. Colours are told apart by
// colour-blind eyes (after Okabe and Ito). The text needs no font to be installed; every string may hold any
// bytes. Cost O(samples + notes).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "imu2music/music/note.hpp"

struct MotionTrace {
  std::string label;  // "right arm, gyroscope": broken into up to three lines
  std::string unit;   // "deg/s"
  double start_s = 0;
  double rate_hz = 50;
  std::vector<std::array<float, 3>> values;  // x, y, z
};

struct MotionScore {
  std::string title;
  std::string subtitle;
  std::vector<MotionTrace> traces;
  std::vector<imu2music::Note> notes;
  std::vector<double> window_starts_s;   // drawn as faint broken lines
  std::optional<double> start_s, end_s;  // of the time axis; otherwise from 0 to the end of motion and notes
  std::array<std::string, 3> axes{"x", "y", "z"};  // for the legend
};

std::string motion_score_svg(const MotionScore& score);
