#include "imu2music/models/pose_encoder.hpp"

#include <doctest/doctest.h>

#include <set>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("the skeletons are as described: nodes, edges, and hands that hang on their wrists") {
  CHECK(skeleton_graph("body25").edges.size() == 24);
  CHECK(skeleton_graph("hands").edges.size() == 40);
  const SkeletonGraph body65 = skeleton_graph("body65");
  CHECK(body65.edges.size() == 64);
  std::set<std::pair<int, int>> edges(body65.edges.begin(), body65.edges.end());
  for (const std::pair<int, int>& edge : {std::pair{7, 25}, {25, 26}, {7, 41}, {43, 44}, {4, 45}, {63, 64}})
    CHECK(edges.count(edge) == 1);
  for (const char* layout : {"body25", "hands", "body65"}) {
    const SkeletonGraph graph = skeleton_graph(layout);
    CHECK(std::string(layout_of(graph.nodes)) == layout);
    for (const auto& [a, b] : graph.edges) CHECK((a >= 0 && b >= 0 && a < graph.nodes && b < graph.nodes));
  }
  CHECK_THROWS_AS(skeleton_graph("feet"), Error);
}

TEST_CASE("the columns of the adjacency's parts sum to one, and its edges fall in the right part") {
  const auto A = partitioned_adjacency<double>(skeleton_graph("body25"));
  const auto at = [&](int k, int v, int w) { return A[(k * 25 + v) * 25 + w]; };
  for (int w = 0; w < 25; ++w) {
    double sum = 0;
    for (int k = 0; k < 3; ++k)
      for (int v = 0; v < 25; ++v) sum += at(k, v, w);
    CHECK(sum == doctest::Approx(1));
  }
  CHECK(at(0, 1, 1) == doctest::Approx(1.0 / 5));  // the neck: itself, 8, 2, 5, 0
  CHECK(at(2, 1, 8) == doctest::Approx(1.0 / 4));  // the centre is nearer than 8, which has four neighbours
  CHECK(at(1, 8, 1) == doctest::Approx(1.0 / 5));
  CHECK(at(1, 3, 4) == doctest::Approx(1.0 / 2));  // both are beyond one hop: equally far
  CHECK(at(1, 4, 3) == doctest::Approx(1.0 / 3));
  CHECK(at(2, 3, 4) == 0);
  CHECK(at(0, 3, 4) == 0);
}

TEST_CASE("persons are averaged, time is halved twice, and other shapes are refused") {
  PoseEncoder<float> encoder(8, "hands", 8);
  std::uint64_t stream = 0;
  const auto initialise = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) entry.initialize(Philox(3, stream++));
  };
  encoder.visit(initialise, "pose_net.");
  Context one(1), two(2);
  const auto single = test::random_tensor<float>({1, 2, 9, 42, 1}, 1);
  Tensor<float> pair({1, 2, 9, 42, 2});
  for (std::int64_t n = 0; n < single.size(); ++n) pair[2 * n] = pair[2 * n + 1] = single[n];
  const auto a = encoder.forward(one, single), b = encoder.forward(two, pair);
  CHECK(a.shape() == Shape{1, 3, 8});
  for (std::int64_t n = 0; n < a.size(); ++n) CHECK(a[n] == doctest::Approx(b[n]).epsilon(1e-5));
  CHECK_THROWS_WITH_AS(
      encoder.forward(one, Tensor<float>({1, 3, 9, 25, 1})),
      "[pose_encoder] the input must be (B, 2, T, 42, M): values, frames, nodes, persons; not "
      "(1, 3, 9, 25, 1)",
      ShapeError);
}
