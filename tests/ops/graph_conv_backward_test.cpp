#include "imu2music/ops/graph_conv_backward.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "imu2music/ops/graph_conv.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("the gradients of graph_conv are those of differences, and that of A is added to") {
  Context context(2);
  for (std::int64_t V : {1, 4, 9}) {
    const std::int64_t N = 2, K = 3, C = 2, T = 3;
    auto x = test::random_tensor<double>({N, K * C, T, V}, 1), A = test::random_tensor<double>({K, V, V}, 2);
    const auto dy = test::random_tensor<double>({N, C, T, V}, 3);
    const auto loss = [&] { return test::inner_product(graph_conv(context, x, A, {}, {}), dy); };
    const auto dx = graph_conv_backward_input(context, dy, A);
    CHECK(dx.shape() == x.shape());
    test::check_gradient(x, dx, loss);
    Tensor<double> dA({K, V, V});
    std::fill_n(dA.data(), dA.size(), 10.0);
    graph_conv_backward_weight(context, dy, x, dA);
    test::check_gradient(A, dA, loss, 1e-7, 10);
  }
}

TEST_CASE("the gradients of graph_conv have the same bits for any number of threads") {
  const std::int64_t N = 3, K = 2, C = 9, T = 50, V = 13;  // more than one stretch of frames
  const auto x = test::random_tensor<float>({N, K * C, T, V}, 1),
             A = test::random_tensor<float>({K, V, V}, 2), dy = test::random_tensor<float>({N, C, T, V}, 3);
  Context one(1);
  Tensor<float> dA({K, V, V});
  graph_conv_backward_weight(one, dy, x, dA);
  const auto dx = graph_conv_backward_input(one, dy, A);
  for (std::int64_t row = 0; row < K * V; row += 5)
    for (std::int64_t w = 0; w < V; w += 3) {
      double sum = 0;
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t f = 0; f < C * T; ++f)
          sum += double(x[((n * K + row / V) * C * T + f) * V + row % V]) * dy[(n * C * T + f) * V + w];
      CHECK(dA[row * V + w] == doctest::Approx(sum).epsilon(1e-4));
    }
  for (int threads : {2, 3, 7}) {
    Context several(threads);
    Tensor<float> again({K, V, V});
    graph_conv_backward_weight(several, dy, x, again);
    CHECK(std::memcmp(again.data(), dA.data(), sizeof(float) * std::size_t(dA.size())) == 0);
    const auto dx_again = graph_conv_backward_input(several, dy, A);
    CHECK(std::memcmp(dx_again.data(), dx.data(), sizeof(float) * std::size_t(dx.size())) == 0);
  }
}

TEST_CASE("the gradients of graph_conv refuse what does not fit") {
  Context context;
  const Tensor<float> dy({2, 3, 4, 5}), A({2, 5, 5}), x({2, 6, 4, 5});
  Tensor<float> dA({2, 5, 5}), wrong({2, 4, 4});
  CHECK_THROWS_AS(graph_conv_backward_input(context, dy, wrong), ShapeError);
  CHECK_THROWS_AS(graph_conv_backward_input(context, Tensor<float>({2, 3, 5}), A), ShapeError);
  CHECK_THROWS_AS(graph_conv_backward_weight(context, dy, x, wrong), ShapeError);
  CHECK_THROWS_AS(graph_conv_backward_weight(context, dy, dy, dA), ShapeError);
}
