#include "imu2music/generate/sampler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

using namespace imu2music;

TEST_CASE("greedy takes the first of the largest logits that is allowed") {
  Context context;
  Sampler<float> sampler(5, {.greedy = true});
  const std::array<float, 5> logits = {1, 7, 3, 7, 6};
  CHECK(sampler.choose(context, logits.data(), nullptr) == 1);
  const std::array<std::uint8_t, 5> allowed = {1, 0, 1, 0, 1};
  CHECK(sampler.choose(context, logits.data(), allowed.data()) == 4);
}

TEST_CASE("draws follow the softmax at the temperature, and never leave what is allowed") {
  Context context;
  const std::array<float, 4> logits = {0, 1, 2, 3};
  const std::array<std::uint8_t, 4> allowed = {1, 0, 1, 1};
  for (double temperature : {0.5, 1.0, 2.0}) {
    Sampler<float> sampler(4, {.temperature = temperature, .seed = 3});
    constexpr int draws = 40000;
    std::array<int, 4> counts{};
    for (int i = 0; i < draws; ++i)
      ++counts[static_cast<std::size_t>(sampler.choose(context, logits.data(), allowed.data()))];
    CHECK(counts[1] == 0);
    double sum = 0;
    for (std::size_t v : {0, 2, 3}) sum += std::exp(logits[v] / temperature);
    for (std::size_t v : {0, 2, 3}) {
      const double p = std::exp(logits[v] / temperature) / sum;
      // Five standard deviations.
      CHECK(std::abs(counts[v] - draws * p) < 5 * std::sqrt(draws * p * (1 - p)) + 1);
    }
  }
}

TEST_CASE("seed and stream make the draws") {
  Context context;
  const std::vector<float> logits(100, 0.0f);
  const auto draw = [&](std::uint64_t seed, std::uint64_t stream) {
    Sampler<float> sampler(100, {.seed = seed});
    sampler.start(stream);
    std::vector<std::int64_t> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(sampler.choose(context, logits.data(), nullptr));
    return ids;
  };
  CHECK(draw(1, 0) == draw(1, 0));
  CHECK(draw(1, 0) != draw(2, 0));
  CHECK(draw(1, 0) != draw(1, 1));
}

TEST_CASE("a temperature that is no positive number is refused") {
  for (double temperature : {0.0, -1.0, std::nan(""), static_cast<double>(INFINITY)}) {
    CHECK_THROWS_AS(Sampler<float>(4, {.temperature = temperature}), InputError);
    CHECK_NOTHROW(Sampler<float>(4, {.greedy = true, .temperature = temperature}));
  }
}
