#include "imu2music/imu/clock.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "error_text.hpp"

using namespace imu2music;

TEST_CASE("even stamps make a uniform clock that begins at 0") {
  std::vector<double> times;
  for (int i = 0; i < 2250; ++i) times.push_back(261.645 + i / 100.0);
  const Clock clock = make_clock(times, "file");
  CHECK(clock.is_uniform());
  CHECK(clock.start_s == 0);
  CHECK(clock.rate_hz == 100);
  CHECK(clock.resets.empty());
  const Clock later = make_clock({2.5, 3.0, 3.5}, "file", 1.0);
  CHECK(later.start_s == 1.5);
  CHECK(later.rate_hz == 2);
}

TEST_CASE("stamps in whole milliseconds keep their times, and their mean tells the rate") {
  std::vector<double> times;
  for (int i = 0; i < 1000; ++i) times.push_back(std::floor(i * 1000 / 52.3) / 1000);
  const Clock clock = make_clock(times, "file");
  REQUIRE_FALSE(clock.is_uniform());
  CHECK(usual_interval(clock.times_s) == doctest::Approx(0.019));
  CHECK(native_rate_hz(clock) == doctest::Approx(52.3).epsilon(1e-3));
}

TEST_CASE("a gap leaves the rate alone") {
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back(i * 0.01 + (i >= 50 ? 300 : 0));
  const Clock clock = make_clock(times, "file");
  REQUIRE_FALSE(clock.is_uniform());
  CHECK(native_rate_hz(clock) == doctest::Approx(100));
  CHECK(clock.times_s.back() == doctest::Approx(300.99));
}

TEST_CASE("a clock that runs backwards goes on by the usual interval, and the place is kept") {
  std::vector<double> times;
  for (int i = 0; i < 40; ++i) times.push_back(1000 + i * 0.01);
  for (int i = 0; i < 40; ++i) times.push_back(3 + i * 0.01);
  const Clock clock = make_clock(times, "file");
  REQUIRE(clock.resets.size() == 1);
  CHECK(clock.resets[0].sample == 40);
  CHECK(clock.resets[0].back_s == doctest::Approx(997.39));
  REQUIRE_FALSE(clock.is_uniform());
  for (std::size_t i = 0; i < 80; ++i)
    CHECK(clock.times_s[i] == doctest::Approx(0.01 * static_cast<double>(i)));

  SUBCASE("every time") {
    for (int i = 0; i < 40; ++i) times.push_back(2 + i * 0.01);
    const Clock twice = make_clock(times, "file");
    REQUIRE(twice.resets.size() == 2);
    CHECK(twice.times_s.back() == doctest::Approx(1.19));
    CHECK(std::is_sorted(twice.times_s.begin(), twice.times_s.end()));
  }
}

TEST_CASE("stamps that make no clock are refused in one line") {
  const auto refusal = [](std::vector<double> times) {
    return test::error_text<InputError>([&] { make_clock(times, "take.csv"); });
  };
  CHECK(test::is_line_with(refusal({}), {"take.csv", "no samples"}));
  CHECK(test::is_line_with(refusal({4}), {"take.csv", "one sample"}));
  CHECK(test::is_line_with(refusal({4, 4, 4}), {"take.csv", "never goes forward"}));
  CHECK(test::is_line_with(refusal({3, 2, 1}), {"take.csv", "never goes forward"}));
  CHECK(test::is_line_with(refusal({1, 2, 1, 2, 1, 2, 1, 2}), {"take.csv", "backwards at 3 of 8"}));
  CHECK(test::is_line_with(refusal({0, 1e10}), {"take.csv", "1e9"}));
  CHECK(test::is_line_with(refusal({-1e308, 1e308}), {"take.csv", "1e9"}));
  CHECK(test::is_line_with(refusal({0, std::numeric_limits<double>::quiet_NaN()}), {"take.csv"}));
}
