// A model being trained: its parameters with their gradients and moments, and the step that improves them.
//
//   Learner<float> learner(model, threads);
//   const CrossEntropySums sums = learner.add_gradients(batch, 1.0 / batch.counted(model.pad()));
//   const double norm = learner.gradient_norm();
//   learner.step({.learning_rate = 3e-4}, norm > 1 ? 1 / norm : 1);   // and the gradients are zero again
//
// or, without a device being waited for before all is asked of it, which is the same on the CPU:
//
//   learner.gather_gradients(batch, 1.0 / batch.counted(model.pad()));
//   learner.step_clipped({.learning_rate = 3e-4}, 1);
//   const TrainingReadings readings = learner.read();
//
// The loss is the mean over all targets that are not padding; a step may gather the gradients of several
// batches, each scaled by 1 / (targets of all of them). Running statistics of batch norms follow every batch.
// The model's parameters become the learner's own copies, so a mapped file is never written. Every result is
// the same for any number of threads. Memory: four times the parameters, and the activations of one batch.
//
// On a device all parameters that are learnt lie in one block, as do their gradients and moments, each from a
// boundary of 64 elements on: the norm is one launch, and a step one for all neighbours that were used.
//
// Errors: ShapeError for a batch that does not fit the model; DeviceError where there is no such device.
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
// the shape that the model takes, undefined without; control: [B, T, 12] or undefined, for the sequences that
// `controlled` marks, [B], empty: for all.
template <class T>
struct TrainingBatch {
  Tensor<T> input;
  Tensor<std::int64_t> tokens, targets;
  Tensor<T> control;
  std::vector<std::uint8_t> controlled;

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

// What the batches of a step met: sums over their targets, and the norm of all gradients before clipping.
struct TrainingReadings {
  double nll = 0, loss = 0, gradient_norm = 0;
};

template <class T>
class Learner {
 public:
  // The model must outlive the learner and be trained by nobody else.
  // device: where it computes, and where the model's parameters are from then on.
  explicit Learner(Model<T>& model, int threads = 1, Device device = Device::cpu())
      : model_(model), context_(threads, device), pool_(std::make_shared<BufferPool>()), tape_(context_) {
    context_.set_pool(pool_);
    if (context_.on_device()) make_blocks();
    const auto adopt = [&]<class Entry>(const std::string& name, Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<T>>) {
        if (entry.packs()) packable_.push_back(&entry);
        entry.unpack();  // the value will change
        if (!entry.trainable) {
          entry.value = entry.on_host || !context_.on_device() ? entry.value.clone()
                                                               : on_device_of(context_, entry.value);
          return;
        }
        if (context_.on_device()) {
          take_place(name, entry.value);
        } else {
          entry.value = entry.value.clone();
          parameters_.push_back(
              {name, entry.value, Tensor<T>(entry.shape), Tensor<T>(entry.shape), Tensor<T>(entry.shape)});
        }
        tape_.watch(entry.value, parameters_.back().gradient);
      } else {
        counters_[&entry] = &entry;
      }
    };
    model_.visit(adopt);
    synchronise(context_);  // the values' former queue may give their blocks out again
  }
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  Model<T>& model() { return model_; }
  Context& context() { return context_; }
  std::vector<LearntParameter<T>>& parameters() { return parameters_; }
  std::int64_t steps() const { return steps_; }  // taken so far
  void set_steps(std::int64_t steps) { steps_ = steps; }
  // add_gradients() counts the step of `rates` on by one a batch, so that no two share their random bits;
  // what is set later goes on from its own step.
  void set_dropout(const DropoutRates& rates) { tape_.dropout_rates() = rates; }

  // Every gradient += scale dloss/dparameter, loss being the sum over the batch's targets. The logits go to
  // `logits` where it is given: memory of the learner's, to be let go of on its thread.
  CrossEntropySums add_gradients(const TrainingBatch<T>& batch, double scale, double label_smoothing = 0,
                                 Tensor<T>* logits = nullptr) {
    CrossEntropySums sums;
    learn(batch, logits, [&](const Tensor<T>& out, Tensor<T>& dlogits) {
      sums =
          cross_entropy_backward(context_, out, batch.targets, model_.pad(), label_smoothing, scale, dlogits);
    });
    return sums;
  }

