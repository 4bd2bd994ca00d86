#include "imu2music/ops/layer_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("layer_norm gives rows of mean 0 and variance 1, of the sum with the residual") {
  Context context(2);
  const auto x = test::random_tensor<float>({7, 5, 64}, 1), r = test::random_tensor<float>({7, 5, 64}, 2);
  Tensor<float> gamma({64}), beta({64});
  for (float& g : gamma.values()) g = 1;
  const Tensor<float> y = layer_norm(context, x, r, gamma, beta, 0.0f);
  CHECK(y.shape() == x.shape());
  for (std::int64_t row = 0; row < 35; ++row) {
    double mean = 0, square = 0, s_mean = 0;
    for (int d = 0; d < 64; ++d)
      mean += y[row * 64 + d] / 64.0, s_mean += (x[row * 64 + d] + r[row * 64 + d]) / 64.0;
    for (int d = 0; d < 64; ++d) square += y[row * 64 + d] * y[row * 64 + d] / 64.0;
    CHECK(std::abs(mean) < 1e-5);
    CHECK(square == doctest::Approx(1).epsilon(1e-4));
    const double s0 = double(x[row * 64]) + r[row * 64];
    CHECK((y[row * 64] > 0) == (s0 > s_mean));
  }
}

TEST_CASE("layer_norm refuses what does not fit") {
  Context context;
  const Tensor<float> x({2, 3}), none;
  CHECK_THROWS_AS(layer_norm(context, x, none, Tensor<float>({2}), Tensor<float>({3}), 1e-5f), ShapeError);
  CHECK_THROWS_AS(
      layer_norm(context, x, Tensor<float>({3, 2}), Tensor<float>({3}), Tensor<float>({3}), 1e-5f),
      ShapeError);
}
