#include "imu2music/ops/relative_attention.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "random.hpp"

using namespace imu2music;

namespace {

// Multi-head attention as the formula says it, in double.
std::vector<double> naive(const Tensor<float>& qkv, const Tensor<float>& Er, std::int64_t H, bool causal,
                          const Tensor<std::uint8_t>& masked) {
  const std::int64_t B = qkv.dim(0), N = qkv.dim(1), D = qkv.dim(2) / 3, K = D / H, L = Er.dim(0);
  std::vector<double> out(static_cast<std::size_t>(B * N * D), 0.0);
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t h = 0; h < H; ++h)
      for (std::int64_t i = 0; i < N; ++i) {
        std::vector<double> weight(static_cast<std::size_t>(N), 0.0);
        double sum = 0;
        for (std::int64_t j = 0; j < N; ++j) {
          if ((causal && j > i) || (masked.defined() && masked[b * N + j] != 0)) continue;
          double score = 0;
          for (std::int64_t c = 0; c < K; ++c) {
            double key = qkv[(b * N + j) * 3 * D + D + h * K + c];
            if (j <= i) key += Er[(L - 1 - (i - j)) * K + c];
            score += qkv[(b * N + i) * 3 * D + h * K + c] * key;
          }
          sum += weight[static_cast<std::size_t>(j)] = std::exp(score / std::sqrt(double(K)));
        }
        for (std::int64_t j = 0; j < N; ++j)
          for (std::int64_t c = 0; c < K; ++c)
            out[static_cast<std::size_t>((b * N + i) * D + h * K + c)] +=
                weight[static_cast<std::size_t>(j)] / sum * qkv[(b * N + j) * 3 * D + 2 * D + h * K + c];
      }
  return out;
}

}  // namespace

TEST_CASE("relative self-attention agrees with the formula: causal and not, masked and not, any threads") {
  for (std::int64_t N : {1, 5, 24, 33, 70})
    for (bool causal : {false, true})
      for (bool mask : {false, true}) {
        const std::int64_t B = 2, H = 3, K = 5, L = 80;
        const auto qkv = test::random_tensor<float>({B, N, 3 * H * K}, 1);
        const auto Er = test::random_tensor<float>({L, K}, 2);
        Tensor<std::uint8_t> masked;
        if (mask) {
          masked = Tensor<std::uint8_t>({B, N});
          for (std::int64_t n = 1; n < B * N; ++n) masked[n] = n % N != 0 && n % 4 == 0;
        }
        Context one(1), three(3);
        const auto y = relative_self_attention(one, qkv, Er, H, causal, masked);
        const auto z = relative_self_attention(three, qkv, Er, H, causal, masked);
        const std::vector<double> wanted = naive(qkv, Er, H, causal, masked);
        INFO("N " << N << " causal " << causal << " mask " << mask);
        for (std::int64_t n = 0; n < y.size(); ++n) {
          CHECK(y[n] == doctest::Approx(wanted[static_cast<std::size_t>(n)]).epsilon(1e-4));
          CHECK(y[n] == z[n]);
        }
      }
}

TEST_CASE("a growing cache gives the bits of the full computation") {
  const std::int64_t H = 4, K = 8, D = H * K, L = 50;
  const auto qkv = test::random_tensor<float>({1, L, 3 * D}, 3), Er = test::random_tensor<float>({L, K}, 4);
  Context context;
  const auto full = relative_self_attention(context, qkv, Er, H, true);
  KeyValueCache<float> cache(context, H, Er);
  std::vector<float> out(D);
  for (int round = 0; round < 2; ++round) {
    cache.clear();
    for (std::int64_t t = 0; t < L; ++t) {
      const float* row = qkv.data() + t * 3 * D;
      cache.append(row + D, row + 2 * D, 3 * D, 1);
      cache.attend(context, row, out.data());
      for (std::int64_t d = 0; d < D; ++d) CHECK(out[static_cast<std::size_t>(d)] == full[t * D + d]);
    }
  }
  CHECK_THROWS_AS(cache.append(qkv.data(), qkv.data(), 3 * D, 1), ShapeError);
}

TEST_CASE("cross-attention, cached or not, is plain attention") {
  const std::int64_t H = 2, K = 4, D = H * K, S = 27, N = 9;
  const auto q = test::random_tensor<float>({1, N, D}, 5), kv = test::random_tensor<float>({1, S, 2 * D}, 6);
  Context context;
  const auto y = cross_attention(context, q, kv, H);
  KeyValueCache<float> cache(context, H, K, S);
  cache.append(kv.data(), kv.data() + D, 2 * D, S);
  std::vector<float> out(D);
  for (std::int64_t t = 0; t < N; ++t) {
    cache.attend(context, q.data() + t * D, out.data());
    for (std::int64_t d = 0; d < D; ++d) CHECK(out[static_cast<std::size_t>(d)] == y[t * D + d]);
  }
  double sum = 0, value = 0;  // one element by the formula
  for (std::int64_t s = 0; s < S; ++s) {
    double score = 0;
    for (std::int64_t c = 0; c < K; ++c) score += double(q[3 * D + K + c]) * kv[s * 2 * D + K + c];
    const double weight = std::exp(score / std::sqrt(double(K)));
    sum += weight;
    value += weight * kv[s * 2 * D + D + K + 1];
  }
  CHECK(y[3 * D + K + 1] == doctest::Approx(value / sum).epsilon(1e-5));
}

