// kernels/cuda/decode.cuh beside the CPU's Session, Sampler and EventGrammar.
#include <numeric>
#include <optional>

#include "cuda/on_device.hpp"
#include "imu2music/generate/device_session.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/window.hpp"
#include "imu2music/models/weights.hpp"

using namespace imu2music;

namespace {

ModelConfig with_memory(int D, int H, int F, int layers, int L) {
  ModelConfig config;
  config.d_model = D;
  config.heads = H;
  config.feed_forward = F;
  config.decoder_layers = layers;
  config.encoder_layers = 0;
  config.max_sequence = L;
  return config;
}
ModelConfig alone(int D, int H, int F, int layers, int L) {
  ModelConfig config = with_memory(D, H, F, layers, L);
  config.model = "music_transformer";
  config.encoder = "none";
  config.vocabulary = 390;
  return config;
}
ModelConfig in_musical_time(int L) {
  ModelConfig config = parse_model_config(
      R"({"encoder":"temporal","vocabulary":332,"d_model":18,"heads":2,"feed_forward":30,"encoder_layers":0,)"
      R"("decoder_layers":2,"width":8,"time_positions":true,"lookback_ms":300,"lookahead_ms":80})",
      "config");
  config.max_sequence = L;
  return config;
}

// Every parameter has some part in the result: norms and biases that start at 1 and 0 are moved.
Model<float> some_model(const ModelConfig& config, std::uint64_t seed = 9) {
  Model<float> model = init_model<float>(config, seed);
  std::uint64_t stream = 100;
  const auto move = [&]<class Entry>(const std::string& name, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) {
      Philox random(seed, stream++);
      if (entry.shape.rank() == 1 && name.find("_net") == std::string::npos)
        for (float& value : entry.value.values()) value += static_cast<float>(0.4 * random.uniform() - 0.2);
    }
  };
  model.visit(move);
  return model;
}

Tensor<float> memory_of(const ModelConfig& config, std::int64_t S, std::uint64_t seed = 3) {
  if (config.model == "music_transformer") return {};
  return test::numbers({1, S, config.d_model}, seed);
}

double difference(std::span<const float> got, std::span<const float> wanted) {
  REQUIRE(got.size() == wanted.size());
  double most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double off = std::abs(double{got[i]} - wanted[i]) / (1 + std::abs(double{wanted[i]}));
    most = off <= most ? most : std::isnan(off) ? 1e30 : off;
  }
  return most;
}

struct Rules {
  std::optional<GrammarOptions> grammar;
  double window_s = std::numeric_limits<double>::infinity();
  std::vector<Note> sounding;
  std::vector<int> prime;
};

// What generate() is to give: decode_window of generate/window.hpp, or the sampler alone without a grammar.
template <class Vocabulary>
std::vector<int> expected(Session<float>& session, std::int64_t first, std::int64_t count,
                          const SamplerOptions& options, std::uint64_t stream, const Rules& rules) {
  const auto& config = session.model().config;
  Sampler<float> sampler(config.vocabulary, options);
  sampler.start(stream);
  WindowState<Vocabulary> state(rules.window_s, rules.grammar.value_or(GrammarOptions{}));
  if constexpr (std::is_same_v<Vocabulary, EventVocabulary2>) state.start(rules.window_s, rules.sounding);
  std::vector<std::uint8_t> any(static_cast<std::size_t>(config.vocabulary), 1);
  any[static_cast<std::size_t>(session.model().pad())] = 0;
  const bool known = config.vocabulary == Vocabulary::size;
  if (known) any[Vocabulary::sos] = 0;
  std::vector<int> ids;
  std::int64_t token = first;
  while (static_cast<std::int64_t>(ids.size()) < count) {
    const auto logits = session.step(token);
    if (ids.size() < rules.prime.size()) {
      token = rules.prime[ids.size()];
      sampler.observe(token);
    } else {
      token = sampler.choose(session.context(), logits.data(), rules.grammar ? state.allowed() : any.data());
    }
    ids.push_back(static_cast<int>(token));
    if (known) {
      state.push(static_cast<int>(token));
      if (state.ended()) break;
    } else if (token == 388) {
      break;
    }
  }
  return ids;
}

}  // namespace

