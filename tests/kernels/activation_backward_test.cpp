#include "cpu/activation_backward.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::ActivationBackwardKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

double expected(double dy, double y, Activation activation) {
  return y > 0 ? dy : activation == Activation::relu ? 0 : 0.25 * dy;
}

}  // namespace

TEST_CASE("activation_backward: every column is the definition, to the bit, wherever the range begins") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<ActivationBackwardKernels<float>>(isa);
    for (Activation activation : {Activation::relu, Activation::leaky_relu})
      for (std::int64_t count = 0; count <= 40; ++count)
        for (std::int64_t begin : {0, 1, 3, 17}) {
          if (begin > count) continue;
          test::Numbers numbers(static_cast<std::uint64_t>(count));
          test::GuardedBuffer<float> dy(count, 1, numbers), y(count, 2, numbers), dx(count, 3);
          if (count > 5) y[5] = 0;
          for (std::int64_t i = 0; i < count; ++i) dx[i] = 77;
          table.backward(context, dy.data(), y.data(), dx.data(), begin, count, activation, 0.25f);
          bool equal = true;
          for (std::int64_t i = 0; i < count; ++i)
            equal = equal && double(dx[i]) == (i < begin ? 77 : expected(dy[i], y[i], activation));
          INFO(name_of(isa) << ", " << begin << " to " << count);
          CHECK(equal);
          CHECK(dx.guards_intact());
        }
  }
}

TEST_CASE("activation_backward: dx may be dy or y, and infinity does not pass where relu is 0") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<ActivationBackwardKernels<float>>(isa);
    auto dy = test::some_numbers<float>(37, 1), y = test::some_numbers<float>(37, 2);
    dy[30] = std::numeric_limits<float>::infinity();
    y[30] = 0;
    std::vector<float> dx(37), over_dy = dy, over_y = y;
    table.backward(context, dy.data(), y.data(), dx.data(), 0, 37, Activation::relu, 0.0f);
    table.backward(context, over_dy.data(), y.data(), over_dy.data(), 0, 37, Activation::relu, 0.0f);
    table.backward(context, dy.data(), over_y.data(), over_y.data(), 0, 37, Activation::relu, 0.0f);
    CHECK(dx[30] == 0);
    CHECK(test::same_bits(dx.data(), over_dy.data(), 37));
    CHECK(test::same_bits(dx.data(), over_y.data(), 37));
  }
}

TEST_CASE("activation_backward: nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<ActivationBackwardKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t count = 1; count <= 34; ++count) {
        test::EdgeBuffer<float> dy(test::some_numbers<float>(count, 1), edge), dx(count, edge);
        test::EdgeBuffer<float> y(test::some_numbers<float>(count, 2), edge);
        table.backward(context, dy.data(), y.data(), dx.data(), 0, count, Activation::leaky_relu, 0.25f);
        CHECK(double(dx[count - 1]) == expected(dy[count - 1], y[count - 1], Activation::leaky_relu));
      }
  }
}
