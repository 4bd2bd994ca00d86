// Foley Music's pose encoder, ST-GCN: body and hand keypoints become memory tokens.
//
//   input   [B, C, T, V, M]: values a node, frames, nodes, persons
//   norm    BatchNorm1d over (node, value) pairs, channel v C + c, of each person
//   blocks  the first `layers` of ten: C→64 (no residual); 64→64 three times; 64→128, 128→128 twice; 128→256,
//           256→256 twice; the first of 128 and of 256 with stride 2 in time. A block: graph convolution, BN,
//           ReLU, (9, 1) convolution padded by 4 in time, BN, plus the residual (1x1 convolution and BN where
//           shapes change), ReLU
//   output  mean over nodes, then persons; 1x1 convolution to D → [B, S, D], S = T, T/2 or T/4 rounded up
//
// In training mode dropout follows the second norm of every block but the first. Throws ShapeError for an
// input of another shape. Sources: Gan et al. 2020,
// Foley Music (arXiv:2007.10984, section 3.2); Yan, Xiong, Lin 2018 (arXiv:1801.07455).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/models/skeleton_graphs.hpp"
#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/conv.hpp"
#include "imu2music/nn/graph_conv.hpp"
#include "imu2music/ops/add.hpp"
#include "imu2music/ops/mean.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

template <class T>
struct StGcnBlock {
  enum class Residual { none, identity, conv };

  GraphConv<T> gcn;
  BatchNorm<T> tcn_norm_in, tcn_norm_out;
  Conv2d<T> tcn_conv;
  Residual residual = Residual::identity;
  Conv2d<T> residual_conv;
  BatchNorm<T> residual_norm;

  StGcnBlock(std::int64_t inputs, std::int64_t outputs, std::int64_t stride, bool first, std::int64_t V)
      : gcn(inputs, outputs, 3, V),
        tcn_norm_in(outputs),
        tcn_norm_out(outputs),
        tcn_conv(outputs, outputs, 9, 1, {.stride_h = stride, .pad_h = 4}) {
    if (first) {
      residual = Residual::none;
    } else if (inputs != outputs || stride != 1) {
      residual = Residual::conv;
      residual_conv = Conv2d<T>(inputs, outputs, 1, 1, {.stride_h = stride});
      residual_norm = BatchNorm<T>(outputs);
    }
  }

  // x: [N, inputs, T, V] → [N, outputs, T / stride, V].
  template <class V>
  V forward(Context& context, const V& x, const Tensor<T>& A) const {
    const V spatial = gcn.forward(context, x, A, tcn_norm_in, Activation::relu);
    if (residual == Residual::none) return tcn_conv.forward(context, spatial, tcn_norm_out, Activation::relu);
    const V temporal = dropout(context, tcn_conv.forward(context, spatial, tcn_norm_out, Activation::none),
                               DropoutPlace::encoder);
    return add(context, temporal,
               residual == Residual::identity
                   ? x
                   : residual_conv.forward(context, x, residual_norm, Activation::none),
               Activation::relu);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    gcn.conv.visit(visitor, prefix + "gcn.conv.");
    tcn_norm_in.visit(visitor, prefix + "tcn.0.");
    tcn_conv.visit(visitor, prefix + "tcn.2.");
    tcn_norm_out.visit(visitor, prefix + "tcn.3.");
    if (residual != Residual::conv) return;
    residual_conv.visit(visitor, prefix + "residual.0.");
    residual_norm.visit(visitor, prefix + "residual.1.");
  }
};

template <class T>
struct PoseEncoder {
  static constexpr int most_layers = 10;

  SkeletonGraph graph;
  Parameter<T> A;  // [3, V, V]
  BatchNorm<T> data_bn;
  std::vector<StGcnBlock<T>> blocks;
  Conv2d<T> fcn;

  PoseEncoder() = default;
  PoseEncoder(std::int64_t D, const std::string& layout, int layers) : graph(skeleton_graph(layout)) {
    const std::int64_t V = graph.nodes;
    A = Parameter<T>::buffer({3, V, V}, 0);
    A.formula = &adjacency;
    data_bn = BatchNorm<T>(V * graph.channels);
    std::int64_t width = graph.channels;
    for (int i = 0; i < layers && i < most_layers; ++i) {
      const std::int64_t outputs = i < 4 ? 64 : i < 7 ? 128 : 256;
      blocks.emplace_back(width, outputs, i == 4 || i == 7 ? 2 : 1, i == 0, V);
      width = outputs;
    }
    fcn = Conv2d<T>(width, D, 1, 1);
  }

  bool takes(const Shape& input) const {
    return input.rank() == 5 && input[0] >= 1 && input[1] == graph.channels && input[2] >= 1 &&
           input[3] == graph.nodes && input[4] >= 1;
  }
  std::string wanted() const {
    return "(B, " + std::to_string(graph.channels) + ", T, " + std::to_string(graph.nodes) +
           ", M): values, frames, nodes, persons";
  }

  // input: [B, C, T, V, M] → [B, S, D].
  template <class V>
  V forward(Context& context, const V& input) const {
    detail::require(takes(input.shape()), "pose_encoder",
                    [&] { return "the input must be " + wanted() + "; not " + input.shape().to_string(); });
    const std::int64_t B = input.dim(0), C = input.dim(1), frames = input.dim(2), nodes = input.dim(3),
                       M = input.dim(4);
    V x = permute(context, input, {0, 4, 3, 1, 2}).reshape({B * M, nodes * C, frames});
    x = data_bn.forward(context, x).reshape({B * M, nodes, C, frames});
    x = permute(context, x, {0, 2, 3, 1});
    for (const StGcnBlock<T>& block : blocks) x = block.forward(context, x, A.value);
    const std::int64_t width = x.dim(1), S = x.dim(2);
    x = mean(context, x).reshape({B, M, width, S});
    x = mean(context, permute(context, x, {0, 2, 3, 1})).reshape({B, width, S, 1});
    x = fcn.forward(context, x);  // [B, D, S, 1]
    return permute(context, x.reshape({B, x.dim(1), S}), {0, 2, 1});
  }

  // The adjacency of the skeleton with so many nodes.
  static Tensor<T> adjacency(const Shape& shape) {
    return partitioned_adjacency<T>(skeleton_graph(layout_of(shape[1])));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "A", A);
    data_bn.visit(visitor, prefix + "data_bn.");
    for (std::size_t i = 0; i < blocks.size(); ++i)
      blocks[i].visit(visitor, prefix + "st_gcn_networks." + std::to_string(i) + ".");
    for (std::size_t i = 0; i < blocks.size(); ++i)
      visitor(prefix + "edge_importance." + std::to_string(i), blocks[i].gcn.edge_importance);
    fcn.visit(visitor, prefix + "fcn.");
  }
};

}  // namespace imu2music::inline v0