TEST_CASE("decoding on the device: the logits of every step are the CPU's") {
  if (test::device() == nullptr) return;
  struct Case {
    ModelConfig config;
    std::int64_t S;
    std::vector<std::int64_t> tokens = {240, 3, -1, 215, 230, 90, 0};  // -1: the last id, PAD in most
  };
  // Products of fewer rows than the grid has warps, and more; heads from narrow to so wide that a warp takes
  // a key's row alone; sight that begins in a later tile.
  std::vector<Case> cases = {
      {with_memory(32, 4, 64, 2, 16), 27},
      {with_memory(21, 3, 35, 1, 16), 5},
      {alone(16, 4, 8, 2, 16), 0},
      {in_musical_time(16), 30},
      {with_memory(16, 1, 40, 1, 16), 300},
      {with_memory(72, 1, 24, 1, 16), 40},
      {in_musical_time(16), 160, {240, 239, 239, 239, 239, 239, 239, 239, 239, 239, 239, 1}}};
  cases[0].config.vocabulary = 241;
  for (const Case& one : cases)
    for (const WeightFormat format : {WeightFormat::plain, WeightFormat::bf16}) {
      const ModelConfig& config = one.config;
      const std::int64_t S = one.S;
      INFO("D " << config.d_model << ", V " << config.vocabulary << ", S " << S << ", bf16 "
                << (format == WeightFormat::bf16));
      Model<float> model = some_model(config);
      const DeviceWeights<float> weights(model, format);
      DeviceSession<float> session(weights, S);
      Session<float> exact(model, 1, S);
      Model<float> rounded_model = model;
      pack_weights(rounded_model, format);
      Session<float> rounded(rounded_model, 1, S);
      for (const std::uint64_t again : {0, 1}) {
        const auto memory = memory_of(config, S - static_cast<std::int64_t>(again), 3 + again);
        const auto given = again == 1 ? on_device_of(*test::device(), memory) : memory;
        synchronise(*test::device());
        session.start(given);
        exact.start(memory);
        rounded.start(memory);
        for (std::int64_t token : one.tokens) {
          if (token < 0) token = config.vocabulary - 1;
          const auto got = session.step(token);
          CHECK(difference(got, rounded.step(token)) < 1e-4);
          CHECK(difference(got, exact.step(token)) < (format == WeightFormat::bf16 ? 2e-2 : 1e-4));
          CHECK(session.position() == exact.position());
          if (again == 1) break;
        }
      }
    }
}

TEST_CASE("decoding on the device: more keys than one tile has, in one launch") {
  if (test::device() == nullptr) return;
  const ModelConfig config = alone(16, 2, 24, 1, 150);
  const Model<float> model = some_model(config);
  const DeviceWeights<float> weights(model);
  DeviceSession<float> session(weights);
  session.start();
  Session<float> cpu(model);
  cpu.start();
  DeviceDecoding decoding;
  decoding.sampler.seed = 5;
  decoding.sampler.temperature = 0.7;
  const auto wanted = expected<EventVocabulary1>(cpu, 40, 145, decoding.sampler, 0, {});
  REQUIRE(wanted.size() == 145);
  CHECK(session.generate(40, 145, decoding) == wanted);
  CHECK(difference(session.step(wanted.back()), cpu.step(wanted.back())) < 1e-4);
}

