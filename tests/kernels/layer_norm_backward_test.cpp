#include "cpu/layer_norm_backward.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::LayerNormBackwardKernels;

namespace {

const kernels::Context context;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

template <class T>
struct Problem {
  std::int64_t rows, D;
  std::vector<T> dy, x, r, gamma;
  Problem(std::int64_t row_count, std::int64_t width) : rows(row_count), D(width) {
    dy = test::some_numbers<T>(rows * D, 1);
    x = test::some_numbers<T>(rows * D, 2);
    r = test::some_numbers<T>(rows * D, 3);
    gamma = test::some_numbers<T>(D, 4);
  }
  static constexpr T eps = T(0.01);
  static constexpr double start = 3;  // of dgamma and dbeta

  // The definition, in double; `residual`: with r.
  void expect(bool residual, std::vector<double>& ds, std::vector<double>& dgamma,
              std::vector<double>& dbeta) const {
    const double width = double(D);
    ds.assign(index(rows * D), 0);
    dgamma.assign(index(D), start);
    dbeta.assign(index(D), start);
    std::vector<double> h(index(D));
    for (std::int64_t row = 0; row < rows; ++row) {
      double mean = 0, variance = 0, g_mean = 0, gh_mean = 0;
      for (std::int64_t d = 0; d < D; ++d) {
        h[index(d)] = double(x[index(row * D + d)]) + (residual ? double(r[index(row * D + d)]) : 0);
        mean += h[index(d)] / width;
      }
      for (double& s : h) variance += (s - mean) * (s - mean) / width;
      const double u = 1 / std::sqrt(variance + double(eps));
      for (std::int64_t d = 0; d < D; ++d) {
        h[index(d)] = (h[index(d)] - mean) * u;
        const double g = double(gamma[index(d)]) * double(dy[index(row * D + d)]);
        g_mean += g / width;
        gh_mean += g * h[index(d)] / width;
        dgamma[index(d)] += double(dy[index(row * D + d)]) * h[index(d)];
        dbeta[index(d)] += double(dy[index(row * D + d)]);
      }
      for (std::int64_t d = 0; d < D; ++d) {
        const double g = double(gamma[index(d)]) * double(dy[index(row * D + d)]);
        ds[index(row * D + d)] = u * (g - g_mean - h[index(d)] * gh_mean);
      }
    }
  }
};

template <class T>
void against_the_definition(Isa isa, std::int64_t rows, std::int64_t D, double tolerance) {
  auto table = kernels::make_table<LayerNormBackwardKernels<T>>(isa);
  const Problem<T> problem(rows, D);
  for (bool residual : {false, true}) {
    INFO(name_of(isa) << ", rows = " << rows << ", D = " << D);
    std::vector<double> ds_wanted, dgamma_wanted, dbeta_wanted;
    problem.expect(residual, ds_wanted, dgamma_wanted, dbeta_wanted);
    test::GuardedBuffer<T> ds(rows * D, 1), statistics(rows * 2, 1), dgamma(D, 3), dbeta(D, 2);
    for (std::int64_t d = 0; d < D; ++d) dgamma[d] = dbeta[d] = T(problem.start);
    const T* r = residual ? problem.r.data() : nullptr;
    table.input(context, problem.dy.data(), problem.x.data(), r, problem.gamma.data(), ds.data(),
                statistics.data(), 0, rows, D, problem.eps);
    table.parameters(context, problem.dy.data(), problem.x.data(), r, statistics.data(), dgamma.data(),
                     dbeta.data(), rows, 0, D, D);
    CHECK(test::max_difference(ds.data(), ds_wanted.data(), rows * D) < tolerance);
    CHECK(test::max_difference(dgamma.data(), dgamma_wanted.data(), D) < tolerance * std::sqrt(double(rows)));
    CHECK(test::max_difference(dbeta.data(), dbeta_wanted.data(), D) < tolerance * std::sqrt(double(rows)));
    CHECK(ds.guards_intact());
    CHECK(statistics.guards_intact());
    CHECK(dgamma.guards_intact());
    CHECK(dbeta.guards_intact());
  }
}

}  // namespace

