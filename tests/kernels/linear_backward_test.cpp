#include "cpu/linear_backward.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::LinearBackwardKernels;
using kernels::LinearInputGradientArguments;
using kernels::LinearWeightGradientArguments;

namespace {

const kernels::Context context;
const std::vector<std::int64_t> widths = {1,  2,  3,  5,  7,  8,  9,  12, 15, 16, 17,
                                          23, 24, 25, 31, 32, 33, 40, 47, 64, 65, 100};
constexpr double start = 3;  // what dW and db hold before they are added to

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

template <class T>
struct Problem {
  std::int64_t M, N, K, dy_stride, x_stride, dx_stride;
  std::vector<T> dy, x, W;
  Problem(std::int64_t rows, std::int64_t outputs, std::int64_t inputs)
      : M(rows), N(outputs), K(inputs), dy_stride(outputs + 1), x_stride(inputs + 3), dx_stride(inputs + 2) {
    dy = test::some_numbers<T>(M * dy_stride, index(M + 10 * N));
    x = test::some_numbers<T>(M * x_stride, index(M + 10 * K));
    W = test::some_numbers<T>(N * K, index(N + 77 * K));
  }
  LinearInputGradientArguments<T> input(T* dx) const {
    LinearInputGradientArguments<T> a;
    a.dy = dy.data();
    a.dy_stride = dy_stride;
    a.W = W.data();
    a.dx = dx;
    a.dx_stride = dx_stride;
    a.N = N;
    a.K = K;
    return a;
  }
  LinearWeightGradientArguments<T> weight(T* dW, T* db) const {
    LinearWeightGradientArguments<T> a;
    a.dy = dy.data();
    a.dy_stride = dy_stride;
    a.x = x.data();
    a.x_stride = x_stride;
    a.dW = dW;
    a.db = db;
    a.M = M;
    a.K = K;
    return a;
  }
  // The definitions, in double.
  double dx_at(std::int64_t m, std::int64_t k) const {
    double sum = 0;
    for (std::int64_t n = 0; n < N; ++n)
      sum += double(dy[index(m * dy_stride + n)]) * double(W[index(n * K + k)]);
    return sum;
  }
  double dW_at(std::int64_t n, std::int64_t k) const {
    double sum = start;
    for (std::int64_t m = 0; m < M; ++m)
      sum += double(dy[index(m * dy_stride + n)]) * double(x[index(m * x_stride + k)]);
    return sum;
  }
  double db_at(std::int64_t n) const {
    double sum = start;
    for (std::int64_t m = 0; m < M; ++m) sum += double(dy[index(m * dy_stride + n)]);
    return sum;
  }
};

template <class T>
void against_the_definition(Isa isa, std::int64_t M, std::int64_t N, std::int64_t K, double tolerance) {
  INFO(name_of(isa) << ", M = " << M << ", N = " << N << ", K = " << K);
  auto table = kernels::make_table<LinearBackwardKernels<T>>(isa);
  const Problem<T> problem(M, N, K);
  double worst = 0;
  const auto compare = [&](T value, double wanted) {
    const double difference = std::abs(double(value) - wanted);
    if (!(difference <= worst)) worst = difference;
  };

  test::GuardedBuffer<T> dx(M * problem.dx_stride, 1);
  for (std::int64_t i = 0; i < dx.size(); ++i) dx[i] = 77;
  table.input(context, problem.input(dx.data()), 0, M);
  bool between_rows_intact = true;
  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t k = 0; k < K; ++k) compare(dx[m * problem.dx_stride + k], problem.dx_at(m, k));
    for (std::int64_t k = K; k < problem.dx_stride; ++k)
      between_rows_intact = between_rows_intact && dx[m * problem.dx_stride + k] == 77;
  }
  CHECK(worst < tolerance * (1 + std::sqrt(double(N))));
  CHECK(between_rows_intact);
  CHECK(dx.guards_intact());

  worst = 0;
  test::GuardedBuffer<T> dW(N * K, 3), db(N, 1);
  for (std::int64_t i = 0; i < N * K; ++i) dW[i] = T(start);
  for (std::int64_t i = 0; i < N; ++i) db[i] = T(start);
  table.weight(context, problem.weight(dW.data(), db.data()), 0, N);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) compare(dW[n * K + k], problem.dW_at(n, k));
    compare(db[n], problem.db_at(n));
  }
  CHECK(worst < 2 * tolerance * (4 + std::sqrt(double(M))));
  CHECK(dW.guards_intact());
  CHECK(db.guards_intact());
}

}  // namespace

