#include "imu2music/imu/distribution_map.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "imu2music/core/random.hpp"

using namespace imu2music;

TEST_CASE("a stretched and moved copy is mapped by the same stretch") {
  Philox random(1);
  std::vector<float> from(5000), to(5000);
  for (std::size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<float>(random.normal());
    to[i] = 3 * from[i] + 2;
  }
  const QuantileMap map(from, to, "m");
  for (const double x : {-2.0, -0.5, 0.0, 0.1, 1.7})
    CHECK(map(x) == doctest::Approx(3 * x + 2).epsilon(1e-4));
  const QuantileMap same(from, from, "m");
  for (const double x : {-2.0, 0.0, 1.7}) CHECK(same(x) == doctest::Approx(x).epsilon(1e-6));
}

TEST_CASE("even values become squares where the target is distributed so") {
  std::vector<float> from(2001), to(3001);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i) / 2000;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const float share = static_cast<float>(i) / 3000;
    to[i] = share * share;  // Q(s) = s²
  }
  std::reverse(from.begin(), from.end());
  const QuantileMap map(from, to, "m");
  for (const double x : {0.0, 0.1, 0.5, 0.77, 1.0}) CHECK(map(x) == doctest::Approx(x * x).epsilon(1e-3));
  CHECK(map(1.5) == doctest::Approx(1.5));  // beyond the end by as much
  CHECK(map(-0.25) == doctest::Approx(-0.25));
  double before = map(-1);
  for (double x = -1; x < 2; x += 0.01) {
    CHECK(map(x) >= before);
    before = map(x);
  }
}

TEST_CASE("a recording takes over the real one's distributions, axis by axis, and keeps its orientation") {
  const auto make = [](std::uint64_t seed, float scale, std::int64_t n) {
    Philox random(seed);
    Recording recording;
    recording.source = "r";
    SensorTrack sensor;
    sensor.name = "s";
    sensor.clock.rate_hz = 50;
    for (const Quantity quantity :
         {Quantity::acceleration, Quantity::angular_velocity, Quantity::orientation}) {
      Channel channel(quantity, n);
      for (int axis = 0; axis < axis_count(quantity); ++axis)
        for (float& value : channel.axis(axis))
          value = scale * static_cast<float>(axis + 1) * static_cast<float>(random.normal());
      sensor.channels.push_back(channel);
    }
    recording.sensors.push_back(sensor);
    return recording;
  };
  Recording virtual_one = make(1, 1, 4000);
  const Recording before = virtual_one, real = make(2, 5, 3000);
  map_distribution(virtual_one, real);
  for (std::size_t c = 0; c < 2; ++c)
    for (int axis = 0; axis < 3; ++axis) {
      double squares = 0;
      for (const float value : virtual_one.sensors[0].channels[c].axis(axis))
        squares += static_cast<double>(value * value);
      CHECK(std::sqrt(squares / 4000) == doctest::Approx(5.0 * (axis + 1)).epsilon(0.05));
    }
  CHECK(virtual_one.sensors[0].channels[2].samples == before.sensors[0].channels[2].samples);
  CHECK(virtual_one.notes.size() == 1);
}

TEST_CASE("what has no distribution is refused") {
  const std::vector<float> one = {1}, some = {1, 2, 3}, nothing = {NAN, NAN, NAN, 4};
  CHECK_THROWS_AS(QuantileMap(one, some, "m"), InputError);
  CHECK_THROWS_AS(QuantileMap(some, nothing, "m"), InputError);
  const std::vector<float> flat = {2, 2, 2, 2}, rising = {0, 1, 2, 3};
  const QuantileMap map(flat, rising, "m");  // all of it becomes the middle, or an end
  CHECK(std::isfinite(map(2)));
}
