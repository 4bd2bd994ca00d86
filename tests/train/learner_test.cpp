#include "imu2music/train/learner.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "random.hpp"

using namespace imu2music;
using test::random_tensor;

namespace {

template <class T>
TrainingBatch<T> batch_for(const Model<T>& model, const Shape& input, std::int64_t length,
                           std::uint64_t seed) {
  TrainingBatch<T> batch;
  const std::int64_t B = 2;
  if (input.rank() > 0) batch.input = random_tensor<T>(input, seed);
  batch.tokens = Tensor<std::int64_t>({B, length});
  batch.targets = Tensor<std::int64_t>({B, length});
  Philox random(seed, 7);
  for (std::int64_t n = 0; n < B * length; ++n) {
    batch.tokens[n] = random.below(static_cast<std::uint32_t>(model.pad()));
    batch.targets[n] = random.below(static_cast<std::uint32_t>(model.pad()));
  }
  batch.tokens[2 * length - 1] = batch.targets[2 * length - 1] = model.pad();
  if (model.config.control) {  // of one sequence, not of the other
    batch.control = random_tensor<T>({B, length, ControlInput<T>::classes}, seed + 1);
    batch.controlled = {1, 0};
  }
  return batch;
}

struct Case {
  std::string name;
  ModelConfig config;
  Shape input;
};

std::vector<Case> cases() {
  ModelConfig base;
  base.d_model = 8, base.heads = 2, base.feed_forward = 12, base.encoder_layers = 1, base.decoder_layers = 1;
  base.max_sequence = 12, base.vocabulary = 20;
  std::vector<Case> all;
  const auto with = [&](const std::string& encoder, const Shape& input, auto change) {
    Case one{encoder, base, input};
    one.config.encoder = encoder;
    change(one.config);
    all.push_back(one);
  };
  const auto nothing = [](ModelConfig&) {};
  with("conv", {2, 2, 3, 150}, nothing);
  with("frequency", {2, 2, 3, 150}, nothing);
  with("fully_connected", {2, 2, 9, 150}, nothing);
  with("conv_transformer", {2, 2, 1, 150}, [](ModelConfig& c) { c.rows = 1; });
  with("pose", {2, 3, 6, 25, 1}, [](ModelConfig& c) { c.pose_layers = 2, c.control = true; });
  with("temporal", {2, 6, 21},
       [](ModelConfig& c) { c.channels = 6, c.width = 6, c.blocks = 3, c.kernel = 3; });
  with("conv", {2, 2, 3, 150}, [](ModelConfig& c) { c.model = "lstm_seq2seq"; });
  with("none", {}, [](ModelConfig& c) { c.model = "music_transformer", c.encoder_layers = 0; });
  return all;
}

}  // namespace

TEST_CASE("the gradient of every kind of model is that of finite differences") {
  for (const Case& one : cases()) {
    INFO(one.name, " ", one.config.model);
    Model<double> model = init_model<double>(one.config, 3);
    Learner<double> learner(model);
    const TrainingBatch<double> batch = batch_for(model, one.input, 6, 5);
    const double scale = 1.0 / static_cast<double>(batch.counted(model.pad()));
    const CrossEntropySums sums = learner.add_gradients(batch, scale, 0.1);
    CHECK(sums.count == 11);
    std::vector<Tensor<double>> gradients;
    for (auto& p : learner.parameters()) {
      gradients.push_back(p.gradient.clone());
      std::fill_n(p.gradient.data(), p.gradient.size(), 0.0);
    }
    const auto loss = [&] {
      const double value = learner.add_gradients(batch, scale, 0.1).loss * scale;
      for (auto& p : learner.parameters()) std::fill_n(p.gradient.data(), p.gradient.size(), 0.0);
      return value;
    };
    Philox random(1);
    int checked = 0;
    for (std::size_t k = 0; k < gradients.size(); ++k) {
      auto& p = learner.parameters()[k];
      const std::int64_t i = random.below(static_cast<std::uint32_t>(p.value.size()));
      const double at = p.value[i];
      // A ReLU between the two points spoils a difference; it seldom stands between nearer ones too.
      double nearest = std::numeric_limits<double>::infinity(), allowed = 0;
      for (const double h : {1e-6, 1e-7}) {
        p.value[i] = at + h;
        const double above = loss();
        p.value[i] = at - h;
        const double below = loss();
        p.value[i] = at;
        const double expected = (above - below) / (2 * h);
        nearest = std::min(nearest, std::abs(gradients[k][i] - expected));
        allowed = 1e-4 * std::abs(expected) + 1e-7;
        if (nearest <= allowed) break;
      }
      INFO(p.name, "[", i, "]: ", gradients[k][i]);
      CHECK(nearest <= allowed);
      ++checked;
    }
    CHECK(checked > 15);
  }
}

