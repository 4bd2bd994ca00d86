// Training on the device beside the CPU: losses, every gradient, and the weights after steps of Adam.
#include "imu2music/train/learner.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "cuda/on_device.hpp"
#include "imu2music/models/weights.hpp"

using namespace imu2music;

namespace {

// Without elements begin..end - 1.
double relative_distance(const Tensor<float>& got, const Tensor<float>& wanted, std::int64_t begin = 0,
                         std::int64_t end = 0) {
  double distance = 0, norm = 0;
  for (std::int64_t i = 0; i < wanted.size(); ++i) {
    if (i >= begin && i < end) continue;
    distance += std::pow(double(got[i]) - wanted[i], 2);
    norm += std::pow(double(wanted[i]), 2);
  }
  return norm > 0 ? std::sqrt(distance / norm) : std::sqrt(distance);
}

void compare(const std::string& text, const Shape& input_shape, const DropoutRates& rates) {
  Context* context = test::device();
  if (context == nullptr) return;
  const ModelConfig config = parse_model_config(text, "test");
  Model<float> here = init_model<float>(config, 3), there = init_model<float>(config, 3);
  Learner<float> learner(here), device_learner(there, 1, Device::cuda());
  learner.set_dropout(rates);
  device_learner.set_dropout(rates);
  TrainingBatch<float> batch;
  const std::int64_t B = here.has_memory() ? input_shape[0] : 2, length = 19;
  if (here.has_memory()) batch.input = test::numbers(input_shape, 1);
  batch.tokens = Tensor<std::int64_t>({B, length});
  batch.targets = Tensor<std::int64_t>({B, length});
  for (std::int64_t n = 0; n < batch.tokens.size(); ++n) {
    const bool padding = n % length > 15 && n >= length;
    batch.tokens[n] = padding ? here.pad() : (7 * n + 3) % 60;
    batch.targets[n] = padding ? here.pad() : (7 * n + 10) % 60;
  }
  const double scale = 1.0 / static_cast<double>(batch.counted(here.pad()));
  for (int step = 0; step < 3; ++step) {
    Tensor<float> logits;
    const CrossEntropySums wanted = learner.add_gradients(batch, scale, 0.1),
                           got = device_learner.add_gradients(batch, scale, 0.1, &logits);
    CHECK(got.nll == doctest::Approx(wanted.nll).epsilon(1e-4));
    CHECK(got.loss == doctest::Approx(wanted.loss).epsilon(1e-4));
    CHECK(got.count == wanted.count);
    CHECK(logits.device() == Device::cpu());
    CHECK(device_learner.gradient_norm() == doctest::Approx(learner.gradient_norm()).epsilon(1e-3));
    if (step == 0)
      for (std::size_t n = 0; n < learner.parameters().size(); ++n) {
        const auto& p = learner.parameters()[n];
        INFO(p.name);
        CHECK(relative_distance(on_host(device_learner.context(), device_learner.parameters()[n].gradient),
                                p.gradient) < 1e-3);
      }
    learner.step({.learning_rate = 1e-3}, 0.5);
    device_learner.step({.learning_rate = 1e-3}, 0.5);
  }
  for (std::size_t n = 0; n < learner.parameters().size(); ++n) {
    const auto& p = learner.parameters()[n];
    INFO(p.name);
    // The softmax knows nothing of a bias of the keys: its gradient is rounding alone, which Adam blows up to
    // full steps.
    const bool with_keys = p.name.ends_with("in_proj_bias");
    const std::int64_t D = with_keys ? p.value.size() / 3 : 0;
    CHECK(relative_distance(on_host(device_learner.context(), device_learner.parameters()[n].value), p.value,
                            D, 2 * D) < 5e-3);
  }
}

}  // namespace

TEST_CASE("a temporal encoder with its decoder learns on the device what it learns on the CPU") {
  compare(R"({"model": "encoder_decoder", "encoder": "temporal", "d_model": 32, "heads": 2,
              "feed_forward": 48, "encoder_layers": 1, "decoder_layers": 1, "max_sequence": 24,
              "memory_positions": 16, "vocabulary": 332, "width": 16, "kernel": 3, "blocks": 2,
              "sensors": 1, "channels": 6, "rate_hz": 50, "window_ms": 1000})",
          {2, 6, 40}, {});
}

