#include "imu2music/evaluate/bipartite_matching.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "imu2music/core/random.hpp"

using namespace imu2music;

namespace {

using Neighbours = std::vector<std::vector<std::size_t>>;

// The most pairs, by trying everything.
std::size_t most_pairs(const Neighbours& neighbours, std::size_t left, std::vector<bool>& taken) {
  if (left == neighbours.size()) return 0;
  std::size_t best = most_pairs(neighbours, left + 1, taken);
  for (std::size_t r : neighbours[left]) {
    if (taken[r]) continue;
    taken[r] = true;
    best = std::max(best, 1 + most_pairs(neighbours, left + 1, taken));
    taken[r] = false;
  }
  return best;
}

std::size_t check_matching(const Neighbours& neighbours, std::size_t right) {
  const std::vector<std::size_t> partner = maximum_matching(neighbours, right);
  REQUIRE(partner.size() == neighbours.size());
  std::vector<bool> taken(right, false);
  std::size_t pairs = 0;
  for (std::size_t l = 0; l < partner.size(); ++l) {
    if (partner[l] == unmatched) continue;
    CHECK(std::count(neighbours[l].begin(), neighbours[l].end(), partner[l]) > 0);
    REQUIRE(partner[l] < right);
    CHECK_FALSE(taken[partner[l]]);
    taken[partner[l]] = true;
    ++pairs;
  }
  return pairs;
}

}  // namespace

TEST_CASE("a greedy choice is undone where more pairs are possible") {
  CHECK(check_matching({{0, 1}, {0}}, 2) == 2);
  CHECK(check_matching({{0}, {0, 1}, {1, 2}}, 3) == 3);
  CHECK(check_matching({{0, 1}, {0, 1}, {0, 1}}, 2) == 2);
}

TEST_CASE("nothing to join") {
  CHECK(maximum_matching({}, 0).empty());
  CHECK(check_matching({{}, {}}, 3) == 0);
  CHECK_THROWS_AS(maximum_matching(Neighbours{{2}}, 2), ShapeError);
}

TEST_CASE("as many pairs as trying everything finds") {
  Philox random(3);
  for (int trial = 0; trial < 400; ++trial) {
    const std::size_t left = random.below(8), right = 1 + random.below(7);
    Neighbours neighbours(left);
    const std::uint32_t one_in = 1 + random.below(4);
    for (auto& list : neighbours)
      for (std::size_t r = 0; r < right; ++r)
        if (random.below(one_in) == 0) list.push_back(r);
    std::vector<bool> taken(right, false);
    CHECK(check_matching(neighbours, right) == most_pairs(neighbours, 0, taken));
  }
}

TEST_CASE("long alternating paths need no stack") {
  constexpr std::size_t n = 20000;
  Neighbours neighbours(n);
  for (std::size_t l = 0; l < n; ++l) {
    if (l > 0) neighbours[l].push_back(l - 1);
    if (l + 1 < n) neighbours[l].push_back(l);
  }
  neighbours[n - 1].push_back(n - 1);
  CHECK(check_matching(neighbours, n) == n);
}