  // The same, for read() to tell of.
  void gather_gradients(const TrainingBatch<T>& batch, double scale, double label_smoothing = 0) {
    learn(batch, nullptr, [&](const Tensor<T>& out, Tensor<T>& dlogits) {
      cross_entropy_backward(context_, out, batch.targets, model_.pad(), label_smoothing, scale, dlogits,
                             readings_);
    });
  }

  // The Euclidean norm of all gradients together.
  double gradient_norm() {
    if (context_.on_device()) return std::sqrt(sum_of_squares(context_, gradients_));
    double sum = 0;
    for (const LearntParameter<T>& p : parameters_) sum += sum_of_squares(context_, p.gradient);
    return std::sqrt(sum);
  }

  // One step of Adam with the gathered gradients, each times gradient_scale; then they are zero. A parameter
  // that no batch was computed with stays as it is, weight decay included; the step of the bias correction is
  // the learner's all the same, where PyTorch counts each parameter's own. What inference had packed is gone,
  // and sessions that were made before compute with something of both: make others.
  void step(const AdamOptions& options, double gradient_scale = 1) {
    ++steps_;
    for (Parameter<T>* parameter : packable_) parameter->unpack();
    if (context_.on_device()) return step_blocks(options, gradient_scale, nullptr);
    for (std::size_t n = 0; n < parameters_.size(); ++n) {
      if (!tape_.used(n)) continue;
      LearntParameter<T>& p = parameters_[n];
      adam_step(context_, p.value, p.gradient, p.first_moment, p.second_moment, steps_, gradient_scale,
                options);
      zero(context_, p.gradient);
    }
    tape_.forget_use();
  }

  // The same with the gradients brought down to a norm of `limit`, 0: as they are. Where that norm or a loss
  // gathered for read() is not finite, neither parameters nor gradients nor moments change (a device, which
  // is not waited for, counts the step all the same).
  void step_clipped(const AdamOptions& options, double limit) {
    if (!context_.on_device()) {
      const double norm = readings_[2] = gradient_norm();
      if (std::isfinite(norm) && std::isfinite(readings_[0]) && std::isfinite(readings_[1]))
        step(options, limit > 0 && norm > limit ? limit / norm : 1.0);
      return;
    }
    const Tensor<double> sums = sums_of_squares(context_, gradients_);
    kernels::ClipArguments<T> clip;
    clip.sums = sums.data(), clip.count = sums.size();
    clip.losses = readings_.data(), clip.losses_count = 2;
    clip.limit = limit;
    clip.norm = readings_.data() + 2;
    clip.scale = clip_scale_.data();
    context_.template table<kernels::AdamKernels<T>>().clip(context_.kernel(), clip);
    ++steps_;
    for (Parameter<T>* parameter : packable_) parameter->unpack();
    step_blocks(options, 1, clip_scale_.data());
  }

  // Drops the gradients that were gathered since the last step, as after one that was not finite. Running
  // statistics have taken their batches in all the same.
  void forget_gradients() {
    for (LearntParameter<T>& p : parameters_) zero(context_, p.gradient);
    tape_.forget_use();
  }

  // What has been gathered since the last call; waits for a device.
  TrainingReadings read() {
    const Tensor<double> here = on_host(context_, readings_);
    const TrainingReadings readings{here[0], here[1], here[2]};
    zero(context_, readings_);
    return readings;
  }

 private:
  static constexpr std::int64_t boundary = 64;  // elements: 256 bytes of float

  static std::int64_t room_for(std::int64_t size) { return (size + boundary - 1) / boundary * boundary; }

  Tensor<T> zeros(const Shape& shape) {
    Tensor<T> x = context_.allocate<T>(shape);
    zero(context_, x);
    return x;
  }

