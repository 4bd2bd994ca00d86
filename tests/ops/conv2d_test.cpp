#include "imu2music/ops/conv2d.hpp"

#include <doctest/doctest.h>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("conv2d: output sizes, and the same result for any number of threads") {
  Context one(1), four(4);
  const auto x = test::random_tensor<float>({2, 3, 9, 50}, 1),
             weight = test::random_tensor<float>({4, 3, 3, 3}, 2);
  const Conv2dOptions options{.stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 1};
  const Tensor<float> y = conv2d(one, x, weight, Tensor<float>(), Tensor<float>(), Tensor<float>(), options);
  CHECK(y.shape() == Shape{2, 4, 5, 50});
  const Tensor<float> z = conv2d(four, x, weight, Tensor<float>(), Tensor<float>(), Tensor<float>(), options);
  for (std::int64_t i = 0; i < y.size(); ++i) CHECK(y[i] == z[i]);
  // One inner element by hand.
  double sum = 0;
  for (int c = 0; c < 3; ++c)
    for (int u = 0; u < 3; ++u)
      for (int v = 0; v < 3; ++v)
        sum += double(x[((1 * 3 + c) * 9 + 3 + u) * 50 + 9 + v]) * weight[((2 * 3 + c) * 3 + u) * 3 + v];
  CHECK(y[((1 * 4 + 2) * 5 + 2) * 50 + 10] == doctest::Approx(sum).epsilon(1e-5));
}

TEST_CASE("conv2d says which shapes do not fit") {
  Context context;
  const Tensor<float> none;
  CHECK_THROWS_WITH_AS(
      conv2d(context, Tensor<float>({2, 6, 1, 150}), Tensor<float>({64, 9, 1, 5}), none, none, none),
      "[conv2d] input has 6 channels, weight wants 9: input (2, 6, 1, 150), weight (64, 9, 1, 5)",
      ShapeError);
  CHECK_THROWS_AS(
      conv2d(context, Tensor<float>({2, 9, 1, 4}), Tensor<float>({64, 9, 1, 5}), none, none, none),
      ShapeError);
  CHECK_THROWS_AS(conv2d(context, Tensor<float>({1, 1, 3, 3}), Tensor<float>({2, 1, 1, 1}),
                         Tensor<float>({3}), none, none),
                  ShapeError);
  CHECK_THROWS_AS(conv2d(context, Tensor<float>({1, 1, 3, 3}), Tensor<float>({2, 1, 1, 1}), none,
                         Tensor<float>({2}), none),
                  ShapeError);
  CHECK_THROWS_AS(conv2d(context, Tensor<float>({1, 1, 3, 3}), Tensor<float>({2, 1, 1, 1}), none, none, none,
                         {.stride_w = 0}),
                  ShapeError);
  CHECK_THROWS_AS(conv2d(context, Tensor<float>({1, 1, 3, 3}), Tensor<float>({2, 1, 1, 1}), none, none, none,
                         {.pad_h = INT64_MAX}),
                  ShapeError);
}
