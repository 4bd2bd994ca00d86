#include "imu2music/generate/session_beam.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "imu2music/generate/sampler.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

struct UntilEos {
  bool finished = false;
  const std::uint8_t* allowed() const { return nullptr; }
  void push(int id) { finished = id == EventVocabulary1::eos; }
  bool ended() const { return finished; }
};

// Never ends; the last of three ids is PAD, which the full computation hides.
constexpr std::uint8_t not_pad[] = {1, 1, 0};
struct Endless {
  const std::uint8_t* allowed() const { return not_pad; }
  void push(int) {}
  bool ended() const { return false; }
};

ModelConfig config_of(int vocabulary) {
  ModelConfig config;
  config.d_model = 32;
  config.heads = 2;
  config.feed_forward = 32;
  config.max_sequence = 24;
  config.vocabulary = vocabulary;
  return config;
}

}  // namespace

TEST_CASE("a beam over sessions: width 1 is greedy, any number of threads gives the same") {
  const auto model = init_model<float>(config_of(243), 4);
  const auto input = test::random_tensor<float>({1, 2, 3, 150}, 1);
  const std::vector<std::int64_t> prefix = {EventVocabulary1::sos, 40};

  Session<float> session(model);
  session.start_from_motion(input);
  Sampler<float> sampler(243, {.greedy = true});
  std::vector<int> greedy;
  session.step(prefix[0]);
  std::int64_t token = prefix[1];
  while (greedy.size() < 20 && token != EventVocabulary1::eos) {
    token = sampler.choose(session.context(), session.step(token).data(), nullptr);
    greedy.push_back(static_cast<int>(token));
  }

  const auto search = [&](std::int64_t width, int threads) {
    Session<float> first(model, threads);
    first.start_from_motion(input);
    SessionBeam<float> beam(first, width);
    return beam_search(beam, UntilEos{}, std::span<const std::int64_t>(prefix), 20,
                       {.width = width, .n_best = width});
  };
  CHECK(search(1, 1)[0].ids == greedy);
  const auto one = search(5, 1), three = search(5, 3);
  REQUIRE(one.size() == 5);
  REQUIRE(three.size() == 5);
  for (std::size_t n = 0; n < 5; ++n) {
    CHECK(one[n].ids == three[n].ids);
    CHECK(one[n].score == three[n].score);
  }
}

TEST_CASE("a tiny model: what the beam finds is what scoring every sequence afresh finds") {
  // Two ids that may follow, four steps: 16 sequences, each scored by the full computation.
  const auto model = init_model<float>(config_of(3), 6);
  const auto input = test::random_tensor<float>({1, 2, 3, 150}, 1);
  Context context;
  const auto memory = model.encode_memory(context, model.encode_motion(context, input));
  std::vector<std::pair<double, std::vector<int>>> all;
  for (int code = 0; code < 16; ++code) {
    Tensor<std::int64_t> tokens({1, 5});
    tokens[0] = 0;
    std::vector<int> ids;
    for (int t = 0; t < 4; ++t) ids.push_back(code >> t & 1);
    for (int t = 0; t < 4; ++t) tokens[t + 1] = ids[static_cast<std::size_t>(t)];
    const auto logits = model.logits(context, memory, tokens);
    double sum = 0;
    for (int t = 0; t < 4; ++t) {
      const double a = logits[3 * t], b = logits[3 * t + 1];
      sum += (ids[static_cast<std::size_t>(t)] == 0 ? a : b) - std::log(std::exp(a) + std::exp(b));
    }
    all.push_back({sum, ids});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  Session<float> first(model);
  first.start_from_motion(input);
  SessionBeam<float> beam(first, 16);
  const std::int64_t sos = 0;
  const auto best =
      beam_search(beam, Endless{}, std::span(&sos, 1), 4, {.width = 16, .length_penalty = 0, .n_best = 16});
  REQUIRE(best.size() == 16);
  for (std::size_t n = 0; n < 16; ++n) {
    CHECK(best[n].log_probability == doctest::Approx(all[n].first).epsilon(1e-5));
    CHECK(best[n].ids == all[n].second);
    CHECK(!best[n].ended);
  }
}
