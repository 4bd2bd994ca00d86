#include "imu2music/ops/relative_attention_backward.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

namespace {

template <class T>
bool same_bits(const Tensor<T>& a, const Tensor<T>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0;
}

// Ranges of every kind: empty, of one key, inside one tile of keys and across some, past the end, all.
KeyRanges some_ranges(std::int64_t B, std::int64_t queries, std::int64_t S) {
  KeyRanges ranges{Tensor<std::int32_t>({B, queries}), Tensor<std::int32_t>({B, queries})};
  for (std::int64_t n = 0; n < B * queries; ++n) {
    const std::int64_t first = n % 7 * S / 8, count = n % 5 * S / 4;
    ranges.first[n] = static_cast<std::int32_t>(n % 11 == 3 ? -2 : first);
    ranges.last[n] = static_cast<std::int32_t>(n % 11 == 5 ? first + 1 : first + count);
  }
  return ranges;
}

}  // namespace

TEST_CASE("relative_self_attention_backward is the gradient of relative_self_attention") {
  Context context(2);
  for (std::int64_t length : {1, 6, 37})
    for (bool causal : {false, true})
      for (int mask : {0, 1, 2}) {
        if (length > 6 && mask == 1) continue;
        const std::int64_t B = 2, H = 2, K = 3, L = length + length % 4;
        INFO("T " << length << ", causal " << causal << ", mask " << mask);
        auto qkv = test::random_tensor<double>({B, length, 3 * H * K}, 1);
        auto Er = test::random_tensor<double>({L, K}, 2);
        Tensor<std::uint8_t> masked;
        if (mask > 0) {  // 1: some keys; 2: others, in one batch all
          masked = Tensor<std::uint8_t>({B, length});
          for (std::int64_t n = 0; n < B * length; ++n) masked[n] = n % 3 == 1 || (mask == 2 && n < length);
        }
        Tensor<double> log_sum_exp;
        const auto out = relative_self_attention(context, qkv, Er, H, causal, masked, &log_sum_exp);
        CHECK(log_sum_exp.shape() == Shape{B, H, length});
        const auto dout = test::random_tensor<double>(out.shape(), 3);
        const auto loss = [&] {
          return test::inner_product(relative_self_attention(context, qkv, Er, H, causal, masked), dout);
        };
        Tensor<double> dEr({L, K}), none;
        for (double& value : dEr.values()) value = 0.5;
        const auto dqkv = relative_self_attention_backward(context, dout, qkv, Er, out, log_sum_exp, H,
                                                           causal, masked, dEr);
        test::check_gradient(qkv, dqkv, loss);
        test::check_gradient(Er, dEr, loss, 1e-7, 0.5);
        for (std::int64_t n = 0; n < (L - length) * K; ++n) CHECK(dEr[n] == 0.5);
        CHECK(same_bits(dqkv, relative_self_attention_backward(context, dout, qkv, Er, out, log_sum_exp, H,
                                                               causal, masked, none)));
        if (mask > 0)  // of keys that nobody sees
          for (std::int64_t n = 0; n < dqkv.size(); ++n)
            if (masked[n / (3 * H * K)] != 0 && n % (3 * H * K) >= H * K) CHECK(dqkv[n] == 0);
      }
}

TEST_CASE("cross_attention_backward is the gradient of cross_attention") {
  Context context(2);
  for (std::int64_t queries : {1, 9})
    for (std::int64_t S : {1, 5, 70})
      for (bool ranged : {false, true}) {
        const std::int64_t B = 2, H = 2, K = 3, D = H * K;
        INFO("T " << queries << ", S " << S << ", ranges " << ranged);
        auto q = test::random_tensor<double>({B, queries, D}, 1);
        auto kv = test::random_tensor<double>({B, S, 2 * D}, 2);
        const KeyRanges ranges = ranged ? some_ranges(B, queries, S) : KeyRanges{};
        Tensor<double> log_sum_exp;
        const auto out = cross_attention(context, q, kv, H, ranges, &log_sum_exp);
        const auto dout = test::random_tensor<double>(out.shape(), 3);
        const auto loss = [&] {
          return test::inner_product(cross_attention(context, q, kv, H, ranges), dout);
        };
        const auto gradients = cross_attention_backward(context, dout, q, kv, out, log_sum_exp, H, ranges);
        CHECK(gradients.dq.shape() == q.shape());
        CHECK(gradients.dkv.shape() == kv.shape());
        test::check_gradient(q, gradients.dq, loss);
        test::check_gradient(kv, gradients.dkv, loss);
      }
}

