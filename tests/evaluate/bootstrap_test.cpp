#include "imu2music/evaluate/bootstrap.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

using namespace imu2music;

TEST_CASE("quantiles are interpolated") {
  const std::array values{1.0, 2.0, 4.0};
  CHECK(quantile(values, 0) == 1);
  CHECK(quantile(values, 0.5) == 2);
  CHECK(quantile(values, 0.75) == 3);
  CHECK(quantile(values, 1) == 4);
}

TEST_CASE("weights say how often each recording was drawn, and the draws are those of the seed") {
  std::vector<double> seen;
  const auto statistic = [&](std::span<const double> weights) {
    CHECK(std::accumulate(weights.begin(), weights.end(), 0.0) == weights.size());
    seen.insert(seen.end(), weights.begin(), weights.end());
    return weights[0];
  };
  REQUIRE(bootstrap_interval(7, statistic, {.resamples = 50, .seed = 4}));
  const std::vector<double> first = std::move(seen);
  seen.clear();
  REQUIRE(bootstrap_interval(7, statistic, {.resamples = 50, .seed = 4}));
  CHECK(seen == first);
  seen.clear();
  REQUIRE(bootstrap_interval(7, statistic, {.resamples = 50, .seed = 5}));
  CHECK(seen != first);
}

TEST_CASE("the interval of a mean is that of its standard error") {
  // 100 values, deviation 1: the mean's standard error is 0.1.
  std::vector<double> values(100);
  for (std::size_t i = 0; i < 100; ++i) values[i] = i % 2 == 0 ? 1 : -1;
  const auto mean = [&](std::span<const double> weights) {
    double sum = 0;
    for (std::size_t i = 0; i < 100; ++i) sum += weights[i] * values[i] / 100;
    return sum;
  };
  const auto interval = bootstrap_interval(100, mean, {.resamples = 4000});
  REQUIRE(interval);
  CHECK(interval->low == doctest::Approx(-0.196).epsilon(0.1));
  CHECK(interval->high == doctest::Approx(0.196).epsilon(0.1));
}

TEST_CASE("no interval where it would tell nothing") {
  const auto one = [](std::span<const double>) { return 1.0; };
  CHECK_FALSE(bootstrap_interval(0, one));
  CHECK_FALSE(bootstrap_interval(1, one));
  const auto never = [](std::span<const double>) { return std::numeric_limits<double>::quiet_NaN(); };
  CHECK_FALSE(bootstrap_interval(5, never));
  // A draw without recording 0, about a third of them, has no figure; the others count.
  const auto sometimes = [](std::span<const double> weights) {
    return weights[0] > 0 ? 2.0 : std::numeric_limits<double>::quiet_NaN();
  };
  const auto interval = bootstrap_interval(5, sometimes);
  REQUIRE(interval);
  CHECK(interval->low == 2);
  CHECK(interval->high == 2);
}
