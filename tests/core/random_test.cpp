#include "imu2music/core/random.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <random>

using imu2music::Philox;
using imu2music::philox4x32_10;
using Counter = std::array<std::uint32_t, 4>;

// The known answers that Random123 publishes for philox4x32 with ten rounds: zeros, ones, and digits of pi.
TEST_CASE("Philox4x32-10 gives the published answers") {
  CHECK(philox4x32_10({0, 0, 0, 0}, {0, 0}) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32_10({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  static_assert(philox4x32_10({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5);
}

TEST_CASE("seed is the key, stream the counter's upper half, and words come block after block") {
  Philox random(0x299f31d0a4093822u, 0x0370734413198a2eu);
  const Counter first = philox4x32_10({0, 0, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
  const Counter second = philox4x32_10({1, 0, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
  for (std::uint32_t word : first) CHECK(random.uint32() == word);
  CHECK(random.uint64() == (std::uint64_t{second[0]} | (std::uint64_t{second[1]} << 32)));
  CHECK(random() == second[2]);
}

TEST_CASE("equal seeds repeat, different seeds and streams differ") {
  Philox a(7, 1);
  Philox b(7, 1);
  Philox other_seed(8, 1);
  Philox other_stream(7, 2);
  int equal_seed = 0;
  int equal_stream = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t word = a.uint32();
    CHECK(b.uint32() == word);
    equal_seed += other_seed.uint32() == word ? 1 : 0;
    equal_stream += other_stream.uint32() == word ? 1 : 0;
  }
  CHECK(equal_seed < 3);
  CHECK(equal_stream < 3);
}

TEST_CASE("uniform numbers lie in [0, 1) with mean 1/2 and variance 1/12") {
  Philox random(1);
  double sum = 0;
  double squares = 0;
  constexpr int count = 200000;
  for (int i = 0; i < count; ++i) {
    const double u = random.uniform();
    REQUIRE(u >= 0.0);
    REQUIRE(u < 1.0);
    sum += u;
    squares += u * u;
  }
  const double mean = sum / count;
  CHECK(std::abs(mean - 0.5) < 4 * std::sqrt(1.0 / 12 / count));
  CHECK(std::abs(squares / count - mean * mean - 1.0 / 12) < 1e-3);
}

TEST_CASE("normal numbers have mean 0, variance 1, and tails") {
  Philox random(2, 3);
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  int beyond_two = 0;
  constexpr int count = 200000;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    beyond_two += std::abs(x) > 2 ? 1 : 0;
  }
  CHECK(std::abs(sum / count) < 4 / std::sqrt(double{count}));
  CHECK(std::abs(squares / count - 1.0) < 0.02);
  CHECK(std::abs(fourth / count - 3.0) < 0.1);
  CHECK(std::abs(beyond_two / double{count} - 0.0455) < 0.003);
}

TEST_CASE("bounded integers stay in range and are even") {
  Philox random(5);
  std::array<int, 6> seen{};
  for (int i = 0; i < 60000; ++i) {
    const std::uint32_t value = random.below(6);
    REQUIRE(value < 6);
    ++seen[value];
  }
  for (int count : seen) CHECK(std::abs(count - 10000) < 500);
  CHECK(random.below(0) == 0);
  CHECK(random.below(1) == 0);
  for (int i = 0; i < 1000; ++i) CHECK(random.below(0x80000001u) < 0x80000001u);
}

TEST_CASE("it serves as a standard uniform random bit generator") {
  static_assert(std::uniform_random_bit_generator<Philox>);
  Philox random(9);
  std::uniform_int_distribution<int> die(1, 6);
  for (int i = 0; i < 100; ++i) {
    const int roll = die(random);
    CHECK(roll >= 1);
    CHECK(roll <= 6);
  }
}
