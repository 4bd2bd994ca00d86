#include "cpu/linear.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::Isa;
using kernels::LinearArguments;
using kernels::LinearKernels;
using kernels::LinearPackArguments;
using kernels::WeightFormat;

namespace {

const kernels::Context context;
const std::vector<WeightFormat> formats = {WeightFormat::plain, WeightFormat::bf16, WeightFormat::int8};
const std::vector<std::int64_t> widths = {1,  2,  3,  4,  5,  7,  8,  9,  12, 15, 16,  17,  20,
                                          23, 24, 25, 31, 32, 33, 40, 47, 64, 65, 100, 128, 300};

template <class T>
struct Packed {
  std::vector<std::byte> numbers;
  std::vector<T> scale;
};

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
  Packed<T> pack(const LinearKernels<T>& table, WeightFormat format = WeightFormat::plain) const {
    const std::int64_t bytes = kernels::linear_packed_size(N, K) * kernels::bytes_of(format, sizeof(T));
    Packed<T> packed{std::vector<std::byte>(static_cast<std::size_t>(bytes)),
                     std::vector<T>(static_cast<std::size_t>(N))};
    LinearPackArguments<T> a;
    a.W = W.data();
    a.K = K;
    a.N = N;
    a.format = format;
    a.packed = packed.numbers.data();
    a.scale = format == WeightFormat::int8 ? packed.scale.data() : nullptr;
    // Panel by panel, the last first.
    for (std::int64_t n = (N - 1) / kernels::linear_panel * kernels::linear_panel; n >= 0;
         n -= kernels::linear_panel)
      table.pack(context, a, n, std::min(N, n + kernels::linear_panel));
    return packed;
  }
  LinearArguments<T> arguments(const Packed<T>& packed, T* y, bool bias, Activation activation,
                               WeightFormat format = WeightFormat::plain) const {
    LinearArguments<T> a;
    a.x = x.data();
    a.x_stride = x_stride;
    a.W = packed.numbers.data();
    a.format = format;
    a.scale = packed.scale.data();
    a.b = bias ? b.data() : nullptr;
    a.y = y;
    a.y_stride = y_stride;
    a.K = K;
    a.N = N;
    a.activation = activation;
    a.slope = T(0.25);
    return a;
  }
  // W[n][k] as the format keeps it.
  double kept(std::int64_t n, std::int64_t k, WeightFormat format) const {
    const T w = W[static_cast<std::size_t>(n * K + k)];
    if (format == WeightFormat::plain) return double(w);
    if (format == WeightFormat::bf16) {
      int exponent = 0;
      const double fraction = std::frexp(double(w), &exponent);
      return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);  // 8 significant bits
    }
    T largest = 0;
    for (std::int64_t j = 0; j < K; ++j)
      largest = std::max(largest, std::abs(W[static_cast<std::size_t>(n * K + j)]));
    const T scale = largest / T(127);
    return scale > 0 ? std::nearbyint(double(w / scale)) * double(scale) : 0;
  }
  // The definition, in double, at (m, n).
  double expected(std::int64_t m, std::int64_t n, bool bias, Activation activation,
                  const std::vector<double>& weights) const {
    double sum = bias ? double(b[static_cast<std::size_t>(n)]) : 0.0;
    for (std::int64_t k = 0; k < K; ++k)
      sum += double(x[static_cast<std::size_t>(m * x_stride + k)]) *
             weights[static_cast<std::size_t>(n * K + k)];
    if (activation == Activation::relu) return sum > 0 ? sum : 0;
    if (activation == Activation::leaky_relu) return sum > 0 ? sum : 0.25 * sum;
    return sum;
  }
  std::vector<double> all_kept(WeightFormat format) const {
    std::vector<double> weights;
    for (std::int64_t n = 0; n < N; ++n)
      for (std::int64_t k = 0; k < K; ++k) weights.push_back(kept(n, k, format));
    return weights;
  }
};

