#include "imu2music/ops/adam.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "random.hpp"

using namespace imu2music;

namespace {

// Adam and AdamW as their papers write them, one parameter in double.
struct Paper {
  double p, m = 0, v = 0;
  void step(double g, std::int64_t t, const AdamOptions& o) {
    if (o.decoupled)
      p -= o.learning_rate * o.weight_decay * p;
    else
      g += o.weight_decay * p;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(o.beta1, double(t)));
    const double v_hat = v / (1 - std::pow(o.beta2, double(t)));
    p -= o.learning_rate * m_hat / (std::sqrt(v_hat) + o.eps);
  }
};

template <class T>
void against_the_paper(const AdamOptions& options, double tolerance) {
  Context context;
  auto p = test::random_tensor<T>({4, 5}, 1);
  Tensor<T> m({4, 5}), v({4, 5});
  std::vector<Paper> wanted;
  for (T value : p.values()) wanted.push_back({double(value)});
  for (std::int64_t step = 1; step <= 20; ++step) {
    const auto g = test::random_tensor<T>({4, 5}, static_cast<std::uint64_t>(step + 1));
    adam_step(context, p, g, m, v, step, 0.5, options);
    for (std::int64_t i = 0; i < p.size(); ++i) {
      Paper& paper = wanted[static_cast<std::size_t>(i)];
      paper.step(0.5 * double(g[i]), step, options);
      CHECK(std::abs(double(p[i]) - paper.p) < tolerance);
      CHECK(std::abs(double(m[i]) - paper.m) < tolerance);
      CHECK(std::abs(double(v[i]) - paper.v) < tolerance);
    }
  }
}

}  // namespace

TEST_CASE("adam_step is Adam and AdamW as the papers write them") {
  for (bool decoupled : {false, true})
    for (double decay : {0.0, 0.3}) {
      AdamOptions options;
      options.learning_rate = 0.01;
      options.weight_decay = decay;
      options.decoupled = decoupled;
      against_the_paper<double>(options, 1e-13);
      against_the_paper<float>(options, 1e-5);
      options.beta1 = 0.8, options.beta2 = 0.999, options.eps = 0.1;
      against_the_paper<double>(options, 1e-13);
    }
}

TEST_CASE("adam_step: the first step goes as far as the learning rate, against the gradient's sign") {
  Context context;
  const std::vector<double> gradients = {3, -0.001, 0};
  const auto g = Tensor<double>::from(gradients, {3});
  Tensor<double> p({3}), m({3}), v({3});
  AdamOptions options;
  options.learning_rate = 0.1;
  adam_step(context, p, g, m, v, 1, 1, options);
  CHECK(p[0] == doctest::Approx(-0.1));
  CHECK(p[1] == doctest::Approx(0.1).epsilon(1e-5));
  CHECK(p[2] == 0);
}

TEST_CASE("adam_step and sum_of_squares give the same bits for any number of threads") {
  Context one(1), three(3);
  const auto g = test::random_tensor<float>({301, 1001}, 1);
  auto p = test::random_tensor<float>({301, 1001}, 2), q = p.clone();
  Tensor<float> m({301, 1001}), v({301, 1001}), m3({301, 1001}), v3({301, 1001});
  AdamOptions options;
  options.learning_rate = 0.1;
  adam_step(one, p, g, m, v, 1, 1, options);
  adam_step(three, q, g, m3, v3, 1, 1, options);
  const auto bytes = sizeof(float) * static_cast<std::size_t>(p.size());
  CHECK(std::memcmp(p.data(), q.data(), bytes) == 0);
  CHECK(std::memcmp(m.data(), m3.data(), bytes) == 0);
  CHECK(std::memcmp(v.data(), v3.data(), bytes) == 0);
  CHECK(sum_of_squares(one, g) == sum_of_squares(three, g));
}

TEST_CASE("sum_of_squares is that, in double") {
  Context context;
  for (std::int64_t count : {0, 1, 15, 17, 4095, 4096, 4097, 10000}) {
    const auto x = test::random_tensor<float>({count}, 1);
    double wanted = 0;
    for (float value : x.values()) wanted += double(value) * double(value);
    CHECK(sum_of_squares(context, x) == doctest::Approx(wanted).epsilon(1e-12));
  }
}

TEST_CASE("adam_step refuses other shapes and a step 0") {
  Context context;
  Tensor<float> p({3}), m({3}), v({3}), bad({4});
  CHECK_THROWS_AS(adam_step(context, p, bad, m, v, 1, 1, {}), ShapeError);
  CHECK_THROWS_AS(adam_step(context, p, p, bad, v, 1, 1, {}), ShapeError);
  CHECK_THROWS_AS(adam_step(context, p, p, m, bad, 1, 1, {}), ShapeError);
  CHECK_THROWS_AS(adam_step(context, p, p, m, v, 0, 1, {}), ShapeError);
}
