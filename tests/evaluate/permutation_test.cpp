#include "imu2music/evaluate/permutation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

using namespace imu2music;

namespace {

using Indices = std::vector<std::size_t>;

Indices drawn_once(const Derangements& derangements, std::uint64_t seed) {
  Philox random(seed);
  Indices motion_of;
  derangements.draw(random, motion_of);
  return motion_of;
}

}  // namespace

TEST_CASE("every draw is a permutation that moves each window to another recording of its stratum") {
  const Indices recording{0, 0, 0, 1, 1, 2, 3, 3, 4, 4, 4, 4}, stratum{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2};
  // Stratum 2 has one recording: its windows take no part. Stratum 1: two and two, the tightest there is.
  const Derangements derangements(recording, stratum);
  CHECK(derangements.windows() == Indices{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK_FALSE(derangements.with_repetition());
  Philox random(1);
  Indices motion_of;
  for (int b = 0; b < 500; ++b) {
    derangements.draw(random, motion_of);
    std::set<std::size_t> used;
    for (std::size_t i : derangements.windows()) {
      CHECK(recording[motion_of[i]] != recording[i]);
      CHECK(stratum[motion_of[i]] == stratum[i]);
      used.insert(motion_of[i]);
    }
    CHECK(used.size() == derangements.windows().size());
  }
}

TEST_CASE("every derangement can come") {
  const Derangements three(Indices{0, 1, 2});
  std::set<Indices> seen;
  Philox random(2);
  Indices motion_of;
  for (int b = 0; b < 200; ++b) {
    three.draw(random, motion_of);
    seen.insert(motion_of);
  }
  CHECK(seen == std::set<Indices>{{1, 2, 0}, {2, 0, 1}});
  const Derangements four(Indices{0, 1, 2, 3});
  seen.clear();
  for (int b = 0; b < 2000; ++b) {
    four.draw(random, motion_of);
    seen.insert(motion_of);
  }
  CHECK(seen.size() == 9);  // of 24 permutations of four, 9 leave none in its place
}

TEST_CASE("where one recording holds more than half, motions are drawn with repetition") {
  const Indices recording{0, 0, 0, 0, 1};
  const Derangements derangements(recording);
  CHECK(derangements.with_repetition());
  const Indices motion_of = drawn_once(derangements, 3);
  CHECK(std::count(motion_of.begin(), motion_of.begin() + 4, 4u) == 4);
  CHECK(motion_of[4] < 4);
}

TEST_CASE("one recording has no derangement") {
  CHECK(Derangements(Indices{5, 5, 5}).windows().empty());
  CHECK(Derangements({}).windows().empty());
  const std::array<std::int64_t, 2> tokens{1, 1};
  CHECK_FALSE(permutation_test(Tensor<double>(Shape{2, 2}), tokens, Indices{0, 0}, {}, 9, 0));
  CHECK_FALSE(permutation_test(Tensor<double>(Shape{2, 2}), tokens, Indices{0, 1}, Indices{0, 1}, 9, 0));
}

TEST_CASE("gap and p by hand") {
  // Two windows of two recordings: the one derangement exchanges them.
  const auto scores = Tensor<double>::from(std::array{-6.0, -10.0, -9.0, -4.0}, {2, 2});
  const std::array<std::int64_t, 2> tokens{3, 2};
  const Indices recording{0, 1};
  const auto test = permutation_test(scores, tokens, recording, {}, 99, 0);
  REQUIRE(test);
  CHECK(test->nll == 2);
  REQUIRE(test->null_nll.size() == 99);
  for (double nll : test->null_nll) CHECK(nll == doctest::Approx(19.0 / 5));
  CHECK(test->delta == doctest::Approx(9.0 / 5));
  CHECK(test->p == 0.01);
  CHECK(test->weighted_delta(recording, std::array{1.0, 1.0}) == doctest::Approx(test->delta));
  CHECK(test->weighted_delta(recording, std::array{2.0, 0.0}) == doctest::Approx(4.0 / 3));
}

TEST_CASE("a model that hears nothing has no gap and p 1") {
  constexpr std::int64_t K = 12;
  Tensor<double> scores(Shape{K, K});
  for (std::int64_t i = 0; i < K * K; ++i) scores[i] = -50.0 - static_cast<double>(i / K);
  const std::vector<std::int64_t> tokens(K, 10);
  Indices recording;
  for (std::size_t i = 0; i < K; ++i) recording.push_back(i % 4);
  const auto test = permutation_test(scores, tokens, recording, {}, 199, 7);
  REQUIRE(test);
  CHECK(test->delta == doctest::Approx(0));
  CHECK(test->p == 1);
}

TEST_CASE("recordings change places as a whole") {
  const Indices recording{0, 0, 0, 0, 1, 2, 2}, stratum(7, 0);
  const Derangements derangements(recording, stratum, Exchange::recordings);
  CHECK_FALSE(derangements.with_repetition());
  CHECK(derangements.windows().size() == 7);
  Philox random(4);
  Indices motion_of;
  std::set<std::size_t> used;
  for (int b = 0; b < 100; ++b) {
    derangements.draw(random, motion_of);
    std::set<std::pair<std::size_t, std::size_t>> recordings;
    for (std::size_t i = 0; i < 7; ++i) {
      CHECK(recording[motion_of[i]] != recording[i]);
      recordings.insert({recording[i], recording[motion_of[i]]});
      used.insert(motion_of[i]);
    }
    CHECK(recordings.size() == 3);
  }
  CHECK(used.size() == 7);
}

// 24 recordings of 4 windows. Where windows of a recording are alike, only exchanging whole recordings keeps
// p honest.
TEST_CASE("p where music and motion are unrelated, and draws are the seed's") {
  constexpr std::int64_t G = 24, each = 4, K = G * each;
  const std::vector<std::int64_t> tokens(K, 1);
  Indices recording;
  for (std::size_t i = 0; i < K; ++i) recording.push_back(i / each);
  int apart = 0, together = 0, unrelated = 0;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    Philox random(trial, 9);
    Tensor<double> scores(Shape{K, K}), alike(Shape{G, G});
    for (std::int64_t i = 0; i < K * K; ++i) scores[i] = random.normal();
    unrelated += permutation_test(scores, tokens, recording, {}, 99, trial)->p <= 0.1;
    for (double& v : alike.values()) v = 3 * random.normal();
    for (std::int64_t i = 0; i < K; ++i)
      for (std::int64_t j = 0; j < K; ++j) scores[i * K + j] += alike[i / each * G + j / each];
    const auto test = permutation_test(scores, tokens, recording, {}, 99, trial);
    apart += test->p <= 0.1;
    together += permutation_test(scores, tokens, recording, {}, 99, trial, Exchange::recordings)->p <= 0.1;
    if (trial == 0) {
      CHECK(permutation_test(scores, tokens, recording, {}, 99, 0)->null_nll == test->null_nll);
      CHECK(permutation_test(scores, tokens, recording, {}, 99, 1)->null_nll != test->null_nll);
    }
  }
  // Of 200, 20 are expected, with a deviation of 4.
  CHECK(unrelated > 6);
  CHECK(unrelated < 36);
  CHECK(together > 6);
  CHECK(together < 40);
  CHECK(apart > 40);
}

TEST_CASE("lists that do not fit are refused") {
  const std::array<std::int64_t, 2> tokens{1, 1};
  CHECK_THROWS_AS(permutation_test(Tensor<double>(Shape{3, 3}), tokens, Indices{0, 1}, {}, 9, 0), ShapeError);
  CHECK_THROWS_AS(Derangements(Indices{0, 1}, Indices{0}), ShapeError);
}
