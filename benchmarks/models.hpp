// The models and the numbers that rows are measured with.
#pragma once

#include <imu2music/core/random.hpp>
#include <imu2music/core/tensor.hpp>
#include <imu2music/io/model_config.hpp>

namespace bench {

inline imu2music::Tensor<float> numbers(const imu2music::Shape& shape, std::uint64_t seed = 1) {
  imu2music::Tensor<float> values(shape);
  imu2music::Philox random(seed);
  for (float& value : values.values()) value = static_cast<float>(random.normal());
  return values;
}

// IMU2Music as published: d 128, 2 + 2 layers, 128 tokens.
inline imu2music::ModelConfig published() { return {}; }

// Foley Music's decoder: d 512, 0 + 6 layers, 512 tokens.
inline imu2music::ModelConfig large() {
  imu2music::ModelConfig config;
  config.d_model = 512, config.feed_forward = 1024, config.encoder_layers = 0, config.decoder_layers = 6;
  config.max_sequence = 512;
  return config;
}

// Music Transformer: the decoder alone, d 512, 6 layers.
inline imu2music::ModelConfig alone(int max_sequence = 2048) {
  imu2music::ModelConfig config = large();
  config.model = "music_transformer", config.encoder = "none";
  config.max_sequence = max_sequence, config.vocabulary = 390;
  return config;
}

}  // namespace bench
