// A recording's motion as the inputs of a model, window by window.
//
//   armbands   myo1 and myo2 at 25 Hz, windows of 150 frames (imu/reference_features.hpp): features or axes,
//              [1, 2, rows, 150]; of fewer frames the last is held to the window's end. From where both have
//              begun, to the nearest frame, until the first of them ends
//   temporal   the config's channels at its rate (imu/motion_channels.hpp), [1, C, n], windows of window_ms;
//              the last one is as long as there are frames
//   pose       the layout's keypoints at 25 Hz (imu/skeleton_keypoints.hpp), [1, C, n, V, 1], windows of 150
//              frames; the last one is as long as there are frames
//
// Frame i stands at start_s + i / rate_hz on the recording's time axis. Errors: InputError for a recording
// that lacks what the model takes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/tensor.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/motion_channels.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/imu/skeleton_keypoints.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// The rows a sensor that a model of armbands takes: all nine axes, or three features.
inline std::int64_t motion_rows(const ModelConfig& config) {
  return config.encoder == "fully_connected" || config.encoder == "conv_transformer" ? 9 : 3;
}

class MotionInputs {
 public:
  MotionInputs(const Recording& recording, const ModelConfig& config) : source(recording.source) {
    if (config.encoder == "temporal") {
      channels_ = motion_channels(recording, config, &notes);
      rate_hz = channels_.rate_hz;
      start_s = channels_.start_s;
      frames = channels_.frames();
      window_frames = imu2music::window_frames(config);
    } else if (config.encoder == "pose") {
      keypoints_ = skeleton_keypoints(recording, config.layout);
      rate_hz = keypoints_.rate_hz;
      start_s = keypoints_.start_s;
      frames = keypoints_.frames();
      window_frames = skeleton_window_frames;
    } else {
      armbands_ = at_rate(recording, reference_rate_hz);
      notes.assign(armbands_.notes.begin() + static_cast<std::ptrdiff_t>(recording.notes.size()),
                   armbands_.notes.end());
      rows_ = motion_rows(config);
      rate_hz = reference_rate_hz;
      reference_frame_count(armbands_);  // both are there
      std::vector<SensorMapEntry> both;
      for (const std::string_view name : reference_sensors)
        both.push_back({std::string(name), std::string(name)});
      armbands_ = map_sensors(armbands_, both);
      for (std::string& sentence : describe_late_and_early(armbands_)) notes.push_back(std::move(sentence));
      start_together(armbands_);
      frames = reference_frame_count(armbands_);
      start_s = std::max(armbands_.sensors[0].start_s(), armbands_.sensors[1].start_s());
      window_frames = reference_window_frames;
    }
  }

  std::string source;              // the recording's, for messages
  std::vector<std::string> notes;  // through what gaps the motion was held, one sentence each
  double rate_hz = 0;
  double start_s = 0;
  std::int64_t frames = 0, window_frames = 0;

  double seconds(std::int64_t frame_count) const { return static_cast<double>(frame_count) / rate_hz; }
  double time_s(std::int64_t frame) const { return start_s + seconds(frame); }
  // Whether every input is a whole window, completed where frames are lacking.
  bool holds_last_frame() const { return rows_ > 0; }

  // What encode_motion() takes, batch 1, of `count` frames from `first` on, at most a window. Of what comes
  // after them nothing is in it. Throws ShapeError for more, and for frames that the recording has not.
  template <class T>
  Tensor<T> input(std::int64_t first, std::int64_t count) const {
    detail::require(
        first >= 0 && count >= 1 && count <= window_frames && first <= frames - count, "motion_inputs", [&] {
          return std::to_string(count) + " frames from " + std::to_string(first) + " on of " +
                 std::to_string(frames) + ", where a window has at most " + std::to_string(window_frames);
        });
    if (keypoints_.values.defined()) {
      Tensor<T> result =
          Tensor<T>::uninitialised({1, keypoints_.values.dim(0), count, keypoints_.values.dim(1), 1});
      skeleton_input(keypoints_, first, count, result.data());
      return result;
    }
    if (!holds_last_frame()) {
      const std::int64_t C = channels_.values.dim(0);
      Tensor<T> result = Tensor<T>::uninitialised({1, C, count});
      for (std::int64_t c = 0; c < C; ++c)
        std::copy_n(channels_.values.data() + c * frames + first, count, result.data() + c * count);
      return result;
    }
    std::vector<float> values(static_cast<std::size_t>(2 * rows_ * count));
    if (rows_ == 9)
      reference_axes(armbands_, first, count, values);
    else
      reference_features(armbands_, first, count, values);
    Tensor<T> result = Tensor<T>::uninitialised({1, 2, rows_, window_frames});
    for (std::int64_t row = 0; row < 2 * rows_; ++row) {
      const float* from = values.data() + row * count;
      T* to = std::copy_n(from, count, result.data() + row * window_frames);
      std::fill_n(to, window_frames - count, static_cast<T>(from[count - 1]));
    }
    return result;
  }

 private:
  MotionChannels channels_;      // of a temporal encoder
  SkeletonKeypoints keypoints_;  // of a pose encoder
  Recording armbands_;           // of the others, at 25 Hz
  std::int64_t rows_ = 0;        // of the others
};

}  // namespace imu2music::inline v0
