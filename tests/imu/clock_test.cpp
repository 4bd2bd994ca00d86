#include "imu2music/imu/clock.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
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

TEST_CASE("samples out of order are told from resets and leave the clock as long as it is") {
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back(i * 0.01);
  StampReport report;
  const auto order = [&](std::size_t i) { return report.order.at(i); };
  SUBCASE("two neighbours") {
    std::swap(times[50], times[51]);
    std::swap(times[70], times[71]);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.rate_hz == doctest::Approx(100));
    CHECK(clock.resets.empty());
    CHECK(report.out_of_order == 2);
    CHECK((order(49) == 49 && order(50) == 51 && order(51) == 50 && order(52) == 52 && order(70) == 71));
  }
  SUBCASE("a packet of four that came after the next one") {
    for (std::size_t i = 40; i < 44; ++i) std::swap(times[i], times[i + 4]);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.rate_hz == doctest::Approx(100));
    CHECK(report.out_of_order == 4);
    CHECK((order(40) == 44 && order(44) == 40));
  }
  SUBCASE("a sample that is late by eight, or by more where the clock then goes on from where it was") {
    for (const std::size_t late : {8u, 20u}) {
      std::vector<double> one = times;
      std::rotate(one.begin() + 40, one.begin() + 41, one.begin() + 41 + static_cast<std::ptrdiff_t>(late));
      const Clock clock = make_clock(one, "file", std::nullopt, &report);
      CHECK(clock.rate_hz == doctest::Approx(100));
      CHECK(report.out_of_order == 1);
    }
  }
  SUBCASE("one that is late across a gap") {
    for (std::size_t i = 50; i < 100; ++i) times[i] += 20;
    std::swap(times[49], times[50]);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.resets.empty());
    CHECK(report.out_of_order == 1);
    CHECK(clock.times_s.at(49) == doctest::Approx(0.49));
    CHECK(clock.times_s.at(50) == doctest::Approx(20.5));
  }
  SUBCASE("two at the border of packets with one stamp") {
    for (std::size_t i = 0; i < 100; ++i) times[i] = 0.1 * static_cast<double>(i / 10);
    std::swap(times[49], times[50]);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.rate_hz == doctest::Approx(100));
    CHECK(report.out_of_order == 1);
  }
  SUBCASE("the first ones") {
    std::swap(times[0], times[1]);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.start_s == 0);
    CHECK(clock.rate_hz == doctest::Approx(100));
    CHECK(report.out_of_order == 1);
  }
  SUBCASE("beside a reset") {
    for (std::size_t i = 60; i < 100; ++i) times[i] += 3;
    for (std::size_t i = 0; i < 60; ++i) times[i] += 1000;
    std::swap(times[30], times[31]);
    std::swap(times[80], times[81]);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    REQUIRE(clock.resets.size() == 1);
    CHECK(clock.resets[0].sample == 60);
    CHECK(report.out_of_order == 2);
    REQUIRE_FALSE(clock.is_uniform());
    for (std::size_t i = 0; i < 100; ++i)
      CHECK(clock.times_s[i] == doctest::Approx(0.01 * static_cast<double>(i)));
  }
  SUBCASE("a clock that was put back by less than 8 intervals goes over the same time twice: a reset") {
    for (std::size_t i = 50; i < 100; ++i) times[i] -= 0.05;
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    REQUIRE(clock.resets.size() == 1);
    CHECK(clock.resets[0].sample == 50);
    CHECK(report.out_of_order == 0);
    CHECK(clock.times_s.back() == doctest::Approx(0.99));
  }
  SUBCASE("nine samples are too many") {
    for (std::size_t i = 40; i < 49; ++i) std::swap(times[i], times[i + 9]);
    CHECK(make_clock(times, "file", std::nullopt, &report).resets.size() == 1);
    CHECK(report.out_of_order == 0);
  }
  SUBCASE("without a report") {
    std::swap(times[50], times[51]);
    CHECK(make_clock(times, "file").resets.size() == 1);
  }
}

