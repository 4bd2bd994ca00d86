#include "rows.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <imu2music/autograd/autograd.hpp>
#include <imu2music/generate/sampler.hpp>
#include <imu2music/generate/session.hpp>
#include <imu2music/generate/session_group.hpp>
#include <imu2music/models/weights.hpp>
#include <imu2music/train/learner.hpp>
#include <memory>
#include <utility>

#include "eigen_linear.hpp"
#include "models.hpp"

#ifdef IMU2MUSIC_BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace bench {

namespace {

using namespace imu2music;

Model<float> packed_model(const ModelConfig& config, WeightFormat format = WeightFormat::plain) {
  Model<float> model = init_model<float>(config, 1);
  pack_weights(model, format);
  return model;
}

double elements(const Model<float>& model, const std::string& prefix) {
  double count = 0;
  const auto add = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>)
      if (name.compare(0, prefix.size(), prefix) == 0 && entry.shape.rank() >= 2 &&
          name.find("self_attn.Er") == std::string::npos)
        count += static_cast<double>(entry.shape.element_count());
  };
  const_cast<Model<float>&>(model).visit(add);
  return count;
}

// ---- decoding -------------------------------------------------------------------------------------------

// The numbers of the weight matrices that one token is multiplied with.
double weights_of_a_token(const Model<float>& model) {
  const double D = model.config.d_model;
  double count = elements(model, "Wout.");
  if (model.has_memory()) {
    count += elements(model, "transformer.decoder.");
    count -= 2 * D * D * model.config.decoder_layers;  // the memory's keys and values are projected once
  } else {
    count += elements(model, "transformer.encoder.");
  }
  return count;
}

// B sequences side by side.
Row decode(const ModelConfig& config, std::int64_t B, const std::string& engine, int threads) {
  const WeightFormat format = engine == "ours-bf16"   ? WeightFormat::bf16
                              : engine == "ours-int8" ? WeightFormat::int8
                                                      : WeightFormat::plain;
  if (engine != "ours" && format == WeightFormat::plain) throw NotRun("there is no such engine for this row");
  struct State {
    Model<float> model;
    SessionGroup<float> group;
    std::vector<std::unique_ptr<Session<float>>> sessions;
    std::vector<Session<float>*> stepping;
    Tensor<float> memory;
    std::vector<std::vector<std::int64_t>> tokens;  // of each step
    State(const ModelConfig& c, WeightFormat format, std::int64_t B, int count)
        : model(packed_model(c, format)), group(model, count), sessions(), stepping(), memory(), tokens() {
      for (std::int64_t n = 0; n < B; ++n) {
        sessions.push_back(std::make_unique<Session<float>>(model, count));
        stepping.push_back(sessions.back().get());
      }
      if (model.has_memory()) memory = numbers({1, model.memory_length(), c.d_model});
      Philox random(2);
      tokens.resize(static_cast<std::size_t>(c.max_sequence));
      for (auto& step : tokens)
        for (std::int64_t n = 0; n < B; ++n)
          step.push_back(random.below(static_cast<std::uint32_t>(c.vocabulary - 1)));
    }
  };
  const auto state = std::make_shared<State>(config, format, B, threads);
  Row row;
  row.unit = "token", row.units = static_cast<double>(B * config.max_sequence);
  // In the middle of a sequence each of two attentions' products runs over so many keys; three with Er.
  const double D = config.d_model, layers = config.decoder_layers;
  const double memory = static_cast<double>(state->sessions[0]->memory_length());
  row.flops =
      2 * (weights_of_a_token(state->model) + layers * (1.5 * D * config.max_sequence + 2 * D * memory));
  if (B == 1)
    row.bytes = static_cast<double>(kernels::bytes_of(format, 4)) * weights_of_a_token(state->model);
  row.work = [state] {
    for (auto& session : state->sessions) session->start(state->memory);
    for (const auto& tokens : state->tokens) state->group.step(state->stepping, tokens);
  };
  return row;
}

// ---- whole networks -------------------------------------------------------------------------------------

