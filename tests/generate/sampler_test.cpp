#include "imu2music/generate/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "random.hpp"

using namespace imu2music;

namespace {

// What may be drawn and how likely it is, from the definitions, in double and by sorting.
std::vector<double> distribution(const std::vector<float>& raw, const std::vector<std::uint8_t>& allowed,
                                 const std::deque<std::int64_t>& recent, const SamplerOptions& options) {
  std::vector<double> logits(raw.begin(), raw.end());
  for (std::int64_t id : std::set<std::int64_t>(recent.begin(), recent.end())) {
    double& l = logits[static_cast<std::size_t>(id)];
    l = l > 0 ? l / options.repetition_penalty : l * options.repetition_penalty;
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (allowed.empty() || allowed[i] != 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  const auto weight = [&](std::size_t i) {
    return std::exp((logits[i] - logits[order[0]]) / options.temperature);
  };
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  double all = 0, held = 0;
  for (std::size_t i : order) all += weight(i);
  std::size_t kept = 0;
  while (kept < order.size() && held < options.top_p * all) held += weight(order[kept++]);
  if (options.top_p < 1) order.resize(kept);
  std::vector<double> p(logits.size());
  double total = 0;
  for (std::size_t i : order)
    if (weight(i) >= options.min_p) total += p[i] = weight(i);
  for (double& value : p) value /= total;
  return p;
}

std::vector<double> normalised(std::span<const float> weights) {
  std::vector<double> p(weights.begin(), weights.end());
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= total;
  return p;
}

}  // namespace

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

TEST_CASE("narrowed distributions are those of the definitions, all options together and alone") {
  Context context;
  Philox random(5);
  int compared = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const std::size_t V = 2 + random.below(300);
    SamplerOptions options;
    options.seed = static_cast<std::uint64_t>(trial);
    if (random.below(2)) options.temperature = 0.3 + 2 * random.uniform();
    if (random.below(2)) options.top_k = 1 + random.below(static_cast<std::uint32_t>(V) + 5);
    if (random.below(2)) options.top_p = 0.05 + 0.9 * random.uniform();
    if (random.below(2)) options.min_p = random.uniform();
    if (random.below(2)) {
      options.repetition_penalty = 0.7 + 2 * random.uniform();
      options.repetition_window = 1 + random.below(6);
    }
    Sampler<float> sampler(static_cast<std::int64_t>(V), options);
    sampler.start(1);
    std::deque<std::int64_t> recent;
    for (int step = 0; step < 12; ++step) {
      std::vector<float> logits(V);
      for (float& l : logits) l = static_cast<float>(3 * random.normal());
      std::vector<std::uint8_t> allowed(random.below(2) ? V : 0, 1);
      for (std::uint8_t& a : allowed) a = random.below(3) != 0;
      if (!allowed.empty()) allowed[random.below(static_cast<std::uint32_t>(V))] = 1;
      const auto expected = distribution(logits, allowed, recent, options);
      const std::int64_t id =
          sampler.choose(context, logits.data(), allowed.empty() ? nullptr : allowed.data());
      const auto p = normalised(sampler.weights());
      // A share or ratio that falls on its limit to within float may go either way: none does here.
      double worst = 0;
      for (std::size_t i = 0; i < V; ++i) worst = std::max(worst, std::abs(p[i] - expected[i]));
      CHECK(worst < 1e-5);
      CHECK(p[static_cast<std::size_t>(id)] > 0);
      recent.push_back(id);
      if (static_cast<std::int64_t>(recent.size()) > options.repetition_window) recent.pop_front();
      if (options.repetition_penalty == 1) recent.clear();
      ++compared;
    }
  }
  CHECK(compared == 4800);
}

TEST_CASE("top-k 1, a tiny top-p and min-p 1 are greedy; ties fall to the smaller id") {
  Context context;
  const std::vector<float> logits = {1, 2, 4, 3, 4};
  for (SamplerOptions options : {SamplerOptions{.top_k = 1}, SamplerOptions{.top_p = 1e-9}}) {
    Sampler<float> sampler(5, options);
    for (int i = 0; i < 50; ++i) CHECK(sampler.choose(context, logits.data(), nullptr) == 2);
  }
  Sampler<float> sampler(5, {.min_p = 1});  // equal ones are equally likely
  std::set<std::int64_t> drawn;
  for (int i = 0; i < 50; ++i) drawn.insert(sampler.choose(context, logits.data(), nullptr));
  CHECK(drawn == std::set<std::int64_t>{2, 4});
}

TEST_CASE("options that keep everything draw the same ids as none") {
  Context context;
  const auto draw = [&](SamplerOptions options) {
    options.seed = 11;
    Sampler<float> sampler(243, options);
    sampler.start(7);
    std::vector<std::int64_t> ids;
    for (std::uint64_t i = 0; i < 200; ++i)
      ids.push_back(sampler.choose(context, test::random_tensor<float>({243}, i).data(), nullptr));
    return ids;
  };
  const auto plain = draw({});
  CHECK(draw({.top_k = 0, .top_p = 1, .min_p = 0, .repetition_penalty = 1, .repetition_window = 3}) == plain);
  CHECK(draw({.top_k = 5}) != plain);
  CHECK(draw({.top_k = 5, .top_p = 0.9, .min_p = 0.1, .repetition_penalty = 1.3}) ==
        draw({.top_k = 5, .top_p = 0.9, .min_p = 0.1, .repetition_penalty = 1.3}));
}

TEST_CASE("the repetition penalty knows the last ids, forced ones too, and forgets at a start") {
  Context context;
  SamplerOptions options{.greedy = true};
  options.repetition_penalty = 2;
  options.repetition_window = 2;
  Sampler<float> sampler(4, options);
  const std::vector<float> logits = {8, 5, 3, -1};
  const auto next = [&] { return sampler.choose(context, logits.data(), nullptr); };
  CHECK(next() == 0);
  CHECK(next() == 1);  // 4, 5, 3
  CHECK(next() == 0);  // 4, 2.5, 3: still the largest
  CHECK(next() == 0);  // the ring holds 1 and 0: 4, 2.5, 3
  CHECK(next() == 1);  // 0 twice is penalised once: 4, 5, 3
  sampler.start(0);
  CHECK(next() == 0);
  sampler.start(0);
  sampler.observe(0);
  CHECK(next() == 1);
  sampler.observe(-1);  // no id: passed over
  sampler.observe(4);
  // A negative logit is lowered, not raised.
  const std::vector<float> negative = {-1, -1.5f, -9, -9};
  sampler.start(0);
  sampler.observe(0);
  CHECK(sampler.choose(context, negative.data(), nullptr) == 1);
}

TEST_CASE("the mask comes before top-k: k of those allowed stay") {
  Context context;
  const std::vector<float> logits = {9, 8, 1, 0};
  const std::vector<std::uint8_t> allowed = {0, 0, 1, 1};
  Sampler<float> sampler(4, {.top_k = 2});
  std::set<std::int64_t> drawn;
  for (int i = 0; i < 200; ++i) drawn.insert(sampler.choose(context, logits.data(), allowed.data()));
  CHECK(drawn == std::set<std::int64_t>{2, 3});
}

TEST_CASE("each option outside its range is refused and named") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const auto refused = [](const SamplerOptions& options, const std::string& name) {
    try {
      Sampler<float> sampler(4, options);
    } catch (const InputError& error) {
      return std::string(error.what()).find(name) == 0;
    }
    return false;
  };
  CHECK(refused({.top_k = -1}, "top-k"));
  for (double p : {0.0, -0.1, 1.1, nan, infinity}) CHECK(refused({.top_p = p}, "top-p"));
  for (double p : {-0.1, 1.1, nan, infinity}) CHECK(refused({.min_p = p}, "min-p"));
  for (double p : {0.0, -1.0, nan, infinity, 1e300, 1e-9})
    CHECK(refused({.repetition_penalty = p}, "repetition penalty"));
  for (std::int64_t n : {std::int64_t{0}, std::int64_t{-3}, std::int64_t{1} << 40})
    CHECK(refused({.repetition_window = n}, "repetition window"));
  CHECK_THROWS_AS(Sampler<float>(-1, {}), ShapeError);
  CHECK_NOTHROW(Sampler<float>(4, {.top_k = 1000, .top_p = 1, .min_p = 1, .repetition_penalty = 0.5}));
}

