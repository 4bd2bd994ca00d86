// kernels/cuda/relative_attention_bf16.cuh and its gradient beside the CPU's float32.
#include <algorithm>
#include <cmath>
#include <initializer_list>

#include <cpu/linear_scalar.hpp>

#include "cuda/on_device.hpp"
#include "imu2music/ops/relative_attention.hpp"
#include "imu2music/ops/relative_attention_backward.hpp"

using namespace imu2music;

namespace {

constexpr double tolerance = 2e-2;

// The context asks for bfloat16 as long as this lives.
struct InBfloat16 {
  explicit InBfloat16(Context& c) : context(c) { context.set_matrices(kernels::MatrixPrecision::bf16); }
  ~InBfloat16() { context.set_matrices(kernels::MatrixPrecision::float32); }
  Context& context;
};

// |got - wanted| <= tolerance (1 + the largest |wanted|): gradients add up errors of many weights.
void check_to_scale(Context& context, const Tensor<float>& got, const Tensor<float>& wanted) {
  float largest = 0;
  for (const float x : wanted.values()) largest = std::max(largest, std::abs(x));
  const Tensor<float> here = on_host(context, got);
  REQUIRE(here.shape() == wanted.shape());
  double worst = 0;
  for (std::int64_t i = 0; i < here.size(); ++i)
    worst = std::max(worst, here[i] == here[i] ? std::abs(double(here[i]) - wanted[i]) : 1e9);
  CHECK(worst <= tolerance * (1 + largest));
}

// Operands that bfloat16 holds as they are: what is left of the error is the weights' rounding.
Tensor<float> rounded(Tensor<float> x) {
  for (float& value : x.values())
    value = kernels::scalar::from_bfloat16(kernels::scalar::nearest_bfloat16(value));
  return x;
}

struct Case {
  std::int64_t B, T, H, K, L;
  bool causal, mask;
  float size = 1;  // of the queries: large ones make sharp weights
  std::int64_t unaligned = 0;
};

Tensor<std::uint8_t> some_masked(std::int64_t B, std::int64_t T) {
  Tensor<std::uint8_t> mask({B, T});
  for (std::int64_t n = 0; n < mask.size(); ++n) mask[n] = n % 5 == 3 || (n % T == 0 && n > 0);
  return mask;
}

// On the device, `first` elements into a longer tensor.
Tensor<float> there_from(Context& context, const Tensor<float>& x, std::int64_t first) {
  const Tensor<float> longer = context.allocate<float>({first + x.size()});
  Tensor<float> part = longer.slice(first, x.size()).reshape(x.shape()), whole = on_device_of(context, x);
  copy(context, whole, part);
  return part;
}

void check_self_attention(Context& context, const Case& c) {
  INFO("B " << c.B << ", T " << c.T << ", H " << c.H << ", K " << c.K << ", L " << c.L << ", causal "
            << c.causal << ", mask " << c.mask << ", size " << c.size << ", off by " << c.unaligned);
  Context cpu;
  const std::int64_t D = c.H * c.K;
  auto qkv = test::numbers({c.B, c.T, 3 * D}, 1), Er = test::numbers({c.L, c.K}, 2);
  const auto dout = rounded(test::numbers({c.B, c.T, D}, 3)), before = test::numbers({c.L, c.K}, 4);
  for (std::int64_t n = 0; n < qkv.size(); ++n)
    if (n % (3 * D) < D) qkv[n] *= c.size;
  qkv = rounded(qkv), Er = rounded(Er);
  const auto mask = c.mask ? some_masked(c.B, c.T) : Tensor<std::uint8_t>();
  Tensor<float> normaliser, normaliser_there, dEr = before.clone();
  const auto out = relative_self_attention(cpu, qkv, Er, c.H, c.causal, mask, &normaliser);
  const auto wanted =
      relative_self_attention_backward(cpu, dout, qkv, Er, out, normaliser, c.H, c.causal, mask, dEr);
  const auto qkv_there = there_from(context, qkv, c.unaligned), Er_there = on_device_of(context, Er),
             dout_there = there_from(context, dout, c.unaligned);
  const InBfloat16 precision(context);
  const auto out_there =
      relative_self_attention(context, qkv_there, Er_there, c.H, c.causal, mask, &normaliser_there);
  test::check_close(context, out_there, out, tolerance);
  test::check_close(context, normaliser_there, normaliser, tolerance);
  Tensor<float> dEr_there = on_device_of(context, before), again = on_device_of(context, before);
  const auto got = relative_self_attention_backward(context, dout_there, qkv_there, Er_there, out_there,
                                                    normaliser_there, c.H, c.causal, mask, dEr_there);
  check_to_scale(context, got, wanted);
  check_to_scale(context, dEr_there, dEr);
  // The same bits again.
  test::check_close(context,
                    relative_self_attention_backward(context, dout_there, qkv_there, Er_there, out_there,
                                                     normaliser_there, c.H, c.causal, mask, again),
                    on_host(context, got), 0);
  test::check_close(context, again, on_host(context, dEr_there), 0);
}

}  // namespace

