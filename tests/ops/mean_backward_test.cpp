#include "imu2music/ops/mean_backward.hpp"

#include <doctest/doctest.h>

#include "imu2music/ops/mean.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("mean_backward is the gradient of mean") {
  Context context(2);
  for (const Shape& shape : {Shape{3, 2, 7}, Shape{4}, Shape{2, 1}}) {
    auto x = test::random_tensor<double>(shape, 1);
    const auto dy = test::random_tensor<double>(mean(context, x).shape(), 2);
    const auto dx = mean_backward(context, dy, x.dim(-1));
    CHECK(dx.shape() == shape);
    test::check_gradient(x, dx, [&] { return test::inner_product(mean(context, x), dy); });
  }
  CHECK_THROWS_AS(mean_backward(context, Tensor<double>({3}), 0), ShapeError);
}
