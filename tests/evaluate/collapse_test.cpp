#include "imu2music/evaluate/collapse.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

#include "imu2music/core/random.hpp"

using namespace imu2music;
using Outputs = Collapse::Outputs;

TEST_CASE("edit distances") {
  using V = std::vector<int>;
  CHECK(token_distance(V{}, V{}) == 0);
  CHECK(token_distance(V{1, 2, 3}, V{}) == 3);
  CHECK(token_distance(V{1, 2, 3}, V{1, 3}) == 1);
  CHECK(token_distance(V{1, 2, 3}, V{4, 2, 5, 3}) == 2);
  CHECK(normalised_distance(V{}, V{}) == 0);
  CHECK(normalised_distance(V{1}, V{1, 2, 3, 4}) == 0.75);
  CHECK(normalised_distance(V{1, 2}, V{3, 4}) == 1);
}

TEST_CASE("the ratio by hand") {
  // Within: inputs 0 and 1 have distances 1/2 and 0: mean 1/4. Across: draw 0 {1,2} {3,4}: 1; draw 1 {1,3}
  // {3,4}: 1, by one replacement and ... {1,3} to {3,4} is 2 edits of 2.
  const std::vector<Outputs> outputs = {{{1, 2}, {1, 3}}, {{3, 4}, {3, 4}}};
  const Collapse collapse(outputs, std::array<std::size_t, 2>{0, 1}, 2);
  CHECK(collapse.within() == 0.25);
  CHECK(collapse.across() == 1);
  CHECK(collapse.ratio() == 4);
  CHECK(collapse.unique() == 2);
  CHECK(collapse.inputs() == 2);
  // Recording 1 drawn twice: its draws count twice. Without recording 0 there is nothing across.
  CHECK(collapse.within(std::array{1.0, 2.0}) == doctest::Approx(0.5 / 3));
  CHECK(std::isnan(collapse.across(std::array{0.0, 2.0})));
}

TEST_CASE("greedy decoding has no ratio, and one output for all inputs is one") {
  const std::vector<Outputs> outputs(5, Outputs{{1, 2, 3}, {1, 2, 3}});
  const Collapse collapse(outputs, std::array<std::size_t, 5>{0, 0, 1, 1, 1}, 2);
  CHECK(std::isnan(collapse.ratio()));
  CHECK(collapse.across() == 0);
  CHECK(collapse.unique() == 1);
}

TEST_CASE("a model that does not listen has a ratio near 1") {
  Philox random(1);
  std::vector<Outputs> outputs(20, Outputs(3));
  std::vector<std::size_t> recording;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    recording.push_back(i / 5);
    for (auto& ids : outputs[i])
      for (int n = 0; n < 40; ++n) ids.push_back(static_cast<int>(random.below(6)));
  }
  const Collapse collapse(outputs, recording, 4);
  CHECK(collapse.ratio() == doctest::Approx(1).epsilon(0.03));
  CHECK(collapse.unique() == 20);
  const std::array<double, 4> once{1, 1, 1, 1};
  CHECK(collapse.ratio(once) == collapse.ratio());
}

TEST_CASE("lists that do not fit are refused") {
  const std::vector<Outputs> uneven = {{{1}, {2}}, {{1}}};
  CHECK_THROWS_AS(Collapse(uneven, std::array<std::size_t, 2>{0, 0}, 1), ShapeError);
  const std::vector<Outputs> even = {{{1}}, {{1}}};
  CHECK_THROWS_AS(Collapse(even, std::array<std::size_t, 1>{0}, 1), ShapeError);
  CHECK_THROWS_AS(Collapse(even, std::array<std::size_t, 2>{0, 1}, 1), ShapeError);
  CHECK(std::isnan(Collapse({}, {}, 0).ratio()));
}
