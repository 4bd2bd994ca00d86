#include "cpu/linear.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::Isa;
using kernels::LinearArguments;
using kernels::LinearKernels;

namespace {

const kernels::Context context;
const std::vector<std::int64_t> widths = {1,  2,  3,  4,  5,  7,  8,  9,  12, 15, 16,  17,  20,
                                          23, 24, 25, 31, 32, 33, 40, 47, 64, 65, 100, 128, 300};

template <class T>
struct Problem {
  std::int64_t M, N, K, x_stride, y_stride;
  std::vector<T> x, W, b;
  Problem(std::int64_t rows, std::int64_t columns, std::int64_t inner)
      : M(rows), N(columns), K(inner), x_stride(inner + 3), y_stride(columns + 2) {
    x = test::some_numbers<T>(M * x_stride, static_cast<std::uint64_t>(M + 10 * K));
    W = test::some_numbers<T>(N * K, static_cast<std::uint64_t>(N + 77 * K));
    b = test::some_numbers<T>(N, static_cast<std::uint64_t>(N));
  }
  LinearArguments<T> arguments(T* y, bool bias, Activation activation) const {
    LinearArguments<T> a;
    a.x = x.data();
    a.x_stride = x_stride;
    a.W = W.data();
    a.b = bias ? b.data() : nullptr;
    a.y = y;
    a.y_stride = y_stride;
    a.K = K;
    a.activation = activation;
    a.slope = T(0.25);
    return a;
  }
  // The definition, in double, at (m, n).
  double expected(std::int64_t m, std::int64_t n, bool bias, Activation activation) const {
    double sum = bias ? double(b[static_cast<std::size_t>(n)]) : 0.0;
    for (std::int64_t k = 0; k < K; ++k)
      sum += double(x[static_cast<std::size_t>(m * x_stride + k)]) *
             double(W[static_cast<std::size_t>(n * K + k)]);
    if (activation == Activation::relu) return sum > 0 ? sum : 0;
    if (activation == Activation::leaky_relu) return sum > 0 ? sum : 0.25 * sum;
    return sum;
  }
};

template <class T>
void against_the_definition(Isa isa, std::int64_t M, std::int64_t N, std::int64_t K, double tolerance) {
  auto table = kernels::make_table<LinearKernels<T>>(isa);
  const Problem<T> problem(M, N, K);
  for (bool bias : {false, true})
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      test::GuardedBuffer<T> y(M * problem.y_stride, 1);
      for (std::int64_t i = 0; i < y.size(); ++i) y[i] = 77;
      table.forward(context, problem.arguments(y.data(), bias, activation), 0, M, 0, N);
      double worst = 0;
      bool between_rows_intact = true;
      for (std::int64_t m = 0; m < M; ++m) {
        for (std::int64_t n = 0; n < N; ++n) {
          const double difference =
              std::abs(double(y[m * problem.y_stride + n]) - problem.expected(m, n, bias, activation));
          if (!(difference <= worst)) worst = difference;
        }
        for (std::int64_t n = N; n < problem.y_stride; ++n)
          between_rows_intact = between_rows_intact && y[m * problem.y_stride + n] == 77;
      }
      INFO(name_of(isa) << ", M = " << M << ", N = " << N << ", K = " << K);
      CHECK(worst < tolerance * (1 + std::sqrt(double(K))));
      CHECK(between_rows_intact);
      CHECK(y.guards_intact());
    }
}

}  // namespace

TEST_CASE("linear: the scalar column in double is the definition") {
  for (std::int64_t K : widths) against_the_definition<double>(Isa::scalar, 3, 5, K, 1e-14);
}

TEST_CASE("linear: every column is the definition at every shape around the vectors' and blocks' widths") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t K : widths)
      for (std::int64_t M : {1, 2, 5}) against_the_definition<float>(isa, M, 9, K, 1e-6);
    for (std::int64_t M = 1; M <= 9; ++M)
      for (std::int64_t N = 1; N <= 20; ++N) against_the_definition<float>(isa, M, N, 19, 1e-6);
    against_the_definition<float>(isa, 70, 67, 1536, 1e-6);
    against_the_definition<float>(isa, 400, 6, 1500, 1e-6);
  }
}

