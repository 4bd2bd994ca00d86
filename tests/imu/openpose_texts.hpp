// Frames as OpenPose writes them, of a person whose arms swing.
#pragma once

#include <cmath>
#include <cstdio>
#include <numbers>
#include <string>

namespace test {

inline std::string openpose_name(int frame, const std::string& video = "violin") {
  char number[16];
  std::snprintf(number, sizeof number, "%012d", frame);
  return video + "_" + number + "_keypoints.json";
}

inline std::string openpose_numbers(const std::string& key, int keypoints, double x, double y, double swing) {
  std::string text = "\"" + key + "\":[";
  for (int k = 0; k < keypoints; ++k) {
    if (k > 0) text += ",";
    text += std::to_string(x + 10 * k + (k == 4 || k == 7 ? swing : 0)) + "," +
            std::to_string(y - 5 * (k % 7) + (k == 4 ? swing : 0)) + ",0." + std::to_string(5 + k % 5);
  }
  return text + "]";
}

// Shifted by (x, y) pixels, at frame `frame` of 30 a second: the right wrist swings 50 pixels, twice a
// second.
inline std::string openpose_person(int frame, double x = 300, double y = 200, bool hands = true) {
  const double swing = 50 * std::sin(2 * std::numbers::pi * 2 * frame / 30.0);
  std::string text = "{\"person_id\":[-1]," + openpose_numbers("pose_keypoints_2d", 25, x, y, swing) +
                     ",\"face_keypoints_2d\":[]";
  if (hands)
    text += "," + openpose_numbers("hand_left_keypoints_2d", 21, x - 50, y, swing) + "," +
            openpose_numbers("hand_right_keypoints_2d", 21, x + 50, y, -swing);
  return text + ",\"pose_keypoints_3d\":[]}";
}

inline std::string openpose_frame(const std::string& people) {
  return "{\"version\":1.3,\"people\":[" + people + "]}";
}

}  // namespace test
