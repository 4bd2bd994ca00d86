#include "imu2music/ops/linear_backward.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>

#include "imu2music/core/eigen.hpp"
#include "imu2music/ops/linear.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("linear_backward gives the gradients of linear, and adds those of weight and bias") {
  Context context(2);
  auto x = test::random_tensor<double>({2, 3, 4}, 1), W = test::random_tensor<double>({5, 4}, 2);
  auto b = test::random_tensor<double>({5}, 3);
  const auto dy = test::random_tensor<double>({2, 3, 5}, 4);
  const auto loss = [&] { return test::inner_product(linear(context, x, W, b), dy); };
  const Tensor<double> dx = linear_backward_input(context, dy, W);
  CHECK(dx.shape() == x.shape());
  test::check_gradient(x, dx, loss);
  Tensor<double> dW({5, 4}), db({5}), none;
  for (double& value : dW.values()) value = 10;
  for (double& value : db.values()) value = 10;
  linear_backward_weight(context, dy, x, dW, db);
  test::check_gradient(W, dW, loss, 1e-7, 10);
  test::check_gradient(b, db, loss, 1e-7, 10);

  linear_backward_weight(context, dy, Tensor<double>(), none, db);
  test::check_gradient(
      b, db, [&] { return 2 * loss(); }, 1e-7, 10);
  linear_backward_weight(context, dy, x, dW, none);
  test::check_gradient(
      W, dW, [&] { return 2 * loss(); }, 1e-7, 10);
  linear_backward_weight(context, dy, x, none, none);
}

TEST_CASE("linear_backward agrees with Eigen, and has the same bits for any number of threads") {
  for (auto [M, N, K] : {std::array<std::int64_t, 3>{70, 384, 128},
                         {1, 128, 655},
                         {300, 243, 128},
                         {5, 1, 1},
                         {9, 7, 33},
                         {1000, 33, 50}}) {
    const auto x = test::random_tensor<float>({M, K}, 1), W = test::random_tensor<float>({N, K}, 2);
    const auto dy = test::random_tensor<float>({M, N}, 3);
    Context one(1), three(3);
    const Tensor<float> dx = linear_backward_input(one, dy, W), dx3 = linear_backward_input(three, dy, W);
    Tensor<float> dW({N, K}), db({N}), dW3({N, K}), db3({N});
    linear_backward_weight(one, dy, x, dW, db);
    linear_backward_weight(three, dy, x, dW3, db3);
    const auto same = [](const Tensor<float>& a, const Tensor<float>& c) {
      return std::memcmp(a.data(), c.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
    };
    INFO("M = " << M << ", N = " << N << ", K = " << K);
    CHECK(same(dx, dx3));
    CHECK(same(dW, dW3));
    CHECK(same(db, db3));
    const RowMajorMatrix<double> g = as_matrix(dy).cast<double>();
    const double scale = 1e-5 * std::sqrt(double(M + N));
    CHECK((as_matrix(dx).cast<double>() - g * as_matrix(W).cast<double>()).cwiseAbs().maxCoeff() < scale);
    CHECK((as_matrix(dW).cast<double>() - g.transpose() * as_matrix(x).cast<double>()).cwiseAbs().maxCoeff() <
          scale);
    for (std::int64_t n = 0; n < N; ++n) CHECK(std::abs(double(db[n]) - g.col(n).sum()) < scale);
  }
}

TEST_CASE("linear_backward of no outputs is zero, of no rows adds nothing") {
  Context context;
  const Tensor<float> dx = linear_backward_input(context, Tensor<float>({3, 0}), Tensor<float>({0, 2}));
  CHECK(dx.shape() == Shape{3, 2});
  for (float value : dx.values()) CHECK(value == 0);
  Tensor<float> dW({4, 2}), db({4});
  linear_backward_weight(context, Tensor<float>({0, 4}), Tensor<float>({0, 2}), dW, db);
  for (float value : dW.values()) CHECK(value == 0);
}

TEST_CASE("linear_backward refuses what does not fit") {
  Context context;
  const Tensor<float> dy({2, 5}), W({5, 4}), x({2, 4});
  Tensor<float> dW({5, 4}), db({5}), bad({4, 5});
  CHECK_THROWS_WITH_AS(linear_backward_input(context, x, W),
                       "[linear_backward_input] gradient (2, 4) does not fit weight (5, 4): the last axis "
                       "must have the weight's first size",
                       ShapeError);
  CHECK_THROWS_AS(linear_backward_weight(context, dy, x, bad, db), ShapeError);
  CHECK_THROWS_AS(linear_backward_weight(context, dy, x, dW, bad), ShapeError);
  CHECK_THROWS_AS(linear_backward_weight(context, dy, Tensor<float>({3, 4}), dW, db), ShapeError);
  CHECK_THROWS_AS(linear_backward_weight(context, dy, Tensor<float>(), dW, db), ShapeError);
}
