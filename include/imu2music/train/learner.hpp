// A model being trained: its parameters with their gradients and moments, and the step that improves them.
//
//   Learner<float> learner(model, threads);
//   const CrossEntropySums sums = learner.add_gradients(batch, 1.0 / batch.counted(model.pad()));
//   const double norm = learner.gradient_norm();
//   learner.step({.learning_rate = 3e-4}, norm > 1 ? 1 / norm : 1);   // and the gradients are zero again
//
// The loss is the mean over all targets that are not padding; a step may gather the gradients of several
// batches, each scaled by 1 / (targets of all of them). Running statistics of batch norms follow every batch.
// The model's parameters become the learner's own copies, so a mapped file is never written. Every result is
// the same for any number of threads. Memory: four times the parameters, and the activations of one batch.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "imu2music/autograd/autograd.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/ops/adam.hpp"
#include "imu2music/ops/cross_entropy_backward.hpp"

namespace imu2music::inline v0 {

// tokens, targets: [B, T], a sequence and the same one token later, padded at the end; input: the motion, of
// the shape that the model takes, undefined without; control: [B, T, 12] or undefined.
template <class T>
struct TrainingBatch {
  Tensor<T> input;
  Tensor<std::int64_t> tokens, targets;
  Tensor<T> control;

  // The targets that are not padding.
  std::int64_t counted(std::int64_t pad) const {
    std::int64_t count = 0;
    for (std::int64_t id : targets.values()) count += id != pad;
    return count;
  }
};

// A parameter, its gradient, and the moments of its gradient.
template <class T>
struct LearntParameter {
  std::string name;
  Tensor<T> value, gradient, first_moment, second_moment;
};

template <class T>
class Learner {
 public:
  // The model must outlive the learner and be trained by nobody else.
  // device: where it computes, and where the model's parameters are from then on.
  explicit Learner(Model<T>& model, int threads = 1, Device device = Device::cpu())
      : model_(model), context_(threads, device), pool_(std::make_shared<BufferPool>()), tape_(context_) {
    context_.set_pool(pool_);
    const auto adopt = [&]<class Entry>(const std::string& name, Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<T>>) {
        entry.value = entry.on_host || !context_.on_device() ? entry.value.clone()
                                                             : on_device_of(context_, entry.value);
        entry.packed.clear();  // the value will change
        if (!entry.trainable) return;
        parameters_.push_back(
            {name, entry.value, zeros(entry.shape), zeros(entry.shape), zeros(entry.shape)});
        tape_.watch(entry.value, parameters_.back().gradient);
      } else {
        counters_[&entry] = &entry;
      }
    };
    model_.visit(adopt);
  }
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  Model<T>& model() { return model_; }
  Context& context() { return context_; }
  std::vector<LearntParameter<T>>& parameters() { return parameters_; }
  std::int64_t steps() const { return steps_; }  // taken so far
  void set_steps(std::int64_t steps) { steps_ = steps; }
  // The step of `rates` is set by add_gradients() and counts batches, so no two share their random bits.
  void set_dropout(const DropoutRates& rates) { tape_.dropout_rates() = rates; }

  // Every gradient += scale dloss/dparameter, loss being the sum over the batch's targets. The logits go to
  // `logits` where it is given.
  CrossEntropySums add_gradients(const TrainingBatch<T>& batch, double scale, double label_smoothing = 0,
                                 Tensor<T>* logits = nullptr) {
    using V = Variable<T>;
    V memory;
    if (batch.input.defined())
      memory = model_.encode_memory(context_,
                                    model_.encode_motion(context_, V(on_device_of(context_, batch.input))));
    const V out = model_.logits(context_, memory, batch.tokens, batch.control);
    memory = V();
    if (logits != nullptr) *logits = on_host(context_, out.value());
    Tensor<T> dlogits;
    dlogits = context_.allocate<T>(out.shape());
    const CrossEntropySums sums = cross_entropy_backward(context_, out.value(), batch.targets, model_.pad(),
                                                         label_smoothing, scale, dlogits);
    tape_.backward(out, dlogits);
    tape_.update_statistics([&](const void* counter) { ++counters_.at(counter)->value; });
    ++tape_.dropout_rates().step;
    return sums;
  }

  // The Euclidean norm of all gradients together.
  double gradient_norm() {
    double sum = 0;
    for (const LearntParameter<T>& p : parameters_) sum += sum_of_squares(context_, p.gradient);
    return std::sqrt(sum);
  }

  // One step of Adam with the gathered gradients, each times gradient_scale; then they are zero. A parameter
  // that no batch was computed with stays as it is, weight decay included.
  void step(const AdamOptions& options, double gradient_scale = 1) {
    ++steps_;
    for (std::size_t n = 0; n < parameters_.size(); ++n) {
      if (!tape_.used(n)) continue;
      LearntParameter<T>& p = parameters_[n];
      adam_step(context_, p.value, p.gradient, p.first_moment, p.second_moment, steps_, gradient_scale,
                options);
      zero(context_, p.gradient);
    }
    tape_.forget_use();
  }

 private:
  Tensor<T> zeros(const Shape& shape) {
    if (!context_.on_device()) return Tensor<T>(shape);
    Tensor<T> x = context_.allocate<T>(shape);
    zero(context_, x);
    return x;
  }

  Model<T>& model_;
  Context context_;
  std::shared_ptr<BufferPool> pool_;
  Tape<T> tape_;
  std::vector<LearntParameter<T>> parameters_;
  std::unordered_map<const void*, Counter*> counters_;
  std::int64_t steps_ = 0;
};

}  // namespace imu2music::inline v0
