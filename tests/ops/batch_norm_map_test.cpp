#include "imu2music/ops/batch_norm_map.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("the map of a batch norm is the norm itself") {
  Context context;
  const std::int64_t C = 37;
  const auto gamma = test::random_tensor<float>({C}, 1), beta = test::random_tensor<float>({C}, 2),
             mean = test::random_tensor<float>({C}, 3);
  auto variance = test::random_tensor<float>({C}, 4);
  for (float& v : variance.values()) v *= v;
  variance[5] = 0;
  const auto map = batch_norm_map(context, gamma, beta, mean, variance, 1e-5);
  REQUIRE(map.shape() == Shape{2, C});
  for (std::int64_t c = 0; c < C; ++c) {
    const double x = 0.7;
    const double wanted =
        (x - double(mean[c])) / std::sqrt(double(variance[c]) + 1e-5) * double(gamma[c]) + double(beta[c]);
    CHECK(x * double(map[c]) + double(map[C + c]) == doctest::Approx(wanted).epsilon(1e-5));
  }
  CHECK_THROWS_AS(batch_norm_map(context, gamma, beta.slice(0, 5), mean, variance, 1e-5), ShapeError);
}
