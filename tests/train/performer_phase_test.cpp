#include "imu2music/train/performer_phase.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "imu2music/core/random.hpp"
#include "imu2music/train/prepare.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

// Turns about x in bursts, at places that the piece tells, `late` seconds later; noise on all axes.
Recording bursts(std::uint64_t piece, double late, std::uint64_t seed, Quantity quantity, double offset = 0) {
  Philox where(piece), random(seed);
  const double rate = 100;
  const std::int64_t n = 1200;
  Channel channel(quantity, n);
  for (float& value : channel.samples) value = static_cast<float>(0.1 * random.normal() + offset);
  for (double at = 0.5; at < 11; at += 0.4 + 0.8 * where.uniform())
    for (std::int64_t i = 0; i < n; ++i) {
      const double u = (static_cast<double>(i) / rate - at - late) / 0.06;
      channel.samples[static_cast<std::size_t>(i)] += static_cast<float>(3 * std::exp(-u * u / 2));
    }
  Recording recording;
  recording.source = "bursts";
  SensorTrack sensor;
  sensor.name = "arm";
  sensor.clock.rate_hz = rate;
  sensor.channels.push_back(std::move(channel));
  recording.sensors.push_back(std::move(sensor));
  return recording;
}

}  // namespace

TEST_CASE("performers' constants are found from their motion, against the median") {
  for (const Quantity quantity : {Quantity::angular_velocity, Quantity::acceleration}) {
    const double late[] = {-0.1, 0, 0.24};
    std::vector<PerformerMotion> takes;
    std::uint64_t seed = 1;
    for (std::uint64_t piece = 0; piece < 3; ++piece)
      for (int p = 0; p < 3; ++p)
        takes.push_back(performer_motion(bursts(piece, late[p], ++seed, quantity, 9.8),
                                         std::string(1, static_cast<char>('a' + p)), std::to_string(piece)));
    const auto phases = performer_phases(takes);
    REQUIRE(phases.size() == 3);
    CHECK(phases.at("a") == doctest::Approx(-0.1).epsilon(0.21));
    CHECK(phases.at("b") == doctest::Approx(0).scale(1).epsilon(0.021));
    CHECK(phases.at("c") == doctest::Approx(0.24).epsilon(0.09));
    // The order of takes does not matter.
    std::reverse(takes.begin(), takes.end());
    CHECK(performer_phases(takes) == phases);
  }
}

TEST_CASE("a take that was cut is late by its motion, and not by where it was cut") {
  std::vector<PerformerMotion> takes;
  std::uint64_t seed = 1;
  for (std::uint64_t piece = 0; piece < 3; ++piece)
    for (int p = 0; p < 3; ++p) {
      const double cut_s = 0.3 * p;  // what was before is gone
      takes.push_back(
          performer_motion(bursts(piece, (p == 2 ? 0.1 : 0.0) - cut_s, ++seed, Quantity::angular_velocity),
                           std::string(1, static_cast<char>('a' + p)), std::to_string(piece)));
      takes.back().first = 15 * p;
    }
  const auto phases = performer_phases(takes);
  CHECK(std::abs(phases.at("a")) < 0.021);
  CHECK(std::abs(phases.at("b")) < 0.021);
  CHECK(phases.at("c") == doctest::Approx(0.1).epsilon(0.21));
}

TEST_CASE("who shares no piece, stands still or is alone stays in place") {
  std::vector<PerformerMotion> takes = {
      performer_motion(bursts(1, 0.1, 1, Quantity::angular_velocity), "a", "one"),
      performer_motion(bursts(1, 0.3, 2, Quantity::angular_velocity), "b", "two")};
  CHECK(performer_phases(takes) == std::map<std::string, double>{{"a", 0}, {"b", 0}});
  CHECK(performer_phases({}).empty());
  takes[1] = {"b", "one", std::vector<double>(100, 0.0)};
  takes.push_back({"c", "one", {}});
  for (const auto& [performer, phase] : performer_phases(takes)) CHECK(phase == 0);
}

TEST_CASE("the armband players' constants, and notes moved by them") {
  const std::string source = test::shared_file("data/violin-myo");
  if (source.empty()) return;
  test::ScratchFolder scratch;
  const std::vector<std::string> sources = {source};
  REQUIRE(prepare_dataset(sources, scratch / "aligned").pairs.size() == 32);
  PrepareOptions options;
  options.alignment = Alignment::none;
  prepare_dataset(sources, scratch / "plain", options);
  const Dataset aligned(scratch / "aligned"), plain(scratch / "plain");
  double least = 1, most = -1;
  for (std::size_t i = 0; i < 32; ++i) {
    const Pair moved = aligned.load(i), still = plain.load(i);
    REQUIRE(moved.info.id == still.info.id);
    CHECK(still.info.quality.count("performer_phase_s") == 0);
    const double phase = moved.info.quality.at("performer_phase_s");
    least = std::min(least, phase);
    most = std::max(most, phase);
    CHECK(moved.notes[5].start == doctest::Approx(still.notes[5].start + phase));
    if (moved.info.performer == "s4") CHECK(phase == most);
  }
  // The data set's own description: a constant from −0.12 to 0.11 s.
  CHECK(most - least == doctest::Approx(0.2).epsilon(0.16));
}

TEST_CASE("takes that have less than two seconds in common tell nothing") {
  std::vector<PerformerMotion> takes;
  for (int p = 0; p < 2; ++p) {
    PerformerMotion take{p == 0 ? "a" : "b", "piece", {}};
    for (int i = 0; i < 110; ++i) take.speed.push_back((p == 0 ? 1 : -1) * std::sin(i * 0.7));
    takes.push_back(take);
  }
  const auto phases = performer_phases(takes);
  CHECK(phases.at("a") == 0);
  CHECK(phases.at("b") == 0);
}

TEST_CASE("the search for constants can be ended in every round") {
  std::vector<PerformerMotion> takes;
  for (std::uint64_t p = 0; p < 3; ++p)
    takes.push_back(
        performer_motion(bursts(1, 0.1 * static_cast<double>(p), p + 1, Quantity::angular_velocity),
                         std::string(1, static_cast<char>('a' + p)), "piece"));
  int calls = 0;
  const auto phases = performer_phases(takes, [&] { ++calls; });
  CHECK(calls >= 3 + 2 * 3);  // the takes; a round that moves and one that does not
  CHECK(performer_phases(takes) == phases);
}
