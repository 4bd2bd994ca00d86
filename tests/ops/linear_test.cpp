#include "imu2music/ops/linear.hpp"

#include <doctest/doctest.h>

#include <array>

#include <string>

#include "imu2music/core/eigen.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("linear agrees with Eigen on every shape of the model, for any number of threads") {
  for (auto [M, K, N] :
       {std::array<std::int64_t, 3>{1, 128, 384}, {27, 655, 128}, {128, 128, 243}, {5, 1, 1}, {9, 33, 7}}) {
    const auto x = test::random_tensor<float>({M, K}, 1), weight = test::random_tensor<float>({N, K}, 2);
    const auto bias = test::random_tensor<float>({N}, 3);
    Context one(1), three(3);
    const Tensor<float> y = linear(one, x, weight, bias);
    const Tensor<float> z = linear(three, x, weight, bias);
    RowMajorMatrix<double> wanted =
        as_matrix(x).cast<double>() * as_matrix(weight).cast<double>().transpose();
    wanted.rowwise() += as_matrix(bias).cast<double>().row(0);
    for (std::int64_t m = 0; m < M; ++m)
      for (std::int64_t n = 0; n < N; ++n) {
        CHECK(y[m * N + n] == doctest::Approx(wanted(m, n)).epsilon(1e-4));
        CHECK(y[m * N + n] == z[m * N + n]);
      }
  }
}

TEST_CASE("linear keeps the leading axes, applies the activation and may lack a bias") {
  Context context;
  const auto x = test::random_tensor<double>({2, 3, 4}, 1), weight = test::random_tensor<double>({5, 4}, 2);
  const Tensor<double> y = linear(context, x, weight, Tensor<double>(), Activation::relu);
  CHECK(y.shape() == Shape{2, 3, 5});
  const Tensor<double> z = linear(context, x, weight, Tensor<double>(), Activation::leaky_relu, 0.25);
  bool negative = false;
  for (std::int64_t i = 0; i < y.size(); ++i) {
    CHECK(y[i] >= 0);
    CHECK(z[i] == doctest::Approx(y[i] > 0 ? y[i] : z[i]));
    negative = negative || z[i] < 0;
  }
  CHECK(negative);
}

TEST_CASE("linear names the shapes that do not fit") {
  Context context;
  const Tensor<float> x({2, 3}), weight({5, 4});
  CHECK_THROWS_WITH_AS(
      linear(context, x, weight, Tensor<float>()),
      "[linear] input (2, 3) does not fit weight (5, 4): the last axis must have the weight's "
      "second size",
      ShapeError);
  CHECK_THROWS_AS(linear(context, Tensor<float>({2, 4}), weight, Tensor<float>({4})), ShapeError);
}
