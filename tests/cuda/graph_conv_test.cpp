// kernels/cuda/graph_conv.cuh and graph_conv_backward.cuh beside the CPU.
#include "imu2music/ops/graph_conv.hpp"

#include <utility>

#include "cuda/on_device.hpp"
#include "imu2music/ops/graph_conv_backward.hpp"

using namespace imu2music;

namespace {

struct Sizes {
  std::int64_t N, K, C, frames, V;
};

// Every number of nodes around a warp, a tile of nodes and a tile of the adjacency's gradient; the skeletons'
// 25, 42 and 65; rows that fill their tile, and not.
constexpr Sizes cases[] = {{1, 1, 1, 1, 1},   {2, 3, 2, 5, 2},   {1, 2, 4, 16, 3},  {2, 3, 3, 7, 25},
                           {1, 1, 5, 13, 31}, {2, 2, 2, 16, 32}, {1, 3, 3, 11, 33}, {1, 3, 2, 9, 42},
                           {1, 2, 1, 20, 48}, {1, 2, 1, 20, 49}, {1, 2, 3, 5, 64},  {1, 3, 2, 6, 65},
                           {1, 1, 2, 5, 80},  {1, 2, 1, 3, 97}};

std::string said(const Sizes& s) { return Shape{s.N, s.K, s.C, s.frames, s.V}.to_string(); }

}  // namespace

TEST_CASE("graph convolution on the device: every number of nodes, with and without a norm") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const Sizes& s : cases)
    for (const bool with_norm : {false, true}) {
      INFO(said(s) << ", norm " << with_norm);
      const auto x = test::numbers({s.N, s.K * s.C, s.frames, s.V}, 1), A = test::numbers({s.K, s.V, s.V}, 2);
      const auto scale = with_norm ? test::numbers({s.C}, 3) : Tensor<float>(),
                 shift = with_norm ? test::numbers({s.C}, 4) : Tensor<float>();
      const auto activation = with_norm ? Activation::relu : Activation::none;
      test::check_close(*context,
                        graph_conv(*context, on_device_of(*context, x), on_device_of(*context, A),
                                   on_device_of(*context, scale), on_device_of(*context, shift), activation),
                        graph_conv(cpu, x, A, scale, shift, activation));
    }
}

TEST_CASE("the gradients of graph convolution on the device; the adjacency's is added") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const Sizes& s : cases) {
    INFO(said(s));
    const auto x = test::numbers({s.N, s.K * s.C, s.frames, s.V}, 1), A = test::numbers({s.K, s.V, s.V}, 2),
               dy = test::numbers({s.N, s.C, s.frames, s.V}, 3);
    const auto dy_there = on_device_of(*context, dy);
    test::check_close(*context, graph_conv_backward_input(*context, dy_there, on_device_of(*context, A)),
                      graph_conv_backward_input(cpu, dy, A));
    auto dA = test::numbers(A.shape(), 4);
    auto there = on_device_of(*context, dA);
    graph_conv_backward_weight(*context, dy_there, on_device_of(*context, x), there);
    graph_conv_backward_weight(cpu, dy, x, dA);
    test::check_close(*context, there, dA);
  }
}

TEST_CASE("the adjacency's gradient over more rows than a part") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto x = test::numbers({3, 2 * 5, 83, 6}, 1), dy = test::numbers({3, 5, 83, 6}, 2);
  Tensor<float> dA({2, 6, 6});
  auto there = on_device_of(*context, dA);
  graph_conv_backward_weight(*context, on_device_of(*context, dy), on_device_of(*context, x), there);
  graph_conv_backward_weight(cpu, dy, x, dA);
  test::check_close(*context, there, dA, 2e-5);
}

TEST_CASE("a part of the planes, and of the adjacency's rows, leaves the others alone") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const std::int64_t N = 2, K = 2, C = 3, frames = 5, V = 7;
  const auto x = test::numbers({N, K * C, frames, V}, 1), A = test::numbers({K, V, V}, 2),
             dy = test::numbers({N, C, frames, V}, 3), before = test::numbers({N, C, frames, V}, 4);
  const auto x_there = on_device_of(*context, x), A_there = on_device_of(*context, A),
             dy_there = on_device_of(*context, dy);
  auto y = on_device_of(*context, before);
  kernels::GraphConvArguments<float> forward;
  forward.x = x_there.data(), forward.A = A_there.data(), forward.y = y.data();
  forward.K = K, forward.C = C, forward.frames = frames, forward.V = V;
  context->table<kernels::GraphConvKernels<float>>().forward(context->kernel(), forward, 1, 5);
  auto wanted = before.clone();
  const auto all = graph_conv(cpu, x, A, Tensor<float>(), Tensor<float>());
  std::copy_n(all.data() + frames * V, 4 * frames * V, wanted.data() + frames * V);
  test::check_close(*context, y, wanted);

  auto dA = test::numbers(A.shape(), 5), all_of_dA = dA.clone();
  auto dA_there = on_device_of(*context, dA);
  graph_conv_backward_weight(cpu, dy, x, all_of_dA);
  kernels::GraphConvBackwardArguments<float> backward;
  backward.x = x_there.data(), backward.dy = dy_there.data(), backward.dA = dA_there.data();
  backward.N = N, backward.K = K, backward.V = V, backward.frames = C * frames;
  const auto& table = context->table<kernels::GraphConvBackwardKernels<float>>();
  for (const auto& [first, last] : {std::pair<std::int64_t, std::int64_t>{5, 9}, {12, 14}, {3, 3}}) {
    table.weight(context->kernel(), backward, first, last);
    std::copy_n(all_of_dA.data() + first * V, (last - first) * V, dA.data() + first * V);
    test::check_close(*context, dA_there, dA);
  }
}
