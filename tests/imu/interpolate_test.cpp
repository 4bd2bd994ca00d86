#include "imu2music/imu/interpolate.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "error_text.hpp"

using namespace imu2music;

namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

Channel ramp(std::vector<float> values) {
  Channel channel(Quantity::acceleration, static_cast<std::int64_t>(values.size()));
  for (int axis = 0; axis < 3; ++axis) std::copy(values.begin(), values.end(), channel.axis(axis).begin());
  return channel;
}

std::vector<float> first_axis(const Channel& channel) {
  return {channel.axis(0).begin(), channel.axis(0).end()};
}

}  // namespace

TEST_CASE("between samples there are straight lines, beyond the ends the end") {
  const std::vector<double> times = {0, 1, 3}, at = {-1, 0, 0.25, 1, 2, 3, 9};
  CHECK(first_axis(interpolate_channel(ramp({0, 4, 8}), times, at, 5, "f")) ==
        std::vector<float>{0, 0, 1, 4, 6, 8, 8});
}

TEST_CASE("a gap is held or missing, not bridged") {
  const std::vector<double> times = {0, 1, 10, 11}, at = {0.5, 1, 1.5, 9.5, 10, 10.5};
  CHECK(first_axis(interpolate_channel(ramp({0, 2, 6, 8}), times, at, 2.5, "f")) ==
        std::vector<float>{1, 2, 2, 2, 6, 7});
  const Channel missing = interpolate_channel(ramp({0, 2, 6, 8}), times, at, 2.5, "f", GapFill::missing);
  CHECK(missing.axis(0)[1] == 2);
  CHECK(std::isnan(missing.axis(0)[2]));
  CHECK(std::isnan(missing.axis(2)[3]));
  CHECK(missing.axis(0)[4] == 6);
}

TEST_CASE("values that are not finite are passed over") {
  const std::vector<double> times = {0, 1, 2, 3}, at = {1, 1.5};
  Channel channel = ramp({0, 1, 2, 3});
  channel.axis(1)[1] = nan_value;
  const Channel result = interpolate_channel(channel, times, at, 2.5, "f");
  CHECK(result.axis(0)[0] == 1);
  CHECK(result.axis(1)[1] == 1.5);
  const Channel none = ramp({nan_value, nan_value, nan_value, nan_value});
  CHECK(
      test::is_line_with(test::error_text<InputError>([&] { interpolate_channel(none, times, at, 1, "f"); }),
                         {"f: ", "acceleration", "no number"}));
  CHECK_THROWS_AS(interpolate_channel(ramp({1}), times, at, 1, "f"), ShapeError);
}

TEST_CASE("where nothing is known before the first number or after the last, it may be missing too") {
  const float none = std::numeric_limits<float>::quiet_NaN();
  const std::vector<double> times = {0, 1, 2, 3, 4, 5}, at = {0, 1, 2, 3, 4, 5};
  const Channel channel = ramp({none, none, 7, 8, none, none});
  const auto held = first_axis(interpolate_channel(channel, times, at, 1.5, "f"));
  CHECK(held == std::vector<float>{7, 7, 7, 8, 8, 8});
  const auto missing = first_axis(interpolate_channel(channel, times, at, 1.5, "f", GapFill::missing));
  CHECK(std::isnan(missing[0]));
  CHECK(missing[1] == 7);
  CHECK(missing[4] == 8);
  CHECK(std::isnan(missing[5]));
}

TEST_CASE("angles go the short way round, quaternions stay of unit length") {
  const std::vector<double> times = {0, 1}, at = {0.5};
  Channel angles(Quantity::rotation, 2);
  angles.axis(0)[0] = 3.0f;
  angles.axis(0)[1] = -3.0f;
  const float middle = interpolate_channel(angles, times, at, 2, "f").axis(0)[0];
  CHECK(std::abs(middle) == doctest::Approx(std::numbers::pi));

  Channel turn(Quantity::orientation, 2);
  turn.axis(3)[0] = 1;
  turn.axis(2)[1] = -std::sin(0.5f);  // the same attitude with the other sign
  turn.axis(3)[1] = -std::cos(0.5f);
  const Channel half = interpolate_channel(turn, times, at, 2, "f");
  CHECK(half.axis(2)[0] == doctest::Approx(std::sin(0.25)));
  CHECK(half.axis(3)[0] == doctest::Approx(std::cos(0.25)));
}

TEST_CASE("stamps that stand still give the last value of them") {
  const std::vector<double> times = {0, 1, 1, 2}, at = {1, 1.5};
  CHECK(first_axis(interpolate_channel(ramp({0, 1, 5, 7}), times, at, 5, "f")) == std::vector<float>{5, 6});
}
