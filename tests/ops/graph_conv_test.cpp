#include "imu2music/ops/graph_conv.hpp"

#include <doctest/doctest.h>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("graph_conv is its definition, with a norm and an activation after it") {
  Context context(2);
  for (std::int64_t V : {1, 7, 25}) {
    const std::int64_t N = 2, K = 3, C = 2, T = 4;
    const auto x = test::random_tensor<double>({N, K * C, T, V}, 1),
               A = test::random_tensor<double>({K, V, V}, 2), scale = test::random_tensor<double>({C}, 3),
               shift = test::random_tensor<double>({C}, 4);
    const auto y = graph_conv(context, x, A, scale, shift, Activation::relu);
    const auto plain = graph_conv(context, x, A, {}, {});
    REQUIRE(y.shape() == Shape{N, C, T, V});
    for (std::int64_t n = 0; n < N; ++n)
      for (std::int64_t c = 0; c < C; ++c)
        for (std::int64_t t = 0; t < T; ++t)
          for (std::int64_t w = 0; w < V; ++w) {
            double sum = 0;
            for (std::int64_t k = 0; k < K; ++k)
              for (std::int64_t v = 0; v < V; ++v)
                sum += x[((n * K * C + k * C + c) * T + t) * V + v] * A[(k * V + v) * V + w];
            const std::int64_t at = ((n * C + c) * T + t) * V + w;
            CHECK(plain[at] == doctest::Approx(sum).epsilon(1e-12));
            CHECK(y[at] == doctest::Approx(std::max(0.0, sum * scale[c] + shift[c])).epsilon(1e-12));
          }
  }
  CHECK_THROWS_AS(graph_conv(context, Tensor<float>({1, 6, 2, 5}), Tensor<float>({3, 4, 4}), {}, {}),
                  ShapeError);
  CHECK_THROWS_AS(graph_conv(context, Tensor<float>({1, 5, 2, 4}), Tensor<float>({3, 4, 4}), {}, {}),
                  ShapeError);
  CHECK_THROWS_AS(
      graph_conv(context, Tensor<float>({1, 6, 2, 4}), Tensor<float>({3, 4, 4}), Tensor<float>({2}), {}),
      ShapeError);
}
