// IMU2Music's frequency encoder: the convolutional encoder on magnitude spectra of one-second segments.
//
//   input     [B, 2, 3, 150], as the convolutional encoder's
//   spectrum  each row's six segments x_s = frames 25 s .. 25 s + 24; with the Hann window w[n] = (1 -
//             cos(2 pi n / 25)) / 2
//               X_s[k] = | sum_n w[n] x_s[n] exp(-2 pi i k n / 25) | / 12.5,   k = 0 .. 12 (0 .. 12 Hz)
//             12.5 being the sum of w, so that a constant 1 gives X[0] = 1; side by side, segment after
//             segment: [B, 2, 3, 78]
//   output    the convolutional encoder's layers on width 78 → [B, 27, 331] → Linear 331→D → [B, 27, D]
//
// The published code names the encoder but keeps no trace of its transform; this one is ours. Weights tell
// themselves from the convolutional encoder's by the 331 inputs of fcn. Throws ShapeError for an input of
// another shape.
#pragma once

#include <cstdint>
#include <string>

#include "imu2music/models/imu_encoders/conv_encoder.hpp"
#include "imu2music/ops/spectrum.hpp"

namespace imu2music::inline v0 {

template <class T>
struct FrequencyEncoder {
  static constexpr std::int64_t segments = 6, segment_frames = 25, bins = segment_frames / 2 + 1;
  static constexpr std::int64_t tokens = ConvEncoder<T>::tokens;
  static constexpr std::int64_t token_width = ConvEncoder<T>::token_width(segments * bins);

  ConvEncoder<T> net;
  SpectrumTables tables{segment_frames};

  FrequencyEncoder() = default;
  explicit FrequencyEncoder(std::int64_t D) : net(D, segments * bins) {}

  bool takes(const Shape& input) const {
    return input.rank() == 4 && input[0] >= 1 && input == Shape{input[0], 2, 3, segments * segment_frames};
  }
  std::string wanted() const { return "(B, 2, 3, 150): sensors, features, frames"; }

  // [..., 150] → [..., 78].
  Tensor<T> spectrum(Context& context, const Tensor<T>& input) const {
    return imu2music::spectrum(context, input, tables);
  }

  // input: [B, 2, 3, 150] → [B, 27, D].
  template <class V>
  V forward(Context& context, const V& input) const {
    detail::require(takes(input.shape()), "frequency_encoder",
                    [&] { return "the input must be " + wanted() + "; not " + input.shape().to_string(); });
    if constexpr (records<V>)  // the input is data: no gradient is wanted of it
      return net.forward(context, V(spectrum(context, input.value())));
    else
      return net.forward(context, spectrum(context, input));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    net.visit(visitor, prefix);
  }
};

}  // namespace imu2music::inline v0
