#include "imu2music/nn/embedding.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace imu2music;

TEST_CASE("sinusoidal positions are sines and cosines of falling frequency") {
  const auto pe = sinusoidal_positions<double>(50, 6);
  CHECK(pe.shape() == Shape{50, 6});
  for (int c = 0; c < 6; ++c) CHECK(pe[c] == (c % 2 == 0 ? 0 : 1));
  CHECK(pe[49 * 6 + 0] == doctest::Approx(std::sin(49.0)));
  CHECK(pe[49 * 6 + 3] == doctest::Approx(std::cos(49.0 / std::pow(10000.0, 2.0 / 6))));
  CHECK(pe[7 * 6 + 4] == doctest::Approx(std::sin(7.0 / std::pow(10000.0, 4.0 / 6))));
}
