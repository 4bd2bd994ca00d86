#include "imu2music/ops/cross_entropy.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace imu2music;

TEST_CASE("cross entropy is the mean over the targets that are not ignored") {
  Context context;
  const std::vector<double> values = {0, 0, 0, 0, 1, 2, 3, 4, 50, 0, 0, 0};
  const auto logits = Tensor<double>::from(values, {1, 3, 4});
  std::vector<std::int64_t> ids = {2, 3, 99};
  const double first = std::log(4.0);
  const double second = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0) + std::exp(4.0)) - 4;
  CHECK(cross_entropy(context, logits, Tensor<std::int64_t>::from(ids, {1, 3}), 99) ==
        doctest::Approx((first + second) / 2));
  ids[2] = 1;  // a hopeless target: 50 nats
  CHECK(cross_entropy(context, logits, Tensor<std::int64_t>::from(ids, {1, 3}), 99) ==
        doctest::Approx((first + second + 50) / 3));
}

TEST_CASE("cross entropy refuses targets outside the vocabulary, wrong counts, and padding only") {
  Context context;
  const Tensor<float> logits({2, 4});
  Tensor<std::int64_t> targets({2});
  CHECK(cross_entropy(context, logits, targets, 99) == doctest::Approx(std::log(4.0)));
  targets[1] = 4;
  CHECK_THROWS_AS(cross_entropy(context, logits, targets, 99), ShapeError);
  CHECK_THROWS_AS(cross_entropy(context, logits, Tensor<std::int64_t>({3}), 99), ShapeError);
  targets[0] = targets[1] = 99;
  CHECK_THROWS_AS(cross_entropy(context, logits, targets, 99), ShapeError);
}
