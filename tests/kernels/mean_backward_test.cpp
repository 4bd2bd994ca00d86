#include "cpu/mean_backward.hpp"

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::MeanBackwardKernels;

TEST_CASE("mean backward: every element of a row has its share, and no other row is touched") {
  const kernels::Context context;
  auto table = kernels::make_table<MeanBackwardKernels<float>>(Isa::scalar);
  for (std::int64_t K : {1, 2, 7, 16, 33}) {
    const std::int64_t N = 4;
    test::Numbers numbers(static_cast<std::uint64_t>(K));
    test::GuardedBuffer<float> dy(N, 1, numbers), dx(N * K, 1);
    table.backward(context, dy.data(), dx.data(), 1, 3, K);
    for (std::int64_t i = 0; i < N * K; ++i)
      CHECK(dx[i] == (i / K == 1 || i / K == 2 ? dy[i / K] / static_cast<float>(K) : -12345.678f));
    CHECK(dx.guards_intact());
  }
}
