#include "cpu/graph_conv_backward.hpp"

#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::GraphConvBackwardArguments;
using kernels::GraphConvBackwardKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

struct Sizes {
  std::int64_t N, K, frames, V;
};

}  // namespace

TEST_CASE("graph convolution backward: the scalar column is the definition and adds") {
  auto table = kernels::make_table<GraphConvBackwardKernels<double>>(Isa::scalar);
  for (std::int64_t V : {5, 11}) {
    const std::int64_t N = 2, K = 3, frames = 2 * kernels::graph_conv_stretch + 3;
    const auto x = test::some_numbers<double>(N * K * frames * V, 1),
               dy = test::some_numbers<double>(N * frames * V, 2);
    std::vector<double> dA(at(K * V * V), 7.0);
    GraphConvBackwardArguments<double> a;
    a.x = x.data(), a.dy = dy.data(), a.dA = dA.data(), a.N = N, a.K = K, a.V = V, a.frames = frames;
    table.weight(context, a, 0, K * V);
    for (std::int64_t i = 0; i < K * V * V; ++i) {
      const std::int64_t w = i % V, v = i / V % V, k = i / V / V;
      double sum = 7;
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t f = 0; f < frames; ++f)
          sum += x[at(((n * K + k) * frames + f) * V + v)] * dy[at((n * frames + f) * V + w)];
      CHECK(dA[at(i)] == doctest::Approx(sum).epsilon(1e-12));
    }
  }
}

TEST_CASE("graph convolution backward: every column agrees with the scalar one in double") {
  auto truth = kernels::make_table<GraphConvBackwardKernels<double>>(Isa::scalar);
  std::vector<Sizes> cases;
  for (std::int64_t V = 1; V <= 70; ++V) cases.push_back({2, 2, 5, V});
  for (std::int64_t frames : {1, 127, 128, 129, 256, 300}) cases.push_back({2, 3, frames, 19});
  cases.push_back({1, 1, 7, 81});
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<GraphConvBackwardKernels<float>>(isa);
    for (const Sizes& size : cases)
      for (std::int64_t offset : {0, 1}) {
        const std::int64_t N = size.N, K = size.K, frames = size.frames, V = size.V, rows = K * V;
        INFO(std::string(name_of(isa)) << ", N = " << N << ", K = " << K << ", frames = " << frames
                                       << ", V = " << V << ", offset " << offset);
        test::Numbers numbers(static_cast<std::uint64_t>(V * 1000 + frames));
        test::GuardedBuffer<float> x(N * K * frames * V, offset, numbers),
            dy(N * frames * V, offset, numbers), dA(rows * V, offset, numbers), parts(rows * V, offset);
        const std::vector<double> xd(x.data(), x.data() + x.size()), dyd(dy.data(), dy.data() + dy.size());
        std::vector<double> dAd(dA.data(), dA.data() + dA.size());
        const std::vector<float> before(dA.data(), dA.data() + dA.size());
        GraphConvBackwardArguments<double> d;
        d.x = xd.data(), d.dy = dyd.data(), d.dA = dAd.data(), d.N = N, d.K = K, d.V = V, d.frames = frames;
        truth.weight(context, d, 0, rows);
        GraphConvBackwardArguments<float> a;
        a.x = x.data(), a.dy = dy.data(), a.dA = dA.data(), a.N = N, a.K = K, a.V = V, a.frames = frames;
        table.weight(context, a, 0, rows);
        CHECK(test::max_difference(dA.data(), dAd.data(), rows * V) < 1e-5);
        CHECK(dA.guards_intact());
        // Any two parts give the same bits, and add to what is there.
        a.dA = parts.data();
        for (std::int64_t split : {rows / 2, rows / 3, rows - 1}) {
          for (std::int64_t i = 0; i < rows * V; ++i) parts[i] = before[at(i)];
          table.weight(context, a, split, rows);
          CHECK(test::same_bits(parts.data(), before.data(), split * V));
          table.weight(context, a, 0, split);
          CHECK(test::same_bits(parts.data(), dA.data(), rows * V));
        }
        CHECK(parts.guards_intact());
      }
  }
}

TEST_CASE("graph convolution backward: no column reads past its operands") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<GraphConvBackwardKernels<float>>(isa);
    for (std::int64_t V : {1, 7, 9, 17, 25, 33})
      for (test::Edge edge : {test::Edge::before, test::Edge::after}) {
        const std::int64_t K = 2, frames = 5;
        test::EdgeBuffer<float> x(test::some_numbers<float>(K * frames * V, 1), edge),
            dy(test::some_numbers<float>(frames * V, 2), edge), dA(std::vector<float>(at(K * V * V)), edge);
        GraphConvBackwardArguments<float> a;
        a.x = x.data(), a.dy = dy.data(), a.dA = dA.data(), a.N = 1, a.K = K, a.V = V, a.frames = frames;
        table.weight(context, a, 0, K * V);
        double sum = 0;
        for (std::int64_t f = 0; f < frames; ++f)
          sum += double(x[(frames + f) * V + V - 1]) * dy[f * V + V - 1];
        CHECK(dA[K * V * V - 1] == doctest::Approx(sum).epsilon(1e-4));
      }
  }
}