  // Room for all that is learnt.
  void make_blocks() {
    std::int64_t size = 0;
    const auto measure = [&]<class Entry>(const std::string&, const Entry& entry) {
      if constexpr (std::is_same_v<Entry, Parameter<T>>)
        if (entry.trainable) size += room_for(entry.value.size());
    };
    model_.visit(measure);
    values_ = zeros({size}), gradients_ = zeros({size});
    first_moments_ = zeros({size}), second_moments_ = zeros({size});
    readings_ = context_.allocate<double>({3});
    zero(context_, readings_);
    clip_scale_ = zeros({1});
  }

  // Moves a parameter to the blocks, after the one before it.
  void take_place(const std::string& name, Tensor<T>& value) {
    const std::int64_t first = places_.empty() ? 0 : places_.back();
    const auto part = [&](const Tensor<T>& block) {
      return block.slice(first, value.size()).reshape(value.shape());
    };
    Tensor<T> place = part(values_);
    copy(context_, on_device_of(context_, value), place);
    value = place;
    parameters_.push_back({name, value, part(gradients_), part(first_moments_), part(second_moments_)});
    places_.push_back(first + room_for(value.size()));
  }

  void step_blocks(const AdamOptions& options, double gradient_scale, const T* device_scale) {
    for (std::size_t n = 0; n < parameters_.size();) {
      if (!tape_.used(n)) {
        ++n;
        continue;
      }
      const std::int64_t first = n == 0 ? 0 : places_[n - 1];
      while (n < parameters_.size() && tape_.used(n)) ++n;
      const std::int64_t count = places_[n - 1] - first;
      Tensor<T> values = values_.slice(first, count), first_moments = first_moments_.slice(first, count),
                second_moments = second_moments_.slice(first, count);
      adam_step(context_, values, gradients_.slice(first, count), first_moments, second_moments, steps_,
                gradient_scale, options, AdamOnDevice<T>{.scale = device_scale, .clear = true});
    }
    tape_.forget_use();
  }

  // `loss(logits, dlogits)` gives the gradient in dlogits. A batch that does not fit leaves no trace.
  template <class Loss>
  void learn(const TrainingBatch<T>& batch, Tensor<T>* logits, const Loss& loss) {
    const std::vector<bool> used = tape_.use();
    try {
      record_and_learn(batch, logits, loss);
    } catch (...) {
      tape_.clear();
      tape_.restore_use(used);
      throw;
    }
  }

  template <class Loss>
  void record_and_learn(const TrainingBatch<T>& batch, Tensor<T>* logits, const Loss& loss) {
    using V = Variable<T>;
    V memory;
    if (batch.input.defined())
      memory = model_.encode_memory(context_,
                                    model_.encode_motion(context_, V(on_device_of(context_, batch.input))));
    const V out = model_.logits(context_, memory, batch.tokens, batch.control, batch.controlled);
    memory = V();
    if (logits != nullptr) *logits = on_host(context_, out.value());
    Tensor<T> dlogits;
    dlogits = context_.allocate<T>(out.shape());
    loss(out.value(), dlogits);
    tape_.backward(out, dlogits);
    tape_.update_statistics([&](const void* counter) { ++counters_.at(counter)->value; });
    ++tape_.dropout_rates().step;
  }

  Model<T>& model_;
  Context context_;
  std::shared_ptr<BufferPool> pool_;
  Tape<T> tape_;
  std::vector<LearntParameter<T>> parameters_;
  Tensor<double> readings_{Shape{3}};  // nll, loss, norm, where the context computes
  // On a device: of all parameters one after the other; where each one's room ends; the clip's factor.
  Tensor<T> values_, gradients_, first_moments_, second_moments_, clip_scale_;
  std::vector<std::int64_t> places_;
  std::unordered_map<const void*, Counter*> counters_;
  std::vector<Parameter<T>*> packable_;
  std::int64_t steps_ = 0;
};

}  // namespace imu2music::inline v0