Row encode(const std::string& encoder, int threads) {
  ModelConfig config;
  Shape input{1, 2, 3, 150};
  if (encoder == "fc") {
    config.encoder = "fully_connected", input = {1, 2, 9, 150};
  } else if (encoder == "conv_transformer") {
    config.encoder = encoder, config.memory_positions = 9 * 150, input = {1, 2, 9, 150};
  } else if (encoder == "temporal") {
    config.encoder = encoder, config.width = 96, input = {1, 6, 300};
  } else if (encoder == "stgcn") {
    config.encoder = "pose", input = {1, 3, 150, 25, 1};
  } else if (encoder == "lstm") {
    config.encoder = "conv", config.model = "lstm_seq2seq";
  } else if (encoder == "conv" || encoder == "frequency") {
    config.encoder = encoder;
  } else {
    throw NotRun("there is no such encoder");
  }
  struct State {
    Model<float> model;
    Context context;
    Arena arena;
    Tensor<float> x;
    DecodingState<float> decoding;
  };
  const auto state =
      std::make_shared<State>(State{packed_model(config), Context(threads), {}, numbers(input), {}});
  const bool lstm = config.model == "lstm_seq2seq";
  if (lstm) state->decoding = state->model.make_state(state->context, 27);
  Row row;
  row.unit = "window";
  row.work = [state, lstm] {
    ArenaScope scope(state->context, state->arena);
    const Tensor<float> features = state->model.encode_motion(state->context, state->x);
    if (lstm) state->model.remember(state->context, features, state->decoding);
  };
  return row;
}

Row prefill(std::int64_t length, int threads) {
  struct State {
    Model<float> model;
    Context context;
    Arena arena;
    Tensor<std::int64_t> tokens;
  };
  const auto state = std::make_shared<State>(
      State{packed_model(alone()), Context(threads), {}, Tensor<std::int64_t>({1, length})});
  Philox random(2);
  for (std::int64_t& token : state->tokens.values()) token = random.below(389);
  const double D = 512, T = static_cast<double>(length);
  Row row;
  row.unit = "call";
  row.flops = 2 * T * (weights_of_a_token(state->model) + 6 * 1.5 * D * T);
  row.work = [state] {
    ArenaScope scope(state->context, state->arena);
    state->model.logits(state->context, Tensor<float>(), state->tokens);
  };
  return row;
}

Row train(const ModelConfig& config, std::int64_t B, std::int64_t T, int threads) {
  struct State {
    Model<float> model;
    Learner<float> learner;
    TrainingBatch<float> batch;
    State(const ModelConfig& c, int count) : model(init_model<float>(c, 1)), learner(model, count), batch() {}
  };
  const auto state = std::make_shared<State>(config, threads);
  state->learner.set_dropout({0.1, 0.1, 1, 0});
  TrainingBatch<float>& batch = state->batch;
  if (config.encoder != "none") batch.input = numbers({B, 2, 3, 150});
  batch.tokens = Tensor<std::int64_t>({B, T});
  batch.targets = Tensor<std::int64_t>({B, T});
  Philox random(2);
  for (Tensor<std::int64_t>* ids : {&batch.tokens, &batch.targets})
    for (std::int64_t& id : ids->values())
      id = random.below(static_cast<std::uint32_t>(config.vocabulary - 1));
  const double D = config.d_model, rows = static_cast<double>(B * T), layers = config.decoder_layers;
  double products = rows * (weights_of_a_token(state->model) + layers * 1.5 * D * static_cast<double>(T));
  if (config.encoder != "none") {
    const double memory = static_cast<double>(B) * 27;
    products += memory * (elements(state->model, "transformer.encoder.") + layers * 2 * D * D) +
                rows * layers * 2 * D * 27;
  }
  Row row;
  row.unit = "step";
  row.flops = 3 * 2 * products;
  row.work = [state] {
    const double scale = 1.0 / static_cast<double>(state->batch.tokens.size());
    state->learner.add_gradients(state->batch, scale);
    state->learner.step({.learning_rate = 1e-5});
  };
  return row;
}

// ---- parts ----------------------------------------------------------------------------------------------

