#include "imu2music/nn/graph_conv.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "random.hpp"

using namespace imu2music;

namespace {

// Values exact in float, so that the module is the same in both types.
template <class T>
Tensor<T> values(const Shape& shape, std::uint64_t seed) {
  const Tensor<float> source = test::random_tensor<float>(shape, seed);
  Tensor<T> result(shape);
  for (std::int64_t n = 0; n < source.size(); ++n) result[n] = static_cast<T>(source[n]);
  return result;
}

constexpr std::int64_t N = 2, inputs = 4, outputs = 3, K = 3, T = 6;

template <class Scalar>
Tensor<Scalar> module_result(std::int64_t V, Activation activation) {
  GraphConv<Scalar> layer(inputs, outputs, K, V);
  BatchNorm<Scalar> norm(outputs);
  layer.conv.weight.value = values<Scalar>(layer.conv.weight.shape, 1);
  layer.conv.bias.value = values<Scalar>(layer.conv.bias.shape, 2);
  layer.edge_importance.value = values<Scalar>(layer.edge_importance.shape, 3);
  norm.weight.value = values<Scalar>({outputs}, 4);
  norm.bias.value = values<Scalar>({outputs}, 5);
  norm.running_mean.value = values<Scalar>({outputs}, 6);
  norm.running_var.value = values<Scalar>({outputs}, 7);
  for (Scalar& variance : norm.running_var.value.values()) variance = std::abs(variance) + Scalar(0.5);
  Context context(2);
  return layer.forward(context, values<Scalar>({N, inputs, T, V}, 8), values<Scalar>({K, V, V}, 9), norm,
                       activation);
}

// The definition, edge by edge.
Tensor<double> plain_result(std::int64_t V, bool relu) {
  const auto weight = values<double>({K * outputs, inputs}, 1), bias = values<double>({K * outputs}, 2),
             importance = values<double>({K, V, V}, 3), gamma = values<double>({outputs}, 4),
             beta = values<double>({outputs}, 5), mean = values<double>({outputs}, 6),
             variance = values<double>({outputs}, 7), x = values<double>({N, inputs, T, V}, 8),
             A = values<double>({K, V, V}, 9);
  Tensor<double> y({N, outputs, T, V});
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t c = 0; c < outputs; ++c)
      for (std::int64_t t = 0; t < T; ++t)
        for (std::int64_t w = 0; w < V; ++w) {
          double sum = 0;
          for (std::int64_t k = 0; k < K; ++k)
            for (std::int64_t v = 0; v < V; ++v) {
              double mapped = bias[k * outputs + c];
              for (std::int64_t i = 0; i < inputs; ++i)
                mapped += weight[(k * outputs + c) * inputs + i] * x[((n * inputs + i) * T + t) * V + v];
              sum += mapped * A[(k * V + v) * V + w] * importance[(k * V + v) * V + w];
            }
          const double normed =
              (sum - mean[c]) / std::sqrt(std::abs(variance[c]) + 0.5 + 1e-5) * gamma[c] + beta[c];
          y[((n * outputs + c) * T + t) * V + w] = relu && normed < 0 ? 0 : normed;
        }
  return y;
}

}  // namespace

TEST_CASE("a graph convolution is its definition, edge by edge, in double and in float") {
  for (std::int64_t V : {1, 5, 17, 25})
    for (const bool relu : {false, true}) {
      CAPTURE(V);
      const Activation activation = relu ? Activation::relu : Activation::none;
      const auto y = module_result<double>(V, activation);
      const auto single = module_result<float>(V, activation);
      const auto wanted = plain_result(V, relu);
      REQUIRE(y.shape() == Shape{N, outputs, T, V});
      REQUIRE(single.shape() == y.shape());
      for (std::int64_t n = 0; n < y.size(); ++n) {
        CHECK(std::abs(y[n] - wanted[n]) < 1e-12 * (1 + std::abs(wanted[n])));
        CHECK(std::abs(single[n] - wanted[n]) < 2e-5 * (1 + std::abs(wanted[n])));
      }
    }
}

TEST_CASE("an edge of no importance carries nothing") {
  GraphConv<double> layer(1, 1, 1, 2);
  BatchNorm<double> norm(1);
  const auto one = [](const Shape& shape) {
    Tensor<double> tensor(shape);
    for (double& value : tensor.values()) value = 1;
    return tensor;
  };
  layer.conv.weight.value = one(layer.conv.weight.shape);
  layer.conv.bias.value = Tensor<double>({1});
  layer.edge_importance.value = one({1, 2, 2});
  layer.edge_importance.value[1] = 0;  // from node 0 to node 1
  norm.weight.value = one({1}), norm.bias.value = Tensor<double>({1});
  norm.running_mean.value = Tensor<double>({1}), norm.running_var.value = one({1});
  norm.eps = 0;
  Tensor<double> x({1, 1, 1, 2});
  x[0] = 3, x[1] = 5;
  Context context;
  const auto y = layer.forward(context, x, one({1, 2, 2}), norm, Activation::none);
  CHECK(y[0] == 8);
  CHECK(y[1] == 5);
}
