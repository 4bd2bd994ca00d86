// kernels/cuda/relative_attention.cuh beside the CPU.
#include "imu2music/ops/relative_attention.hpp"

#include <string>
#include <vector>

#include "cuda/on_device.hpp"

using namespace imu2music;

namespace {

Tensor<std::uint8_t> some_masked(std::int64_t B, std::int64_t S) {
  Tensor<std::uint8_t> masked({B, S});
  for (std::int64_t n = 0; n < masked.size(); ++n) masked[n] = n % 5 == 3 || n % S >= S - 2;
  return masked;
}

}  // namespace

TEST_CASE("self-attention on the device: sizes around the tiles, widths, masks, with and without a future") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  struct Case {
    std::int64_t B, T, H, K, L;
  };
  for (const Case c : {Case{1, 1, 1, 1, 1},
                       {2, 15, 2, 3, 15},
                       {1, 16, 1, 16, 20},
                       {1, 17, 2, 7, 17},
                       {2, 33, 2, 16, 40},
                       {1, 47, 1, 32, 64},
                       {1, 48, 1, 33, 48},
                       {1, 65, 2, 64, 65},
                       {1, 20, 1, 130, 20},
                       {1, 19, 1, 256, 19}})
    for (const bool causal : {false, true})
      for (const bool with_mask : {false, true}) {
        INFO("B " << c.B << ", T " << c.T << ", H " << c.H << ", K " << c.K << ", causal " << causal
                  << ", mask " << with_mask);
        const auto qkv = test::numbers({c.B, c.T, 3 * c.H * c.K}, 1), Er = test::numbers({c.L, c.K}, 2);
        const auto mask = with_mask ? some_masked(c.B, c.T) : Tensor<std::uint8_t>();
        Tensor<float> normaliser, wanted_normaliser, got;
        try {
          got = relative_self_attention(*context, on_device_of(*context, qkv), on_device_of(*context, Er),
                                        c.H, causal, mask, &normaliser);
        } catch (const kernels::DeviceFailure& refused) {  // a GPU with 99 KiB of shared memory
          CHECK(c.K > 198);
          CHECK(std::string(refused.what()).find("bytes of shared memory") != std::string::npos);
          continue;
        }
        test::check_close(*context, got,
                          relative_self_attention(cpu, qkv, Er, c.H, causal, mask, &wanted_normaliser));
        test::check_close(*context, normaliser, wanted_normaliser);
      }
}

TEST_CASE("cross-attention on the device, with ranges of keys that may be empty") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t S : {1, 31, 32, 33, 75})
    for (const bool with_ranges : {false, true}) {
      const std::int64_t B = 2, T = 18, H = 2, K = 16;
      const auto q = test::numbers({B, T, H * K}, 3), kv = test::numbers({B, S, 2 * H * K}, 4);
      KeyRanges ranges;
      if (with_ranges) {
        ranges = {Tensor<std::int32_t>({B, T}), Tensor<std::int32_t>({B, T})};
        for (std::int64_t n = 0; n < B * T; ++n) {
          ranges.first[n] = static_cast<std::int32_t>(n % S);
          ranges.last[n] = static_cast<std::int32_t>(std::min(S, n % S + n % 4));
        }
      }
      INFO("S " << S << ", ranges " << with_ranges);
      test::check_close(
          *context,
          cross_attention(*context, on_device_of(*context, q), on_device_of(*context, kv), H, ranges),
          cross_attention(cpu, q, kv, H, ranges));
    }
}

TEST_CASE("a cache on the device gives what the whole sequence gives, padding among it, and can be copied") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const std::int64_t T = 40, H = 2, K = 8, D = H * K;
  const auto qkv = test::numbers({1, T, 3 * D}, 5), Er = test::numbers({T, K}, 6);
  Tensor<std::uint8_t> mask({1, T});
  mask[3] = mask[20] = 1;
  const auto whole = relative_self_attention(cpu, qkv, Er, H, true, mask);
  const auto there = on_device_of(*context, qkv), er = on_device_of(*context, Er);
  KeyValueCache<float> cache(*context, H, er), second(*context, H, er);
  for (std::int64_t t = 0; t < T; ++t) {
    KeyValueCache<float>& used = t < 25 ? cache : second;
    if (t == 25) second.copy_from(cache);
    const float* row = there.data() + t * 3 * D;
    used.append(row + D, row + 2 * D, 3 * D, 1, mask[t] != 0);
    Tensor<float> out = context->allocate<float>({D});
    used.attend(*context, row, out.data());
    test::check_close(*context, out, whole.slice(0, 1).reshape({T, D}).slice(t, 1).reshape({D}));
  }
}
