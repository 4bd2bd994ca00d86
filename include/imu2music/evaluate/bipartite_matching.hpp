// The most pairs that two sides can be joined in, each member standing in one pair at most.
//
//   maximum_matching(neighbours, n)[l]   the partner of l on the right, or `unmatched`
//
// neighbours[l]: those on the right, 0..n-1, with which l on the left may be joined. Which of several largest
// matchings it is depends on the order of the neighbours alone. Cost O(E √(L + n)) for E joinable pairs.
// Errors: ShapeError for a neighbour that is none.
// Source: J. E. Hopcroft, R. M. Karp, "An n^(5/2) algorithm for maximum matchings in bipartite graphs", SIAM
// J. Comput. 2 (1973).
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"

namespace imu2music::inline v0 {

inline constexpr std::size_t unmatched = std::numeric_limits<std::size_t>::max();

inline std::vector<std::size_t> maximum_matching(std::span<const std::vector<std::size_t>> neighbours,
                                                 std::size_t right_count) {
  const std::size_t left_count = neighbours.size();
  for (const auto& list : neighbours)
    for (std::size_t r : list)
      if (r >= right_count)
        throw ShapeError("[maximum_matching] neighbour " + std::to_string(r) + " of " +
                         std::to_string(right_count));
  std::vector<std::size_t> partner(left_count, unmatched), holder(right_count, unmatched);
  std::vector<std::size_t> layer(left_count), next(left_count), queue, path;
  while (true) {
    // How far each on the left is from one without a partner, along alternating paths.
    queue.clear();
    for (std::size_t l = 0; l < left_count; ++l) {
      layer[l] = partner[l] == unmatched ? 0 : unmatched;
      if (partner[l] == unmatched) queue.push_back(l);
    }
    bool can_grow = false;
    for (std::size_t head = 0; head < queue.size(); ++head)
      for (std::size_t r : neighbours[queue[head]]) {
        const std::size_t l = holder[r];
        if (l == unmatched) {
          can_grow = true;
        } else if (layer[l] == unmatched) {
          layer[l] = layer[queue[head]] + 1;
          queue.push_back(l);
        }
      }
    if (!can_grow) return partner;

    // Paths that share no member, each followed from layer to layer; a path that ends at a free one is turned
    // over.
    next.assign(left_count, 0);
    for (std::size_t start = 0; start < left_count; ++start) {
      if (partner[start] != unmatched) continue;
      path.assign(1, start);
      while (!path.empty()) {
        const std::size_t l = path.back();
        if (next[l] == neighbours[l].size()) {
          layer[l] = unmatched;
          path.pop_back();
          if (!path.empty()) ++next[path.back()];
          continue;
        }
        const std::size_t r = neighbours[l][next[l]], other = holder[r];
        if (other == unmatched) {
          for (std::size_t on_path : path) {
            const std::size_t taken = neighbours[on_path][next[on_path]];
            partner[on_path] = taken;
            holder[taken] = on_path;
            layer[on_path] = unmatched;
          }
          break;
        }
        if (layer[other] == layer[l] + 1)
          path.push_back(other);
        else
          ++next[l];
      }
    }
  }
}

}  // namespace imu2music::inline v0
