#include "imu2music/ops/layer_norm_backward.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "imu2music/ops/layer_norm.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("layer_norm_backward gives the gradients of layer_norm, with and without a residual") {
  Context context(2);
  auto x = test::random_tensor<double>({2, 3, 7}, 1), gamma = test::random_tensor<double>({7}, 2);
  auto beta = test::random_tensor<double>({7}, 3), residual = test::random_tensor<double>({2, 3, 7}, 4);
  const auto dy = test::random_tensor<double>({2, 3, 7}, 5);
  for (const Tensor<double>& r : {Tensor<double>(), residual}) {
    const auto loss = [&] { return test::inner_product(layer_norm(context, x, r, gamma, beta, 0.01), dy); };
    Tensor<double> dgamma({7}), dbeta({7}), none;
    for (std::int64_t d = 0; d < 7; ++d) dgamma[d] = dbeta[d] = 3;
    const Tensor<double> ds = layer_norm_backward(context, dy, x, r, gamma, 0.01, dgamma, dbeta);
    CHECK(ds.shape() == x.shape());
    test::check_gradient(x, ds, loss);
    if (r.defined()) test::check_gradient(r, ds, loss);
    test::check_gradient(gamma, dgamma, loss, 1e-7, 3);
    test::check_gradient(beta, dbeta, loss, 1e-7, 3);
    const Tensor<double> again = layer_norm_backward(context, dy, x, r, gamma, 0.01, none, dbeta);
    for (std::int64_t i = 0; i < ds.size(); ++i) CHECK(again[i] == ds[i]);
    test::check_gradient(
        beta, dbeta, [&] { return 2 * loss(); }, 1e-7, 3);
    layer_norm_backward(context, dy, x, r, gamma, 0.01, none, none);
  }
}

TEST_CASE("layer_norm_backward gives the same bits for any number of threads") {
  Context one(1), three(3);
  const auto x = test::random_tensor<float>({2000, 100}, 1), r = test::random_tensor<float>({2000, 100}, 2);
  const auto dy = test::random_tensor<float>({2000, 100}, 3), gamma = test::random_tensor<float>({100}, 4);
  Tensor<float> dgamma({100}), dbeta({100}), dgamma3({100}), dbeta3({100});
  const auto a = layer_norm_backward(one, dy, x, r, gamma, 1e-5f, dgamma, dbeta);
  const auto b = layer_norm_backward(three, dy, x, r, gamma, 1e-5f, dgamma3, dbeta3);
  CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * 200000) == 0);
  CHECK(std::memcmp(dgamma.data(), dgamma3.data(), sizeof(float) * 100) == 0);
  CHECK(std::memcmp(dbeta.data(), dbeta3.data(), sizeof(float) * 100) == 0);
}

TEST_CASE("layer_norm_backward refuses what does not fit") {
  Context context;
  const Tensor<float> x({2, 3}), none, gamma({3});
  Tensor<float> good({3}), bad({2});
  CHECK_THROWS_AS(layer_norm_backward(context, Tensor<float>({3, 2}), x, none, gamma, 1e-5f, good, good),
                  ShapeError);
  CHECK_THROWS_AS(layer_norm_backward(context, x, x, gamma, gamma, 1e-5f, good, good), ShapeError);
  CHECK_THROWS_AS(layer_norm_backward(context, x, x, none, bad, 1e-5f, good, good), ShapeError);
  CHECK_THROWS_AS(layer_norm_backward(context, x, x, none, gamma, 1e-5f, bad, good), ShapeError);
  CHECK_THROWS_AS(layer_norm_backward(context, x, x, none, gamma, 1e-5f, good, bad), ShapeError);
}
