#include "cpu/batch_norm.hpp"

#include <limits>
#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::BatchNormKernels;
using kernels::Isa;

namespace {
const kernels::Context context;
std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }
}  // namespace

TEST_CASE("batch norm: hand-computed planes") {
  auto table = kernels::make_table<BatchNormKernels<double>>(Isa::scalar);
  const double x[] = {1, 2, 3, -4, 5, -6, 7, 8}, scale[] = {2, -1}, shift[] = {1, 0};
  double y[8];
  table.forward(context, x, scale, shift, y, 0, 4, 2, 2, Activation::leaky_relu, 0.5);
  const double wanted[] = {3, 5, -1.5, 4, 11, -5.5, -3.5, -4};
  for (int n = 0; n < 8; ++n) CHECK(y[n] == wanted[n]);
}

TEST_CASE(
    "batch norm: every column agrees with the scalar one in double, at every plane around the vectors'") {
  auto truth = kernels::make_table<BatchNormKernels<double>>(Isa::scalar);
  std::vector<std::int64_t> sizes;
  for (std::int64_t P = 1; P <= 50; ++P) sizes.push_back(P);
  for (std::int64_t P : {127, 150, 1313}) sizes.push_back(P);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<BatchNormKernels<float>>(isa);
    for (std::int64_t P : sizes)
      for (std::int64_t offset : {0, 1})
        for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
          const std::int64_t B = 2, C = 3, count = B * C * P;
          INFO(std::string(name_of(isa)) << ", P = " << P << ", offset " << offset);
          test::Numbers numbers(static_cast<std::uint64_t>(P));
          test::GuardedBuffer<float> x(count, offset, numbers), scale(C, offset, numbers),
              shift(C, offset, numbers), y(count, offset);
          const std::vector<double> xd(x.data(), x.data() + count), sd(scale.data(), scale.data() + C),
              hd(shift.data(), shift.data() + C);
          std::vector<double> yd(at(count));
          truth.forward(context, xd.data(), sd.data(), hd.data(), yd.data(), 0, B * C, C, P, activation, 0.3);
          table.forward(context, x.data(), scale.data(), shift.data(), y.data(), 0, B * C, C, P, activation,
                        0.3f);
          CHECK(test::max_difference(y.data(), yd.data(), count) < 1e-6);
          CHECK(y.guards_intact());
          // In two parts, in place.
          const float first = x[0];
          table.forward(context, x.data(), scale.data(), shift.data(), x.data(), 1, B * C, C, P, activation,
                        0.3f);
          CHECK(x[0] == first);
          table.forward(context, x.data(), scale.data(), shift.data(), x.data(), 0, 1, C, P, activation,
                        0.3f);
          CHECK(test::same_bits(x.data(), y.data(), count));
        }
  }
}

TEST_CASE("batch norm: NaN stays NaN under every activation") {
  for (Isa isa : test::all_columns())
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      auto table = kernels::make_table<BatchNormKernels<float>>(isa);
      std::vector<float> x(37, std::numeric_limits<float>::quiet_NaN());
      const float scale = 2, shift = 1;
      table.forward(context, x.data(), &scale, &shift, x.data(), 0, 1, 1, 37, activation, 0.5f);
      for (const float value : x) CHECK(std::isnan(value));
    }
}
