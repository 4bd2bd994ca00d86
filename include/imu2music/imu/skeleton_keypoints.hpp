// A recording's keypoints as the frames that the pose encoder takes (models/pose_encoder.hpp).
//
//   layout   node by node, what stands for it in a recording
//   body25   OpenPose's BODY_25 by its names, or the Kinect's joints: Head for Nose, SpineShoulder for Neck,
//            where there is no Neck, SpineBase for MidHip, FootLeft for LBigToe, ShoulderLeft for LShoulder
//            …; of the arms also left_shoulder, left_elbow, left_wrist …
//   hands    left_hand0 … left_hand20, then right_hand0 … right_hand20
//   body65   body25, then left_hand1 … 20 and right_hand1 … 20; the wrists are the body's
//
// A node is (x, y, confidence), for hands (x, y), x to the picture's right and y down: an image position as
// it is; a position in metres seen by its camera, (−x, −y). Then x and y are taken from an origin, in a unit:
// the origin is the median of all nodes' positions over the recording, x and y for themselves, the unit their
// root mean square distance from it. So neither the camera's place nor its resolution matters.
//
// A sample is there where its position is finite and its confidence above 0, or 1 where a recording has none.
// Frames are at 25 Hz from where all keypoints have begun. Between two samples that are there and at most
// 0.25 s apart, or 1.5 periods of a slow clock, x, y and confidence are interpolated linearly; elsewhere, and
// for a node that the recording lacks, they are 0, as OpenPose has it. A clock's last sample stands for its
// period.
//
// Cost: O(V n). Errors: InputError for a recording in which no wrist (body25) or no hand (hands, body65) is
// ever there, named with what is wanted, or whose keypoints are all at one place. Source of the layouts:
// models/skeleton_graphs.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/keypoint.hpp"
#include "imu2music/imu/openpose_reader.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline constexpr double skeleton_rate_hz = 25;
inline constexpr std::int64_t skeleton_window_frames = 150;  // 6 s

struct SkeletonKeypoints {
  Tensor<float> values;  // [C, V, frames]
  double rate_hz = skeleton_rate_hz;
  double start_s = 0;  // of frame 0, on the recording's time axis

  std::int64_t frames() const { return values.dim(2); }
};

// What a node's track is called: by OpenPose, then by others.
inline std::vector<std::vector<std::string>> skeleton_node_names(std::string_view layout) {
  struct Other {
    std::string_view node, name;
  };
  constexpr Other others[] = {
      {"Nose", "Head"},          {"Neck", "SpineShoulder"}, {"RShoulder", "ShoulderRight"},
      {"RElbow", "ElbowRight"},  {"RWrist", "WristRight"},  {"LShoulder", "ShoulderLeft"},
      {"LElbow", "ElbowLeft"},   {"LWrist", "WristLeft"},   {"MidHip", "SpineBase"},
      {"RHip", "HipRight"},      {"RKnee", "KneeRight"},    {"RAnkle", "AnkleRight"},
      {"LHip", "HipLeft"},       {"LKnee", "KneeLeft"},     {"LAnkle", "AnkleLeft"},
      {"LBigToe", "FootLeft"},   {"RBigToe", "FootRight"},  {"RShoulder", "right_shoulder"},
      {"RElbow", "right_elbow"}, {"RWrist", "right_wrist"}, {"LShoulder", "left_shoulder"},
      {"LElbow", "left_elbow"},  {"LWrist", "left_wrist"}};
  std::vector<std::vector<std::string>> nodes;
  if (layout != "hands")
    for (const std::string_view node : openpose_body) {
      nodes.push_back({std::string(node)});
      for (const Other& other : others)
        if (other.node == node) nodes.back().emplace_back(other.name);
    }
  if (layout != "body25")
    for (const char* hand : {"left_hand", "right_hand"})
      for (int k = layout == "hands" ? 0 : 1; k < hand_keypoints; ++k)
        nodes.push_back({hand + std::to_string(k)});
  return nodes;
}

