#include "imu2music/generate/session.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "imu2music/generate/sampler.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.d_model = 48;
  config.heads = 3;
  config.feed_forward = 80;
  config.max_sequence = 33;
  return config;
}

}  // namespace

TEST_CASE("cached decoding equals full recomputation, token for token and bit for bit") {
  const auto model = init_model<float>(small_config(), 9);
  const auto input = test::random_tensor<float>({1, 2, 3, 150}, 1);
  Context context;
  const auto memory = model.encode_memory(context, model.encode_motion(context, input));
  for (bool greedy : {true, false}) {
    Session<float> session(model);
    session.start_from_motion(input);
    Sampler<float> cached(243, {.greedy = greedy, .temperature = 1.3, .seed = 4}), full = cached;
    Tensor<std::int64_t> tokens({1, 33});
    tokens[0] = EventVocabulary1::sos;
    for (std::int64_t t = 0; t < 32; ++t) {
      const auto stepped = session.step(tokens[t]);
      const auto prefix =
          Tensor<std::int64_t>::from(std::as_const(tokens).values().subspan(0, t + 1), {1, t + 1});
      const auto logits = model.logits(context, memory, prefix);
      for (std::int64_t v = 0; v < 243; ++v) CHECK(stepped[v] == logits[t * 243 + v]);
      const std::int64_t next = cached.choose(session.context(), stepped.data(), nullptr);
      CHECK(next == full.choose(context, logits.data() + t * 243, nullptr));
      tokens[t + 1] = t == 7 || t == 20 ? EventVocabulary1::pad : next;  // PAD is no key for what follows
    }
    CHECK(session.position() == 32);
  }
}

TEST_CASE(
    "a session keeps musical time: with it the cached logits are those of the full computation, and copies") {
  const ModelConfig config = parse_model_config(
      R"({"encoder":"temporal","vocabulary":332,"d_model":48,"heads":3,"feed_forward":80,"max_sequence":33,)"
      R"("width":16,"time_positions":true,"lookback_ms":800,"lookahead_ms":80})",
      "config");
  const auto model = init_model<float>(config, 9);
  const auto input = test::random_tensor<float>({1, 6, 300}, 1);
  Context context;
  const auto memory = model.encode_memory(context, model.encode_motion(context, input));
  Session<float> session(model), copy(model);
  for (int again = 0; again < 2; ++again) {
    session.start_from_motion(input);
    CHECK(session.time_s() == 0);
    Sampler<float> sampler(332, {.temperature = 1.3, .seed = 4});
    Tensor<std::int64_t> tokens({1, 33});
    tokens[0] = EventVocabulary2::sos;
    double time_s = 0;
    for (std::int64_t t = 0; t < 33; ++t) {
      const auto stepped = t < 17 ? session.step(tokens[t]) : copy.step(tokens[t]);
      time_s += EventVocabulary2::shift_s(static_cast<int>(tokens[t]));
      CHECK((t < 17 ? session : copy).time_s() == time_s);
      const auto prefix =
          Tensor<std::int64_t>::from(std::as_const(tokens).values().subspan(0, t + 1), {1, t + 1});
      const auto logits = model.logits(context, memory, prefix);
      for (std::int64_t v = 0; v < 332; ++v) REQUIRE(stepped[v] == logits[t * 332 + v]);
      if (t == 16) copy.copy_from(session);
      if (t + 1 == 33) break;
      tokens[t + 1] = t % 3 == 0 ? EventVocabulary2::first_time_shift + 25
                                 : sampler.choose(context, stepped.data(), nullptr);
    }
    CHECK(time_s > 3);
  }
}

TEST_CASE("a session starts again from the beginning") {
  const auto model = init_model<float>(small_config(), 9);
  const auto first = test::random_tensor<float>({1, 2, 3, 150}, 1),
             second = test::random_tensor<float>({1, 2, 3, 150}, 2);
  Session<float> session(model);
  std::vector<float> logits[3];
  int run = 0;
  for (const auto* input : {&first, &second, &first}) {
    session.start_from_motion(*input);
    session.step(240);
    const auto last = session.step(17);
    logits[run++].assign(last.begin(), last.end());
  }
  CHECK(logits[0] == logits[2]);
  CHECK(logits[0] != logits[1]);
}

TEST_CASE(
    "steps past the last position, tokens outside the vocabulary and steps before a start are refused") {
  const auto model = init_model<float>(small_config(), 9);
  Session<float> session(model);
  CHECK_THROWS_AS(session.step(240), Error);
  session.start_from_motion(test::random_tensor<float>({1, 2, 3, 150}, 1));
  CHECK_THROWS_AS(session.step(243), ShapeError);
  CHECK_THROWS_AS(session.step(-1), ShapeError);
  for (int t = 0; t < 33; ++t) session.step(1);
  CHECK_THROWS_AS(session.step(1), ShapeError);
  CHECK_THROWS_AS(session.start(Tensor<float>({1, 27, 47})), ShapeError);
  CHECK_THROWS_AS(session.start(Tensor<float>({1, 28, 48})), ShapeError);
}

