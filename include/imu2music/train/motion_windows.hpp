// A recording made ready to be cut into the inputs of one encoder, window by window: whole windows alone, for
// training and evaluation, where generate/motion_inputs.hpp completes the last one.
//
//   encoder                              rows                       a window's input
//   temporal                             C channels, rate_hz        [C, F], F frames of window_ms
//   conv, frequency                      2 x 3 features, 25 Hz      [2, 3, 150]
//   fully_connected, conv_transformer    2 x 9 axes, 25 Hz          [2, 9, 150]
//   pose                                 C x V keypoints, 25 Hz     [C, 150, V, 1]
//
// All frames are computed once, in the constructor, so a window is a copy (imu/motion_channels.hpp,
// imu/reference_features.hpp, imu/skeleton_keypoints.hpp). A window that begins at frame f begins start_s() +
// f / rate_hz() seconds into the recording. Errors: InputError where the recording lacks what the encoder
// wants or is shorter than a window.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "imu2music/core/tensor.hpp"
#include "imu2music/imu/motion_channels.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/imu/skeleton_keypoints.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// Why weights of this config cannot be given windows of a recording; empty where they can.
inline std::string motion_windows_obstacle(const ModelConfig& config) {
  if (config.encoder == "none") return "writes music without motion";
  if (config.encoder == "conv_transformer" && config.rows != 9)
    return "takes " + std::to_string(config.rows) + " rows a sensor, where a recording gives 9 axes";
  return {};
}

// Seconds of motion, and of music, in a window of this model.
inline double window_seconds(const ModelConfig& config) {
  return config.encoder == "temporal" || config.encoder == "none"
             ? config.window_ms / 1000.0
             : static_cast<double>(reference_window_frames) / reference_rate_hz;
}

// The frames do not fill a window: a sensor's first sample may come later than the recording begins.
class MotionTooShort : public InputError {
 public:
  MotionTooShort(const std::string& path, double motion_s, double window_s)
      : InputError(path, "has " + number_text(motion_s) + " s of motion",
                   "a window of this model is " + number_text(window_s) + " s long"),
        seconds(motion_s) {}
  double seconds;  // of motion
};

class MotionWindows {
 public:
  MotionWindows(const Recording& recording, const ModelConfig& config) {
    if (const std::string obstacle = motion_windows_obstacle(config); !obstacle.empty())
      throw InputError(recording.source, "cannot be an input: the model " + obstacle,
                       "use a model whose encoder takes what was recorded");
    if (config.encoder == "temporal") {
      MotionChannels channels = motion_channels(recording, config);
      frames_ = channels.frames();
      rate_hz_ = channels.rate_hz;
      start_s_ = channels.start_s;
      window_frames_ = imu2music::window_frames(config);
      rows_ = channels.values;
      shape_ = {rows_.dim(0), window_frames_};
    } else if (config.encoder == "pose") {
      keypoints_ = skeleton_keypoints(recording, config.layout);
      frames_ = keypoints_.frames();
      rate_hz_ = keypoints_.rate_hz;
      start_s_ = keypoints_.start_s;
      window_frames_ = skeleton_window_frames;
      const std::int64_t C = keypoints_.values.dim(0), V = keypoints_.values.dim(1);
      rows_ = keypoints_.values.reshape({C * V, frames_});
      shape_ = {C, window_frames_, V, 1};
    } else {
      const Recording motion = at_rate(recording, reference_rate_hz);
      frames_ = reference_frame_count(motion);
      rate_hz_ = reference_rate_hz;
      start_s_ = motion.sensors.front().start_s();
      window_frames_ = reference_window_frames;
      const std::int64_t rows = config.encoder == "conv" || config.encoder == "frequency" ? 3 : 9;
      rows_ = Tensor<float>::uninitialised({2 * rows, frames_});
      if (rows == 3)
        reference_features(motion, 0, frames_, rows_.values());
      else
        reference_axes(motion, 0, frames_, rows_.values());
      shape_ = {2, rows, window_frames_};
    }
    if (frames_ < window_frames_)
      throw MotionTooShort(recording.source, static_cast<double>(frames_) / rate_hz_, window_seconds(config));
  }

  std::int64_t frames() const { return frames_; }
  std::int64_t window_frames() const { return window_frames_; }
  double rate_hz() const { return rate_hz_; }
  double start_s() const { return start_s_; }          // of frame 0, on the recording's time axis
  const Shape& input_shape() const { return shape_; }  // of one window, without the batch's axis
  const Tensor<float>& rows() const { return rows_; }  // [rows, frames]

  // Writes the input of the window that begins at `first_frame`, input_shape() elements.
  template <class T>
  void window(std::int64_t first_frame, T* out) const {
    detail::require(first_frame >= 0 && first_frame + window_frames_ <= frames_, "motion_windows", [&] {
      return "frame " + std::to_string(first_frame) + " begins no window of " +
             std::to_string(window_frames_) + " in " + std::to_string(frames_);
    });
    if (keypoints_.values.defined()) return skeleton_input(keypoints_, first_frame, window_frames_, out);
    for (std::int64_t row = 0; row < rows_.dim(0); ++row) {
      const float* from = rows_.data() + row * frames_ + first_frame;
      std::copy(from, from + window_frames_, out + row * window_frames_);
    }
  }

 private:
  Tensor<float> rows_;
  SkeletonKeypoints keypoints_;  // of a pose encoder; rows_ are theirs
  Shape shape_;
  std::int64_t frames_ = 0, window_frames_ = 0;
  double rate_hz_ = 0, start_s_ = 0;
};

}  // namespace imu2music::inline v0
