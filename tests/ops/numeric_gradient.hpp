// Gradients by central differences, for tests of backward operations in double.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>

#include "imu2music/core/tensor.hpp"

namespace test {

// sum_n a[n] b[n]: with b = dy, the loss whose gradient in a is dy.
inline double inner_product(const imu2music::Tensor<double>& a, const imu2music::Tensor<double>& b) {
  double sum = 0;
  for (std::int64_t n = 0; n < a.size(); ++n) sum += a[n] * b[n];
  return sum;
}

// Whether gradient[n] is d loss() / d x[n] for every n, where loss() reads x. `start` is what the gradient
// was before it was added to.
template <class Loss>
void check_gradient(imu2music::Tensor<double> x, const imu2music::Tensor<double>& gradient, const Loss& loss,
                    double tolerance = 1e-7, double start = 0) {
  REQUIRE(gradient.size() == x.size());
  for (std::int64_t n = 0; n < x.size(); ++n) {
    constexpr double step = 1e-5;
    const double here = x[n];
    x[n] = here + step;
    const double above = loss();
    x[n] = here - step;
    const double below = loss();
    x[n] = here;
    const double slope = (above - below) / (2 * step);
    INFO("element " << n << ": " << gradient[n] - start << ", by differences " << slope);
    CHECK(std::abs(gradient[n] - start - slope) < tolerance * (1 + std::abs(slope)));
  }
}

}  // namespace test