TEST_CASE("the gradients of attention have the same bits for any number of threads") {
  for (std::int64_t B : {1, 15}) {
    const std::int64_t H = 4, K = 16, D = H * K, length = 70, L = 80, S = 90;
    const auto qkv = test::random_tensor<float>({B, length, 3 * D}, 1),
               Er = test::random_tensor<float>({L, K}, 2),
               dout = test::random_tensor<float>({B, length, D}, 3),
               q = test::random_tensor<float>({B, length, D}, 4),
               kv = test::random_tensor<float>({B, S, 2 * D}, 5);
    const KeyRanges ranges = some_ranges(B, length, S);
    Tensor<float> first[4];
    for (int threads : {1, 2, 5}) {
      Context context(threads);
      Tensor<float> log_sum_exp, cross_log_sum_exp, dEr({L, K});
      const auto out = relative_self_attention(context, qkv, Er, H, true, {}, &log_sum_exp);
      const auto dqkv =
          relative_self_attention_backward(context, dout, qkv, Er, out, log_sum_exp, H, true, {}, dEr);
      const auto cross = cross_attention(context, q, kv, H, ranges, &cross_log_sum_exp);
      const auto gradients =
          cross_attention_backward(context, dout, q, kv, cross, cross_log_sum_exp, H, ranges);
      const Tensor<float> results[4] = {dqkv, dEr, gradients.dq, gradients.dkv};
      for (int n = 0; n < 4; ++n) {
        if (threads == 1) first[n] = results[n];
        CHECK(same_bits(first[n], results[n]));
      }
    }
  }
}

TEST_CASE("the gradients of attention refuse what does not fit") {
  Context context;
  const Tensor<float> qkv({2, 10, 24}), Er({12, 4}), out({2, 10, 8}), log_sum_exp({2, 2, 10});
  Tensor<float> dEr({12, 4}), short_dEr({11, 4}), none;
  const auto self = [&](const Tensor<float>& dout, const Tensor<float>& y, const Tensor<float>& normaliser,
                        Tensor<float>& gradient) {
    return relative_self_attention_backward(context, dout, qkv, Er, y, normaliser, 2, true, {}, gradient);
  };
  CHECK_NOTHROW(self(out, out, log_sum_exp, dEr));
  CHECK_NOTHROW(self(out, out, log_sum_exp, none));
  CHECK_THROWS_AS(self(Tensor<float>({2, 9, 8}), out, log_sum_exp, dEr), ShapeError);
  CHECK_THROWS_AS(self(out, Tensor<float>({2, 10, 16}), log_sum_exp, dEr), ShapeError);
  CHECK_THROWS_AS(self(out, out, Tensor<float>({2, 10}), dEr), ShapeError);
  CHECK_THROWS_AS(self(out, out, none, dEr), ShapeError);
  CHECK_THROWS_AS(self(out, out, log_sum_exp, short_dEr), ShapeError);
  const Tensor<float> kv({2, 5, 16});
  CHECK_NOTHROW(cross_attention_backward(context, out, out, kv, out, log_sum_exp, 2));
  CHECK_THROWS_AS(cross_attention_backward(context, out, out, kv, out, Tensor<float>({2, 4, 10}), 2),
                  ShapeError);
  const KeyRanges ranges{Tensor<std::int32_t>({2, 9}), Tensor<std::int32_t>({2, 9})};
  CHECK_THROWS_AS(cross_attention_backward(context, out, out, kv, out, log_sum_exp, 2, ranges), ShapeError);
}