Row attention(std::int64_t T, std::int64_t K, bool both, int threads) {
  struct State {
    Context context;
    Arena arena;
    Tensor<float> qkv, Er, dout, dEr;
  };
  const std::int64_t H = 8;
  const auto state = std::make_shared<State>(State{Context(threads),
                                                   {},
                                                   numbers({1, T, 3 * H * K}),
                                                   numbers({T, K}),
                                                   numbers({1, T, H * K}),
                                                   Tensor<float>({T, K})});
  Row row;
  row.unit = "call";
  const double pairs = 0.5 * static_cast<double>(T * (T + 1)) * static_cast<double>(H * K);
  row.flops = 2 * pairs * (both ? 3 + 8 : 3);
  row.work = [state, both] {
    ArenaScope scope(state->context, state->arena);
    Tensor<float> log_sum_exp;
    const Tensor<float> out = relative_self_attention(state->context, state->qkv, state->Er, 8, true, {},
                                                      both ? &log_sum_exp : nullptr);
    if (both)
      relative_self_attention_backward(state->context, state->dout, state->qkv, state->Er, out, log_sum_exp,
                                       8, true, {}, state->dEr);
  };
  return row;
}

Row temporal(bool both, int threads) {
  struct State {
    Context context;
    std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>();
    Tape<float> tape;
    TemporalEncoder<float> encoder;
    std::vector<Tensor<float>> gradients;
    Tensor<float> x, dy;
    explicit State(int count) : context(count), tape(context), encoder(128, {6, 96, 5, 6, 2}) {
      context.set_pool(pool);
      std::uint64_t stream = 0;
      const auto initialise = [&](const std::string&, Parameter<float>& parameter) {
        parameter.initialize(Philox(1, stream++));
        if (!parameter.trainable) return;
        gradients.push_back(Tensor<float>(parameter.shape));
        tape.watch(parameter.value, gradients.back());
      };
      encoder.visit(initialise, "");
      x = numbers({15, 6, 300});
      dy = numbers({15, 75, 128});
    }
  };
  const auto state = std::make_shared<State>(threads);
  Row row;
  row.unit = "call";
  const double frames = 15 * 300, W = 96;
  // the stem, then two halvings, each before three blocks
  const double products =
      frames * 5 * 6 * W + frames * (0.5 + 0.25) * W * W * (5 + 3 * 6) + frames / 4 * W * 128;
  row.flops = 2 * products * (both ? 3 : 1);
  row.work = [state, both] {
    if (!both) {
      state->encoder.forward(state->context, state->x);
      return;
    }
    const Variable<float> y = state->encoder.forward(state->context, Variable<float>(state->x));
    state->tape.backward(y, state->dy);
  };
  return row;
}