TEST_CASE("one model serves many threads, a session each") {
  const auto model = init_model<float>(small_config(), 9);
  std::vector<std::vector<std::int64_t>> tokens(4);
  std::vector<std::thread> threads;
  for (auto& mine : tokens)
    threads.emplace_back([&model, &mine] {
      Session<float> session(model);
      Sampler<float> sampler(243, {.seed = 1});
      session.start_from_motion(test::random_tensor<float>({1, 2, 3, 150}, 1));
      std::int64_t token = 240;
      for (int t = 0; t < 30; ++t)
        mine.push_back(token = sampler.choose(session.context(), session.step(token).data(), nullptr));
    });
  for (auto& thread : threads) thread.join();
  for (const auto& other : tokens) CHECK(other == tokens[0]);
}

TEST_CASE("a copied session goes on as the first would, and each by itself") {
  for (const char* kind : {"encoder_decoder", "lstm_seq2seq"}) {
    INFO(kind);
    ModelConfig config = small_config();
    config.model = kind;
    const auto model = init_model<float>(config, 9);
    const auto input = test::random_tensor<float>({1, 2, 3, 150}, 1);
    const auto run = [](Session<float>& session, std::initializer_list<std::int64_t> tokens) {
      std::vector<float> all;
      for (std::int64_t token : tokens) {
        const auto logits = session.step(token);
        all.insert(all.end(), logits.begin(), logits.end());
      }
      return all;
    };
    Session<float> alone(model), first(model), second(model);
    alone.start_from_motion(input);
    run(alone, {240, 5, 200});
    const auto expected = run(alone, {7, 93, 1});
    first.start_from_motion(input);
    second.start_from_motion(test::random_tensor<float>({1, 2, 3, 150}, 2));
    run(first, {240, 5, 200});
    run(second, {240, 9, 9, 9, 9, 9, 9});
    second.copy_from(first);
    CHECK(second.position() == 3);
    for (std::size_t v = 0; v < 243; ++v) CHECK(second.logits()[v] == first.logits()[v]);
    run(first, {50, 51, 52});  // does not reach the copy
    CHECK(run(second, {7, 93, 1}) == expected);
    first.copy_from(first);
    CHECK(first.position() == 6);
    const auto other = init_model<float>(config, 9);
    Session<float> stranger(other);
    CHECK_THROWS_AS(stranger.copy_from(first), ShapeError);
  }
}

TEST_CASE("a start that is refused changes nothing, and neither does a copy that does not fit") {
  const auto model = init_model<float>(small_config(), 9);
  const std::int64_t S = model.memory_length();
  const auto memory = test::random_tensor<float>({1, S, 48}, 1);
  Session<float> session(model), undisturbed(model), longer(model, 1, S + 9);
  CHECK(session.position() == 0);
  for (auto* one : {&session, &undisturbed}) {
    one->start(memory);
    one->step(EventVocabulary1::sos);
  }
  for (const std::int64_t wrong : {std::int64_t{0}, S + 1})
    CHECK_THROWS_AS(session.start(test::random_tensor<float>({1, wrong, 48}, 2)), ShapeError);
  longer.start(test::random_tensor<float>({1, S + 9, 48}, 3));
  longer.step(5);
  CHECK_THROWS_AS(session.copy_from(longer), ShapeError);
  const auto expected = undisturbed.step(7), stepped = session.step(7);
  for (std::size_t v = 0; v < expected.size(); ++v) CHECK(stepped[v] == expected[v]);
}

TEST_CASE("a session's control is its own") {
  ModelConfig config = small_config();
  config.control = true;
  const auto model = init_model<float>(config, 9);
  Tensor<float> histogram({33, 12});
  histogram[12 + 3] = 1;
  Session<float> one(model), other(model);
  for (auto* session : {&one, &other}) {
    session->set_control(histogram.clone());
    session->start(test::random_tensor<float>({1, model.memory_length(), 48}, 1));
    session->step(EventVocabulary1::sos);
  }
  one.set_control(histogram);
  histogram[12 + 3] = 0;
  const auto a = one.step(7), b = other.step(7);
  for (std::size_t v = 0; v < a.size(); ++v) CHECK(a[v] == b[v]);
  const auto another = init_model<float>(config, 9);
  Session<float> stranger(another);
  CHECK_THROWS_AS(one.set_control_of(stranger), ShapeError);
  CHECK_NOTHROW(one.set_control_of(other));
  CHECK_THROWS_AS(Session<float>(model, 1, -3), ShapeError);
  histogram[12 + 3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(one.set_control(histogram), InputError);
}
