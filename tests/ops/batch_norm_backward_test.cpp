#include "imu2music/ops/batch_norm_backward.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "imu2music/ops/batch_norm.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("batch_norm_statistics are mean and variance by channel, far from zero too") {
  Context context(2);
  auto x = test::random_tensor<float>({4, 3, 7, 5}, 1);
  for (std::int64_t n = 0; n < x.size(); ++n) x[n] += static_cast<float>(n / 35 % 3 * 1000);
  const BatchStatistics<float> statistics = batch_norm_statistics(context, x);
  CHECK(statistics.count == 140);
  for (std::int64_t c = 0; c < 3; ++c) {
    double mean = 0, variance = 0;
    for (std::int64_t n = 0; n < x.size(); ++n)
      if (n / 35 % 3 == c) mean += x[n] / 140.0;
    for (std::int64_t n = 0; n < x.size(); ++n)
      if (n / 35 % 3 == c) variance += (x[n] - mean) * (x[n] - mean) / 140;
    CHECK(statistics.mean[c] == doctest::Approx(mean).epsilon(1e-7));
    CHECK(statistics.variance[c] == doctest::Approx(variance).epsilon(1e-6));
  }
  CHECK_THROWS_AS(batch_norm_statistics(context, Tensor<float>({0, 3, 2})), ShapeError);
  CHECK_THROWS_AS(batch_norm_statistics(context, Tensor<float>({3})), ShapeError);
}

TEST_CASE("batch_norm_backward is the gradient of the norm with the batch's own statistics") {
  Context context(2);
  constexpr double eps = 1e-2;
  for (const Shape& shape : {Shape{3, 4, 2, 5}, Shape{6, 2}, Shape{1, 3, 11}}) {
    const std::int64_t C = shape[1];
    auto x = test::random_tensor<double>(shape, 1), gamma = test::random_tensor<double>({C}, 2),
         beta = test::random_tensor<double>({C}, 3);
    const auto dy = test::random_tensor<double>(shape, 4);
    const auto loss = [&] {
      const BatchStatistics<double> s = batch_norm_statistics(context, x);
      Tensor<double> scale({C}), shift({C});
      for (std::int64_t c = 0; c < C; ++c) {
        scale[c] = gamma[c] / std::sqrt(s.variance[c] + eps);
        shift[c] = beta[c] - s.mean[c] * scale[c];
      }
      return test::inner_product(batch_norm(context, x, scale, shift), dy);
    };
    auto dgamma = Tensor<double>({C}), dbeta = Tensor<double>({C});
    for (std::int64_t c = 0; c < C; ++c) dgamma[c] = dbeta[c] = 3;
    const auto statistics = batch_norm_statistics(context, x);
    const auto dx = batch_norm_backward(context, dy, x, statistics, gamma, eps, dgamma, dbeta);
    CHECK(dx.shape() == shape);
    test::check_gradient(x, dx, loss);
    test::check_gradient(gamma, dgamma, loss, 1e-7, 3);
    test::check_gradient(beta, dbeta, loss, 1e-7, 3);
    Tensor<double> none;
    const auto alone = batch_norm_backward(context, dy, x, statistics, gamma, eps, none, none);
    for (std::int64_t n = 0; n < dx.size(); ++n) CHECK(alone[n] == dx[n]);
  }
}

TEST_CASE("statistics and gradients of a batch norm have the same bits for any number of threads") {
  const std::int64_t C = 7;
  const auto x = test::random_tensor<float>({5, C, 2000}, 1),
             dy = test::random_tensor<float>({5, C, 2000}, 2), gamma = test::random_tensor<float>({C}, 3);
  const auto same = [](const Tensor<float>& a, const Tensor<float>& b) {
    return std::memcmp(a.data(), b.data(), sizeof(float) * std::size_t(a.size())) == 0;
  };
  Context one(1);
  Tensor<float> dgamma({C}), dbeta({C});
  const auto s = batch_norm_statistics(one, x);
  const auto dx = batch_norm_backward(one, dy, x, s, gamma, 1e-5, dgamma, dbeta);
  for (int threads : {2, 5}) {
    Context several(threads);
    Tensor<float> dgamma_again({C}), dbeta_again({C});
    const auto s_again = batch_norm_statistics(several, x);
    CHECK(same(s_again.mean, s.mean));
    CHECK(same(s_again.variance, s.variance));
    CHECK(same(batch_norm_backward(several, dy, x, s, gamma, 1e-5, dgamma_again, dbeta_again), dx));
    CHECK(same(dgamma_again, dgamma));
    CHECK(same(dbeta_again, dbeta));
  }
}

TEST_CASE("scale_backward is the gradient of the norm with constants") {
  Context context;
  auto x = test::random_tensor<double>({2, 3, 4}, 1);
  const auto scale = test::random_tensor<double>({3}, 2), shift = test::random_tensor<double>({3}, 3),
             dy = test::random_tensor<double>({2, 3, 4}, 4);
  test::check_gradient(x, scale_backward(context, dy, scale),
                       [&] { return test::inner_product(batch_norm(context, x, scale, shift), dy); });
}

TEST_CASE("batch_norm_backward refuses what does not fit") {
  Context context;
  const Tensor<float> x({2, 3, 4}), gamma({3});
  const auto statistics = batch_norm_statistics(context, x);
  Tensor<float> good({3}), bad({2});
  CHECK_THROWS_AS(batch_norm_backward(context, Tensor<float>({2, 3}), x, statistics, gamma, 1e-5, good, good),
                  ShapeError);
  CHECK_THROWS_AS(batch_norm_backward(context, x, x, statistics, bad, 1e-5, good, good), ShapeError);
  CHECK_THROWS_AS(batch_norm_backward(context, x, x, statistics, gamma, 1e-5, bad, good), ShapeError);
  CHECK_THROWS_AS(batch_norm_backward(context, x, x, statistics, gamma, 1e-5, good, bad), ShapeError);
  CHECK_THROWS_AS(batch_norm_backward(context, x, x, {}, gamma, 1e-5, good, good), ShapeError);
}
