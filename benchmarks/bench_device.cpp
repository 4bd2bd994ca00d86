// The engine's times on an NVIDIA GPU, row by row, for reference/compare_device.py (serve.hpp tells how it is
// asked). Engines: "ours", float32; "ours-bf16": bfloat16 weights while decoding, products and attention on
// bfloat16 operands otherwise. A call of the work ends when the device has done it.
#include <cstdio>
#include <imu2music/generate/device_session.hpp>
#include <imu2music/models/weights.hpp>
#include <imu2music/ops/relative_attention_backward.hpp>
#include <imu2music/train/learner.hpp>
#include <memory>
#include <string>
#include <vector>

#include "measure.hpp"
#include "models.hpp"
#include "serve.hpp"

namespace {

using namespace imu2music;
using bench::NotRun;
using bench::numbers;
using bench::Row;

bool is_bf16(const std::string& engine) {
  if (engine != "ours" && engine != "ours-bf16") throw NotRun("there is no such engine for this row");
  return engine == "ours-bf16";
}

Context device_context(bool bf16) {
  Context context(1, Device::cuda());
  if (bf16) context.set_matrices(kernels::MatrixPrecision::bf16);
  return context;
}

// All tokens of a sequence, each the likeliest after those before it.
Row decode(const ModelConfig& config, const std::string& engine) {
  struct State {
    DeviceWeights<float> weights;
    DeviceSession<float> session;
    Tensor<float> memory;
    State(const Model<float>& model, WeightFormat format) : weights(model, format), session(weights) {
      if (model.has_memory()) memory = numbers({1, model.memory_length(), model.config.d_model});
    }
  };
  const Model<float> model = init_model<float>(config, 1);
  const auto state =
      std::make_shared<State>(model, is_bf16(engine) ? WeightFormat::bf16 : WeightFormat::plain);
  Row row;
  row.unit = "token", row.units = config.max_sequence;
  row.peak_bytes = [state] {
    return static_cast<double>(kernels::cuda_runtime->capacity(state->session.context().kernel()));
  };
  row.work = [state, config] {
    state->session.start(state->memory);
    DeviceDecoding how;
    how.sampler.greedy = true;
    // A grammar that forbids an end would cost; an id that ends is taken up again like any other.
    std::int64_t token = 0;
    for (std::int64_t left = config.max_sequence; left > 0;) {
      const std::vector<int> ids = state->session.generate(token, left, how);
      left -= static_cast<std::int64_t>(ids.size());
      token = ids.back();
      state->session.start_music();
    }
  };
  return row;
}

Row attention(std::int64_t T, std::int64_t K, bool both, const std::string& engine) {
  struct State {
    Context context;
    std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>();
    Tensor<float> qkv, Er, dout, dEr;
  };
  constexpr std::int64_t H = 8;
  const auto state = std::make_shared<State>(
      State{device_context(is_bf16(engine)), std::make_shared<BufferPool>(), {}, {}, {}, {}});
  Context& context = state->context;
  context.set_pool(state->pool);
  state->qkv = on_device_of(context, numbers({1, T, 3 * H * K}));
  state->Er = on_device_of(context, numbers({T, K}));
  state->dout = on_device_of(context, numbers({1, T, H * K}));
  state->dEr = on_device_of(context, Tensor<float>({T, K}));
  Row row;
  row.unit = "call";
  constexpr int calls = 10;
  row.units = calls;
  row.peak_bytes = [state] {
    return static_cast<double>(kernels::cuda_runtime->capacity(state->context.kernel()));
  };
  row.work = [state, both] {
    Context& here = state->context;
    for (int call = 0; call < calls; ++call) {
      Tensor<float> log_sum_exp;
      const Tensor<float> out =
          relative_self_attention(here, state->qkv, state->Er, H, true, {}, both ? &log_sum_exp : nullptr);
      if (both)
        relative_self_attention_backward(here, state->dout, state->qkv, state->Er, out, log_sum_exp, H, true,
                                         {}, state->dEr);
    }
    synchronise(here);
  };
  return row;
}

Row train(const ModelConfig& config, std::int64_t B, const std::string& engine) {
  struct State {
    Model<float> model;
    Learner<float> learner;
    TrainingBatch<float> batch;
    explicit State(const ModelConfig& c)
        : model(init_model<float>(c, 1)), learner(model, 1, Device::cuda()), batch() {}
  };
  const auto state = std::make_shared<State>(config);
  if (is_bf16(engine)) state->learner.context().set_matrices(kernels::MatrixPrecision::bf16);
  state->learner.set_dropout({0.1, 0.1, 1, 0});
  TrainingBatch<float>& batch = state->batch;
  const std::int64_t T = config.max_sequence;
  if (config.encoder != "none") batch.input = numbers({B, 2, 3, 150});
  batch.tokens = Tensor<std::int64_t>({B, T});
  batch.targets = Tensor<std::int64_t>({B, T});
  Philox random(2);
  for (Tensor<std::int64_t>* ids : {&batch.tokens, &batch.targets})
    for (std::int64_t& id : ids->values())
      id = random.below(static_cast<std::uint32_t>(config.vocabulary - 1));
  Row row;
  row.unit = "step";
  row.peak_bytes = [state] {
    return static_cast<double>(kernels::cuda_runtime->capacity(state->learner.context().kernel()));
  };
  row.work = [state] {
    state->learner.gather_gradients(state->batch, 1.0 / static_cast<double>(state->batch.tokens.size()));
    state->learner.step_clipped({.learning_rate = 1e-5}, 1);
    state->learner.read();
  };
  return row;
}

Row make_row(const std::string& name, const std::string& engine, int) {
  long long T = 0, K = 0;
  char direction[8] = {};
  if (name == "decode/d128") return decode(bench::published(), engine);
  if (name == "decode/d512") return decode(bench::large(), engine);
  if (std::sscanf(name.c_str(), "attention/%7[a-z]/T%lld/K%lld", direction, &T, &K) == 3)
    return attention(T, K, std::string(direction) == "both", engine);
  if (name == "train/d128") return train(bench::published(), 15, engine);
  if (name == "train/d512") return train(bench::alone(512), 64, engine);
  throw NotRun("there is no row of this name");
}

nlohmann::ordered_json describe() {
  device_context(false);
  return {{"device", kernels::cuda_runtime->describe()}};
}

}  // namespace

int main() {
  try {
    device_context(false);
    bench::serve(make_row, describe);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_device: %s\n", error.what());
    return 1;
  }
}
