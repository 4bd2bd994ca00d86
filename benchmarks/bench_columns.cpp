// Every CPU column of the kernels on the sizes that the models use, on one thread: time of a call, and how
// many times quicker than the scalar column. The columns take turns within each round, so that a busy machine
// slows all alike; the figures are medians over the rounds.
#include <algorithm>
#include <chrono>
#include <cpu/conv2d.hpp>
#include <cpu/layer_norm.hpp>
#include <cpu/linear.hpp>
#include <cpu/relative_attention.hpp>
#include <cpu/sampling.hpp>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace imu2music::kernels;

const Context context;

std::vector<float> numbers(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return values;
}

// Seconds of one call, over enough calls to take about two milliseconds.
double seconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  for (std::int64_t calls = 1;; calls *= 2) {
    const auto begin = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) work();
    const std::chrono::duration<double> elapsed = Clock::now() - begin;
    if (elapsed.count() > 2e-3) return elapsed.count() / static_cast<double>(calls);
  }
}

template <class Table>
void bench(const std::string& name, const std::function<void(const Table&)>& work) {
  constexpr int rounds = 15;
  std::vector<Table> tables;
  std::vector<std::vector<double>> times;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (cpu_has(isa)) tables.push_back(make_table<Table>(isa)), times.emplace_back();
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < tables.size(); ++i) times[i].push_back(seconds([&] { work(tables[i]); }));
  std::printf("%-44s", name.c_str());
  double scalar = 0;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + rounds / 2, times[i].end());
    const double median = times[i][rounds / 2];
    if (i == 0) scalar = median;
    std::printf("  %10.2f us %5.1fx", median * 1e6, scalar / median);
  }
  std::printf("\n");
}

void bench_linear(std::int64_t M, std::int64_t K, std::int64_t N) {
  const auto x = numbers(M * K), W = numbers(N * K), b = numbers(N);
  std::vector<float> y(static_cast<std::size_t>(M * N));
  std::vector<float> packed(static_cast<std::size_t>(linear_packed_size(N, K)));
  LinearPackArguments<float> pack;
  pack.W = W.data(), pack.K = K, pack.N = N, pack.packed = packed.data();
  make_table<LinearKernels<float>>(Isa::scalar).pack(context, pack, 0, N);
  LinearArguments<float> a;
  a.x = x.data(), a.x_stride = K, a.W = packed.data(), a.b = b.data(), a.y = y.data(), a.y_stride = N;
  a.K = K, a.N = N;
  bench<LinearKernels<float>>(
      "linear " + std::to_string(M) + " x " + std::to_string(K) + " -> " + std::to_string(N),
      [&](const auto& table) { table.forward(context, a, 0, M, 0, N); });
}

void bench_attention(std::int64_t T, std::int64_t S, std::int64_t K) {
  const auto q = numbers(T * K), k_t = numbers(K * S), v = numbers(S * K), er_t = numbers(K * S);
  std::vector<float> out(static_cast<std::size_t>(T * K));
  RelativeAttentionArguments<float> a;
  a.q = q.data(), a.q_stride = K, a.k_t = k_t.data(), a.k_stride = S, a.v = v.data(), a.v_stride = K;
  a.er_t = er_t.data(), a.er_stride = S, a.out = out.data(), a.out_stride = K, a.S = S, a.L = S, a.K = K;
  a.query_offset = S - T, a.causal = true, a.scale = 0.25f;
  bench<RelativeAttentionKernels<float>>(
      "relative attention, T " + std::to_string(T) + ", S " + std::to_string(S) + ", K " + std::to_string(K),
      [&](const auto& table) { table.forward(context, a, 0, T); });
}

void bench_conv(std::int64_t C, std::int64_t H, std::int64_t W, std::int64_t O, std::int64_t kernel_h,
                std::int64_t kernel_w, std::int64_t stride) {
  Conv2dArguments<float> a;
  a.C = C, a.H = H, a.W = W, a.O = O, a.kernel_h = kernel_h, a.kernel_w = kernel_w,
  a.stride_h = a.stride_w = stride;
  a.out_h = (H - kernel_h) / stride + 1, a.out_w = (W - kernel_w) / stride + 1,
  a.activation = Activation::relu;
  const auto x = numbers(C * H * W), w = numbers(O * C * kernel_h * kernel_w), bias = numbers(O);
  std::vector<float> y(static_cast<std::size_t>(O * a.out_h * a.out_w));
  a.x = x.data(), a.w = w.data(), a.bias = bias.data(), a.y = y.data();
  bench<Conv2dKernels<float>>("convolution " + std::to_string(C) + " -> " + std::to_string(O) + ", " +
                                  std::to_string(kernel_h) + " x " + std::to_string(kernel_w) + ", width " +
                                  std::to_string(W),
                              [&](const auto& table) { table.forward(context, a, 0, O); });
}

}  // namespace

int main() {
  std::printf("%-44s", "one thread; median time, times the scalar column");
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (cpu_has(isa)) std::printf("  %20s", name_of(isa));
  std::printf("\n");
  bench_linear(1, 128, 384);
  bench_linear(1, 512, 1536);
  bench_linear(128, 128, 384);
  bench_linear(128, 512, 1536);
  bench_attention(1, 128, 16);
  bench_attention(128, 128, 16);
  bench_attention(1, 2048, 64);
  bench_attention(2048, 2048, 64);
  bench_conv(1, 3, 150, 3, 3, 2, 1);
  bench_conv(3, 1, 1313, 9, 1, 3, 2);
  bench_conv(9, 1, 656, 27, 1, 2, 1);
  const auto x = numbers(128 * 128), gamma = numbers(128), beta = numbers(128), logits = numbers(243);
  std::vector<float> y(128 * 128), weights(243);
  bench<LayerNormKernels<float>>("layer norm 128 x 128", [&](const auto& table) {
    table.forward(context, x.data(), nullptr, gamma.data(), beta.data(), y.data(), 0, 128, 128, 1e-5f);
  });
  bench<SamplingKernels<float>>("softmax weights of 243 logits", [&](const auto& table) {
    table.softmax_weights(context, logits.data(), nullptr, weights.data(), 243, 1.0f);
  });
}
