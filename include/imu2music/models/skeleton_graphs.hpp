// The skeletons that the pose encoder knows, and their adjacency split in three.
//
//   body25  25 nodes (OpenPose BODY_25), 3 values a node (x, y, confidence), centre 1, the neck
//   hands   two hands of 21 nodes each, not connected, 2 values a node, centre 0, the first wrist
//   body65  body25, the left hand on wrist 7 (its other nodes are 25 to 44) and the right hand on wrist 4
//           (45 to 64), 3 values a node, centre 1
//
// With D the column sums of the adjacency with self loops, A = adjacency D^-1 is split by how far a node v is
// from the centre beside its neighbour w (distance 0, 1, or "further", where all that is further counts as
// equally far):
//
//   A[0][v][w]: v = w          A[1][v][w]: v not nearer to the centre than w          A[2][v][w]: v nearer
//
// Source: the spatial partition of Yan, Xiong, Lin 2018 (arXiv:1801.07455, section 3.3) with the distance
// cut off at one hop, as the published weights have it.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

struct SkeletonGraph {
  std::int64_t nodes = 0;     // V
  std::int64_t channels = 0;  // C, values a node
  std::int64_t centre = 0;
  std::vector<std::pair<int, int>> edges;
};

// Throws Error for a layout that is not known.
inline SkeletonGraph skeleton_graph(std::string_view layout) {
  // A hand: five fingers of four nodes each, all starting at the wrist; `first` is the node after it.
  const auto add_hand = [](SkeletonGraph& graph, int wrist, int first) {
    for (int finger = 0; finger < 5; ++finger)
      for (int joint = 0, from = wrist; joint < 4; ++joint) {
        const int to = first + 4 * finger + joint;
        graph.edges.emplace_back(from, to);
        from = to;
      }
  };
  if (layout == "hands") {
    SkeletonGraph graph{42, 2, 0, {}};
    add_hand(graph, 0, 1);
    add_hand(graph, 21, 22);
    return graph;
  }
  if (layout != "body25" && layout != "body65")
    throw Error("[skeleton_graph] there is no layout " + std::string(layout));
  SkeletonGraph graph{
      25, 3, 1, {{1, 8},  {1, 2},   {1, 5},   {2, 3},   {3, 4},   {5, 6},   {6, 7},   {8, 9},
                 {9, 10}, {10, 11}, {8, 12},  {12, 13}, {13, 14}, {1, 0},   {0, 15},  {15, 17},
                 {0, 16}, {16, 18}, {14, 19}, {19, 20}, {14, 21}, {11, 22}, {22, 23}, {11, 24}}};
  if (layout == "body65") {
    graph.nodes = 65;
    add_hand(graph, 7, 25);
    add_hand(graph, 4, 45);
  }
  return graph;
}

// The layout with so many nodes; empty where there is none.
inline const char* layout_of(std::int64_t nodes) {
  return nodes == 25 ? "body25" : nodes == 42 ? "hands" : nodes == 65 ? "body65" : "";
}

// A: [3, V, V].
template <class T>
Tensor<T> partitioned_adjacency(const SkeletonGraph& graph) {
  const std::int64_t V = graph.nodes;
  Tensor<double> adjacency({V, V});
  for (std::int64_t v = 0; v < V; ++v) adjacency[v * V + v] = 1;
  for (const auto& [a, b] : graph.edges) adjacency[a * V + b] = adjacency[b * V + a] = 1;
  const auto distance = [&](std::int64_t v) {
    return v == graph.centre ? 0 : adjacency[v * V + graph.centre] != 0 ? 1 : 2;
  };
  Tensor<T> A({3, V, V});
  for (std::int64_t w = 0; w < V; ++w) {
    double degree = 0;
    for (std::int64_t v = 0; v < V; ++v) degree += adjacency[v * V + w];
    for (std::int64_t v = 0; v < V; ++v) {
      const int part = v == w ? 0 : distance(v) >= distance(w) ? 1 : 2;
      A[(part * V + v) * V + w] = static_cast<T>(adjacency[v * V + w] / degree);
    }
  }
  return A;
}

}  // namespace imu2music::inline v0
