// kernels/cuda/relative_attention_backward.cuh beside the CPU.
#include "imu2music/ops/relative_attention_backward.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE(
    "gradients of self-attention on the device: sizes around the tiles, masks, longer Er, adding to dEr") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  struct Case {
    std::int64_t B, T, H, K, L;
  };
  for (const Case c : {Case{1, 1, 1, 1, 1},
                       {2, 15, 2, 3, 15},
                       {1, 17, 9, 7, 20},
                       {2, 33, 2, 16, 40},
                       {1, 47, 1, 33, 47},
                       {1, 20, 1, 130, 20}})
    for (const bool causal : {false, true})
      for (const bool with_mask : {false, true}) {
        INFO("B " << c.B << ", T " << c.T << ", H " << c.H << ", K " << c.K << ", causal " << causal
                  << ", mask " << with_mask);
        const std::int64_t D = c.H * c.K;
        const auto qkv = test::numbers({c.B, c.T, 3 * D}, 1), Er = test::numbers({c.L, c.K}, 2),
                   dout = test::numbers({c.B, c.T, D}, 3), before = test::numbers({c.L, c.K}, 4);
        Tensor<std::uint8_t> mask;
        if (with_mask) {
          mask = Tensor<std::uint8_t>({c.B, c.T});
          for (std::int64_t n = 0; n < mask.size(); ++n) mask[n] = n % 5 == 3 || (n % c.T == 0 && n > 0);
        }
        Tensor<float> normaliser, normaliser_there, dEr = before.clone();
        const auto out = relative_self_attention(cpu, qkv, Er, c.H, causal, mask, &normaliser);
        const auto wanted =
            relative_self_attention_backward(cpu, dout, qkv, Er, out, normaliser, c.H, causal, mask, dEr);
        const auto qkv_there = on_device_of(*context, qkv), Er_there = on_device_of(*context, Er);
        const auto out_there =
            relative_self_attention(*context, qkv_there, Er_there, c.H, causal, mask, &normaliser_there);
        Tensor<float> dEr_there = on_device_of(*context, before);
        test::check_close(
            *context,
            relative_self_attention_backward(*context, on_device_of(*context, dout), qkv_there, Er_there,
                                             out_there, normaliser_there, c.H, causal, mask, dEr_there),
            wanted, 5e-5);
        test::check_close(*context, dEr_there, dEr, 1e-4);
      }
}

TEST_CASE("gradients of cross-attention on the device, with ranges of keys that may be empty") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t S : {1, 16, 17, 75})
    for (const bool with_ranges : {false, true}) {
      INFO("S " << S << ", ranges " << with_ranges);
      const std::int64_t B = 2, T = 35, H = 2, K = 16;
      const auto q = test::numbers({B, T, H * K}, 3), kv = test::numbers({B, S, 2 * H * K}, 4),
                 dout = test::numbers({B, T, H * K}, 5);
      KeyRanges ranges;
      if (with_ranges) {
        ranges = {Tensor<std::int32_t>({B, T}), Tensor<std::int32_t>({B, T})};
        for (std::int64_t n = 0; n < B * T; ++n) {
          ranges.first[n] = static_cast<std::int32_t>(n % S);
          ranges.last[n] = static_cast<std::int32_t>(std::min(S, n % S + n % 4));
        }
      }
      Tensor<float> normaliser, normaliser_there;
      const auto out = cross_attention(cpu, q, kv, H, ranges, &normaliser);
      const auto wanted = cross_attention_backward(cpu, dout, q, kv, out, normaliser, H, ranges);
      const auto q_there = on_device_of(*context, q), kv_there = on_device_of(*context, kv);
      const auto out_there = cross_attention(*context, q_there, kv_there, H, ranges, &normaliser_there);
      const auto got = cross_attention_backward(*context, on_device_of(*context, dout), q_there, kv_there,
                                                out_there, normaliser_there, H, ranges);
      test::check_close(*context, got.dq, wanted.dq, 5e-5);
      test::check_close(*context, got.dkv, wanted.dkv, 5e-5);
    }
}