TEST_CASE("linear_backward: the scalar column in double is the definition") {
  for (std::int64_t K : widths) against_the_definition<double>(Isa::scalar, 3, 5, K, 1e-14);
  against_the_definition<double>(Isa::scalar, 70, 30, 70, 1e-14);
}

TEST_CASE("linear_backward: every column is the definition at every shape around the blocks' widths") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t K : widths)
      for (std::int64_t M : {1, 2, 5}) against_the_definition<float>(isa, M, 9, K, 1e-6);
    for (std::int64_t M = 1; M <= 17; ++M)
      for (std::int64_t N = 1; N <= 20; ++N) against_the_definition<float>(isa, M, N, 19, 1e-6);
    // Around the stretches of the sums, and of the rows and outputs taken at once.
    for (std::int64_t length : {95, 96, 97, 127, 128, 129, 192, 193, 255, 256, 257, 513}) {
      against_the_definition<float>(isa, length, 7, 18, 1e-6);
      against_the_definition<float>(isa, 7, length, 18, 1e-6);
    }
    against_the_definition<float>(isa, 300, 270, 65, 1e-6);
  }
}

TEST_CASE("linear_backward: without outputs dx is zero, without rows nothing is added") {
  for (Isa isa : test::all_columns()) {
    against_the_definition<float>(isa, 9, 0, 37, 1e-6);
    against_the_definition<float>(isa, 0, 9, 37, 1e-6);
    against_the_definition<float>(isa, 3, 9, 0, 1e-6);
  }
}

TEST_CASE("linear_backward: an element has the same bits however the range is split") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearBackwardKernels<float>>(isa);
    for (std::int64_t length : {1, 19, 128, 130, 300}) {
      const std::int64_t K = 37;
      INFO(name_of(isa) << ", sums of " << length);
      {
        const std::int64_t M = 31;
        const Problem<float> problem(M, length, K);
        std::vector<float> whole(index(M * problem.dx_stride)), split = whole;
        table.input(context, problem.input(whole.data()), 0, M);
        for (std::int64_t step : {1, 2, 5, 7, 8, 13}) {
          std::fill(split.begin(), split.end(), 0.0f);
          for (std::int64_t m = 0; m < M; m += step)
            table.input(context, problem.input(split.data()), m, std::min(M, m + step));
          CHECK(test::same_bits(whole.data(), split.data(), M * problem.dx_stride));
        }
      }
      const std::int64_t N = 31;
      const Problem<float> problem(length, N, K);
      std::vector<float> dW(index(N * K), 1.0f), db(index(N), 1.0f);
      table.weight(context, problem.weight(dW.data(), db.data()), 0, N);
      for (std::int64_t step : {1, 2, 5, 7, 8, 13}) {
        std::vector<float> split_dW(index(N * K), 1.0f), split_db(index(N), 1.0f);
        for (std::int64_t n = 0; n < N; n += step)
          table.weight(context, problem.weight(split_dW.data(), split_db.data()), n, std::min(N, n + step));
        CHECK(test::same_bits(dW.data(), split_dW.data(), N * K));
        CHECK(test::same_bits(db.data(), split_db.data(), N));
      }
    }
  }
}