TEST_CASE("a logit of -infinity is out at any temperature, one beyond float's range included") {
  Context context;
  std::vector<float> logits(20, -std::numeric_limits<float>::infinity());
  logits[3] = 1;
  logits[17] = 0.5f;
  for (double temperature : {1e-300, 1.0, 1e38, 1e39, 1e300}) {
    CAPTURE(temperature);
    Sampler<float> sampler(20, {.temperature = temperature});
    std::set<std::int64_t> drawn;
    for (int i = 0; i < 50; ++i) drawn.insert(sampler.choose(context, logits.data(), nullptr));
    CHECK(drawn == (temperature < 1e-3 ? std::set<std::int64_t>{3} : std::set<std::int64_t>{3, 17}));
  }
}

TEST_CASE("nothing to choose from is an error, not an id") {
  Context context;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> numbers(20, 1.0f), none(20, nan);
  const std::vector<std::uint8_t> forbidden(20, 0);
  for (const SamplerOptions& options :
       {SamplerOptions{}, SamplerOptions{.greedy = true}, SamplerOptions{.top_k = 3, .top_p = 0.5}}) {
    Sampler<float> sampler(20, options);
    CHECK_THROWS_AS(sampler.choose(context, numbers.data(), forbidden.data()), Error);
    if (!options.greedy) CHECK_THROWS_AS(sampler.choose(context, none.data(), nullptr), Error);
  }
}

TEST_CASE("copies of a sampler share nothing") {
  Context context;
  const std::vector<float> first = {9, 0, 0, 0}, second = {0, 0, 0, 9};
  Sampler<float> one(4, {.seed = 1}), other = one;
  one.choose(context, first.data(), nullptr);
  const std::vector<float> before(one.weights().begin(), one.weights().end());
  other.choose(context, second.data(), nullptr);
  CHECK(std::vector<float>(one.weights().begin(), one.weights().end()) == before);
}
