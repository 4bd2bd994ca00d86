#include "imu2music/ops/softmax_pool_backward.hpp"

#include <doctest/doctest.h>

#include "imu2music/ops/softmax_pool.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("softmax_pool_backward is the gradient of softmax_pool") {
  Context context(2);
  for (const Shape& shape : {Shape{5, 3, 2}, Shape{4}, Shape{1, 6}}) {
    auto scores = test::random_tensor<double>(shape, 1), v = test::random_tensor<double>(shape, 2);
    const auto y = softmax_pool(context, scores, v);
    const auto dy = test::random_tensor<double>(y.shape(), 3);
    const auto loss = [&] { return test::inner_product(softmax_pool(context, scores, v), dy); };
    const auto gradients = softmax_pool_backward(context, dy, scores, v, y);
    CHECK(gradients.dscores.shape() == shape);
    CHECK(gradients.dv.shape() == shape);
    test::check_gradient(scores, gradients.dscores, loss);
    test::check_gradient(v, gradients.dv, loss);
  }
}

TEST_CASE("softmax_pool_backward refuses what does not fit") {
  Context context;
  const Tensor<float> v({4, 6}), y({6});
  CHECK_THROWS_AS(softmax_pool_backward(context, y, v, Tensor<float>({6, 4}), y), ShapeError);
  CHECK_THROWS_AS(softmax_pool_backward(context, Tensor<float>({5}), v, v, y), ShapeError);
  CHECK_THROWS_AS(softmax_pool_backward(context, Tensor<float>({5}), v, v, Tensor<float>({5})), ShapeError);
}
