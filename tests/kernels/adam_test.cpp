#include "cpu/adam.hpp"

#include "columns.hpp"

using namespace imu2music;
using kernels::AdamArguments;
using kernels::AdamKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

template <class T>
struct State {
  std::vector<T> parameter, gradient, m, v;
  explicit State(std::int64_t count)
      : parameter(test::some_numbers<T>(count, 1)),
        gradient(test::some_numbers<T>(count, 2)),
        m(test::some_numbers<T>(count, 3)),
        v(test::some_numbers<T>(count, 4)) {
    for (T& value : v) value *= value;
  }
};

template <class T>
AdamArguments<T> arguments(T* parameter, const T* gradient, T* m, T* v) {
  AdamArguments<T> a;
  a.parameter = parameter;
  a.gradient = gradient;
  a.first_moment = m;
  a.second_moment = v;
  a.gradient_scale = T(0.5);
  a.gradient_decay = T(0.125);
  a.weight = T(0.75);
  a.beta2 = T(0.875);
  a.one_minus_beta1 = T(0.25);
  a.one_minus_beta2 = T(0.125);
  a.step_size = T(0.0625);
  a.inverse_root = T(1.5);
  a.eps = T(0.015625);
  return a;
}

template <class T>
void against_the_definition(Isa isa, std::int64_t begin, std::int64_t end, double tolerance) {
  auto table = kernels::make_table<AdamKernels<T>>(isa);
  const State<T> before(end);
  test::GuardedBuffer<T> parameter(end, 1), gradient(end, 2), m(end, 3), v(end, 5);
  for (std::int64_t i = 0; i < end; ++i) {
    parameter[i] = before.parameter[index(i)];
    gradient[i] = before.gradient[index(i)];
    m[i] = before.m[index(i)];
    v[i] = before.v[index(i)];
  }
  table.step(context, arguments<T>(parameter.data(), gradient.data(), m.data(), v.data()), begin, end);
  double worst = 0;
  for (std::int64_t i = 0; i < end; ++i) {
    double w = double(before.parameter[index(i)]), m1 = double(before.m[index(i)]);
    double v1 = double(before.v[index(i)]);
    if (i >= begin) {
      w *= 0.75;
      const double g = 0.5 * double(before.gradient[index(i)]) + 0.125 * w;
      m1 = 0.75 * m1 + 0.25 * g;
      v1 = 0.875 * v1 + 0.125 * g * g;
      w -= 0.0625 * m1 / (1.5 * std::sqrt(v1) + 0.015625);
    }
    for (double difference : {double(parameter[i]) - w, double(m[i]) - m1, double(v[i]) - v1})
      if (!(std::abs(difference) <= worst)) worst = std::abs(difference);
  }
  INFO(name_of(isa) << ", " << begin << " to " << end);
  CHECK(worst < tolerance);
  for (const auto* buffer : {&parameter, &gradient, &m, &v}) CHECK(buffer->guards_intact());
}

}  // namespace

TEST_CASE("adam: every column is the definition at every length and start") {
  for (std::int64_t count = 0; count <= 10; ++count)
    against_the_definition<double>(Isa::scalar, 0, count, 1e-15);
  for (Isa isa : test::all_columns())
    for (std::int64_t begin : {0, 1, 8, 19})
      for (std::int64_t length = 0; length <= 40; ++length)
        against_the_definition<float>(isa, begin, begin + length, 1e-6);
}

TEST_CASE("adam: an element has the same bits however the range is split") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<AdamKernels<float>>(isa);
    const std::int64_t count = 200;
    State<float> whole(count);
    table.step(
        context,
        arguments<float>(whole.parameter.data(), whole.gradient.data(), whole.m.data(), whole.v.data()), 0,
        count);
    for (std::int64_t step : {1, 3, 8, 13, 16, 50}) {
      State<float> split(count);
      const auto a =
          arguments<float>(split.parameter.data(), split.gradient.data(), split.m.data(), split.v.data());
      for (std::int64_t i = 0; i < count; i += step) table.step(context, a, i, std::min(count, i + step));
      INFO(name_of(isa) << ", step " << step);
      CHECK(test::same_bits(whole.parameter.data(), split.parameter.data(), count));
      CHECK(test::same_bits(whole.m.data(), split.m.data(), count));
      CHECK(test::same_bits(whole.v.data(), split.v.data(), count));
    }
  }
}

TEST_CASE("adam: nothing outside the operands is read or written") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<AdamKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t count = 1; count <= 34; ++count) {
        const State<float> before(count);
        test::EdgeBuffer<float> parameter(before.parameter, edge), gradient(before.gradient, edge);
        test::EdgeBuffer<float> m(before.m, edge), v(before.v, edge);
        table.step(context, arguments<float>(parameter.data(), gradient.data(), m.data(), v.data()), 0,
                   count);
        CHECK(parameter[count - 1] != before.parameter.back());
        double sum = 0;
        table.sums_of_squares(context, gradient.data(), &sum, count, 0, 1);
        CHECK(sum > 0);
      }
  }
}

TEST_CASE("sums_of_squares: every column gives the bits of the order that the table states") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<AdamKernels<float>>(isa);
    for (std::int64_t count : {1, 7, 8, 9, 15, 16, 17, 31, 33, 100, 4095, 4096, 4097, 4100, 4110, 10000}) {
      INFO(name_of(isa) << ", " << count);
      const auto x = test::some_numbers<float>(count + 1, 1);
      const std::int64_t stretches = (count + kernels::square_stretch - 1) / kernels::square_stretch;
      std::vector<double> wanted, sums(index(stretches)), split(index(stretches));
      for (std::int64_t s = 0; s < stretches; ++s) {
        double parts[16] = {};
        for (std::int64_t i = s * 4096; i < std::min(count, (s + 1) * 4096); ++i)
          parts[i % 16] += double(x[index(i + 1)]) * double(x[index(i + 1)]);
        for (int half = 8; half > 0; half /= 2)
          for (int l = 0; l < half; ++l) parts[l] += parts[l + half];
        wanted.push_back(parts[0]);
      }
      table.sums_of_squares(context, x.data() + 1, sums.data(), count, 0, stretches);
      for (std::int64_t s = 0; s < stretches; ++s)
        table.sums_of_squares(context, x.data() + 1, split.data(), count, s, s + 1);
      CHECK(test::same_bits(sums.data(), wanted.data(), stretches));
      CHECK(test::same_bits(split.data(), wanted.data(), stretches));
    }
  }
}
