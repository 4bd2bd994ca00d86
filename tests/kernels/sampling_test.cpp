#include "cpu/sampling.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::SamplingKernels;

namespace {

const kernels::Context context;
constexpr float infinity = std::numeric_limits<float>::infinity();

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

std::vector<std::int64_t> sizes() {
  std::vector<std::int64_t> result;
  for (std::int64_t V = 1; V <= 70; ++V) result.push_back(V);
  for (std::int64_t V : {127, 128, 129, 240, 243, 310, 388}) result.push_back(V);
  return result;
}

// Which ids are allowed: all, none but one, every third.
std::vector<std::vector<std::uint8_t>> masks(std::int64_t V) {
  std::vector<std::uint8_t> one(at(V), 0), thirds(at(V), 0);
  one[at(V * 2 / 3)] = 255;
  for (std::int64_t i = V % 3; i < V; i += 3) thirds[at(i)] = 1;
  thirds[at(V - 1)] = 2;
  return {{}, one, thirds};
}

template <class T>
std::int64_t naive_argmax(const std::vector<T>& logits, const std::vector<std::uint8_t>& allowed) {
  std::int64_t best = -1;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(logits.size()); ++i)
    if (allowed.empty() || allowed[at(i)] != 0)
      if (best < 0 || logits[at(i)] > logits[at(best)]) best = i;
  return best;
}

}  // namespace

TEST_CASE("sampling: argmax is the smallest allowed id of the largest logit") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SamplingKernels<float>>(isa);
    for (std::int64_t V : sizes())
      for (const auto& mask : masks(V)) {
        std::vector<float> logits = test::some_numbers<float>(V, static_cast<std::uint64_t>(V));
        const std::uint8_t* allowed = mask.empty() ? nullptr : mask.data();
        INFO(name_of(isa) << ", V = " << V);
        CHECK(table.argmax(context, logits.data(), allowed, V) == naive_argmax(logits, mask));
        for (float& logit : logits) logit = std::round(logit * 2);  // many ties
        CHECK(table.argmax(context, logits.data(), allowed, V) == naive_argmax(logits, mask));
        for (float& logit : logits) logit = -infinity;
        CHECK(table.argmax(context, logits.data(), allowed, V) == naive_argmax(logits, mask));
        logits[at(V - 1)] = -3e38f;
        CHECK(table.argmax(context, logits.data(), allowed, V) == naive_argmax(logits, mask));
        logits[at(V / 2)] = infinity;
        CHECK(table.argmax(context, logits.data(), allowed, V) == naive_argmax(logits, mask));
      }
    // NaN is passed over, wherever it stands; with nothing else there is no choice.
    for (std::int64_t V : sizes())
      for (std::int64_t place = 0; place < V; ++place) {
        std::vector<float> logits = test::some_numbers<float>(V, static_cast<std::uint64_t>(V));
        logits[at(place)] = std::numeric_limits<float>::quiet_NaN();
        std::vector<float> without = logits;
        without[at(place)] = -infinity;
        INFO(name_of(isa) << ", V = " << V << ", NaN at " << place);
        CHECK(table.argmax(context, logits.data(), nullptr, V) == (V == 1 ? -1 : naive_argmax(without, {})));
      }
    const std::uint8_t none[20] = {};
    const float zeros[20] = {};
    CHECK(table.argmax(context, zeros, none, 20) == -1);
  }
}

TEST_CASE("sampling: weights are exp((logit - max) / temperature), 0 where not allowed, and their sum") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SamplingKernels<float>>(isa);
    for (std::int64_t V : sizes())
      for (const auto& mask : masks(V))
        for (float temperature : {0.05f, 0.7f, 1.0f, 3.0f})
          for (std::int64_t offset : {0, 1}) {
            test::Numbers numbers(static_cast<std::uint64_t>(V + 5));
            test::GuardedBuffer<float> logits(V, offset, numbers), weights(V, offset);
            for (std::int64_t i = 0; i < V; ++i) logits[i] *= 20;
            if (V > 4) logits[V - 3] = -infinity;
            auto allowed = [&](std::int64_t i) { return mask.empty() || mask[at(i)] != 0; };
            double maximum = -std::numeric_limits<double>::infinity();
            for (std::int64_t i = 0; i < V; ++i)
              if (allowed(i)) maximum = std::max(maximum, double(logits[i]));
            const float total = table.softmax_weights(
                context, logits.data(), mask.empty() ? nullptr : mask.data(), weights.data(), V, temperature);
            double sum = 0, worst = 0;
            bool left_out_are_zero = true;
            for (std::int64_t i = 0; i < V; ++i) {
              if (!allowed(i)) {
                left_out_are_zero = left_out_are_zero && weights[i] == 0;
                continue;
              }
              const double expected = logits[i] == float(maximum)
                                          ? 1.0
                                          : std::exp((double(logits[i]) - maximum) / double(temperature));
              const double difference = std::abs(double(weights[i]) - expected);
              if (!(difference <= worst)) worst = difference;
              sum += double(weights[i]);
            }
            INFO(name_of(isa) << ", V = " << V << ", temperature " << temperature << ", offset " << offset);
            CHECK(worst < 1e-6);
            CHECK(left_out_are_zero);
            CHECK(double(total) == doctest::Approx(sum).epsilon(1e-5));
            CHECK(weights.guards_intact());
          }
  }
}