TEST_CASE("linear_backward: either of dW and db may be left out") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearBackwardKernels<float>>(isa);
    const Problem<float> problem(20, 9, 19);
    std::vector<float> dW(9 * 19), db(9), dW_alone(9 * 19), db_alone(9);
    table.weight(context, problem.weight(dW.data(), db.data()), 0, 9);
    table.weight(context, problem.weight(dW_alone.data(), nullptr), 0, 9);
    auto without_x = problem.weight(nullptr, db_alone.data());
    without_x.x = nullptr;
    table.weight(context, without_x, 0, 9);
    CHECK(test::same_bits(dW.data(), dW_alone.data(), 9 * 19));
    CHECK(test::same_bits(db.data(), db_alone.data(), 9));
  }
}

TEST_CASE("linear_backward: nothing outside the range is written, nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearBackwardKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t K = 1; K <= 40; ++K)
        for (std::int64_t M : {1, 4, 11}) {
          INFO(name_of(isa) << ", K = " << K << ", M = " << M);
          const std::int64_t N = 1 + K % 19;
          const Problem<float> problem(M, N, K);
          const auto cut = [&](const std::vector<float>& values, std::int64_t size) {
            return std::vector<float>(values.begin(), values.begin() + size);  // the last row is not padded
          };
          test::EdgeBuffer<float> dy(cut(problem.dy, (M - 1) * problem.dy_stride + N), edge);
          test::EdgeBuffer<float> x(cut(problem.x, (M - 1) * problem.x_stride + K), edge);
          test::EdgeBuffer<float> W(problem.W, edge), dx((M - 1) * problem.dx_stride + K, edge);
          test::EdgeBuffer<float> dW(N * K, edge), db(N, edge);
          auto input = problem.input(dx.data());
          input.dy = dy.data();
          input.W = W.data();
          for (std::int64_t i = 0; i < (M - 1) * problem.dx_stride + K; ++i) dx[i] = 77;
          if (M > 1) {
            table.input(context, input, 1, M - 1);
            CHECK(dx[0] == 77);
            CHECK(dx[(M - 1) * problem.dx_stride] == 77);
          }
          table.input(context, input, 0, M);
          CHECK(double(dx[(M - 1) * problem.dx_stride + K - 1]) ==
                doctest::Approx(problem.dx_at(M - 1, K - 1)).epsilon(1e-4));

          auto weight = problem.weight(dW.data(), db.data());
          weight.dy = dy.data();
          weight.x = x.data();
          for (std::int64_t i = 0; i < N * K; ++i) dW[i] = float(start);
          for (std::int64_t i = 0; i < N; ++i) db[i] = float(start);
          if (N > 1) {
            table.weight(context, weight, 0, N - 1);
            CHECK(dW[(N - 1) * K] == float(start));
            CHECK(db[N - 1] == float(start));
          }
          table.weight(context, weight, N - 1, N);
          CHECK(double(dW[N * K - 1]) == doctest::Approx(problem.dW_at(N - 1, K - 1)).epsilon(1e-4));
          CHECK(double(dW[0]) == doctest::Approx(problem.dW_at(0, 0)).epsilon(1e-4));
          CHECK(double(db[N - 1]) == doctest::Approx(problem.db_at(N - 1)).epsilon(1e-4));
        }
  }
}

TEST_CASE("linear_backward: NaN reaches what it is part of, and nothing else") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearBackwardKernels<float>>(isa);
    Problem<float> problem(5, 9, 20);
    problem.dy[index(4 * problem.dy_stride + 8)] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> dx(index(5 * problem.dx_stride)), dW(9 * 20), db(9);
    table.input(context, problem.input(dx.data()), 0, 5);
    table.weight(context, problem.weight(dW.data(), db.data()), 0, 9);
    for (std::int64_t k = 0; k < 20; ++k) {
      CHECK(std::isnan(dx[index(4 * problem.dx_stride + k)]));
      CHECK(!std::isnan(dx[index(3 * problem.dx_stride + k)]));
      CHECK(std::isnan(dW[index(8 * 20 + k)]));
      CHECK(!std::isnan(dW[index(7 * 20 + k)]));
    }
    CHECK(std::isnan(db[8]));
    CHECK(!std::isnan(db[7]));
  }
}
