#include "imu2music/ops/activation_backward.hpp"

#include <doctest/doctest.h>

#include "imu2music/ops/linear.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("activation_backward is the gradient of the activations") {
  Context context;
  auto x = test::random_tensor<double>({3, 5}, 1);
  const auto dy = test::random_tensor<double>({3, 5}, 2);
  Tensor<double> one({5, 5});  // so that linear() is the activation alone
  for (std::int64_t i = 0; i < 5; ++i) one[6 * i] = 1;
  for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
    const auto forward = [&] { return linear(context, x, one, Tensor<double>(), activation, 0.25); };
    const auto dx = activation_backward(context, dy, forward(), activation, 0.25);
    CHECK(dx.shape() == x.shape());
    test::check_gradient(x, dx, [&] { return test::inner_product(forward(), dy); });
  }
  CHECK(activation_backward(context, dy, x, Activation::none).data() == dy.data());
}

TEST_CASE("activation_backward gives the same bits for any number of threads") {
  Context one(1), three(3);
  const auto y = test::random_tensor<float>({600, 700}, 1), dy = test::random_tensor<float>({600, 700}, 2);
  const auto a = activation_backward(one, dy, y, Activation::leaky_relu, 0.1);
  const auto b = activation_backward(three, dy, y, Activation::leaky_relu, 0.1);
  bool same = true;
  for (std::int64_t i = 0; i < a.size(); ++i) same = same && a[i] == b[i];
  CHECK(same);
}

TEST_CASE("activation_backward refuses other shapes and slopes that turn the sign") {
  Context context;
  const Tensor<float> y({2, 3});
  CHECK_THROWS_AS(activation_backward(context, Tensor<float>({3, 2}), y, Activation::relu), ShapeError);
  CHECK_THROWS_AS(activation_backward(context, y, y, Activation::leaky_relu, -0.5), ShapeError);
}