TEST_CASE("cross-attention to a range of keys is attention to these keys alone") {
  const std::int64_t B = 2, H = 2, K = 8, D = H * K, S = 150, N = 40;
  const auto q = test::random_tensor<float>({B, N, D}, 5), kv = test::random_tensor<float>({B, S, 2 * D}, 6);
  KeyRanges ranges{Tensor<std::int32_t>({B, N}), Tensor<std::int32_t>({B, N})};
  for (std::int64_t n = 0; n < B * N; ++n) {
    ranges.first[n] = static_cast<std::int32_t>(n * 29 % S);
    ranges.last[n] = static_cast<std::int32_t>(n * 29 % S + n % 5 * 20);  // of every fifth none
  }
  Context context, three(3);
  Tensor<float> log_sum_exp, same;
  const auto y = cross_attention(context, q, kv, H, ranges, &log_sum_exp);
  const auto z = cross_attention(three, q, kv, H, ranges, &same);
  for (std::int64_t n = 0; n < y.size(); ++n) CHECK(y[n] == z[n]);
  for (std::int64_t n = 0; n < log_sum_exp.size(); ++n) CHECK(log_sum_exp[n] == same[n]);
  for (std::int64_t b = 0; b < B; ++b) {
    KeyValueCache<float> whole(context, H, K, S);
    whole.append(kv.data() + b * S * 2 * D, kv.data() + b * S * 2 * D + D, 2 * D, S);
    for (std::int64_t i = 0; i < N; ++i) {
      const std::int64_t n = b * N + i, first = ranges.first[n],
                         last = std::min<std::int64_t>(ranges.last[n], S);
      std::vector<float> out(D);
      whole.attend(context, q.data() + n * D, out.data(), ranges.first[n], ranges.last[n]);
      KeyValueCache<float> part(context, H, K, S);
      const float* rows = kv.data() + (b * S + first) * 2 * D;
      part.append(rows, rows + D, 2 * D, last - first);
      std::vector<float> wanted(D);
      part.attend(context, q.data() + n * D, wanted.data());
      for (std::int64_t d = 0; d < D; ++d) {
        CHECK(out[static_cast<std::size_t>(d)] == y[n * D + d]);
        CHECK(y[n * D + d] == doctest::Approx(wanted[static_cast<std::size_t>(d)]).epsilon(1e-5));
      }
      if (first == last) CHECK(log_sum_exp[b * H * N + i] == -std::numeric_limits<float>::infinity());
      // To the newest token.
      std::vector<float> rest(D), rest_wanted(D);
      whole.attend(context, q.data() + n * D, rest.data(), ranges.first[n]);
      whole.attend(context, q.data() + n * D, rest_wanted.data(), ranges.first[n], std::int32_t{S});
      CHECK(rest == rest_wanted);
    }
  }
}

TEST_CASE("attention refuses what does not fit") {
  Context context;
  const Tensor<float> qkv({1, 10, 24});
  CHECK_THROWS_AS(relative_self_attention(context, qkv, Tensor<float>({9, 4}), 2, true), ShapeError);
  CHECK_THROWS_AS(relative_self_attention(context, qkv, Tensor<float>({10, 8}), 2, true), ShapeError);
  CHECK_THROWS_AS(relative_self_attention(context, qkv, Tensor<float>({10, 4}), 3, true), ShapeError);
  CHECK_THROWS_AS(
      relative_self_attention(context, Tensor<float>({1, 10, 25}), Tensor<float>({10, 4}), 2, true),
      ShapeError);
  CHECK_THROWS_AS(
      relative_self_attention(context, qkv, Tensor<float>({10, 4}), 2, true, Tensor<std::uint8_t>({1, 9})),
      ShapeError);
  CHECK_THROWS_AS(cross_attention(context, Tensor<float>({1, 3, 8}), Tensor<float>({2, 5, 16}), 2),
                  ShapeError);
  const Tensor<float> q({1, 3, 8}), kv({1, 5, 16});
  const Tensor<std::int32_t> three({1, 3}), five({1, 5});
  CHECK_NOTHROW(cross_attention(context, q, kv, 2, {three, three}));
  CHECK_THROWS_AS(cross_attention(context, q, kv, 2, {five, five}), ShapeError);
  CHECK_THROWS_AS(cross_attention(context, q, kv, 2, {three, five}), ShapeError);
  CHECK_THROWS_AS(cross_attention(context, q, kv, 2, {three, {}}), ShapeError);
  // Wider heads than the kernels have room for, in caches too.
  CHECK_NOTHROW(KeyValueCache<float>(context, 1, Tensor<float>({4, 256})));
  CHECK_THROWS_AS(KeyValueCache<float>(context, 1, Tensor<float>({4, 257})), ShapeError);
  CHECK_THROWS_AS(KeyValueCache<float>(context, 2, 257, 4), ShapeError);
}
