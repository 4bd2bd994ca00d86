#include "cpu/softmax_pool.hpp"

#include <limits>
#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::SoftmaxPoolKernels;

namespace {
const kernels::Context context;
std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }
}  // namespace

TEST_CASE("softmax pool: every column is the definition, at every count around the vectors'") {
  std::vector<std::int64_t> counts;
  for (std::int64_t N = 1; N <= 50; ++N) counts.push_back(N);
  counts.push_back(200);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SoftmaxPoolKernels<float>>(isa);
    for (std::int64_t N : counts)
      for (std::int64_t S : {1, 2, 9})
        for (std::int64_t offset : {0, 1}) {
          INFO(std::string(name_of(isa)) << ", N = " << N << ", S = " << S << ", offset " << offset);
          test::Numbers numbers(static_cast<std::uint64_t>(N));
          test::GuardedBuffer<float> scores(S * N, offset, numbers), v(S * N, offset, numbers), y(N, offset),
              parts(N, offset);
          for (std::int64_t i = 0; i < S * N; ++i) scores[i] *= 8;
          table.forward(context, scores.data(), v.data(), y.data(), 0, N, S, N);
          for (std::int64_t n = 0; n < N; ++n) {
            double sum = 0, weighted = 0;
            for (std::int64_t s = 0; s < S; ++s) {
              const double weight = std::exp(double(scores[s * N + n]));
              sum += weight;
              weighted += weight * double(v[s * N + n]);
            }
            CHECK(std::abs(y[n] - weighted / sum) < 1e-6);
          }
          CHECK(y.guards_intact());
          const std::int64_t split = N / 3;
          table.forward(context, scores.data(), v.data(), parts.data(), split, N, S, N);
          CHECK((split == 0 || parts[0] == -12345.678f));  // untouched so far
          table.forward(context, scores.data(), v.data(), parts.data(), 0, split, S, N);
          CHECK(test::same_bits(parts.data(), y.data(), N));
        }
  }
}

TEST_CASE("softmax pool: scores of any size, and NaN shows") {
  constexpr std::int64_t N = 19;
  for (Isa isa : test::all_columns()) {
    INFO(std::string(name_of(isa)));
    auto table = kernels::make_table<SoftmaxPoolKernels<float>>(isa);
    std::vector<float> scores(2 * N), v(2 * N, 3.0f), y(N);
    for (std::int64_t n = 0; n < N; ++n) scores[at(n)] = -3e38f, scores[at(N + n)] = 3e38f, v[at(n)] = 7;
    table.forward(context, scores.data(), v.data(), y.data(), 0, N, 2, N);
    for (const float value : y) CHECK(value == 3.0f);
    for (const std::int64_t s : {0, 1}) {
      scores.assign(2 * N, 0.0f);
      scores[at(s * N + 18)] = std::numeric_limits<float>::quiet_NaN();
      table.forward(context, scores.data(), v.data(), y.data(), 0, N, 2, N);
      CHECK(std::isnan(y[18]));
      CHECK(y[17] == 5.0f);
    }
  }
}