#ifdef IMU2MUSIC_BENCH_ONEDNN
// y = x W^T + b by oneDNN's inner product, the weights in the layout that it likes best.
class InnerProduct {
 public:
  InnerProduct(std::int64_t M, std::int64_t K, std::int64_t N, const float* x, const float* W, const float* b,
               float* y) {
    check(dnnl_engine_create(&engine_, dnnl_cpu, 0));
    check(dnnl_stream_create(&stream_, engine_, dnnl_stream_default_flags));
    const dnnl_dims_t x_dims = {M, K}, W_dims = {N, K}, b_dims = {N}, y_dims = {M, N};
    dnnl_memory_desc_t x_md, W_md, W_any, b_md, y_md;
    check(dnnl_memory_desc_init_by_tag(&x_md, 2, x_dims, dnnl_f32, dnnl_ab));
    check(dnnl_memory_desc_init_by_tag(&W_md, 2, W_dims, dnnl_f32, dnnl_ab));
    check(dnnl_memory_desc_init_by_tag(&W_any, 2, W_dims, dnnl_f32, dnnl_format_tag_any));
    check(dnnl_memory_desc_init_by_tag(&b_md, 1, b_dims, dnnl_f32, dnnl_a));
    check(dnnl_memory_desc_init_by_tag(&y_md, 2, y_dims, dnnl_f32, dnnl_ab));
    dnnl_inner_product_desc_t description;
    check(dnnl_inner_product_forward_desc_init(&description, dnnl_forward_inference, &x_md, &W_any, &b_md,
                                               &y_md));
    dnnl_primitive_desc_t chosen;
    check(dnnl_primitive_desc_create(&chosen, &description, nullptr, engine_, nullptr));
    check(dnnl_primitive_create(&product_, chosen));
    const dnnl_memory_desc_t* packed = dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0);
    dnnl_memory_t plain;
    check(dnnl_memory_create(&plain, &W_md, engine_, const_cast<float*>(W)));
    check(dnnl_memory_create(&W_, packed, engine_, DNNL_MEMORY_ALLOCATE));
    dnnl_primitive_desc_t reorder;
    dnnl_primitive_t move;
    check(dnnl_reorder_primitive_desc_create(&reorder, &W_md, engine_, packed, engine_, nullptr));
    check(dnnl_primitive_create(&move, reorder));
    const dnnl_exec_arg_t moved[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, W_}};
    check(dnnl_primitive_execute(move, stream_, 2, moved));
    check(dnnl_stream_wait(stream_));
    dnnl_primitive_destroy(move), dnnl_primitive_desc_destroy(reorder), dnnl_primitive_desc_destroy(chosen);
    dnnl_memory_destroy(plain);
    check(dnnl_memory_create(&x_, &x_md, engine_, const_cast<float*>(x)));
    check(dnnl_memory_create(&b_, &b_md, engine_, const_cast<float*>(b)));
    check(dnnl_memory_create(&y_, &y_md, engine_, y));
  }
  ~InnerProduct() {
    dnnl_primitive_destroy(product_);
    for (dnnl_memory_t memory : {x_, W_, b_, y_}) dnnl_memory_destroy(memory);
    dnnl_stream_destroy(stream_), dnnl_engine_destroy(engine_);
  }
  InnerProduct(const InnerProduct&) = delete;
  InnerProduct& operator=(const InnerProduct&) = delete;
  void run() {
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, W_}, {DNNL_ARG_BIAS, b_}, {DNNL_ARG_DST, y_}};
    check(dnnl_primitive_execute(product_, stream_, 4, arguments));
    check(dnnl_stream_wait(stream_));
  }

 private:
  static void check(dnnl_status_t status) {
    if (status != dnnl_success) throw NotRun("oneDNN refused with status " + std::to_string(status));
  }
  dnnl_engine_t engine_ = nullptr;
  dnnl_stream_t stream_ = nullptr;
  dnnl_primitive_t product_ = nullptr;
  dnnl_memory_t x_ = nullptr, W_ = nullptr, b_ = nullptr, y_ = nullptr;
};
#endif

// y = x W^T + b, x: [M, K], W: [N, K].
Row linear_row(std::int64_t M, std::int64_t K, std::int64_t N, const std::string& engine, int threads) {
  struct State {
    Context context;
    Arena arena;
    Tensor<float> x, W, b, y;
  };
  const auto state = std::make_shared<State>(
      State{Context(threads), {}, numbers({M, K}), numbers({N, K}), numbers({N}), Tensor<float>({M, N})});
  Row row;
  row.unit = "call";
  row.flops = 2 * static_cast<double>(M) * static_cast<double>(K) * static_cast<double>(N);
  if (M == 1) row.bytes = 4 * static_cast<double>(K * N);
  if (engine == "ours" || engine == "ours-unpacked") {  // as decoding does, and as training does
    Context context;
    const PackedWeight<float> packed = pack_weight(context, state->W);
    const bool once = engine == "ours";
    row.work = [state, packed, once] {
      ArenaScope scope(state->context, state->arena);
      if (once)
        linear(state->context, state->x, packed, state->b);
      else
        linear(state->context, state->x, state->W, state->b);
    };
    return row;
  }
  if (engine == "eigen") {
    row.work = [state, M, K, N, threads] {
      eigen_linear(state->x.data(), state->W.data(), state->b.data(), state->y.data(), M, K, N, threads);
    };
    return row;
  }
#ifdef IMU2MUSIC_BENCH_ONEDNN
  if (engine == "onednn") {
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
    const auto product = std::make_shared<InnerProduct>(M, K, N, state->x.data(), state->W.data(),
                                                        state->b.data(), state->y.data());
    row.work = [state, product, threads] {
#ifdef _OPENMP
      omp_set_num_threads(threads);
#endif
      product->run();
    };
    return row;
  }
#else
  if (engine == "onednn") throw NotRun("built without oneDNN (libdnnl-dev)");
#endif
  throw NotRun("there is no such engine for this row");
}

