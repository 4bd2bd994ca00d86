#include "cpu/cross_entropy.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::CrossEntropyKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

template <class T>
void against_the_definition(Isa isa, std::int64_t V, double spread, double tolerance) {
  auto table = kernels::make_table<CrossEntropyKernels<T>>(isa);
  const std::int64_t rows = 5, ignore = -100;
  for (std::int64_t offset : {0, 1}) {
    test::Numbers numbers(static_cast<std::uint64_t>(V));
    test::GuardedBuffer<T> logits(rows * V, offset, numbers), nll(rows, offset);
    for (std::int64_t i = 0; i < rows * V; ++i) logits[i] *= static_cast<T>(spread);
    const std::vector<std::int64_t> targets = {0, V - 1, ignore, V / 2, V / 3};
    std::vector<double> expected;
    for (std::int64_t n = 0; n < rows; ++n) {
      const T* row = logits.data() + n * V;
      double maximum = double(row[0]), sum = 0;
      for (std::int64_t v = 0; v < V; ++v) maximum = std::max(maximum, double(row[v]));
      for (std::int64_t v = 0; v < V; ++v) sum += std::exp(double(row[v]) - maximum);
      expected.push_back(targets[at(n)] == ignore ? 0.0
                                                  : std::log(sum) + maximum - double(row[targets[at(n)]]));
    }
    table.forward(context, logits.data(), targets.data(), nll.data(), 0, rows, V, ignore);
    INFO(name_of(isa) << ", V = " << V << ", spread " << spread << ", offset " << offset);
    CHECK(test::max_difference(nll.data(), expected.data(), rows) < tolerance);
    CHECK(nll[2] == 0);
    CHECK(nll.guards_intact());
  }
}

}  // namespace

TEST_CASE("cross-entropy: the scalar column in double is the definition") {
  for (std::int64_t V : {1, 2, 7, 243}) against_the_definition<double>(Isa::scalar, V, 10, 1e-13);
  // Uniform logits: log V.
  const double logits[] = {3, 3, 3, 3};
  const std::int64_t targets[] = {2};
  double nll[1];
  kernels::make_table<CrossEntropyKernels<double>>(Isa::scalar)
      .forward(context, logits, targets, nll, 0, 1, 4, -1);
  CHECK(nll[0] == doctest::Approx(std::log(4.0)));
}

TEST_CASE("cross-entropy: every column is the definition at every size around the vectors' width") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t V = 1; V <= 70; ++V)
      for (double spread : {1.0, 30.0}) against_the_definition<float>(isa, V, spread, 2e-6);
    for (std::int64_t V : {240, 243, 310, 388}) against_the_definition<float>(isa, V, 10, 2e-6);
    against_the_definition<float>(isa, 40, 1e37, 1e-5);  // differences far beyond the exponential's range
    against_the_definition<float>(isa, 40, 1e-30, 2e-6);
  }
}

TEST_CASE("cross-entropy: a row with NaN gives NaN, a logit of -infinity adds nothing") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<CrossEntropyKernels<float>>(isa);
    for (std::int64_t V : {3, 8, 21, 40})
      for (std::int64_t place = 0; place < V; ++place) {
        std::vector<float> logits(at(V), 1.0f);
        const std::int64_t target = place == 0 ? 1 : 0;
        float nll = 0;
        logits[at(place)] = -infinity;
        table.forward(context, logits.data(), &target, &nll, 0, 1, V, -1);
        CHECK(nll == doctest::Approx(std::log(double(V - 1))));
        logits[at(place)] = std::numeric_limits<float>::quiet_NaN();
        table.forward(context, logits.data(), &target, &nll, 0, 1, V, -1);
        CHECK(std::isnan(nll));
        logits[at(place)] = infinity;
        table.forward(context, logits.data(), &target, &nll, 0, 1, V, -1);
        CHECK(!std::isfinite(nll));
      }
  }
}

TEST_CASE("cross-entropy: rows outside the range stay as they are, nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<CrossEntropyKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t V = 1; V <= 40; ++V) {
        test::EdgeBuffer<float> logits(test::some_numbers<float>(3 * V, 9), edge), nll(3, edge);
        test::EdgeBuffer<std::int64_t> targets(std::vector<std::int64_t>{0, V - 1, V / 2}, edge);
        nll[0] = nll[2] = 77;
        table.forward(context, logits.data(), targets.data(), nll.data(), 1, 2, V, -1);
        CHECK(nll[0] == 77);
        CHECK(nll[2] == 77);
        table.forward(context, logits.data(), targets.data(), nll.data(), 0, 3, V, -1);
        CHECK(nll[0] >= -1e-6f);
        CHECK(nll[2] != 77);
      }
  }
}