TEST_CASE("samples that came in bunches are spread up to the next stamp") {
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back(i / 4 * 0.04);
  StampReport report;
  SUBCASE("evenly") {
    times.resize(98);  // the last bunch has two
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    REQUIRE(clock.is_uniform());
    CHECK(clock.rate_hz == doctest::Approx(100));
    CHECK(report.bunched == 98);
    CHECK(report.bunches == 25);
    CHECK(report.order.empty());
  }
  SUBCASE("but not over a gap") {
    for (std::size_t i = 52; i < 100; ++i) times[i] += 7;
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    for (std::size_t i = 0; i < 100; ++i)
      CHECK(clock.times_s.at(i) == doctest::Approx(0.01 * static_cast<double>(i) + (i < 52 ? 0 : 7)));
  }
  SUBCASE("and over a reset") {
    for (std::size_t i = 52; i < 100; ++i) times[i] -= 1;
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.resets.size() == 1);
    for (std::size_t i = 0; i < 100; ++i)
      CHECK(clock.times_s.at(i) == doctest::Approx(0.01 * static_cast<double>(i)));
  }
  SUBCASE("of any size, the last one within the usual interval") {
    const Clock clock = make_clock({0, 1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 4}, "file", std::nullopt, &report);
    CHECK(clock.times_s == std::vector<double>{0, 1, 1.5, 2, 2.25, 2.5, 2.75, 3, 4, 4.25, 4.5, 4.75});
    CHECK(report.bunched == 10);
    CHECK(report.bunches == 3);
  }
  SUBCASE("not where it is a tenth of the intervals or fewer") {
    times.clear();
    for (int i = 0; i < 101; ++i) times.push_back(i % 10 == 1 ? (i - 1) * 0.01 : i * 0.01);
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(clock.times_s == times);
    CHECK(report.bunches == 0);
  }
}

TEST_CASE("bunches are told where stamps within them differ a little, as a host's clock gives them") {
  for (const int each : {2, 3, 4})
    for (const int n : {1500, 1501})
      for (const double within : {0.0001, 0.001}) {
        INFO(each << " a packet, " << n << " samples, " << within << " s apart");
        std::vector<double> times;  // of samples 5 ms apart, written when the last of a packet has come
        for (int i = 0; i < n; ++i) times.push_back(i / each * each * 0.005 + i % each * within);
        StampReport report;
        const Clock clock = make_clock(times, "file", std::nullopt, &report);
        CHECK(native_rate_hz(clock) == doctest::Approx(200).epsilon(2e-3));
        CHECK(report.bunched >= n - each);
        for (int i = 1; i < n && !clock.is_uniform(); ++i) {
          const double interval =
              clock.times_s[static_cast<std::size_t>(i)] - clock.times_s[static_cast<std::size_t>(i - 1)];
          CHECK(interval > 0.0025);
          CHECK(interval < 0.0075);
        }
      }
  // Packets of many sizes, whose pause is before them; some follow soon on one another.
  for (const int most : {3, 10, 20}) {
    INFO("up to " << most << " a packet");
    std::vector<double> times;
    unsigned state = 1;
    for (int taken = 0; taken < 3000;) {
      state = state * 1664525u + 1013904223u;
      const int count = 1 + static_cast<int>((state >> 16) % static_cast<unsigned>(most));
      taken += count;
      for (int k = 0; k < count; ++k) times.push_back(taken * 0.01 + k * 3e-5);
    }
    StampReport report;
    const Clock clock = make_clock(times, "file", std::nullopt, &report);
    CHECK(native_rate_hz(clock) > 90);
    CHECK(native_rate_hz(clock) < 150);
    CHECK(report.bunched > 1000);
  }
  // Stamps that merely tremble stay as they are.
  std::vector<double> trembling;
  for (int i = 0; i < 1000; ++i) trembling.push_back(i * 0.01 + (i * 7 % 5) * 0.001);
  StampReport report;
  const Clock clock = make_clock(trembling, "file", std::nullopt, &report);
  CHECK(report.bunched == 0);
  REQUIRE_FALSE(clock.is_uniform());
  CHECK(clock.times_s == trembling);
}

TEST_CASE("a sensor that is faster for a while is not taken for bunches") {
  StampReport report;
  std::vector<double> times;
  const auto go_on = [&](int count, double interval) {
    for (int i = 0; i < count; ++i) times.push_back(times.empty() ? 0 : times.back() + interval);
  };
  SUBCASE("again and again") {
    for (int k = 0; k < 20; ++k) {
      go_on(60, 0.05);
      go_on(40, 0.01);
    }
  }
  SUBCASE("before pauses") {
    for (int k = 0; k < 20; ++k) {
      go_on(60, 0.05);
      go_on(40, 0.01);
      go_on(1, 2);
    }
  }
  SUBCASE("once, at the end") {
    go_on(600, 0.05);
    go_on(400, 0.01);
  }
  SUBCASE("what had stalled, all at once") {
    go_on(500, 0.01);
    go_on(1, 2);
    go_on(200, 0.0005);
    go_on(500, 0.01);
  }
  const Clock clock = make_clock(times, "file", std::nullopt, &report);
  CHECK(report.bunched == 0);
  CHECK(clock.times_s == times);
}