Row sample() {
  struct State {
    Context context;
    Sampler<float> sampler;
    Tensor<float> logits = numbers({243});
    explicit State(const SamplerOptions& options) : sampler(243, options) {}
  };
  SamplerOptions options;
  options.top_k = 40, options.top_p = 0.9;
  const auto state = std::make_shared<State>(options);
  Row row;
  row.unit = "call";
  row.work = [state] { state->sampler.choose(state->context, state->logits.data(), nullptr); };
  return row;
}

bool begins(const std::string& text, const std::string& with) {
  return text.compare(0, with.size(), with) == 0;
}

}  // namespace

Row make_row(const std::string& name, const std::string& engine, int threads) {
  long long M = 0, K = 0, N = 0;
  char direction[8] = {};
  if (std::sscanf(name.c_str(), "linear/%lldx%lldx%lld", &M, &K, &N) == 3)
    return linear_row(M, K, N, engine, threads);
  for (const std::int64_t B : {1, 16}) {
    const std::string kind = B == 1 ? "decode/" : "decode16/";
    if (name == kind + "d128") return decode(published(), B, engine, threads);
    if (name == kind + "d512") return decode(large(), B, engine, threads);
    if (name == kind + "only512") return decode(alone(), B, engine, threads);
  }
  if (engine != "ours") throw NotRun("there is no such engine for this row");
  if (begins(name, "encode/")) return encode(name.substr(7), threads);
  if (name == "prefill/512") return prefill(512, threads);
  if (name == "prefill/2048") return prefill(2048, threads);
  if (std::sscanf(name.c_str(), "attention/%7[a-z]/T%lld/K%lld", direction, &N, &K) == 3)
    return attention(N, K, std::string(direction) == "both", threads);
  if (name == "temporal/forward" || name == "temporal/both")
    return temporal(name == "temporal/both", threads);
  if (name == "train/d128") return train(published(), 15, 128, threads);
  if (name == "train/d512") return train(alone(512), 8, 512, threads);
  if (name == "sample/243") return sample();
  throw NotRun("there is no row of this name");
}

std::vector<std::string> row_names() {
  std::vector<std::string> names = {
      "decode/d128",      "decode/d512", "decode/only512",   "decode16/d128", "decode16/d512",
      "decode16/only512", "encode/conv", "encode/frequency", "encode/fc",     "encode/conv_transformer",
      "encode/temporal",  "encode/lstm", "encode/stgcn",     "prefill/512",   "prefill/2048"};
  for (const char* direction : {"forward", "both"})
    for (int K : {16, 64})
      for (int T : {128, 512, 1024, 2048, 4096})
        names.push_back(std::string("attention/") + direction + "/T" + std::to_string(T) + "/K" +
                        std::to_string(K));
  for (const char* name : {"temporal/forward", "temporal/both", "train/d128", "train/d512"})
    names.push_back(name);
  // One token, a window, and a training batch, through each matrix of d 128 and d 512.
  for (const char* rows : {"1", "16", "128", "1920"})
    for (const char* matrix : {"128x384", "128x128", "128x256", "256x128", "128x243"})
      names.push_back(std::string("linear/") + rows + "x" + matrix);
  for (const char* rows : {"1", "16", "512", "4096"})
    for (const char* matrix : {"512x1536", "512x512", "512x1024", "1024x512", "512x390"})
      names.push_back(std::string("linear/") + rows + "x" + matrix);
  names.push_back("sample/243");
  return names;
}

}  // namespace bench
