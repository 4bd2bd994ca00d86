// Whole training runs on the device beside the CPU: the losses that they log, in every precision, how often a
// step waits, and runs that are resumed.
#include "imu2music/train/trainer.hpp"

#include <string>
#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/models/weights.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

class Scales : public BatchSource {
 public:
  TrainingBatch<float> training_batch(std::int64_t index) const override {
    TrainingBatch<float> batch;
    batch.tokens = Tensor<std::int64_t>({2, 14});
    batch.targets = Tensor<std::int64_t>({2, 14});
    for (std::int64_t n = 0; n < 28; ++n) {
      batch.tokens[n] = (index + n) % 20;
      batch.targets[n] = (index + n + 1) % 20;
    }
    return batch;
  }
  std::int64_t validation_batches() const override { return 0; }
  TrainingBatch<float> validation_batch(std::int64_t index) const override { return training_batch(index); }
  std::string data_hash() const override { return "scales"; }
};

struct Run {
  std::vector<double> losses, norms;
  std::vector<std::int64_t> waits;  // of every step
  std::vector<float> weights;       // of the first parameter at the end
  kernels::MatrixPrecision matrices = kernels::MatrixPrecision::float32;
};

Run train(const std::string& folder, const std::string& precision, Device device,
          std::int64_t stop_after = 1000, bool resume = false) {
  const TrainingConfig config = parse_training_config(
      R"({"model": {"model": "music_transformer", "encoder": "none", "d_model": 32, "heads": 2,
                    "feed_forward": 48, "encoder_layers": 0, "decoder_layers": 1, "max_sequence": 16,
                    "vocabulary": 40},
          "training": {"steps": 6, "accumulate": 2, "clip_norm": 0.5, "learning_rate": 1e-2, "log_every": 1,
                       "dropout": 0.1, "precision": ")" +
          precision + R"("}})",
      "run.json");
  Model<float> model = init_model<float>(config.model, 1);
  const Scales data;
  Run run;
  TrainerOptions options;
  options.folder = folder;
  options.device = device;
  options.resume = resume;
  Trainer* trainer = nullptr;
  std::int64_t before = 0;
  const auto waits = [&] {
    return device == Device::cpu() ? 0 : kernels::cuda_runtime->waits(trainer->learner().context().kernel());
  };
  options.on_report = [&](const TrainingReport& report) {
    run.losses.push_back(report.loss);
    run.norms.push_back(report.gradient_norm);
  };
  options.stop = [&] {
    run.waits.push_back(waits() - before);
    before = waits();
    return trainer->progress().step >= stop_after;
  };
  Trainer made(model, config, data, options);
  trainer = &made;
  before = waits();
  made.run();
  run.matrices = made.learner().context().kernel().matrices;
  const Tensor<float> first = on_host(made.learner().context(), made.learner().parameters()[0].value);
  run.weights.assign(first.values().begin(), first.values().end());
  return run;
}

}  // namespace

TEST_CASE("a run on the device logs the CPU's losses, in bfloat16 nearly so, and a step waits once") {
  if (test::device() == nullptr) return;
  const test::ScratchFolder scratch;
  const Run wanted = train(scratch / "cpu", "float32", Device::cpu());
  REQUIRE(wanted.losses.size() == 6);
  std::vector<double> exact;  // the device's own in float32
  for (const std::string precision : {"float32", "tf32", "bfloat16"}) {
    INFO(precision);
    const Run got = train(scratch / precision.c_str(), precision, Device::cuda());
    REQUIRE(got.losses.size() == 6);
    if (precision == "float32") exact = got.losses;
    const double tolerance = precision == "float32" ? 1e-4 : 2e-2;
    for (std::size_t n = 0; n < 6; ++n) {
      CHECK(got.losses[n] == doctest::Approx(wanted.losses[n]).epsilon(tolerance));
      CHECK(got.norms[n] == doctest::Approx(wanted.norms[n]).epsilon(5 * tolerance));
    }
    CHECK(got.waits == std::vector<std::int64_t>(6, 1));
    // Products this small stay float32 in every precision; in bfloat16 attention rounds all the same.
    CHECK(got.matrices == (precision == "float32" ? kernels::MatrixPrecision::float32
                           : precision == "tf32"  ? kernels::MatrixPrecision::tf32
                                                  : kernels::MatrixPrecision::bf16));
    CHECK((got.losses == exact) == (precision != "bfloat16"));
  }
}

TEST_CASE("a run in bfloat16 that was stopped goes on as if it had not been") {
  if (test::device() == nullptr) return;
  const test::ScratchFolder scratch;
  const Run whole = train(scratch / "whole", "bfloat16", Device::cuda());
  train(scratch / "parts", "bfloat16", Device::cuda(), 3);
  const Run rest = train(scratch / "parts", "bfloat16", Device::cuda(), 1000, true);
  REQUIRE(rest.losses.size() == 3);
  for (std::size_t n = 0; n < 3; ++n) CHECK(rest.losses[n] == whole.losses[n + 3]);
  CHECK(rest.weights == whole.weights);
}