TEST_CASE("layer_norm_backward: the scalar column in double is the definition") {
  for (std::int64_t D = 1; D <= 20; ++D) against_the_definition<double>(Isa::scalar, 3, D, 1e-13);
}

TEST_CASE("layer_norm_backward: every column is the definition at every width around the vectors'") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t D = 1; D <= 70; ++D) against_the_definition<float>(isa, 3, D, 5e-6);
    for (std::int64_t D : {100, 128, 512}) against_the_definition<float>(isa, 2, D, 5e-6);
    for (std::int64_t rows : {1, 127, 128, 129, 400}) against_the_definition<float>(isa, rows, 37, 5e-6);
  }
}

TEST_CASE("layer_norm_backward: the same bits however the ranges are split, and ds may be dy") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LayerNormBackwardKernels<float>>(isa);
    for (std::int64_t D : {5, 37, 128}) {
      INFO(name_of(isa) << ", D = " << D);
      const std::int64_t rows = 150;
      const Problem<float> problem(rows, D);
      std::vector<float> ds(index(rows * D)), statistics(index(2 * rows)), dgamma(index(D), 1.0f),
          dbeta = dgamma;
      table.input(context, problem.dy.data(), problem.x.data(), problem.r.data(), problem.gamma.data(),
                  ds.data(), statistics.data(), 0, rows, D, problem.eps);
      table.parameters(context, problem.dy.data(), problem.x.data(), problem.r.data(), statistics.data(),
                       dgamma.data(), dbeta.data(), rows, 0, D, D);
      for (std::int64_t step : {1, 3, 7, 16, 33}) {
        std::vector<float> in_place = problem.dy, statistics2(index(2 * rows)), dgamma2(index(D), 1.0f),
                           dbeta2 = dgamma2;
        for (std::int64_t row = 0; row < rows; row += step)
          table.input(context, in_place.data(), problem.x.data(), problem.r.data(), problem.gamma.data(),
                      in_place.data(), statistics2.data(), row, std::min(rows, row + step), D, problem.eps);
        for (std::int64_t d = 0; d < D; d += step) {  // one at a time
          table.parameters(context, problem.dy.data(), problem.x.data(), problem.r.data(), statistics.data(),
                           dgamma2.data(), nullptr, rows, d, std::min(D, d + step), D);
          table.parameters(context, problem.dy.data(), problem.x.data(), problem.r.data(), statistics.data(),
                           nullptr, dbeta2.data(), rows, d, std::min(D, d + step), D);
        }
        CHECK(test::same_bits(ds.data(), in_place.data(), rows * D));
        CHECK(test::same_bits(statistics.data(), statistics2.data(), 2 * rows));
        CHECK(test::same_bits(dgamma.data(), dgamma2.data(), D));
        CHECK(test::same_bits(dbeta.data(), dbeta2.data(), D));
      }
    }
  }
}

TEST_CASE("layer_norm_backward: nothing outside the operands is read, NaN stays in its row") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LayerNormBackwardKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t D = 1; D <= 70; ++D) {
        const Problem<float> problem(3, D);
        test::EdgeBuffer<float> dy(problem.dy, edge), x(problem.x, edge), r(problem.r, edge);
        test::EdgeBuffer<float> gamma(problem.gamma, edge), ds(3 * D, edge), statistics(6, edge);
        test::EdgeBuffer<float> dgamma(D, edge), dbeta(D, edge);
        x[2 * D + D / 2] = std::numeric_limits<float>::quiet_NaN();
        table.input(context, dy.data(), x.data(), r.data(), gamma.data(), ds.data(), statistics.data(), 0, 3,
                    D, problem.eps);
        table.parameters(context, dy.data(), x.data(), r.data(), statistics.data(), dgamma.data(),
                         dbeta.data(), 3, 0, D, D);
        CHECK(!std::isnan(ds[2 * D - 1]));
        CHECK(std::isnan(ds[3 * D - 1]));
        CHECK(std::isnan(dgamma[D - 1]));
        CHECK(!std::isnan(dbeta[D - 1]));
      }
  }
}