TEST_CASE("decoding on the device: ids are those of the sampler, whatever its options and the launches") {
  if (test::device() == nullptr) return;
  const ModelConfig config = with_memory(16, 2, 32, 1, 24);
  const Model<float> model = some_model(config);
  const DeviceWeights<float> weights(model);
  DeviceSession<float> session(weights);
  Session<float> cpu(model);
  const auto memory = memory_of(config, 9);
  std::vector<SamplerOptions> all(8);
  all[0].greedy = true;
  all[1].temperature = 1.4;
  all[2].top_k = 5;
  all[3].top_p = 0.6;
  all[4].min_p = 0.2;
  all[5] = {.temperature = 0.8, .top_k = 40, .top_p = 0.9, .min_p = 0.01, .repetition_penalty = 1.3};
  all[6] = {.greedy = true, .repetition_penalty = 2, .repetition_window = 3};
  all[7] = {.temperature = 2.5, .repetition_penalty = 1.1, .repetition_window = 1};
  std::uint64_t stream = 0;
  for (SamplerOptions& options : all)
    for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{0xfeedfacecafe}}) {
      options.seed = seed;
      ++stream;
      INFO("options " << (&options - all.data()) << ", seed " << seed);
      session.start(memory);
      cpu.start(memory);
      DeviceDecoding decoding{.sampler = options, .stream = stream};
      decoding.tokens_a_launch = stream % 3 == 0 ? 128 : stream % 3 == 1 ? 5 : 1;
      CHECK(session.generate(EventVocabulary1::sos, 8, decoding) ==
            expected<EventVocabulary1>(cpu, EventVocabulary1::sos, 8, options, stream, {}));
      if (options.greedy && seed == 1) CHECK(session.position() == 8);
    }
}

TEST_CASE("decoding on the device: the grammar of both vocabularies, the window's time and its first ids") {
  if (test::device() == nullptr) return;
  for (const bool second : {false, true}) {
    const ModelConfig config = second ? in_musical_time(40) : with_memory(16, 2, 32, 1, 40);
    Model<float> model = some_model(config, 4);
    // Likely to say what the grammar is about, and to go on.
    float* bias = model.Wout.bias.value.data();
    for (int id = 88; id < 176; ++id) bias[id] += 2;
    if (second)
      for (int id = 243; id < 331; ++id) bias[id] += 2;
    const DeviceWeights<float> weights(model);
    DeviceSession<float> session(weights);
    Session<float> cpu(model);
    const auto memory = memory_of(config, 20);
    const std::vector<Note> sounding = {{60, 64, 0, 1}, {64, 64, 0, 1}};
    std::vector<Rules> all(4);
    all[0].grammar = GrammarOptions{};
    all[1] = {GrammarOptions{.may_end = false, .may_begin_continued = false},
              0.3,
              second ? sounding : std::vector<Note>{},
              {}};
    all[2] = {GrammarOptions{.may_begin_continued = false}, 60, {}, {180, 39, 43, 127}};
    all[3] = {
        GrammarOptions{.note_off_needs_note_on = false}, 60, second ? sounding : std::vector<Note>{}, {}};
    if (second) all[2].prime = {180, 243 + 39, 243 + 43, 39, 127};
    for (std::size_t r = 0; r < all.size(); ++r) {
      INFO("vocabulary " << (second ? 2 : 1) << ", rules " << r);
      session.start(memory);
      cpu.start(memory);
      DeviceDecoding decoding;
      decoding.sampler = {.temperature = 1.1, .seed = 77};
      decoding.stream = r;
      decoding.grammar = all[r].grammar;
      decoding.window_s = all[r].window_s;
      decoding.prime = all[r].prime;
      decoding.tokens_a_launch = 7;
      session.start_music(all[r].sounding);
      const std::int64_t count = 20;
      std::vector<int> wanted;
      if (second)
        wanted = expected<EventVocabulary2>(cpu, EventVocabulary2::sos, count, decoding.sampler, r, all[r]);
      else
        wanted = expected<EventVocabulary1>(cpu, EventVocabulary1::sos, count, decoding.sampler, r, all[r]);
      CHECK(session.generate(EventVocabulary1::sos, count, decoding) == wanted);
      CHECK(session.ended() == (wanted.size() < 20));
    }
  }
}

