#include "cpu/cross_entropy_backward.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::CrossEntropyBackwardArguments;
using kernels::CrossEntropyBackwardKernels;
using kernels::Isa;

namespace {

const kernels::Context context;
constexpr std::int64_t ignore = -7;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

template <class T>
struct Problem {
  std::int64_t rows, V;
  std::vector<T> logits;
  std::vector<std::int64_t> targets;
  Problem(std::int64_t row_count, std::int64_t width, T size) : rows(row_count), V(width) {
    logits = test::some_numbers<T>(rows * V, index(V));
    for (T& value : logits) value *= size;
    for (std::int64_t n = 0; n < rows; ++n) targets.push_back(n % 4 == 3 ? ignore : (7 * n + V - 1) % V);
  }
  CrossEntropyBackwardArguments<T> arguments(T* dlogits, double* sums, double smoothing) const {
    CrossEntropyBackwardArguments<T> a;
    a.logits = logits.data();
    a.targets = targets.data();
    a.dlogits = dlogits;
    a.sums = sums;
    a.V = V;
    a.ignore = ignore;
    a.smoothing = static_cast<T>(smoothing);
    a.scale = T(0.5);
    return a;
  }
};

template <class T>
void against_the_definition(Isa isa, std::int64_t rows, std::int64_t V, T size, double tolerance) {
  auto table = kernels::make_table<CrossEntropyBackwardKernels<T>>(isa);
  const Problem<T> problem(rows, V, size);
  for (double e : {0.0, 0.1, 1.0}) {
    INFO(name_of(isa) << ", V = " << V << ", smoothing " << e);
    test::GuardedBuffer<T> gradient(rows * V, 1);
    test::GuardedBuffer<double> sums(rows * 2, 1);
    for (std::int64_t i = 0; i < rows * V; ++i) gradient[i] = 77;
    table.backward(context, problem.arguments(gradient.data(), sums.data(), e), 0, rows);
    double worst_sum = 0, worst_gradient = 0;
    for (std::int64_t n = 0; n < rows; ++n) {
      const std::int64_t target = problem.targets[index(n)];
      const T* row = problem.logits.data() + n * V;
      double sum = 0, loss = 0;
      for (std::int64_t v = 0; v < V; ++v) sum += std::exp(double(row[v]) - double(size));
      const double log_sum = std::log(sum) + double(size);
      for (std::int64_t v = 0; v < V; ++v) {
        const double q = (v == target ? 1 - e : 0) + e / double(V);
        loss -= q * (double(row[v]) - log_sum);
        const double wanted = target == ignore ? 0 : 0.5 * (std::exp(double(row[v]) - log_sum) - q);
        const double difference = std::abs(double(gradient[n * V + v]) - wanted);
        if (!(difference <= worst_gradient)) worst_gradient = difference;
      }
      const double nll = target == ignore ? 0 : log_sum - double(row[target]);
      const double difference =
          std::max(std::abs(sums[2 * n] - nll), std::abs(sums[2 * n + 1] - (target == ignore ? 0 : loss)));
      if (!(difference <= worst_sum)) worst_sum = difference;
    }
    CHECK(worst_gradient < tolerance);
    CHECK(worst_sum < tolerance * (1 + double(size)));
    CHECK(gradient.guards_intact());
    CHECK(sums.guards_intact());
  }
}

}  // namespace

TEST_CASE("cross_entropy_backward: the scalar column in double is the definition") {
  for (std::int64_t V = 1; V <= 20; ++V) against_the_definition<double>(Isa::scalar, 5, V, 3.0, 1e-14);
}

TEST_CASE("cross_entropy_backward: every column is the definition at every width around the vectors'") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t V = 1; V <= 70; ++V) against_the_definition<float>(isa, 5, V, 3.0f, 2e-6);
    against_the_definition<float>(isa, 5, 332, 3.0f, 2e-6);
    against_the_definition<float>(isa, 5, 37, 60.0f, 2e-6);
  }
}

TEST_CASE("cross_entropy_backward: the same bits however the rows are split, in place and without gradient") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<CrossEntropyBackwardKernels<float>>(isa);
    for (std::int64_t V : {5, 37, 64}) {
      INFO(name_of(isa) << ", V = " << V);
      const std::int64_t rows = 11;
      const Problem<float> problem(rows, V, 3.0f);
      std::vector<float> gradient(index(rows * V));
      std::vector<double> sums(index(2 * rows)), sums2(index(2 * rows)), sums3(index(2 * rows));
      table.backward(context, problem.arguments(gradient.data(), sums.data(), 0.1), 0, rows);
      std::vector<float> in_place = problem.logits;
      auto a = problem.arguments(in_place.data(), sums2.data(), 0.1);
      a.logits = in_place.data();
      for (std::int64_t n = 0; n < rows; n += 3) table.backward(context, a, n, std::min(rows, n + 3));
      table.backward(context, problem.arguments(nullptr, sums3.data(), 0.1), 0, rows);
      CHECK(test::same_bits(gradient.data(), in_place.data(), rows * V));
      CHECK(test::same_bits(sums.data(), sums2.data(), 2 * rows));
      CHECK(test::same_bits(sums.data(), sums3.data(), 2 * rows));
    }
  }
}

TEST_CASE("cross_entropy_backward: impossible tokens, NaN, and the operands' edges") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<CrossEntropyBackwardKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t V = 2; V <= 40; ++V) {
        INFO(name_of(isa) << ", V = " << V);
        Problem<float> problem(3, V, 1.0f);
        problem.targets = {V - 1, V - 1, V - 1};
        test::EdgeBuffer<float> logits(problem.logits, edge), gradient(3 * V, edge);
        test::EdgeBuffer<double> sums(6, edge);
        logits[0] = -std::numeric_limits<float>::infinity();
        logits[V + V / 2] = std::numeric_limits<float>::quiet_NaN();
        auto a = problem.arguments(gradient.data(), sums.data(), 0);
        a.logits = logits.data();
        table.backward(context, a, 0, 3);
        CHECK(gradient[0] == 0);
        CHECK(std::isfinite(sums[0]));
        CHECK(sums[0] == sums[1]);
        CHECK(std::isnan(sums[2]));
        CHECK(std::isnan(sums[3]));
        CHECK(std::isnan(gradient[2 * V - 1]));
        CHECK(std::isfinite(sums[5]));
        CHECK(gradient[3 * V - 1] < 0);
      }
  }
}
