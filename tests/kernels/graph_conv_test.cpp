#include "cpu/graph_conv.hpp"

#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::GraphConvArguments;
using kernels::GraphConvKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

struct Sizes {
  std::int64_t N, K, C, frames, V;
};

}  // namespace

TEST_CASE("graph convolution: the scalar column is the definition") {
  auto table = kernels::make_table<GraphConvKernels<double>>(Isa::scalar);
  const std::int64_t N = 2, K = 3, C = 2, T = 3, V = 5;
  const auto x = test::some_numbers<double>(N * K * C * T * V, 1),
             A = test::some_numbers<double>(K * V * V, 2), scale = test::some_numbers<double>(C, 3),
             shift = test::some_numbers<double>(C, 4);
  std::vector<double> y(at(N * C * T * V));
  GraphConvArguments<double> a;
  a.x = x.data(), a.A = A.data(), a.scale = scale.data(), a.shift = shift.data(), a.y = y.data();
  a.K = K, a.C = C, a.frames = T, a.V = V, a.activation = Activation::leaky_relu, a.slope = 0.25;
  table.forward(context, a, 0, N * C);
  for (std::int64_t i = 0; i < N * C * T * V; ++i) {
    const std::int64_t w = i % V, t = i / V % T, c = i / V / T % C, n = i / V / T / C;
    double sum = 0;
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t v = 0; v < V; ++v)
        sum += x[at((((n * K + k) * C + c) * T + t) * V + v)] * A[at((k * V + v) * V + w)];
    sum = sum * scale[at(c)] + shift[at(c)];
    CHECK(y[at(i)] == doctest::Approx(sum > 0 ? sum : 0.25 * sum).epsilon(1e-13));
  }
}

TEST_CASE("graph convolution: every column agrees with the scalar one in double, for any skeleton") {
  auto truth = kernels::make_table<GraphConvKernels<double>>(Isa::scalar);
  std::vector<Sizes> cases;
  for (std::int64_t V = 1; V <= 70; ++V) cases.push_back({2, 2, 2, 5, V});
  for (std::int64_t frames = 1; frames <= 18; ++frames) cases.push_back({1, 1, 2, frames, 17});
  cases.push_back({2, 3, 3, 71, 25});
  cases.push_back({1, 3, 2, 65, 81});
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<GraphConvKernels<float>>(isa);
    for (const Sizes& size : cases)
      for (std::int64_t offset : {0, 1}) {
        const std::int64_t N = size.N, K = size.K, C = size.C, T = size.frames, V = size.V;
        INFO(std::string(name_of(isa)) << ", N = " << N << ", K = " << K << ", C = " << C << ", T = " << T
                                       << ", V = " << V << ", offset " << offset);
        test::Numbers numbers(static_cast<std::uint64_t>(V * 100 + T));
        test::GuardedBuffer<float> x(N * K * C * T * V, offset, numbers), A(K * V * V, offset, numbers),
            scale(C, offset, numbers), shift(C, offset, numbers), y(N * C * T * V, offset);
        const std::vector<double> xd(x.data(), x.data() + x.size()), Ad(A.data(), A.data() + A.size()),
            scale_d(scale.data(), scale.data() + C), shift_d(shift.data(), shift.data() + C);
        std::vector<double> yd(at(y.size()));
        for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
          const bool normed = activation != Activation::none;
          GraphConvArguments<double> d;
          d.x = xd.data(), d.A = Ad.data(), d.y = yd.data();
          d.scale = normed ? scale_d.data() : nullptr, d.shift = normed ? shift_d.data() : nullptr;
          d.K = K, d.C = C, d.frames = T, d.V = V, d.activation = activation, d.slope = 0.5;
          truth.forward(context, d, 0, N * C);
          GraphConvArguments<float> a;
          a.x = x.data(), a.A = A.data(), a.y = y.data();
          a.scale = normed ? scale.data() : nullptr, a.shift = normed ? shift.data() : nullptr;
          a.K = K, a.C = C, a.frames = T, a.V = V, a.activation = activation, a.slope = 0.5f;
          table.forward(context, a, 0, N * C);
          CHECK(test::max_difference(y.data(), yd.data(), y.size()) < 1e-5);
          CHECK(y.guards_intact());
          // Any two parts give the same bits.
          for (std::int64_t split = 1; split < N * C; ++split) {
            test::GuardedBuffer<float> parts(y.size(), offset);
            a.y = parts.data();
            table.forward(context, a, split, N * C);
            CHECK(parts[split * T * V - 1] == parts[0]);  // untouched so far
            table.forward(context, a, 0, split);
            CHECK(test::same_bits(parts.data(), y.data(), y.size()));
          }
        }
      }
  }
}

TEST_CASE("graph convolution: no column reads past its operands") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<GraphConvKernels<float>>(isa);
    for (std::int64_t V : {1, 7, 9, 17, 25, 33})
      for (test::Edge edge : {test::Edge::before, test::Edge::after}) {
        const std::int64_t K = 2, C = 2, T = 9;
        test::EdgeBuffer<float> x(test::some_numbers<float>(K * C * T * V, 1), edge),
            A(test::some_numbers<float>(K * V * V, 2), edge), y(C * T * V, edge);
        GraphConvArguments<float> a;
        a.x = x.data(), a.A = A.data(), a.y = y.data();
        a.K = K, a.C = C, a.frames = T, a.V = V;
        table.forward(context, a, 0, C);
        double sum = 0;
        for (std::int64_t k = 0; k < K; ++k)
          for (std::int64_t v = 0; v < V; ++v)
            sum += double(x[((k * C + 1) * T + T - 1) * V + v]) * A[(k * V + v) * V + V - 1];
        CHECK(y[C * T * V - 1] == doctest::Approx(sum).epsilon(1e-4));
      }
  }
}