TEST_CASE("decoding on the device: it stops at the end, at the last position, and goes on where it was") {
  if (test::device() == nullptr) return;
  const ModelConfig config = alone(16, 4, 32, 1, 20);
  Model<float> model = some_model(config);
  DeviceDecoding decoding;
  decoding.sampler.greedy = true;
  {
    const DeviceWeights<float> weights(model);
    DeviceSession<float> session(weights), other(weights);
    session.start();
    other.start();
    const auto all = session.generate(7, 1000, decoding);
    CHECK(all.size() == 20);  // one for each position
    CHECK(session.position() == session.capacity());
    CHECK_THROWS_AS(session.step(0), ShapeError);
    const auto head = other.generate(7, 6, decoding), tail = other.generate(head.back(), 5, decoding);
    std::vector<int> joined = head;
    joined.insert(joined.end(), tail.begin(), tail.end());
    CHECK(joined == std::vector<int>(all.begin(), all.begin() + 11));
  }
  // END becomes likely.
  model.Wout.bias.value[388] += 3;
  const DeviceWeights<float> weights(model);
  DeviceSession<float> session(weights);
  Session<float> cpu(model);
  decoding.sampler = {.seed = 3};
  std::size_t stopped = 0;
  for (std::uint64_t stream = 0; stream < 4; ++stream) {
    session.start();
    cpu.start();
    decoding.stream = stream;
    const auto ids = session.generate(7, 20, decoding);
    CHECK(ids == expected<EventVocabulary1>(cpu, 7, 20, decoding.sampler, stream, {}));
    if (ids.back() != 388) continue;
    ++stopped;
    CHECK(session.ended());
    CHECK(session.generate(388, 5, decoding).empty());
  }
  CHECK(stopped > 0);
}

TEST_CASE("decoding on the device: what it cannot do is said") {
  if (test::device() == nullptr) return;
  ModelConfig config = with_memory(16, 2, 32, 1, 8);
  {
    ModelConfig control = config;
    control.control = true;
    CHECK_THROWS_AS(DeviceWeights<float>(init_model<float>(control, 1)), Error);
    ModelConfig lstm = config;
    lstm.model = "lstm_seq2seq";
    lstm.encoder_layers = 1;
    CHECK_THROWS_AS(DeviceWeights<float>(init_model<float>(lstm, 1)), Error);
    CHECK_THROWS_AS(DeviceWeights<float>(init_model<float>(with_memory(144, 1, 8, 1, 8), 1)), Error);
  }
  config.vocabulary = 100;
  Model<float> model = some_model(config);
  CHECK_THROWS_AS(DeviceWeights<float>(model, WeightFormat::int8), Error);
  const DeviceWeights<float> weights(model);
  DeviceSession<float> session(weights);
  CHECK_THROWS_AS(session.step(0), Error);
  CHECK_THROWS_AS(session.generate(0, 1), Error);
  CHECK_THROWS_AS(session.start(), ShapeError);
  CHECK_THROWS_AS(session.start(Tensor<float>({1, 28, 16})), ShapeError);
  session.start(memory_of(config, 3));
  CHECK_THROWS_AS(session.step(-1), ShapeError);
  CHECK_THROWS_AS(session.step(100), ShapeError);
  CHECK_THROWS_AS(session.generate(0, 1, {.sampler = {.top_p = 0}}), InputError);
  CHECK_THROWS_AS(session.generate(0, 1, {.grammar = GrammarOptions{}}), Error);
  CHECK(session.position() == 0);
  // Logits that are no numbers.
  model.Wout.bias.value[5] = std::numeric_limits<float>::quiet_NaN();
  const DeviceWeights<float> broken(model);
  DeviceSession<float> lost(broken);
  lost.start(memory_of(config, 3));
  CHECK_THROWS_WITH_AS(lost.generate(0, 4),
                       "[sampler] no id can be chosen: none is allowed, or the logits are not numbers",
                       Error);
}