namespace skeleton_detail {

inline double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One keypoint's samples that are there, in the picture's coordinates.
struct Track {
  std::vector<double> times, x, y, confidence;
  double start_s = 0, end_s = 0;  // of its clock
  double longest_gap_s = 0.25;
  bool has_last = false;  // its clock's last sample is there
};

inline Keypoint keypoint_of(const SensorTrack& sensor) { return {sensor, Quantity::image_position}; }

inline Track track_of(const SensorTrack& sensor) {
  const Keypoint keypoint = keypoint_of(sensor);
  const double direction = keypoint.in_picture() ? 1 : -1;  // a picture's x and y to the right and down
  const std::vector<double> times = sample_times(sensor);
  Track track;
  track.start_s = sensor.start_s();
  track.end_s = track.start_s + sensor.duration_s();
  std::vector<double> periods;
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (i > 0) periods.push_back(times[i] - times[i - 1]);
    track.has_last = keypoint.is_there(i);
    if (!track.has_last) continue;
    track.times.push_back(times[i]);
    track.x.push_back(direction * keypoint.place(0, i));
    track.y.push_back(direction * keypoint.place(1, i));
    track.confidence.push_back(keypoint.confidence(i));
  }
  if (!periods.empty()) track.longest_gap_s = std::max(track.longest_gap_s, 1.5 * median(periods));
  return track;
}

// Which of the nodes' tracks a recording has; null: none, or none that is ever there.
inline std::vector<const SensorTrack*> find_nodes(const Recording& recording,
                                                  const std::vector<std::vector<std::string>>& nodes) {
  std::vector<const SensorTrack*> found;
  for (const std::vector<std::string>& names : nodes) {
    found.push_back(nullptr);
    for (const std::string& name : names) {
      const SensorTrack* sensor = recording.find_sensor(name);
      if (sensor != nullptr && found.back() == nullptr && keypoint_of(*sensor).is_ever_there())
        found.back() = sensor;
    }
  }
  return found;
}

// Whether these are enough: of a body a wrist, of hands any keypoint that is theirs alone.
inline bool are_enough(const std::vector<const SensorTrack*>& found, std::string_view layout) {
  if (layout == "body25") return found[4] != nullptr || found[7] != nullptr;
  const auto hands = static_cast<std::ptrdiff_t>(layout == "hands" ? 0 : openpose_body.size());
  return std::any_of(found.begin() + hands, found.end(),
                     [](const SensorTrack* track) { return track != nullptr; });
}

// The nodes' tracks, or InputError where they are not enough.
inline std::vector<const SensorTrack*> wanted_nodes(const Recording& recording, std::string_view layout) {
  check_recording(recording);
  std::vector<const SensorTrack*> found = find_nodes(recording, skeleton_node_names(layout));
  if (are_enough(found, layout)) return found;
  std::string has;
  std::size_t listed = 0;
  for (const SensorTrack& sensor : recording.sensors) {
    const Keypoint keypoint = keypoint_of(sensor);
    if (keypoint.is_one() && !keypoint.is_ever_there()) continue;
    if (listed < 5) has += (listed == 0 ? "" : ", ") + (listed == 4 ? std::string("…") : sensor.name);
    ++listed;
  }
  throw InputError(recording.source,
                   "lacks the keypoints of " + std::string(layout == "body25" ? "a body" : "hands") +
                       "; it has " + (has.empty() ? "none that was found" : has),
                   layout == "body25"
                       ? "these weights need RWrist, LWrist and others of BODY_25, or the Kinect's joints"
                       : "these weights need left_hand0 to left_hand20 and right_hand0 to right_hand20");
}

// Moves all tracks to their common origin and unit.
inline void normalise(std::vector<Track>& tracks, const std::string& source) {
  std::vector<double> all_x, all_y;
  for (const Track& track : tracks) {
    all_x.insert(all_x.end(), track.x.begin(), track.x.end());
    all_y.insert(all_y.end(), track.y.begin(), track.y.end());
  }
  const double x0 = median(all_x), y0 = median(all_y);
  double squares = 0;
  for (std::size_t i = 0; i < all_x.size(); ++i) squares += (all_x[i] - x0) * (all_x[i] - x0);
  for (const double y : all_y) squares += (y - y0) * (y - y0);
  const double unit = std::sqrt(squares / static_cast<double>(all_x.size()));
  if (!(unit > 0) || !std::isfinite(unit))
    throw InputError(source, "has all its keypoints at one place", "name a recording of a person");
  for (Track& track : tracks)
    for (std::size_t i = 0; i < track.times.size(); ++i) {
      track.x[i] = (track.x[i] - x0) / unit;
      track.y[i] = (track.y[i] - y0) / unit;
    }
}

}  // namespace skeleton_detail

