#include "imu2music/ops/sinusoids.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace imu2music;

TEST_CASE("sinusoids of moments: sine and cosine by turns, also of an odd width and of no moments") {
  Context context;
  for (const std::int64_t D : {1, 2, 5, 8}) {
    const std::int64_t N = 7;
    Tensor<double> u(Shape{N}), rates(Shape{(D + 1) / 2});
    for (std::int64_t n = 0; n < N; ++n) u[n] = 0.37 * double(n) - 1;
    for (std::int64_t i = 0; i < rates.size(); ++i) rates[i] = 1.0 / double(1 + i);
    const Tensor<float> y = sinusoids<float>(context, u, rates, D);
    REQUIRE(y.shape() == Shape{N, D});
    for (std::int64_t n = 0; n < N; ++n)
      for (std::int64_t c = 0; c < D; ++c) {
        const double angle = u[n] / double(1 + c / 2);
        CHECK(double(y[n * D + c]) == doctest::Approx(c % 2 == 0 ? std::sin(angle) : std::cos(angle)));
      }
    CHECK(sinusoids<float>(context, Tensor<double>(Shape{0}), rates, D).size() == 0);
    CHECK_THROWS_AS(sinusoids<float>(context, u, rates, D + 2), ShapeError);
  }
}
