#include "imu2music/ops/multiply.hpp"

#include <doctest/doctest.h>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("products element by element, alike for any number of threads; other shapes are refused") {
  Context one(1), four(4);
  const auto a = test::random_tensor<float>({3, 50001}, 1), b = test::random_tensor<float>({3, 50001}, 2);
  const auto single = multiply(one, a, b), shared = multiply(four, a, b);
  std::int64_t wrong = 0;
  for (std::int64_t n = 0; n < a.size(); ++n) wrong += single[n] != a[n] * b[n] || shared[n] != single[n];
  CHECK(wrong == 0);
  CHECK_THROWS_WITH_AS(multiply(one, a, b.slice(0, 2)), "[multiply] (3, 50001) and (2, 50001) differ",
                       ShapeError);
}
