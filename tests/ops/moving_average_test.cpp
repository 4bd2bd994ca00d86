#include "imu2music/ops/moving_average.hpp"

#include <doctest/doctest.h>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("a running statistic keeps its share and takes the batch's; other shapes are refused") {
  Context context;
  const auto x = test::random_tensor<float>({33}, 1), before = test::random_tensor<float>({33}, 2);
  auto running = before.clone();
  moving_average(context, x, running, 0.9, 0.125);
  for (std::int64_t n = 0; n < 33; ++n)
    CHECK(running[n] == static_cast<float>(0.9 * double(before[n]) + 0.125 * double(x[n])));
  CHECK_THROWS_AS(moving_average(context, x.slice(0, 5), running, 0.9, 0.1), ShapeError);
}
