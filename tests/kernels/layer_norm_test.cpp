#include "cpu/layer_norm.hpp"

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::LayerNormKernels;

namespace {
const kernels::Context context;
}

TEST_CASE("layer norm: hand-computed rows") {
  auto table = kernels::make_table<LayerNormKernels<double>>(Isa::scalar);
  const double x[] = {1, 2, 3, 4}, r[] = {1, 0, -1, 0}, gamma[] = {1, 1, 2, 1}, beta[] = {0, 0, 0.5, 0};
  double y[4];
  table.forward(context, x, nullptr, gamma, beta, y, 0, 1, 4, 0.0);
  const double s = std::sqrt(1.25);
  CHECK(y[0] == doctest::Approx(-1.5 / s));
  CHECK(y[2] == doctest::Approx(2 * 0.5 / s + 0.5));
  table.forward(context, x, r, gamma, beta, y, 0, 1, 4, 0.0);  // sums 2 2 2 4
  CHECK(y[3] == doctest::Approx(1.5 / std::sqrt(0.75)));
}

TEST_CASE(
    "layer norm: every column agrees with the scalar one in double, at every width around the vectors'") {
  auto truth = kernels::make_table<LayerNormKernels<double>>(Isa::scalar);
  std::vector<Isa> columns = test::vector_columns();
  columns.push_back(Isa::scalar);
  for (Isa isa : columns) {
    auto table = kernels::make_table<LayerNormKernels<float>>(isa);
    for (std::int64_t D = 1; D <= 70; ++D)
      for (std::int64_t offset : {0, 1}) {
        const std::int64_t rows = 3;
        test::Numbers numbers(static_cast<std::uint64_t>(D));
        test::GuardedBuffer<float> x(rows * D, offset, numbers), r(rows * D, offset, numbers);
        test::GuardedBuffer<float> gamma(D, offset, numbers), beta(D, offset, numbers), y(rows * D, offset);
        for (bool residual : {false, true}) {
          std::vector<double> xd(x.data(), x.data() + rows * D), rd(r.data(), r.data() + rows * D);
          std::vector<double> gd(gamma.data(), gamma.data() + D), bd(beta.data(), beta.data() + D);
          std::vector<double> yd(static_cast<std::size_t>(rows * D));
          truth.forward(context, xd.data(), residual ? rd.data() : nullptr, gd.data(), bd.data(), yd.data(),
                        0, rows, D, 1e-5);
          table.forward(context, x.data(), residual ? r.data() : nullptr, gamma.data(), beta.data(), y.data(),
                        0, rows, D, 1e-5f);
          INFO(name_of(isa) << ", D = " << D << ", offset " << offset);
          CHECK(test::max_difference(y.data(), yd.data(), rows * D) < 2e-5);
          CHECK(y.guards_intact());
        }
      }
  }
}

TEST_CASE("layer norm: rows of many thousand numbers lose nothing in the sums") {
  auto truth = kernels::make_table<LayerNormKernels<double>>(Isa::scalar);
  const std::int64_t D = 14400;
  test::Numbers numbers(3);
  test::GuardedBuffer<float> x(D, 0, numbers), gamma(D, 0), beta(D, 0), y(D, 0);
  for (std::int64_t d = 0; d < D; ++d) {
    x[d] = 90 * x[d] + 30;
    gamma[d] = 1;
    beta[d] = 0;
  }
  const std::vector<double> xd(x.data(), x.data() + D), ones(D, 1.0), zeros(D, 0.0);
  std::vector<double> yd(D);
  truth.forward(context, xd.data(), nullptr, ones.data(), zeros.data(), yd.data(), 0, 1, D, 1e-5);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LayerNormKernels<float>>(isa);
    table.forward(context, x.data(), nullptr, gamma.data(), beta.data(), y.data(), 0, 1, D, 1e-5f);
    INFO(name_of(isa));
    CHECK(test::max_difference(y.data(), yd.data(), D) < 1e-6);
  }
}

TEST_CASE("layer norm: rows outside the range stay as they are, and the output may be the input") {
  for (Isa isa : test::vector_columns()) {
    auto table = kernels::make_table<LayerNormKernels<float>>(isa);
    test::Numbers numbers(7);
    const std::int64_t D = 21;
    test::GuardedBuffer<float> x(4 * D, 0, numbers), gamma(D, 0, numbers), beta(D, 0, numbers), y(4 * D, 0);
    for (std::int64_t i = 0; i < 4 * D; ++i) y[i] = 99;
    table.forward(context, x.data(), nullptr, gamma.data(), beta.data(), y.data(), 1, 3, D, 1e-5f);
    CHECK(y[0] == 99);
    CHECK(y[D - 1] == 99);
    CHECK(y[3 * D] == 99);
    table.forward(context, x.data(), nullptr, gamma.data(), beta.data(), x.data(), 1, 3, D, 1e-5f);
    for (std::int64_t i = D; i < 3 * D; ++i) CHECK(x[i] == y[i]);
  }
}
