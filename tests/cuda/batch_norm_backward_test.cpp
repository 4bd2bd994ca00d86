// kernels/cuda/batch_norm_backward.cuh beside the CPU.
#include "imu2music/ops/batch_norm_backward.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("batch norm in training on the device: statistics and gradients") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto there = [&](const Tensor<float>& x) { return on_device_of(*context, x); };
  for (const std::int64_t B : {1, 3})
    for (const std::int64_t P : {2, 31, 33, 300}) {
      INFO("B " << B << ", P " << P);
      const std::int64_t C = 5;
      const auto x = test::numbers({B, C, P}, 1), dy = test::numbers({B, C, P}, 2),
                 gamma = test::numbers({C}, 3);
      auto dgamma = test::numbers({C}, 4), dbeta = test::numbers({C}, 5);
      auto dgamma_there = there(dgamma), dbeta_there = there(dbeta);
      const auto wanted = batch_norm_statistics(cpu, x), got = batch_norm_statistics(*context, there(x));
      test::check_close(*context, got.mean, wanted.mean);
      test::check_close(*context, got.variance, wanted.variance);
      CHECK(got.count == wanted.count);
      test::check_close(*context,
                        batch_norm_backward(*context, there(dy), there(x), got, there(gamma), 1e-5,
                                            dgamma_there, dbeta_there),
                        batch_norm_backward(cpu, dy, x, wanted, gamma, 1e-5, dgamma, dbeta), 5e-5);
      test::check_close(*context, dgamma_there, dgamma, 5e-5);
      test::check_close(*context, dbeta_there, dbeta, 5e-5);
      test::check_close(*context, scale_backward(*context, there(dy), there(gamma)),
                        scale_backward(cpu, dy, gamma));
    }
}