TEST_CASE("sampling: infinite logits and a temperature of zero give a choice among the largest, not NaN") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SamplingKernels<float>>(isa);
    std::vector<float> logits(21, 1.0f), weights(21);
    logits[3] = logits[20] = 2;
    CHECK(table.softmax_weights(context, logits.data(), nullptr, weights.data(), 21, 0.0f) == 2);
    CHECK(weights[3] == 1);
    CHECK(weights[20] == 1);
    CHECK(weights[0] == 0);
    logits[5] = infinity;
    CHECK(table.softmax_weights(context, logits.data(), nullptr, weights.data(), 21, 1.0f) == 1);
    CHECK(weights[5] == 1);
    CHECK(weights[3] == 0);
    logits.assign(21, -infinity);
    CHECK(table.softmax_weights(context, logits.data(), nullptr, weights.data(), 21, 1.0f) == 21);
    logits.assign(21, -3e38f);
    logits[2] = 3e38f;
    CHECK(table.softmax_weights(context, logits.data(), nullptr, weights.data(), 21, 1e-3f) == 1);
  }
}

TEST_CASE("sampling: pick inverts the cumulative distribution") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SamplingKernels<float>>(isa);
    // Weights that are multiples of 1/256: sums are exact in any order, so every column gives the same id.
    for (std::int64_t V : sizes())
      for (int seed = 0; seed < 3; ++seed) {
        std::vector<float> weights = test::some_numbers<float>(V, static_cast<std::uint64_t>(V * 3 + seed));
        float total = 0;
        for (float& weight : weights) {
          weight = std::max(0.0f, std::round(weight * 256) / 256);  // about half are 0
          total += weight;
        }
        if (total == 0) total = weights[at(V / 2)] = 1;
        for (int step = 0; step < 64; ++step) {
          const float u = static_cast<float>(step) / 64;
          float sum = 0;
          std::int64_t expected = -1;
          for (std::int64_t i = 0; i < V && expected < 0; ++i) {
            sum += weights[at(i)];
            if (sum > u * total && weights[at(i)] > 0) expected = i;
          }
          INFO(name_of(isa) << ", V = " << V << ", u = " << u);
          CHECK(table.pick(context, weights.data(), total, u, V) == expected);
        }
        // Where rounding made the total too large, the last id of positive weight.
        std::int64_t last = -1;
        for (std::int64_t i = 0; i < V; ++i)
          if (weights[at(i)] > 0) last = i;
        CHECK(table.pick(context, weights.data(), total * 1.5f, 0.99f, V) == last);
      }
    std::vector<float> nothing(40, 0.0f);
    CHECK(table.pick(context, nothing.data(), 0.0f, 0.5f, 40) == -1);
  }
}

TEST_CASE(
    "sampling: pick within rounding of the definition on weights of any size, never an id of weight 0") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SamplingKernels<float>>(isa);
    for (std::int64_t V : {5, 16, 17, 243}) {
      std::vector<float> logits = test::some_numbers<float>(V, 11), weights(at(V));
      for (float& logit : logits) logit *= 30;
      std::vector<std::uint8_t> allowed(at(V), 1);
      for (std::int64_t i = 1; i < V; i += 4) allowed[at(i)] = 0;
      const float total =
          table.softmax_weights(context, logits.data(), allowed.data(), weights.data(), V, 4.0f);
      test::Numbers numbers(5);
      for (int draw = 0; draw < 2000; ++draw) {
        const float u = static_cast<float>(std::abs(numbers.next())) * 0.9999999f;
        const std::int64_t id = table.pick(context, weights.data(), total, u, V);
        REQUIRE(id >= 0);
        REQUIRE(id < V);
        CHECK(weights[at(id)] > 0);
        double before = 0;
        for (std::int64_t i = 0; i < id; ++i) before += double(weights[at(i)]);
        const double threshold = double(u) * double(total), slack = 1e-5 * double(total);
        CHECK(before <= threshold + slack);
        CHECK(before + double(weights[at(id)]) >= threshold - slack);
      }
    }
  }
}

TEST_CASE("sampling: nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<SamplingKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t V = 1; V <= 70; ++V) {
        test::EdgeBuffer<float> logits(test::some_numbers<float>(V, 3), edge), weights(V, edge);
        test::EdgeBuffer<std::uint8_t> allowed(std::vector<std::uint8_t>(at(V), 1), edge);
        CHECK(table.argmax(context, logits.data(), allowed.data(), V) ==
              table.argmax(context, logits.data(), nullptr, V));
        const float total =
            table.softmax_weights(context, logits.data(), allowed.data(), weights.data(), V, 1.0f);
        CHECK(table.pick(context, weights.data(), total, 0.999f, V) >= 0);
      }
  }
}

TEST_CASE("sampling: the scalar column in double") {
  auto table = kernels::make_table<SamplingKernels<double>>(Isa::scalar);
  const double logits[] = {std::log(1.0), std::log(2.0), std::log(5.0)};
  double weights[3];
  const double total = table.softmax_weights(context, logits, nullptr, weights, 3, 1.0);
  CHECK(total == doctest::Approx(8.0 / 5));
  CHECK(weights[1] == doctest::Approx(2.0 / 5));
  CHECK(table.pick(context, weights, total, 0.12, 3) == 0);
  CHECK(table.pick(context, weights, total, 0.13, 3) == 1);
  CHECK(table.pick(context, weights, total, 0.38, 3) == 2);
  CHECK(table.argmax(context, logits, nullptr, 3) == 2);
}
