#include "imu2music/ops/cross_entropy_backward.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "imu2music/ops/cross_entropy.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

// The definition: -sum_v q[v] log p[v] over the rows that count.
double smoothed_loss(const Tensor<double>& logits, const Tensor<std::int64_t>& targets, std::int64_t ignore,
                     double e) {
  const std::int64_t V = logits.dim(-1);
  double loss = 0;
  for (std::int64_t n = 0; n < targets.size(); ++n) {
    if (targets[n] == ignore) continue;
    double sum = 0;
    for (std::int64_t v = 0; v < V; ++v) sum += std::exp(logits[n * V + v]);
    for (std::int64_t v = 0; v < V; ++v)
      loss -= ((v == targets[n] ? 1 - e : 0) + e / double(V)) * (logits[n * V + v] - std::log(sum));
  }
  return loss;
}

}  // namespace

TEST_CASE("cross_entropy_backward gives both sums and the gradient of the smoothed one") {
  Context context(2);
  auto logits = test::random_tensor<double>({2, 3, 9}, 1);
  const std::vector<std::int64_t> ids = {3, 0, 7, 8, 7, 5};
  const auto targets = Tensor<std::int64_t>::from(ids, {2, 3});
  for (std::int64_t ignore : {7, 99})
    for (double e : {0.0, 0.1, 1.0}) {
      Tensor<double> gradient({2, 3, 9}), none;
      for (double& value : gradient.values()) value = 77;
      const CrossEntropySums sums =
          cross_entropy_backward(context, logits, targets, ignore, e, 0.5, gradient);
      CHECK(sums.count == (ignore == 7 ? 4 : 6));
      CHECK(sums.nll / double(sums.count) ==
            doctest::Approx(cross_entropy(context, logits, targets, ignore)));
      CHECK(sums.loss == doctest::Approx(smoothed_loss(logits, targets, ignore, e)));
      test::check_gradient(logits, gradient, [&] { return 0.5 * smoothed_loss(logits, targets, ignore, e); });
      const CrossEntropySums alone = cross_entropy_backward(context, logits, targets, ignore, e, 0.5, none);
      CHECK(alone.nll == sums.nll);
      CHECK(alone.loss == sums.loss);
      CHECK(alone.count == sums.count);
      Tensor<double> in_place = logits.clone();
      cross_entropy_backward(context, in_place, targets, ignore, e, 0.5, in_place);
      for (std::int64_t i = 0; i < gradient.size(); ++i) CHECK(in_place[i] == gradient[i]);
    }
}

TEST_CASE("cross_entropy_backward: impossible tokens cost nothing without smoothing") {
  Context context;
  Tensor<double> logits({1, 3}), gradient({1, 3});
  Tensor<std::int64_t> targets({1});
  logits[2] = -INFINITY;
  const CrossEntropySums sums = cross_entropy_backward(context, logits, targets, 99, 0, 1, gradient);
  CHECK(sums.loss == doctest::Approx(std::log(2.0)));
  CHECK(gradient[0] == doctest::Approx(-0.5));
  CHECK(gradient[2] == 0);
}

TEST_CASE("cross_entropy_backward gives the same bits for any number of threads") {
  Context one(1), three(3);
  const auto logits = test::random_tensor<float>({800, 130}, 1);
  Tensor<std::int64_t> targets({800});
  for (std::int64_t n = 0; n < 800; ++n) targets[n] = n % 131 == 130 ? 500 : n % 131;
  Tensor<float> a({800, 130}), b({800, 130});
  const CrossEntropySums x = cross_entropy_backward(one, logits, targets, 500, 0.1, 0.01, a);
  const CrossEntropySums y = cross_entropy_backward(three, logits, targets, 500, 0.1, 0.01, b);
  CHECK(std::memcmp(a.data(), b.data(), sizeof(float) * 800 * 130) == 0);
  CHECK(x.nll == y.nll);
  CHECK(x.loss == y.loss);
}

TEST_CASE("cross_entropy_backward refuses what does not fit") {
  Context context;
  const Tensor<float> logits({2, 4});
  Tensor<std::int64_t> targets({2});
  Tensor<float> gradient({2, 4}), bad({4, 2});
  CHECK_THROWS_AS(cross_entropy_backward(context, logits, targets, 99, 0, 1, bad), ShapeError);
  CHECK_THROWS_AS(cross_entropy_backward(context, logits, targets, 99, 1.5, 1, gradient), ShapeError);
  CHECK_THROWS_AS(cross_entropy_backward(context, logits, targets, 99, -0.1, 1, gradient), ShapeError);
  CHECK_THROWS_AS(cross_entropy_backward(context, logits, Tensor<std::int64_t>({3}), 99, 0, 1, gradient),
                  ShapeError);
  targets[1] = 4;
  CHECK_THROWS_AS(cross_entropy_backward(context, logits, targets, 99, 0, 1, gradient), ShapeError);
}