TEST_CASE("a step lowers the loss, clears the gradients and is the same for any number of threads") {
  for (const Case& one : cases()) {
    INFO(one.name, " ", one.config.model);
    std::vector<double> losses[2];
    for (const int threads : {1, 3}) {
      Model<float> model = init_model<float>(one.config, 3);
      Learner<float> learner(model, threads);
      learner.set_dropout({0.1, 0.1, 4, 0});
      const TrainingBatch<float> batch = batch_for(model, one.input, 6, 5);
      const double scale = 1.0 / static_cast<double>(batch.counted(model.pad()));
      for (int step = 0; step < 12; ++step) {
        losses[threads == 3].push_back(learner.add_gradients(batch, scale).nll * scale);
        CHECK(learner.gradient_norm() > 0);
        learner.step({.learning_rate = 3e-3});
        CHECK(learner.gradient_norm() == 0);
      }
      CHECK(learner.steps() == 12);
    }
    CHECK(losses[0] == losses[1]);
    CHECK(losses[0].back() < losses[0].front());
  }
}

TEST_CASE("one batch can be learnt by heart") {
  ModelConfig config;
  config.encoder = "temporal";
  config.d_model = 32, config.heads = 4, config.feed_forward = 64, config.encoder_layers = 0,
  config.decoder_layers = 2;
  config.max_sequence = 24, config.vocabulary = 60, config.width = 16, config.blocks = 4;
  Model<float> model = init_model<float>(config, 1);
  Learner<float> learner(model, 2);
  const TrainingBatch<float> batch = batch_for(model, {2, 6, 300}, 24, 2);
  const double scale = 1.0 / static_cast<double>(batch.counted(model.pad()));
  double nll = 0;
  for (int step = 0; step < 250; ++step) {
    nll = learner.add_gradients(batch, scale).nll * scale;
    if (nll < 0.05) break;
    learner.step({.learning_rate = 5e-3});
  }
  CHECK(nll < 0.05);
}

TEST_CASE("a mapped file's weights are copied, buffers stay as they are, and running statistics move") {
  ModelConfig config = cases()[0].config;
  Model<float> model = init_model<float>(config, 3);
  std::vector<const float*> before;
  const auto remember = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) before.push_back(entry.value.data());
  };
  model.visit(remember);
  Learner<float> learner(model);
  const std::vector<const float*> original = before;
  before.clear();
  model.visit(remember);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(before[i] != original[i]);
  const auto& norm = std::get<ConvEncoder<float>>(model.motion_net).individual_net1.norm[0];
  CHECK(norm.num_batches_tracked.value == 0);
  const TrainingBatch<float> batch = batch_for(model, {2, 2, 3, 150}, 6, 5);
  learner.add_gradients(batch, 1);
  CHECK(norm.num_batches_tracked.value == 1);
  CHECK(norm.running_mean.value[0] != 0);
  CHECK(norm.running_var.value[0] != 1);
  for (const auto& p : learner.parameters()) CHECK(p.name.find("running") == std::string::npos);
}

TEST_CASE("a batch that does not fit leaves no trace") {
  const Case one = cases().front();
  Model<double> disturbed = init_model<double>(one.config, 3), model = init_model<double>(one.config, 3);
  Learner<double> first(disturbed), second(model);
  first.set_dropout({.transformer = 0.2, .seed = 1});
  second.set_dropout({.transformer = 0.2, .seed = 1});
  const TrainingBatch<double> batch = batch_for(model, one.input, 6, 5);
  TrainingBatch<double> wrong = batch_for(model, one.input, 6, 6);
  wrong.targets[3] = model.config.vocabulary;
  CHECK_THROWS_AS(first.add_gradients(wrong, 1), ShapeError);
  for (auto* learner : {&first, &second}) {
    learner->add_gradients(batch, 0.1);
    learner->step({});
  }
  std::vector<Tensor<double>> values[2];
  std::vector<std::int64_t> counts[2];
  for (int n = 0; n < 2; ++n) {
    const auto take = [&]<class Entry>(const std::string&, Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<double>>)
        values[n].push_back(entry.value);
      else
        counts[n].push_back(entry.value);
    };
    (n == 0 ? disturbed : model).visit(take);
  }
  CHECK(counts[0] == counts[1]);
  for (std::size_t p = 0; p < values[0].size(); ++p)
    for (std::int64_t i = 0; i < values[0][p].size(); ++i) REQUIRE(values[0][p][i] == values[1][p][i]);
}

TEST_CASE("a step takes away what inference had packed, and gradients can be dropped") {
  const Case one = cases().front();
  Model<double> model = init_model<double>(one.config, 3);
  Learner<double> learner(model);
  const TrainingBatch<double> batch = batch_for(model, one.input, 6, 5);
  pack_weights(model);
  learner.add_gradients(batch, 1);
  learner.step({});
  const auto bare = [&] {
    bool none = true;
    const auto look = [&]<class Entry>(const std::string&, Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<double>>)
        none = none && entry.packed.empty() && !entry.columns.defined();
    };
    model.visit(look);
    return none;
  };
  CHECK(bare());
  learner.add_gradients(batch, std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isnan(learner.gradient_norm()));
  learner.forget_gradients();
  CHECK(learner.gradient_norm() == 0);
  learner.add_gradients(batch, 1);
  CHECK(learner.gradient_norm() > 0);
}