TEST_CASE("self-attention in bfloat16 and its gradients: sizes around fragments and tiles") {
  Context* context = test::device();
  if (context == nullptr) return;
  bool odd = false;
  for (const std::int64_t T : {9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129}) {
    odd = !odd;
    check_self_attention(*context, {1, T, 1, 16, T + (odd ? 0 : 7), true, odd});
    check_self_attention(*context, {1, T, 1, 16, T + (odd ? 5 : 0), false, !odd});
  }
}

TEST_CASE(
    "self-attention in bfloat16 and its gradients: every width, many heads, sharp weights, unaligned rows") {
  Context* context = test::device();
  if (context == nullptr) return;
  check_self_attention(*context, {2, 35, 3, 16, 40, true, true});
  check_self_attention(*context, {1, 70, 2, 32, 70, true, false});
  check_self_attention(*context, {1, 66, 1, 64, 66, true, true});
  check_self_attention(*context, {1, 66, 1, 64, 80, false, false});
  check_self_attention(*context, {1, 98, 1, 128, 98, true, true});
  check_self_attention(*context, {1, 31, 1, 128, 31, false, false});
  check_self_attention(*context, {1, 100, 1, 16, 100, true, false, 30});
  check_self_attention(*context, {1, 40, 1, 128, 40, true, false, 20});
  check_self_attention(*context, {1, 20, 2, 32, 20, true, false, 1, 1});
}

TEST_CASE("cross-attention in bfloat16 and its gradients, with ranges of keys that may be empty") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t K : {16, 128})
    for (const std::int64_t S : {1, 16, 17, 63, 64, 65, 130})
      for (const bool with_ranges : {false, true}) {
        if (K == 128 && S != 65) continue;
        INFO("K " << K << ", S " << S << ", ranges " << with_ranges);
        const std::int64_t B = 2, T = 35, H = K == 128 ? 1 : 2;
        const auto q = test::numbers({B, T, H * K}, 3), kv = test::numbers({B, S, 2 * H * K}, 4),
                   dout = test::numbers({B, T, H * K}, 5);
        KeyRanges ranges;
        if (with_ranges) {
          ranges = {Tensor<std::int32_t>({B, T}), Tensor<std::int32_t>({B, T})};
          for (std::int64_t n = 0; n < B * T; ++n) {
            ranges.first[n] = static_cast<std::int32_t>(n * 7 % S);
            ranges.last[n] = static_cast<std::int32_t>(std::min(S, n * 7 % S + n % 4));
          }
        }
        Tensor<float> normaliser, normaliser_there;
        const auto out = cross_attention(cpu, q, kv, H, ranges, &normaliser);
        const auto wanted = cross_attention_backward(cpu, dout, q, kv, out, normaliser, H, ranges);
        const auto q_there = on_device_of(*context, q), kv_there = on_device_of(*context, kv);
        const InBfloat16 precision(*context);
        const auto out_there = cross_attention(*context, q_there, kv_there, H, ranges, &normaliser_there);
        test::check_close(*context, out_there, out, tolerance);
        test::check_close(*context, normaliser_there, normaliser, tolerance);
        const auto got = cross_attention_backward(*context, on_device_of(*context, dout), q_there, kv_there,
                                                  out_there, normaliser_there, H, ranges);
        check_to_scale(*context, got.dq, wanted.dq);
        check_to_scale(*context, got.dkv, wanted.dkv);
      }
}

TEST_CASE("bfloat16 is what tensor cores were given: numbers that it holds exactly lose nothing") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  // One key that is seen: its weight is 1, and the result the key's value as rounded.
  const std::int64_t T = 16, K = 16;
  Tensor<float> q({1, T, K}), kv({1, T, 2 * K});
  KeyRanges ranges{Tensor<std::int32_t>({1, T}), Tensor<std::int32_t>({1, T})};
  for (std::int64_t t = 0; t < T; ++t) {
    ranges.first[t] = static_cast<std::int32_t>(t), ranges.last[t] = static_cast<std::int32_t>(t + 1);
    for (std::int64_t d = 0; d < K; ++d) kv[t * 2 * K + K + d] = 1.0f + 0.001953125f * static_cast<float>(d);
  }
  const auto q_there = on_device_of(*context, q), kv_there = on_device_of(*context, kv);
  const InBfloat16 precision(*context);
  const auto got = on_host(*context, cross_attention(*context, q_there, kv_there, 1, ranges));
  for (std::int64_t t = 0; t < T; ++t)
    for (std::int64_t d = 0; d < K; ++d)
      CHECK(got[t * K + d] ==
            kernels::scalar::from_bfloat16(kernels::scalar::nearest_bfloat16(kv[t * 2 * K + K + d])));
}
