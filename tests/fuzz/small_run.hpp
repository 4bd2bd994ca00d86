// A training run as small as can be, for the target that resumes it and for its seeds.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "imu2music/train/trainer.hpp"

namespace fuzz {

inline imu2music::TrainingConfig small_run_config() {
  return imu2music::parse_training_config(
      R"({"model":{"model":"music_transformer","d_model":2,"heads":1,"decoder_layers":1,"max_sequence":2,)"
      R"("feed_forward":1,"vocabulary":3},"training":{"steps":4,"batch":1}})",
      "config");
}

// Batches are not asked for: a run is resumed and goes no step.
class NoBatches : public imu2music::BatchSource {
 public:
  imu2music::TrainingBatch<float> training_batch(std::int64_t) const override { return {}; }
  std::int64_t validation_batches() const override { return 0; }
  imu2music::TrainingBatch<float> validation_batch(std::int64_t) const override { return {}; }
  std::string data_hash() const override { return "c0ffee"; }
};

// The parameters of `model` become small numbers that every machine computes alike.
inline void set_small_values(imu2music::Model<float>& model) {
  int count = 0;
  const auto set = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, imu2music::Parameter<float>>)
      for (std::int64_t i = 0; i < entry.value.size(); ++i)
        entry.value.data()[i] = static_cast<float>(++count % 7 - 3) / 8;
  };
  model.visit(set);
}

// The state after two steps.
inline void write_small_state(const std::string& path) {
  using namespace imu2music;
  const TrainingConfig config = small_run_config();
  Model<float> model = init_model<float>(config.model, 1);
  set_small_values(model);
  Learner<float> learner(model);
  TrainingProgress progress;
  progress.step = 2;
  progress.seconds = 0.25;
  progress.data_hash = NoBatches().data_hash();
  save_checkpoint(learner, config, progress, path);
}

inline constexpr const char* small_log =
    "{\"step\":1,\"loss\":1.5,\"nll\":1.25,\"learning_rate\":0.0003,\"gradient_norm\":2,\"tokens\":8,"
    "\"seconds\":0.1}\n{\"step\":2,\"loss\":1.5,\"nll\":1.2,\"learning_rate\":3e-4,\"gradient_norm\":1e1,"
    "\"tokens\":8,\"seconds\":0.2}\n{\"step\":2,\"validation_nll\":1.125,\"tokens\":4,\"seconds\":0.25}\n"
    "{\"step\":3,\"loss\":1.5,\"nll\":1.25,\"learning_rate\":0.0003,\"gradient_norm\":2,\"tokens\":8,"
    "\"seconds\":0.3}\n{\"step\":4,\"lo";

}  // namespace fuzz
