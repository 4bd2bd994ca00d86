// The encoders of motion and the LSTM writer on the device beside the CPU: in evaluation mode, and in
// training mode with the gradient of every parameter.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/autograd/autograd.hpp"
#include "imu2music/models/imu_encoders/conv_encoder.hpp"
#include "imu2music/models/imu_encoders/conv_transformer_encoder.hpp"
#include "imu2music/models/imu_encoders/frequency_encoder.hpp"
#include "imu2music/models/imu_encoders/fully_connected_encoder.hpp"
#include "imu2music/models/lstm_seq2seq.hpp"
#include "imu2music/models/pose_encoder.hpp"

using namespace imu2music;

namespace {

// Random parameters, and running statistics that are no start's.
template <class Module>
void initialise(Module& module) {
  std::uint64_t stream = 0;
  const auto fill = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) {
      entry.initialize(Philox(3, stream));
      if (name.ends_with("running_mean")) entry.value = test::numbers(entry.shape, 100 + stream);
      if (name.ends_with("running_var"))
        for (float& v : entry.value.values()) v = 0.5f + static_cast<float>(stream % 7) / 5;
      ++stream;
    }
  };
  module.visit(fill, "");
}

template <class Module>
Module on_device(Context& context, Module module) {
  const auto move = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) entry.value = on_device_of(context, entry.value);
  };
  module.visit(move, "");
  return module;
}

// The gradient of every trainable parameter for a random gradient of forward(module)'s result, and that
// result.
template <class Module, class Forward>
std::map<std::string, Tensor<float>> gradients(Context& context, Module module, const Forward& forward) {
  Tape<float> tape(context);
  std::map<std::string, Tensor<float>> all;
  const auto watch = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>)
      if (entry.trainable) {
        all[name] = on_device_of(context, Tensor<float>(entry.shape));
        tape.watch(entry.value, all[name]);
      }
  };
  module.visit(watch, "");
  const Variable<float> y = forward(context, module);
  tape.backward(y, on_device_of(context, test::numbers(y.shape(), 77)));
  all["result"] = y.value();
  tape.update_statistics([](const void*) {});
  const auto collect = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>)
      if (name.find("running_") != std::string::npos) all[name] = entry.value;
  };
  module.visit(collect, "");
  return all;
}

// forward(context, module, input) for a Tensor and for a Variable.
template <class Module, class Forward>
void check_module(Module module, const Tensor<float>& input, const Forward& forward) {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  initialise(module);
  const Module there = on_device(*context, module);
  const Tensor<float> input_there = on_device_of(*context, input);
  test::check_close(*context, forward(*context, there, input_there), forward(cpu, module, input), 1e-4);

  const auto got = gradients(*context, there, [&](Context& c, const Module& m) {
    return forward(c, m, Variable<float>(input_there));
  });
  const auto wanted = gradients(
      cpu, module, [&](Context& c, const Module& m) { return forward(c, m, Variable<float>(input)); });
  for (const auto& [name, gradient] : wanted) {
    INFO(name);
    float largest = 0;
    for (const float g : gradient.values()) largest = std::max(largest, std::abs(g));
    test::check_close(*context, got.at(name), gradient, 1e-4 * std::max(1.0f, largest));
  }
}

constexpr auto plain = []<class Module, class V>(Context& context, const Module& module, const V& input) {
  return module.forward(context, input);
};

}  // namespace

TEST_CASE("the convolutional encoder on the device") {
  check_module(ConvEncoder<float>(8), test::numbers({2, 2, 3, 150}, 1), plain);
}

TEST_CASE("the fully connected encoder on the device") {
  check_module(FullyConnectedEncoder<float>(6), test::numbers({2, 2, 9, 150}, 1), plain);
}

TEST_CASE("the frequency encoder on the device") {
  check_module(FrequencyEncoder<float>(8), test::numbers({2, 2, 3, 150}, 1), plain);
}

TEST_CASE("the ConvTransformer encoder on the device") {
  check_module(ConvTransformerEncoder<float>(8, 2, 1, 2), test::numbers({2, 2, 2, 150}, 1), plain);
}

TEST_CASE("the pose encoder on the device, with a stride in time and two persons") {
  check_module(PoseEncoder<float>(8, "body25", 5), test::numbers({2, 3, 3, 25, 2}, 1), plain);
}

TEST_CASE("the LSTM writer on the device: all steps at once") {
  check_module(LstmSeq2Seq<float>(10, 2, 2), test::numbers({2, 5, 10}, 1),
               []<class V>(Context& context, const LstmSeq2Seq<float>& module, const V& tokens) {
                 return module.forward(context, tokens, 4);
               });
}

TEST_CASE("the LSTM writer on the device, step by step, started twice") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  LstmSeq2Seq<float> module(10, 2, 2);
  initialise(module);
  const auto there = on_device(*context, module);
  for (const std::int64_t B : {1, 3}) {
    INFO("B " << B);
    auto state = module.make_state(cpu, B);
    auto state_there = there.make_state(*context, B);
    for (const std::uint64_t seed : {1, 2}) {
      const auto tokens = test::numbers({B, 4, 10}, seed);
      module.remember(cpu, tokens, state);
      there.remember(*context, on_device_of(*context, tokens), state_there);
      for (int t = 0; t < 3; ++t)
        test::check_close(*context, there.step(*context, state_there), module.step(cpu, state));
    }
  }
}
