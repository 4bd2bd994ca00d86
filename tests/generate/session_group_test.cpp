#include "imu2music/generate/session_group.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

Tensor<float> some_memory(const Model<float>& model, std::uint64_t stream) {
  if (!model.has_memory()) return {};
  return test::random_tensor<float>({1, model.memory_length(), model.config.d_model}, stream);
}

// Thirteen sessions that begin at different steps and take different tokens, together and each by itself.
void check_alike(const std::string& config, int threads) {
  CAPTURE(config);
  CAPTURE(threads);
  const auto model = init_model<float>(parse_model_config(config, "config"), 5);
  constexpr std::size_t count = 13;
  std::vector<std::unique_ptr<Session<float>>> together, alone;
  for (std::size_t n = 0; n < count; ++n)
    for (auto* sessions : {&together, &alone}) {
      sessions->push_back(std::make_unique<Session<float>>(model));
      sessions->back()->start(some_memory(model, n));
      if (model.control_input && n % 2 == 0)
        sessions->back()->set_control(test::random_tensor<float>({12}, 40 + n));
    }
  SessionGroup<float> group(model, threads);
  Philox random(3, 1);
  for (int step = 0; step < 12; ++step) {
    std::vector<Session<float>*> stepping;
    std::vector<std::int64_t> tokens;
    for (std::size_t n = 0; n < count; ++n) {
      if (step % 4 < static_cast<int>(n) % 3) continue;  // not every one takes part in every step
      stepping.push_back(together[n].get());
      const bool pads = step == 5 && n == 1;
      tokens.push_back(pads ? model.pad()
                            : static_cast<std::int64_t>(random.uint32()) % model.config.vocabulary);
      alone[n]->step(tokens.back());
    }
    group.step(stepping, tokens);
    for (std::size_t n = 0; n < count; ++n) {
      REQUIRE(together[n]->position() == alone[n]->position());
      CHECK(together[n]->time_s() == alone[n]->time_s());
      for (std::size_t v = 0; v < alone[n]->logits().size(); ++v)
        REQUIRE(together[n]->logits()[v] == alone[n]->logits()[v]);
    }
  }
}

}  // namespace

TEST_CASE("sessions that step together have the bits of sessions that step alone, in every kind of model") {
  const std::string sizes = R"("d_model":48,"heads":3,"feed_forward":80,"max_sequence":33)";
  for (int threads : {1, 3}) {
    check_alike("{" + sizes + "}", threads);
    check_alike(
        R"({"encoder":"temporal","vocabulary":332,"width":16,"time_positions":true,"lookback_ms":800,)"
        R"("lookahead_ms":80,)" +
            sizes + "}",
        threads);
    check_alike(R"({"encoder":"pose","layout":"body25","control":true,)" + sizes + "}", threads);
    check_alike(R"({"model":"music_transformer","encoder":"none","vocabulary":390,)" + sizes + "}", threads);
    check_alike(R"({"model":"lstm_seq2seq","encoder":"conv","vocabulary":243,"d_model":48})", threads);
  }
}

TEST_CASE("a group takes no token where a session could not") {
  const auto model = init_model<float>(
      parse_model_config(R"({"d_model":16,"heads":2,"feed_forward":16,"max_sequence":4})", "config"), 5);
  const auto other = init_model<float>(model.config, 6);
  Session<float> a(model), b(model), stranger(other);
  a.start(some_memory(model, 1));
  SessionGroup<float> group(model);
  const auto step = [&](std::vector<Session<float>*> sessions, std::vector<std::int64_t> tokens) {
    group.step(sessions, tokens);
  };
  CHECK_THROWS_AS(step({&a, &b}, {0, 0}), Error);  // b is not started
  b.start(some_memory(model, 2));
  CHECK_THROWS_AS(step({&a, &b}, {0, 243}), ShapeError);
  CHECK_THROWS_AS(step({&a, &b}, {0, -1}), ShapeError);
  CHECK_THROWS_AS(step({&a, &b}, {0}), ShapeError);
  stranger.start(some_memory(model, 2));
  CHECK_THROWS_AS(step({&a, &stranger}, {0, 0}), ShapeError);
  CHECK(a.position() == 0);
  step({}, {});
  for (int n = 0; n < 4; ++n) step({&a, &b}, {n, n});
  CHECK_THROWS_AS(step({&a, &b}, {0, 0}), ShapeError);
  CHECK(a.position() == 4);
}

TEST_CASE("a group takes no session twice, and then none has moved") {
  const auto model =
      init_model<float>(parse_model_config(R"({"d_model":48,"heads":3,"max_sequence":33})", "config"), 5);
  Session<float> one(model), other(model);
  for (auto* session : {&one, &other}) session->start(some_memory(model, 1));
  SessionGroup<float> group(model);
  const std::vector<Session<float>*> twice = {&one, &other, &one};
  const std::vector<std::int64_t> tokens = {1, 2, 3};
  CHECK_THROWS_AS(group.step(twice, tokens), ShapeError);
  CHECK(one.position() == 0);
  CHECK(other.position() == 0);
}
