#include <imu2music/models/weights.hpp>

void write_weights(const char* path) {
  imu2music::ModelConfig config;
  config.d_model = 16;
  config.heads = 2;
  config.max_sequence = 8;
  auto model = imu2music::init_model(config, 1);
  imu2music::save_model(model, path);
}
