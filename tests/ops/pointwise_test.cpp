// The small operations: add, batch_norm, concatenate, mean, permute, softmax_pool.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "imu2music/ops/add.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/concatenate.hpp"
#include "imu2music/ops/mean.hpp"
#include "imu2music/ops/permute.hpp"
#include "imu2music/ops/softmax_pool.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("add sums and activates, and refuses shapes that differ") {
  Context context;
  const auto a = test::random_tensor<float>({3, 7}, 1), b = test::random_tensor<float>({3, 7}, 2);
  const auto sum = add(context, a, b), relu = add(context, a, b, Activation::relu),
             leaky = add(context, a, b, Activation::leaky_relu, 0.5);
  for (std::int64_t n = 0; n < 21; ++n) {
    CHECK(sum[n] == a[n] + b[n]);
    CHECK(relu[n] == std::max(0.0f, sum[n]));
    CHECK(leaky[n] == (sum[n] > 0 ? sum[n] : sum[n] / 2));
  }
  CHECK_THROWS_AS(add(context, a, Tensor<float>({7, 3})), ShapeError);
}

TEST_CASE("batch_norm maps each channel") {
  Context context;
  const auto x = test::random_tensor<double>({2, 3, 2, 5}, 1), scale = test::random_tensor<double>({3}, 2),
             shift = test::random_tensor<double>({3}, 3);
  const auto y = batch_norm(context, x, scale, shift);
  for (std::int64_t n = 0; n < x.size(); ++n)
    CHECK(y[n] == doctest::Approx(x[n] * scale[n / 10 % 3] + shift[n / 10 % 3]));
  CHECK_THROWS_AS(batch_norm(context, x, Tensor<double>({2}), Tensor<double>({2})), ShapeError);
}

TEST_CASE("permute moves every element to its place and back") {
  Context context;
  const auto x = test::random_tensor<float>({2, 3, 4, 5}, 1);
  const auto y = permute(context, x, {2, 0, 3, 1});
  REQUIRE(y.shape() == Shape{4, 2, 5, 3});
  for (std::int64_t a = 0; a < 2; ++a)
    for (std::int64_t b = 0; b < 3; ++b)
      for (std::int64_t c = 0; c < 4; ++c)
        for (std::int64_t d = 0; d < 5; ++d)
          CHECK(y[((c * 2 + a) * 5 + d) * 3 + b] == x[((a * 3 + b) * 4 + c) * 5 + d]);
  const auto back = permute(context, y, {1, 3, 0, 2});
  for (std::int64_t n = 0; n < x.size(); ++n) CHECK(back[n] == x[n]);
  CHECK_THROWS_AS(permute(context, x, {0, 1, 2}), ShapeError);
  CHECK_THROWS_AS(permute(context, x, {0, 1, 2, 2}), ShapeError);
  CHECK_THROWS_AS(permute(context, x, {0, 1, 2, 4}), ShapeError);
}

TEST_CASE("concatenate puts parts side by side along any axis") {
  Context context;
  const auto a = test::random_tensor<float>({2, 1, 3}, 1), b = test::random_tensor<float>({2, 4, 3}, 2);
  const std::vector<Tensor<float>> parts = {a, b};
  const auto y = concatenate(context, std::span<const Tensor<float>>(parts), -2);
  REQUIRE(y.shape() == Shape{2, 5, 3});
  for (std::int64_t i = 0; i < 2; ++i)
    for (std::int64_t k = 0; k < 3; ++k) {
      CHECK(y[i * 15 + k] == a[i * 3 + k]);
      for (std::int64_t j = 0; j < 4; ++j) CHECK(y[i * 15 + (j + 1) * 3 + k] == b[(i * 4 + j) * 3 + k]);
    }
  CHECK_THROWS_AS(concatenate(context, std::span<const Tensor<float>>(parts), 0), ShapeError);
  CHECK_THROWS_AS(concatenate(context, std::span<const Tensor<float>>(parts), 3), ShapeError);
  CHECK_THROWS_AS(concatenate(context, std::span<const Tensor<float>>(), 0), ShapeError);
}

TEST_CASE("mean and softmax_pool are their definitions") {
  Context context(2);
  const auto x = test::random_tensor<double>({4, 6}, 1), v = test::random_tensor<double>({4, 6}, 2);
  const auto m = mean(context, x);
  REQUIRE(m.shape() == Shape{4});
  for (std::int64_t n = 0; n < 4; ++n) {
    double sum = 0;
    for (std::int64_t k = 0; k < 6; ++k) sum += x[n * 6 + k];
    CHECK(m[n] == doctest::Approx(sum / 6));
  }
  const auto y = softmax_pool(context, x, v);
  REQUIRE(y.shape() == Shape{6});
  for (std::int64_t n = 0; n < 6; ++n) {
    double weights = 0, weighted = 0;
    for (std::int64_t s = 0; s < 4; ++s) {
      weights += std::exp(x[s * 6 + n]);
      weighted += std::exp(x[s * 6 + n]) * v[s * 6 + n];
    }
    CHECK(y[n] == doctest::Approx(weighted / weights));
  }
  Tensor<float> large({2, 1});
  large[0] = 1e30f, large[1] = -1e30f;
  CHECK(softmax_pool(context, large, large)[0] == 1e30f);
  CHECK_THROWS_AS(mean(context, Tensor<float>({2, 0})), ShapeError);
  CHECK_THROWS_AS(softmax_pool(context, x, Tensor<double>({6, 4})), ShapeError);
}
