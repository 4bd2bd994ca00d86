// kernels/cuda/sampling.cuh beside the CPU's sampler.
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/generate/sampler.hpp"

using namespace imu2music;
using Kernels = kernels::SamplingKernels<float>;

namespace {

Tensor<std::uint8_t> mask(std::int64_t V, std::uint64_t seed, double share) {
  Tensor<std::uint8_t> allowed({V});
  Philox random(seed);
  for (std::uint8_t& a : allowed.values()) a = random.uniform() < share ? 1 : 0;
  return allowed;
}

std::int64_t sample_there(Context& context, const Tensor<float>& logits, const Tensor<std::uint8_t>& allowed,
                          const SamplerOptions& o, float u) {
  const auto token = context.allocate<std::int32_t>({1});
  const auto there = on_device_of(context, logits);
  const auto mask_there = on_device_of(context, allowed);
  kernels::SampleOptions<float> options;
  options.greedy = o.greedy;
  options.temperature = static_cast<float>(o.temperature);
  options.top_k = o.top_k;
  options.top_p = o.top_p;
  options.min_p = static_cast<float>(o.min_p);
  context.table<Kernels>().sample(context.kernel(), there.data(), mask_there.data(), logits.size(), options,
                                  u, const_cast<std::int32_t*>(token.data()));
  return on_host(context, token)[0];
}

// Whether u falls within rounding of a border of `id`'s share of the weights.
bool is_border(std::span<const float> weights, std::int64_t id, float u) {
  double total = 0, before = 0;
  for (const float w : weights) total += static_cast<double>(w);
  for (std::int64_t n = 0; n < id; ++n) before += static_cast<double>(weights[static_cast<std::size_t>(n)]);
  const double after = before + static_cast<double>(weights[static_cast<std::size_t>(id)]);
  const double at = static_cast<double>(u) * total, near = 1e-6 * total;
  return weights[static_cast<std::size_t>(id)] > 0 && at > before - near && at < after + near;
}

// How many draws differed, which only those at a border may.
int check_draws(Context& context, std::int64_t V, SamplerOptions options, double share, bool with_ties,
                int draws = 12) {
  INFO("V " << V << ", temperature " << options.temperature << ", top-k " << options.top_k << ", top-p "
            << options.top_p << ", min-p " << options.min_p << ", greedy " << options.greedy << ", ties "
            << with_ties);
  Context cpu;
  int borders = 0;
  for (int n = 0; n < draws; ++n) {
    const auto seed = static_cast<std::uint64_t>(n);
    options.seed = seed;
    Sampler<float> sampler(V, options);
    Tensor<float> logits = test::numbers({V}, seed + 100);
    for (float& l : logits.values()) l = with_ties ? std::round(4 * l) / 2 : 4 * l;
    Tensor<std::uint8_t> allowed = share < 1 ? mask(V, seed + 7, share) : Tensor<std::uint8_t>();
    if (allowed.defined()) allowed[V / 2] = 1;
    const std::int64_t wanted = sampler.choose(cpu, logits.data(), allowed.data());
    const float u = static_cast<float>(Philox(seed).uint32() >> 8) * 0x1p-24f;
    const std::int64_t got = sample_there(context, logits, allowed, options, u);
    if (options.greedy) {
      CHECK(got == wanted);
      continue;
    }
    REQUIRE(got >= 0);
    CHECK((got == wanted || is_border(sampler.weights(), got, u)));
    borders += got != wanted;
  }
  return borders;
}

}  // namespace

TEST_CASE("sampling on the device: the CPU's choice for the same random number, every way to narrow") {
  Context* context = test::device();
  if (context == nullptr) return;
  const std::vector<SamplerOptions> all = {
      {.greedy = true},
      {},
      {.temperature = 0.5},
      {.temperature = 1.7, .top_k = 1},
      {.top_k = 7},
      {.top_p = 0.8},
      {.temperature = 1.3, .min_p = 0.1},
      {.temperature = 0.9, .top_k = 20, .top_p = 0.95, .min_p = 0.02},
  };
  int borders = 0;
  for (const std::int64_t V : {1, 2, 31, 257, 391, 512})
    for (const SamplerOptions& options : all)
      for (const bool with_ties : {false, true})
        borders += check_draws(*context, V, options, with_ties ? 0.6 : 1, with_ties, V > 300 ? 6 : 12);
  // More than shared memory holds.
  CHECK(borders <= 2);
  for (const SamplerOptions& options : {all[0], all[1], all[6]})
    check_draws(*context, 5003, options, 0.5, false, 4);
  check_draws(*context, 4001, all[7], 1, true, 1);
}

TEST_CASE("sampling on the device: logits of infinity, nothing allowed, the last id where u is near 1") {
  Context* context = test::device();
  if (context == nullptr) return;
  const float infinity = std::numeric_limits<float>::infinity();
  Tensor<float> logits = test::numbers({40}, 1);
  Tensor<std::uint8_t> none({40});
  CHECK(sample_there(*context, logits, none, {}, 0.5f) == -1);
  CHECK(sample_there(*context, logits, none, {.greedy = true}, 0.5f) == -1);
  CHECK(sample_there(*context, logits, none, {.top_k = 3, .top_p = 0.5}, 0.5f) == -1);
  CHECK(sample_there(*context, logits, {}, {}, 0) == 0);
  CHECK(sample_there(*context, logits, {}, {}, 0x1.fffffep-1f) == 39);
  logits[39] = -infinity;
  CHECK(sample_there(*context, logits, {}, {}, 0x1.fffffep-1f) == 38);
  logits[11] = logits[30] = infinity;
  CHECK(sample_there(*context, logits, {}, {}, 0.4f) == 11);
  CHECK(sample_there(*context, logits, {}, {}, 0.6f) == 30);
  CHECK(sample_there(*context, logits, {}, {.greedy = true}, 0.6f) == 11);
}

TEST_CASE("sampling on the device: its steps one by one") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto& table = context->table<Kernels>();
  const auto& wanted = cpu.table<Kernels>();
  for (const std::int64_t V : {1, 33, 391, 1000})
    for (const bool masked : {false, true}) {
      INFO("V " << V << ", masked " << masked);
      const auto logits = test::numbers({V}, 3), there = on_device_of(*context, logits);
      Tensor<std::uint8_t> allowed = masked ? mask(V, 5, 0.5) : Tensor<std::uint8_t>();
      if (masked) allowed[0] = 1;
      const auto allowed_there = on_device_of(*context, allowed);
      Tensor<float> weights({V}), weights_there = context->allocate<float>({V});
      const float total =
          wanted.softmax_weights(cpu.kernel(), logits.data(), allowed.data(), weights.data(), V, 0.7f);
      const float total_there = table.softmax_weights(context->kernel(), there.data(), allowed_there.data(),
                                                      weights_there.data(), V, 0.7f);
      CHECK(total_there == doctest::Approx(total).epsilon(1e-5));
      test::check_close(*context, weights_there, weights);
      CHECK(table.argmax(context->kernel(), there.data(), allowed_there.data(), V) ==
            wanted.argmax(cpu.kernel(), logits.data(), allowed.data(), V));
      for (const float u : {0.0f, 0.3f, 0.9f}) {
        const std::int64_t id = table.pick(context->kernel(), weights_there.data(), total_there, u, V);
        CHECK((id == wanted.pick(cpu.kernel(), weights.data(), total, u, V) ||
               is_border(weights.values(), id, u)));
      }
    }
}