// Whether a recording holds the keypoints of a body or of hands, as some layout takes them.
inline bool has_keypoints(const Recording& recording) {
  using namespace skeleton_detail;
  for (const char* layout : {"body25", "hands"})
    if (are_enough(find_nodes(recording, skeleton_node_names(layout)), layout)) return true;
  return false;
}

// Throws InputError where skeleton_keypoints() does for keypoints that the recording lacks, at less cost.
inline void require_keypoints(const Recording& recording, std::string_view layout) {
  skeleton_detail::wanted_nodes(recording, layout);
}

inline SkeletonKeypoints skeleton_keypoints(const Recording& recording, const std::string& layout) {
  using namespace skeleton_detail;
  const std::vector<const SensorTrack*> found = wanted_nodes(recording, layout);
  std::vector<Track> tracks;
  std::vector<std::size_t> node_of;
  double begin = 0, end = 0;
  for (std::size_t v = 0; v < found.size(); ++v) {
    if (found[v] == nullptr) continue;
    tracks.push_back(track_of(*found[v]));
    begin = node_of.empty() ? tracks.back().start_s : std::max(begin, tracks.back().start_s);
    end = node_of.empty() ? tracks.back().end_s : std::min(end, tracks.back().end_s);
    node_of.push_back(v);
  }
  normalise(tracks, recording.source);

  const double count = std::floor((end - begin) * skeleton_rate_hz + 1e-6);
  if (!(count >= 1)) throw InputError(recording.source, "is too short", "a frame is 0.04 s");
  if (count > 1e8) throw InputError(recording.source, "is too long", "cut it into parts");
  const auto frames = static_cast<std::int64_t>(count);
  const auto V = static_cast<std::int64_t>(found.size());
  const std::int64_t C = layout == "hands" ? 2 : 3;
  SkeletonKeypoints result;
  result.start_s = begin;
  result.values = Tensor<float>({C, V, frames});
  for (std::size_t k = 0; k < tracks.size(); ++k) {
    const Track& track = tracks[k];
    const std::size_t n = track.times.size();
    for (std::int64_t frame = 0; frame < frames; ++frame) {
      const double t = begin + static_cast<double>(frame) / skeleton_rate_hz;
      const auto after = static_cast<std::size_t>(
          std::lower_bound(track.times.begin(), track.times.end(), t - 1e-9) - track.times.begin());
      const bool exact = after < n && track.times[after] <= t + 1e-9;
      std::size_t i = after, j = after;
      double share = 0;
      if (!exact) {
        if (after == 0) continue;
        i = after - 1;
        if (after == n) {
          if (!track.has_last) continue;
          j = i;
        } else {
          const double gap = track.times[j] - track.times[i];
          if (gap > track.longest_gap_s) continue;
          share = (t - track.times[i]) / gap;
        }
      }
      const auto put = [&](std::int64_t c, const std::vector<double>& values) {
        result.values[(c * V + static_cast<std::int64_t>(node_of[k])) * frames + frame] =
            static_cast<float>(values[i] + share * (values[j] - values[i]));
      };
      put(0, track.x);
      put(1, track.y);
      if (C == 3) put(2, track.confidence);
    }
  }
  return result;
}

// Frames [first, first + count) as the encoder's input, [C, count, V, 1], written to `out`.
template <class T>
void skeleton_input(const SkeletonKeypoints& keypoints, std::int64_t first, std::int64_t count, T* out) {
  const std::int64_t C = keypoints.values.dim(0), V = keypoints.values.dim(1), frames = keypoints.frames();
  for (std::int64_t c = 0; c < C; ++c)
    for (std::int64_t t = 0; t < count; ++t)
      for (std::int64_t v = 0; v < V; ++v)
        *out++ = static_cast<T>(keypoints.values[(c * V + v) * frames + first + t]);
}

}  // namespace imu2music::inline v0