TEST_CASE("where packets are alike, a lost one is a gap, and one that brings two is none") {
  for (const bool lost : {true, false}) {
    std::vector<double> times;
    for (int packet = 0; packet < 90; ++packet) {
      if (packet % 9 == 7) continue;
      const int count = packet % 9 == 8 && !lost ? 20 : 10;
      for (int k = 0; k < count; ++k) times.push_back(packet * 0.1);
    }
    const Clock clock = make_clock(times, "file");
    REQUIRE_FALSE(clock.is_uniform());
    int gaps = 0;
    for (std::size_t i = 1; i < times.size(); ++i) gaps += clock.times_s[i] - clock.times_s[i - 1] > 0.025;
    CHECK(gaps == (lost ? 10 : 0));
    CHECK(clock.times_s[69] == doctest::Approx(lost ? 0.69 : 0.78).epsilon(1e-3));
  }
}

TEST_CASE("a first packet that is not whole ends where the second begins") {
  std::vector<double> times;  // in whole seconds, begun amid one
  for (int i = 63; i < 3000; ++i) times.push_back(i / 100);
  const Clock clock = make_clock(times, "file");
  CHECK(clock.is_uniform());
  CHECK(clock.rate_hz == doctest::Approx(100));
  CHECK(clock.start_s == 0);
  // But not where a gap lies between the two.
  for (std::size_t i = 37; i < times.size(); ++i) times[i] += 300;
  const Clock apart = make_clock(times, "file");
  REQUIRE_FALSE(apart.is_uniform());
  CHECK(apart.times_s[37] == 301);
  CHECK(apart.times_s[36] < 2);
}

TEST_CASE("stamps in whole milliseconds within packets of a fast sensor") {
  std::vector<double> times;  // 400 Hz in packets of 8, stamped as they are read
  for (int i = 0; i < 4000; ++i) times.push_back(i / 8 * 0.02 + i % 8 / 4 * 0.001);
  const Clock clock = make_clock(times, "file");
  CHECK(native_rate_hz(clock) == doctest::Approx(400).epsilon(1e-3));
}

TEST_CASE("intervals that alternate are none of them gaps") {
  std::vector<double> times;
  for (int i = 0; i < 201; ++i) times.push_back(i / 2 * 0.02 + i % 2 * 0.005);
  CHECK(usual_interval(times) == doctest::Approx(0.01).epsilon(0.01));
  const Clock clock = make_clock(times, "file");
  CHECK(native_rate_hz(clock) == doctest::Approx(100).epsilon(0.01));
}

TEST_CASE("samples out of order at the very end are no reset") {
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back(i * 0.01);
  std::swap(times[98], times[99]);
  StampReport report;
  const Clock clock = make_clock(times, "file", std::nullopt, &report);
  CHECK(clock.resets.empty());
  CHECK(report.out_of_order == 1);
  CHECK(clock.is_uniform());
}

TEST_CASE("a clock that stands still at more than a tenth of the samples, and at more than 16, is refused") {
  const auto refusal = [](int still, int n) {
    std::vector<double> times(static_cast<std::size_t>(still), 0.0);
    for (int i = still; i < n; ++i) times.push_back((i - still + 1) * 0.01);
    return test::error_text<InputError>([&] { make_clock(times, "take.csv"); });
  };
  CHECK(test::is_line_with(refusal(101, 1000), {"take.csv", "stands still", "101 of 1000"}));
  CHECK(refusal(100, 1000).empty());
  CHECK(test::is_line_with(refusal(17, 40), {"stands still", "17 of 40"}));
  CHECK(refusal(16, 40).empty());
  // Stamps that only lie near one another, as those of a packet, stand nowhere.
  std::vector<double> packets;
  for (int i = 0; i < 100; ++i) packets.push_back(i / 20 * 0.4 + i % 20 * 0.001);
  CHECK(make_clock(packets, "take.csv").rate_hz == doctest::Approx(50));
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
  CHECK(test::is_line_with(refusal({0, 1e-310}), {"take.csv", "1e-9 s apart"}));
  CHECK(test::is_line_with(refusal({-1e308, 1e308}), {"take.csv", "1e9"}));
  CHECK(test::is_line_with(refusal({0, std::numeric_limits<double>::quiet_NaN()}), {"take.csv"}));
}
