#include "cpu/softmax_pool_backward.hpp"

#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::SoftmaxPoolBackwardArguments;
using kernels::SoftmaxPoolBackwardKernels;

namespace {
const kernels::Context context;
}

TEST_CASE("softmax pool backward: every column is the definition, at every count around the vectors'") {
  std::vector<std::int64_t> counts;
  for (std::int64_t N = 1; N <= 50; ++N) counts.push_back(N);
  counts.push_back(200);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SoftmaxPoolBackwardKernels<float>>(isa);
    for (std::int64_t N : counts)
      for (std::int64_t S : {1, 2, 9})
        for (std::int64_t offset : {0, 1}) {
          INFO(std::string(name_of(isa)) << ", N = " << N << ", S = " << S << ", offset " << offset);
          test::Numbers numbers(static_cast<std::uint64_t>(N));
          test::GuardedBuffer<float> scores(S * N, offset, numbers), v(S * N, offset, numbers), y(N, offset),
              dy(N, offset, numbers), dscores(S * N, offset), dv(S * N, offset);
          for (std::int64_t i = 0; i < S * N; ++i) scores[i] *= 8;
          std::vector<double> sums(static_cast<std::size_t>(N));
          for (std::int64_t n = 0; n < N; ++n) {
            double sum = 0, weighted = 0;
            for (std::int64_t s = 0; s < S; ++s) {
              sum += std::exp(double(scores[s * N + n]));
              weighted += std::exp(double(scores[s * N + n])) * double(v[s * N + n]);
            }
            y[n] = static_cast<float>(weighted / sum);
            sums[static_cast<std::size_t>(n)] = sum;
          }
          SoftmaxPoolBackwardArguments<float> a;
          a.dy = dy.data(), a.scores = scores.data(), a.v = v.data(), a.y = y.data();
          a.dscores = dscores.data(), a.dv = dv.data(), a.S = S, a.N = N;
          table.backward(context, a, 0, N);
          for (std::int64_t i = 0; i < S * N; ++i) {
            const std::int64_t n = i % N;
            const double p = std::exp(double(scores[i])) / sums[static_cast<std::size_t>(n)];
            CHECK(std::abs(dv[i] - p * dy[n]) < 1e-6);
            CHECK(std::abs(dscores[i] - p * dy[n] * (double(v[i]) - y[n])) < 1e-6);
          }
          CHECK(dscores.guards_intact());
          CHECK(dv.guards_intact());
          // In two parts.
          test::GuardedBuffer<float> dscores_parts(S * N, offset), dv_parts(S * N, offset);
          const std::int64_t split = N / 3;
          a.dscores = dscores_parts.data(), a.dv = dv_parts.data();
          table.backward(context, a, split, N);
          for (std::int64_t i = 0; i < S * N; ++i)
            if (i % N < split) CHECK((dscores_parts[i] == -12345.678f && dv_parts[i] == -12345.678f));
          table.backward(context, a, 0, split);
          CHECK(test::same_bits(dscores_parts.data(), dscores.data(), S * N));
          CHECK(test::same_bits(dv_parts.data(), dv.data(), S * N));
        }
  }
}
