#include "imu2music/train/schedule.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace imu2music;
using doctest::Approx;

TEST_CASE("a constant rate, with and without a rise") {
  CHECK(learning_rate({.peak = 2e-3}, 1) == 2e-3);
  CHECK(learning_rate({.peak = 2e-3}, 100000) == 2e-3);
  CHECK(learning_rate({.peak = 2e-3, .warmup = 4}, 1) == Approx(5e-4));
  CHECK(learning_rate({.peak = 2e-3, .warmup = 4}, 4) == 2e-3);
  CHECK(learning_rate({.peak = 2e-3, .warmup = 4}, 5) == 2e-3);
}

TEST_CASE("the inverse square root is Foley Music's with its warm-up and peak") {
  const double d = 512;
  const Schedule schedule{Schedule::Kind::inverse_square_root, 1 / std::sqrt(4000 * d), 4000};
  for (const double s : {1.0, 100.0, 3999.0, 4000.0, 4001.0, 64000.0})
    CHECK(learning_rate(schedule, static_cast<std::int64_t>(s)) ==
          Approx(std::pow(d, -0.5) * std::min(std::pow(s, -0.5), s * std::pow(4000.0, -1.5))).epsilon(1e-12));
}

TEST_CASE("a cosine rises, falls to its last value and stays there") {
  const Schedule schedule{Schedule::Kind::cosine, 1.0, 10, 110, 0.1};
  CHECK(learning_rate(schedule, 5) == Approx(0.5));
  CHECK(learning_rate(schedule, 10) == Approx(1.0));
  CHECK(learning_rate(schedule, 60) == Approx(0.55));
  CHECK(learning_rate(schedule, 110) == Approx(0.1));
  CHECK(learning_rate(schedule, 1000) == Approx(0.1));
  for (int step = 11; step <= 110; ++step)
    CHECK(learning_rate(schedule, step) < learning_rate(schedule, step - 1));
}