template <class T>
void against_the_definition(Isa isa, std::int64_t M, std::int64_t N, std::int64_t K, double tolerance,
                            WeightFormat format = WeightFormat::plain) {
  auto table = kernels::make_table<LinearKernels<T>>(isa);
  const Problem<T> problem(M, N, K);
  const Packed<T> packed = problem.pack(table, format);
  const std::vector<double> weights = problem.all_kept(format);
  for (bool bias : {false, true})
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      test::GuardedBuffer<T> y(M * problem.y_stride, 1);
      for (std::int64_t i = 0; i < y.size(); ++i) y[i] = 77;
      table.forward(context, problem.arguments(packed, y.data(), bias, activation, format), 0, M, 0, N);
      double worst = 0;
      bool between_rows_intact = true;
      for (std::int64_t m = 0; m < M; ++m) {
        for (std::int64_t n = 0; n < N; ++n) {
          const double difference = std::abs(double(y[m * problem.y_stride + n]) -
                                             problem.expected(m, n, bias, activation, weights));
          if (!(difference <= worst)) worst = difference;
        }
        for (std::int64_t n = N; n < problem.y_stride; ++n)
          between_rows_intact = between_rows_intact && y[m * problem.y_stride + n] == 77;
      }
      INFO(name_of(isa) << ", M = " << M << ", N = " << N << ", K = " << K << ", format " << int(format));
      CHECK(worst < tolerance * (1 + std::sqrt(double(K))));
      CHECK(between_rows_intact);
      CHECK(y.guards_intact());
    }
}

}  // namespace

TEST_CASE("linear: the scalar column in double is the definition") {
  for (std::int64_t K : widths)
    for (WeightFormat format : formats) against_the_definition<double>(Isa::scalar, 3, 5, K, 1e-14, format);
}

TEST_CASE("linear: every column is the definition at every shape around the vectors' and blocks' widths") {
  for (Isa isa : test::all_columns())
    for (WeightFormat format : formats) {
      for (std::int64_t K : widths)
        for (std::int64_t M : {1, 2, 5}) against_the_definition<float>(isa, M, 9, K, 1e-6, format);
      for (std::int64_t M = 1; M <= 13; ++M)
        for (std::int64_t N : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 97, 128, 129})
          against_the_definition<float>(isa, M, N, 19, 1e-6, format);
      against_the_definition<float>(isa, 70, 67, 1536, 3e-6, format);
      against_the_definition<float>(isa, 400, 6, 1500, 3e-6, format);
    }
}

TEST_CASE("linear: without inputs the result is the bias") {
  for (Isa isa : test::all_columns())
    for (WeightFormat format : formats) against_the_definition<float>(isa, 2, 9, 0, 1e-6, format);
}

TEST_CASE("linear: every column packs the same bits, zeros where there is no column") {
  for (WeightFormat format : formats)
    for (std::int64_t N : {1, 15, 16, 17, 32, 33, 63, 64, 65, 100, 130})
      for (std::int64_t K : {1, 2, 7, 8, 9, 15, 16, 17, 40}) {
        const Problem<float> problem(1, N, K);
        const auto scalar = problem.pack(kernels::make_table<LinearKernels<float>>(Isa::scalar), format);
        for (Isa isa : test::all_columns()) {
          const auto packed = problem.pack(kernels::make_table<LinearKernels<float>>(isa), format);
          INFO(name_of(isa) << ", N = " << N << ", K = " << K << ", format " << int(format));
          CHECK(packed.numbers == scalar.numbers);
          CHECK(packed.scale == scalar.scale);
        }
      }
}

