// The spatial half of an ST-GCN block (Yan, Xiong, Lin 2018, arXiv:1801.07455): a 1x1 convolution to K groups
// of channels, and the sum over the K partitions of the skeleton's adjacency, each edge weighted by its
// learnt importance.
#pragma once

#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/conv.hpp"
#include "imu2music/nn/module.hpp"
#include "imu2music/ops/graph_conv.hpp"
#include "imu2music/ops/multiply.hpp"

namespace imu2music::inline v0 {

template <class T>
struct GraphConv {
  Conv2d<T> conv;
  Parameter<T> edge_importance;  // [K, V, V]; the state_dict keeps it apart from `conv`

  GraphConv() = default;
  GraphConv(std::int64_t inputs, std::int64_t outputs, std::int64_t K, std::int64_t V)
      : conv(inputs, K * outputs, 1, 1), edge_importance({K, V, V}, Initializer::constant(1)) {}

  // activation(norm(...)) of x: [N, C, T, V]; A: [K, V, V].
  template <class V>
  V forward(Context& context, const V& x, const Tensor<T>& A, const BatchNorm<T>& norm,
            Activation activation) const {
    if constexpr (records<V>) {
      const V weighted = multiply(context, parameter<V>(context, edge_importance.value), A);
      return norm.forward(context, graph_conv(context, conv.forward(context, x), weighted), activation);
    } else {
      const Tensor<T> weighted = multiply(context, A, edge_importance.value);
      const Tensor<T> map = norm.affine(context);
      const std::int64_t channels = norm.weight.shape[0];
      return graph_conv(context, conv.forward(context, x), weighted, map.slice(0, 1).reshape({channels}),
                        map.slice(1, 1).reshape({channels}), activation);
    }
  }
};

}  // namespace imu2music::inline v0
