#include "cpu/batch_norm_backward.hpp"

#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::BatchNormBackwardArguments;
using kernels::BatchNormBackwardKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

std::vector<std::int64_t> plane_sizes() {
  std::vector<std::int64_t> sizes;
  for (std::int64_t P = 1; P <= 50; ++P) sizes.push_back(P);
  for (std::int64_t P : {127, 150, 1313}) sizes.push_back(P);
  return sizes;
}

}  // namespace

TEST_CASE("batch norm statistics: every column is the definition, near zero and far from it") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<BatchNormBackwardKernels<float>>(isa);
    for (std::int64_t P : plane_sizes())
      for (std::int64_t offset : {0, 1})
        for (float center : {0.0f, -300.0f, 1e6f}) {
          const std::int64_t B = 3, C = 3;
          INFO(std::string(name_of(isa)) << ", P = " << P << ", offset " << offset);
          test::Numbers numbers(static_cast<std::uint64_t>(P));
          test::GuardedBuffer<float> x(B * C * P, offset, numbers), mean(C, offset), variance(C, offset);
          for (std::int64_t i = 0; i < x.size(); ++i) x[i] += center;
          table.statistics(context, x.data(), mean.data(), variance.data(), 0, C, B, C, P);
          for (std::int64_t c = 0; c < C; ++c) {
            double sum = 0, squares = 0;
            for (std::int64_t i = 0; i < B * C * P; ++i)
              if (i / P % C == c) sum += double(x[i]);
            const double wanted = sum / double(B * P);
            for (std::int64_t i = 0; i < B * C * P; ++i)
              if (i / P % C == c) squares += (double(x[i]) - wanted) * (double(x[i]) - wanted);
            CHECK(std::abs(mean[c] - wanted) < 1e-7 * (1 + std::abs(wanted)));
            CHECK(std::abs(variance[c] - squares / double(B * P)) < 1e-6 * squares / double(B * P) + 1e-12);
          }
          CHECK(mean.guards_intact());
          CHECK(variance.guards_intact());
          // In two parts.
          test::GuardedBuffer<float> mean_parts(C, offset), variance_parts(C, offset);
          table.statistics(context, x.data(), mean_parts.data(), variance_parts.data(), 1, C, B, C, P);
          CHECK(mean_parts[0] == -12345.678f);  // untouched so far
          table.statistics(context, x.data(), mean_parts.data(), variance_parts.data(), 0, 1, B, C, P);
          CHECK(test::same_bits(mean_parts.data(), mean.data(), C));
          CHECK(test::same_bits(variance_parts.data(), variance.data(), C));
        }
  }
}

TEST_CASE("batch norm backward: the scalar column is the definition") {
  auto table = kernels::make_table<BatchNormBackwardKernels<double>>(Isa::scalar);
  const std::int64_t B = 2, C = 2, P = 3;
  const auto x = test::some_numbers<double>(B * C * P, 1), dy = test::some_numbers<double>(B * C * P, 2),
             gamma = test::some_numbers<double>(C, 3);
  std::vector<double> mean(at(C)), variance(at(C)), dx(at(B * C * P)), dgamma(at(C), 5.0), dbeta(at(C), 6.0);
  table.statistics(context, x.data(), mean.data(), variance.data(), 0, C, B, C, P);
  BatchNormBackwardArguments<double> a;
  a.dy = dy.data(), a.x = x.data(), a.mean = mean.data(), a.variance = variance.data();
  a.gamma = gamma.data(), a.dx = dx.data(), a.dgamma = dgamma.data(), a.dbeta = dbeta.data();
  a.B = B, a.C = C, a.P = P, a.eps = 0.25;
  table.backward(context, a, 0, C);
  for (std::int64_t c = 0; c < C; ++c) {
    const double r = 1 / std::sqrt(variance[at(c)] + 0.25);
    double sum = 0, products = 0;
    for (std::int64_t i = 0; i < B * C * P; ++i)
      if (i / P % C == c) sum += dy[at(i)], products += dy[at(i)] * (x[at(i)] - mean[at(c)]) * r;
    CHECK(dbeta[at(c)] == doctest::Approx(6 + sum));
    CHECK(dgamma[at(c)] == doctest::Approx(5 + products));
    for (std::int64_t i = 0; i < B * C * P; ++i)
      if (i / P % C == c) {
        const double z = (x[at(i)] - mean[at(c)]) * r;
        CHECK(dx[at(i)] == doctest::Approx(gamma[at(c)] * r * (dy[at(i)] - sum / 6 - z * products / 6)));
      }
  }
}

