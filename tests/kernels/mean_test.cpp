#include "cpu/mean.hpp"

#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::MeanKernels;

namespace {
const kernels::Context context;
}

TEST_CASE("mean: every column is the definition, at every length around the vectors'") {
  std::vector<std::int64_t> lengths;
  for (std::int64_t K = 1; K <= 70; ++K) lengths.push_back(K);
  for (std::int64_t K : {150, 1313}) lengths.push_back(K);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<MeanKernels<float>>(isa);
    for (std::int64_t K : lengths)
      for (std::int64_t offset : {0, 1}) {
        const std::int64_t N = 5;
        INFO(std::string(name_of(isa)) << ", K = " << K << ", offset " << offset);
        test::Numbers numbers(static_cast<std::uint64_t>(K));
        test::GuardedBuffer<float> x(N * K, offset, numbers), y(N, offset), parts(N, offset);
        table.forward(context, x.data(), y.data(), 0, N, K);
        for (std::int64_t n = 0; n < N; ++n) {
          double sum = 0;
          for (std::int64_t k = 0; k < K; ++k) sum += double(x[n * K + k]);
          CHECK(std::abs(y[n] - sum / static_cast<double>(K)) < 1e-6);
        }
        CHECK(y.guards_intact());
        table.forward(context, x.data(), parts.data(), 2, N, K);
        CHECK(parts[1] == parts[0]);  // untouched so far
        table.forward(context, x.data(), parts.data(), 0, 2, K);
        CHECK(test::same_bits(parts.data(), y.data(), N));
      }
  }
}
