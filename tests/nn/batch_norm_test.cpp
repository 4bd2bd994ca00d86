#include "imu2music/nn/batch_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "imu2music/nn/conv.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("a convolution with a folded batch norm is the convolution, then the norm") {
  Context context;
  Conv2d<double> conv(2, 3, 1, 2);
  BatchNorm<double> norm(3);
  conv.weight.value = test::random_tensor<double>(conv.weight.shape, 1);
  conv.bias.value = test::random_tensor<double>({3}, 2);
  norm.weight.value = test::random_tensor<double>({3}, 3);
  norm.bias.value = test::random_tensor<double>({3}, 4);
  norm.running_mean.value = test::random_tensor<double>({3}, 5);
  norm.running_var.value = test::random_tensor<double>({3}, 6);
  for (double& variance : norm.running_var.value.values()) variance = std::abs(variance) + 0.1;
  const auto x = test::random_tensor<double>({2, 2, 4, 9}, 7);
  const Tensor<double> none;
  const auto bare = conv2d(context, x, conv.weight.value, conv.bias.value, none, none);
  const auto fused = conv.forward(context, x, norm, Activation::relu);
  CHECK(fused.shape() == Shape{2, 3, 4, 8});
  for (std::int64_t i = 0; i < fused.size(); ++i) {
    const std::int64_t c = i / 32 % 3;
    const double normed = (bare[i] - norm.running_mean.value[c]) /
                              std::sqrt(norm.running_var.value[c] + 1e-5) * norm.weight.value[c] +
                          norm.bias.value[c];
    CHECK(fused[i] == doctest::Approx(normed > 0 ? normed : 0));
  }
}