TEST_CASE("a step waits for the device once, for the loss and the norm; both are the CPU's, clipped or not") {
  Context* context = test::device();
  if (context == nullptr) return;
  const ModelConfig config = parse_model_config(
      R"({"model": "music_transformer", "encoder": "none", "d_model": 16, "heads": 2, "feed_forward": 24,
          "encoder_layers": 0, "decoder_layers": 1, "max_sequence": 20, "vocabulary": 50})",
      "test");
  Model<float> here = init_model<float>(config, 3), there = init_model<float>(config, 3);
  Learner<float> learner(here), device_learner(there, 1, Device::cuda());
  const auto waits = [&] { return kernels::cuda_runtime->waits(device_learner.context().kernel()); };
  TrainingBatch<float> batch;
  batch.tokens = Tensor<std::int64_t>({2, 9});
  batch.targets = Tensor<std::int64_t>({2, 9});
  for (std::int64_t n = 0; n < batch.tokens.size(); ++n)
    batch.tokens[n] = (7 * n + 3) % 40, batch.targets[n] = (7 * n + 10) % 40;
  for (const double limit : {0.0, 0.01, 100.0}) {
    const std::int64_t before = waits();
    for (Learner<float>* one : {&learner, &device_learner}) {
      one->gather_gradients(batch, 1.0 / 36);
      one->gather_gradients(batch, 1.0 / 36);
      one->step_clipped({.learning_rate = 1e-3}, limit);
    }
    CHECK(waits() == before);
    const TrainingReadings wanted = learner.read(), got = device_learner.read();
    CHECK(waits() == before + 1);
    CHECK(wanted.gradient_norm > 0.01);
    CHECK(got.nll == doctest::Approx(wanted.nll).epsilon(1e-4));
    CHECK(got.loss == doctest::Approx(wanted.loss).epsilon(1e-4));
    CHECK(got.gradient_norm == doctest::Approx(wanted.gradient_norm).epsilon(1e-3));
    CHECK(device_learner.gradient_norm() == 0);
  }
  CHECK(device_learner.steps() == 3);
  for (std::size_t n = 0; n < learner.parameters().size(); ++n) {
    const auto &p = learner.parameters()[n], &q = device_learner.parameters()[n];
    if (p.name.ends_with("in_proj_bias")) continue;  // its keys' gradient is rounding alone
    INFO(p.name);
    CHECK(relative_distance(on_host(device_learner.context(), q.value), p.value) < 5e-3);
    CHECK(relative_distance(on_host(device_learner.context(), q.first_moment), p.first_moment) < 5e-3);
  }
}

TEST_CASE("gradients that are not finite change nothing on the device, and stay to be looked at") {
  Context* context = test::device();
  if (context == nullptr) return;
  const ModelConfig config = parse_model_config(
      R"({"model": "music_transformer", "encoder": "none", "d_model": 16, "heads": 2, "feed_forward": 24,
          "encoder_layers": 0, "decoder_layers": 1, "max_sequence": 20, "vocabulary": 50})",
      "test");
  Model<float> model = init_model<float>(config, 3);
  Learner<float> learner(model, 1, Device::cuda());
  TrainingBatch<float> batch;
  batch.tokens = Tensor<std::int64_t>({1, 5});
  batch.targets = Tensor<std::int64_t>({1, 5});
  for (std::int64_t n = 0; n < 5; ++n) batch.tokens[n] = n + 1, batch.targets[n] = n + 2;
  const Tensor<float> before = on_host(learner.context(), learner.parameters()[1].value);
  learner.gather_gradients(batch, std::numeric_limits<double>::infinity());
  learner.step_clipped({.learning_rate = 1e-3}, 1);
  CHECK_FALSE(std::isfinite(learner.read().gradient_norm));
  test::check_close(learner.context(), learner.parameters()[1].value, before, 0);
  bool finite = true;
  for (const LearntParameter<float>& p : learner.parameters()) {
    const Tensor<float> gradient = on_host(learner.context(), p.gradient);
    for (const float g : gradient.values()) finite = finite && std::isfinite(g);
  }
  CHECK_FALSE(finite);
}

TEST_CASE("a decoder alone learns on the device what it learns on the CPU, dropout included") {
  compare(R"({"model": "music_transformer", "encoder": "none", "d_model": 32, "heads": 4,
              "feed_forward": 64, "encoder_layers": 0, "decoder_layers": 2, "max_sequence": 20,
              "vocabulary": 390})",
          {}, {.transformer = 0.1, .encoder = 0.1, .seed = 7, .step = 0});
}