TEST_CASE("linear: bfloat16 is rounded to the nearest, ties to even, and keeps what is not finite") {
  using kernels::scalar::from_bfloat16, kernels::scalar::nearest_bfloat16;
  CHECK(from_bfloat16(nearest_bfloat16(1.0f)) == 1.0f);
  CHECK(from_bfloat16(nearest_bfloat16(1.0f + 0x1p-8f)) == 1.0f);
  CHECK(from_bfloat16(nearest_bfloat16(1.0f + 0x1.8p-7f)) == 1.0f + 0x1p-6f);
  CHECK(from_bfloat16(nearest_bfloat16(1.0f + 0x1.2p-8f)) == 1.0f + 0x1p-7f);
  CHECK(from_bfloat16(nearest_bfloat16(-3.0e38f)) < -2.9e38f);
  CHECK(std::isinf(from_bfloat16(nearest_bfloat16(std::numeric_limits<float>::infinity()))));
  CHECK(std::isnan(from_bfloat16(nearest_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("linear: a row of zeros in 8 bits stays zero, and one too small for a scale becomes it") {
  auto table = kernels::make_table<LinearKernels<float>>(Isa::scalar);
  Problem<float> problem(1, 3, 4);
  std::fill_n(problem.W.begin() + 4, 4, 0.0f);
  std::fill_n(problem.W.begin() + 8, 4, 0x1p-142f);
  const auto packed = problem.pack(table, WeightFormat::int8);
  CHECK(packed.scale[1] == 0);
  std::vector<float> y(5);
  table.forward(context, problem.arguments(packed, y.data(), false, Activation::none, WeightFormat::int8), 0,
                1, 0, 3);
  CHECK(y[1] == 0);
  CHECK(packed.scale[2] == 0);
  CHECK(y[2] == 0);
  CHECK(y[0] != 0);
}

TEST_CASE("linear: an element has the same bits however many rows and columns are asked for") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (WeightFormat format : formats)
      for (std::int64_t K : {1, 7, 16, 19, 40, 128, 1000}) {
        const std::int64_t M = 23, N = 165;
        const Problem<float> problem(M, N, K);
        const auto packed = problem.pack(table, format);
        const auto size = static_cast<std::size_t>(M * problem.y_stride);
        std::vector<float> whole(size, 0.0f);
        table.forward(context, problem.arguments(packed, whole.data(), true, Activation::leaky_relu, format),
                      0, M, 0, N);
        INFO(name_of(isa) << ", K = " << K << ", format " << int(format));

        std::vector<float> row_by_row(size, 0.0f);
        for (std::int64_t m = 0; m < M; ++m) {
          // As a decoding step does: pointers moved to the row, M = 1.
          auto a = problem.arguments(packed, row_by_row.data() + m * problem.y_stride, true,
                                     Activation::leaky_relu, format);
          a.x += m * problem.x_stride;
          table.forward(context, a, 0, 1, 0, N);
        }
        CHECK(test::same_bits(whole.data(), row_by_row.data(), M * problem.y_stride));

        for (std::int64_t step : {1, 2, 3, 5, 8, 13}) {
          std::vector<float> split(size, 0.0f);
          const auto a = problem.arguments(packed, split.data(), true, Activation::leaky_relu, format);
          for (std::int64_t m = 0; m < M; m += step)
            for (std::int64_t n = 0; n < N; n += kernels::linear_panel * (1 + step % 2))
              table.forward(context, a, m, std::min(M, m + step), n,
                            std::min(N, n + kernels::linear_panel * (1 + step % 2)));
          CHECK(test::same_bits(whole.data(), split.data(), M * problem.y_stride));
        }
      }
  }
}

TEST_CASE("linear: nothing outside the range is written, nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (WeightFormat format : formats)
      for (test::Edge edge : {test::Edge::before, test::Edge::after})
        for (std::int64_t K = 1; K <= 20; ++K)
          for (std::int64_t M : {1, 4, 7})
            for (std::int64_t N : {11, 75}) {
              const Problem<float> problem(M, N, K);
              const std::vector<double> weights = problem.all_kept(format);
              const auto used =
                  static_cast<std::size_t>((M - 1) * problem.x_stride + K);  // the last row is not padded
              const std::int64_t size = (M - 1) * problem.y_stride + N;
              test::EdgeBuffer<float> x(std::vector<float>(problem.x.begin(), problem.x.begin() + used),
                                        edge);
              test::EdgeBuffer<float> W(problem.W, edge), b(problem.b, edge), y(size, edge);
              const auto scale = problem.pack(table, format).scale;
              test::EdgeBuffer<float> scales(scale, edge);
              test::EdgeBuffer<std::uint8_t> numbers(
                  kernels::linear_packed_size(N, K) * kernels::bytes_of(format, 4), edge);
              LinearPackArguments<float> pack;
              pack.W = W.data();
              pack.K = K;
              pack.N = N;
              pack.format = format;
              pack.packed = numbers.data();
              pack.scale = format == WeightFormat::int8 ? scales.data() : nullptr;
              table.pack(context, pack, 0, N);
              auto a = problem.arguments({}, y.data(), true, Activation::none, format);
              a.x = x.data();
              a.W = numbers.data();
              a.scale = scales.data();
              a.b = b.data();
              for (std::int64_t i = 0; i < size; ++i) y[i] = 77;
              if (N > kernels::linear_panel) {
                table.forward(context, a, 0, M, kernels::linear_panel, N);
                CHECK(y[kernels::linear_panel - 1] == 77);
                CHECK(y[kernels::linear_panel] != 77);
                table.forward(context, a, 0, M, 0, kernels::linear_panel);
              } else {
                table.forward(context, a, 0, M, 0, N);
              }
              INFO(name_of(isa) << ", K = " << K << ", M = " << M << ", N = " << N);
              CHECK(double(y[size - 1]) ==
                    doctest::Approx(problem.expected(M - 1, N - 1, true, Activation::none, weights))
                        .epsilon(1e-4));
            }
  }
}

TEST_CASE("linear: rows in segments have the bits of the same rows in one piece") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (std::int64_t segment : {1, 3, 16, 20})
      for (std::int64_t segments : {1, 2, 5})
        for (WeightFormat format : formats)
          for (std::int64_t M : {1, 2, 6, 9}) {
            const std::int64_t N = 70, step = 2 * segment + 1, stride = segment;  // rows overlap
            Problem<float> problem(M, N, segment * segments);
            const auto packed = problem.pack(table, format);
            const auto x = test::some_numbers<float>(M * stride + segments * step, 5);
            for (std::int64_t m = 0; m < M; ++m)
              for (std::int64_t k = 0; k < problem.K; ++k)
                problem.x[static_cast<std::size_t>(m * problem.x_stride + k)] =
                    x[static_cast<std::size_t>(m * stride + k / segment * step + k % segment)];
            std::vector<float> whole(static_cast<std::size_t>(M * problem.y_stride)), pieces = whole;
            table.forward(context, problem.arguments(packed, whole.data(), true, Activation::relu, format), 0,
                          M, 0, N);
            auto a = problem.arguments(packed, pieces.data(), true, Activation::relu, format);
            a.x = x.data();
            a.x_stride = stride;
            a.segment = segment;
            a.segment_step = step;
            table.forward(context, a, 0, M, 0, N);
            INFO(name_of(isa) << ", " << segments << " segments of " << segment << ", M = " << M);
            CHECK(test::same_bits(whole.data(), pieces.data(), M * problem.y_stride));
          }
  }
}

TEST_CASE("linear: NaN stays NaN through every activation") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LinearKernels<float>>(isa);
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      Problem<float> problem(5, 9, 20);
      const auto packed = problem.pack(table);
      problem.x[static_cast<std::size_t>(4 * problem.x_stride)] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> y(static_cast<std::size_t>(5 * problem.y_stride));
      table.forward(context, problem.arguments(packed, y.data(), true, activation), 0, 5, 0, 9);
      CHECK(std::isnan(y[static_cast<std::size_t>(4 * problem.y_stride)]));
      CHECK(std::isnan(y[static_cast<std::size_t>(4 * problem.y_stride + 8)]));
      CHECK(!std::isnan(y[static_cast<std::size_t>(3 * problem.y_stride + 8)]));
    }
  }
}