TEST_CASE("batch norm backward: every column agrees with the scalar one in double, at every plane") {
  auto truth = kernels::make_table<BatchNormBackwardKernels<double>>(Isa::scalar);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<BatchNormBackwardKernels<float>>(isa);
    for (std::int64_t P : plane_sizes())
      for (std::int64_t offset : {0, 1}) {
        const std::int64_t B = 3, C = 3, count = B * C * P;
        INFO(std::string(name_of(isa)) << ", P = " << P << ", offset " << offset);
        test::Numbers numbers(static_cast<std::uint64_t>(P));
        test::GuardedBuffer<float> x(count, offset, numbers), dy(count, offset, numbers),
            gamma(C, offset, numbers), mean(C, offset), variance(C, offset), dgamma(C, offset, numbers),
            dbeta(C, offset, numbers), dx(count, offset);
        table.statistics(context, x.data(), mean.data(), variance.data(), 0, C, B, C, P);
        const auto doubled = [](const test::GuardedBuffer<float>& values) {
          return std::vector<double>(values.data(), values.data() + values.size());
        };
        const auto xd = doubled(x), dyd = doubled(dy), gamma_d = doubled(gamma), mean_d = doubled(mean),
                   variance_d = doubled(variance);
        std::vector<double> dgamma_d = doubled(dgamma), dbeta_d = doubled(dbeta), dxd(at(count));
        const std::vector<float> dgamma_before(dgamma.data(), dgamma.data() + C),
            dbeta_before(dbeta.data(), dbeta.data() + C);
        BatchNormBackwardArguments<double> d;
        d.dy = dyd.data(), d.x = xd.data(), d.mean = mean_d.data(), d.variance = variance_d.data();
        d.gamma = gamma_d.data(), d.dx = dxd.data(), d.dgamma = dgamma_d.data(), d.dbeta = dbeta_d.data();
        d.B = B, d.C = C, d.P = P, d.eps = 1e-2;
        truth.backward(context, d, 0, C);
        BatchNormBackwardArguments<float> a;
        a.dy = dy.data(), a.x = x.data(), a.mean = mean.data(), a.variance = variance.data();
        a.gamma = gamma.data(), a.dx = dx.data(), a.dgamma = dgamma.data(), a.dbeta = dbeta.data();
        a.B = B, a.C = C, a.P = P, a.eps = 1e-2;
        table.backward(context, a, 0, C);
        CHECK(test::max_difference(dx.data(), dxd.data(), count) < 1e-6);
        CHECK(test::max_difference(dgamma.data(), dgamma_d.data(), C) < 1e-6);
        CHECK(test::max_difference(dbeta.data(), dbeta_d.data(), C) < 1e-6);
        for (auto* buffer : {&dx, &dgamma, &dbeta}) CHECK(buffer->guards_intact());
        // In two parts, dx over dy.
        test::GuardedBuffer<float> dgamma_parts(C, offset), dbeta_parts(C, offset);
        for (std::int64_t c = 0; c < C; ++c)
          dgamma_parts[c] = dgamma_before[at(c)], dbeta_parts[c] = dbeta_before[at(c)];
        a.dx = dy.data(), a.dgamma = dgamma_parts.data(), a.dbeta = dbeta_parts.data();
        const float first = dy[0];
        table.backward(context, a, 1, C);
        CHECK(dy[0] == first);
        CHECK(dgamma_parts[0] == dgamma_before[0]);
        table.backward(context, a, 0, 1);
        CHECK(test::same_bits(dy.data(), dx.data(), count));
        CHECK(test::same_bits(dgamma_parts.data(), dgamma.data(), C));
        CHECK(test::same_bits(dbeta_parts.data(), dbeta.data(), C));
      }
  }
}