TEST_CASE("linear: without inputs the result is the bias") {
  for (Isa isa : test::all_columns()) against_the_definition<float>(isa, 2, 9, 0, 1e-6);
}

TEST_CASE("linear: an element has the same bits however many rows and columns are asked for") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (std::int64_t K : {1, 7, 16, 19, 40, 128, 1000}) {
      const std::int64_t M = 23, N = 37;
      const Problem<float> problem(M, N, K);
      const auto size = static_cast<std::size_t>(M * problem.y_stride);
      std::vector<float> whole(size, 0.0f);
      table.forward(context, problem.arguments(whole.data(), true, Activation::leaky_relu), 0, M, 0, N);
      INFO(name_of(isa) << ", K = " << K);

      std::vector<float> row_by_row(size, 0.0f);
      for (std::int64_t m = 0; m < M; ++m) {
        // As a decoding step does: pointers moved to the row, M = 1.
        auto a = problem.arguments(row_by_row.data() + m * problem.y_stride, true, Activation::leaky_relu);
        a.x += m * problem.x_stride;
        table.forward(context, a, 0, 1, 0, N);
      }
      CHECK(test::same_bits(whole.data(), row_by_row.data(), M * problem.y_stride));

      for (std::int64_t step : {1, 2, 3, 5, 8, 13}) {
        std::vector<float> split(size, 0.0f);
        const auto a = problem.arguments(split.data(), true, Activation::leaky_relu);
        for (std::int64_t m = 0; m < M; m += step)
          for (std::int64_t n = 0; n < N; n += step + 2)
            table.forward(context, a, m, std::min(M, m + step), n, std::min(N, n + step + 2));
        CHECK(test::same_bits(whole.data(), split.data(), M * problem.y_stride));
      }
    }
  }
}

TEST_CASE("linear: nothing outside the range is written, nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t K = 1; K <= 40; ++K)
        for (std::int64_t M : {1, 4, 7}) {
          const std::int64_t N = 11;
          const Problem<float> problem(M, N, K);
          const auto used =
              static_cast<std::size_t>((M - 1) * problem.x_stride + K);  // the last row is not padded
          test::EdgeBuffer<float> x(std::vector<float>(problem.x.begin(), problem.x.begin() + used), edge);
          test::EdgeBuffer<float> W(problem.W, edge), b(problem.b, edge),
              y((M - 1) * problem.y_stride + N, edge);
          auto a = problem.arguments(y.data(), true, Activation::none);
          a.x = x.data();
          a.W = W.data();
          a.b = b.data();
          for (std::int64_t i = 0; i < (M - 1) * problem.y_stride + N; ++i) y[i] = 77;
          table.forward(context, a, 0, M, 2, N - 1);
          INFO(name_of(isa) << ", K = " << K << ", M = " << M);
          CHECK(y[1] == 77);
          CHECK(y[(M - 1) * problem.y_stride + N - 1] == 77);
          table.forward(context, a, 0, M, 0, N);
          CHECK(double(y[(M - 1) * problem.y_stride + N - 1]) ==
                doctest::Approx(problem.expected(M - 1, N - 1, true, Activation::none)).epsilon(1e-4));
        }
  }
}

TEST_CASE("linear: NaN stays NaN through every activation") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      Problem<float> problem(5, 9, 20);
      problem.x[static_cast<std::size_t>(4 * problem.x_stride)] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> y(static_cast<std::size_t>(5 * problem.y_stride));
      table.forward(context, problem.arguments(y.data(), true, activation), 0, 5, 0, 9);
      CHECK(std::isnan(y[static_cast<std::size_t>(4 * problem.y_stride)]));
      CHECK(std::isnan(y[static_cast<std::size_t>(4 * problem.y_stride + 8)]));
      CHECK(!std::isnan(y[static_cast<std::size_t>(3 * problem.y_stride + 8)]));
    }
  }
}
