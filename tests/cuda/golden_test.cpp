// The reference checkpoints on the device: features, memory, logits and greedy ids as the reference computed
// them.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/models/weights.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

template <class T>
Tensor<T> stored(const TensorFile& file, const std::string& name) {
  const TensorEntry* entry = file.find(name);
  if (entry == nullptr) return {};
  Tensor<T> values = Tensor<T>::uninitialised(entry->shape);
  copy_values(*entry, values.data());
  return values;
}

// Compares x, [B, S, D], with the tensor stored as [S, B, D], where there is one.
void check_stored(Context& context, const Tensor<float>& x, const TensorFile& expected,
                  const std::string& name) {
  const Tensor<float> wanted = stored<float>(expected, name);
  Context cpu;
  if (wanted.defined()) test::check_close(context, x, permute(cpu, wanted, {1, 0, 2}), 1e-4);
}

}  // namespace

TEST_CASE("reference checkpoints on the device: every stage, and greedy ids") {
  Context* context = test::device();
  if (context == nullptr) return;
  for (const std::string name : {"imu-conv-d32", "imu-fc-d32", "imu-convtransformer-d16", "imu-lstm-d32",
                                 "music-transformer-d32", "foley-no-control-d16", "foley-control-d16"}) {
    const std::string folder = test::shared_file("golden/" + name);
    if (folder.empty()) return;
    INFO(name);
    Model<float> model = load_model<float>(folder + "/checkpoint.pth.tar");
    to_device(model, Device::cuda());
    const TensorFile expected = read_safetensors(folder + "/expected.safetensors");
    const Tensor<float> input = stored<float>(expected, "input"),
                        control = stored<float>(expected, "control");
    Tensor<float> memory;
    if (model.has_memory()) {
      const Tensor<float> features = model.encode_motion(*context, input);
      check_stored(*context, features, expected, "encoder_features");
      memory = model.encode_memory(*context, features);
      check_stored(*context, memory, expected, "memory");
    }
    const Tensor<std::int64_t> tokens = stored<std::int64_t>(expected, "tokens_in");
    test::check_close(
        *context, model.logits(*context, memory, tokens, model.config.control ? control : Tensor<float>()),
        stored<float>(expected, "logits_eval"), 1e-4);

    const Tensor<std::int64_t> greedy = stored<std::int64_t>(expected, "greedy_tokens");
    if (!greedy.defined()) continue;
    Session<float> session(model, 1, memory.defined() ? memory.dim(1) : 0);
    if (model.config.control) session.set_control(stored<float>(expected, "control_generate"));
    Tensor<float> first;
    if (memory.defined())
      first = model.encode_memory(*context, model.encode_motion(*context, input.slice(0, 1)));
    session.start(on_host(*context, first));
    Sampler<float> sampler(model.config.vocabulary, {.greedy = true});
    Context cpu;
    std::int64_t token = greedy[0];
    for (std::int64_t t = 1; t < greedy.size() && t < 24; ++t) {
      token = sampler.choose(cpu, session.step(token).data(), nullptr);
      REQUIRE(token == greedy[t]);
    }
  }
}
