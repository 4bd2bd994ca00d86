// Every operation's gradient against finite differences.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "imu2music/autograd/autograd.hpp"
#include "imu2music/autograd/grad_check.hpp"
#include "random.hpp"

using namespace imu2music;
using V = Variable<double>;
using Inputs = std::vector<V>;
using test::random_tensor;

namespace {

constexpr double tolerance = 2e-7;

Tensor<double> away_from_zero(const Shape& shape, std::uint64_t seed) {
  Tensor<double> x = random_tensor<double>(shape, seed);
  for (double& value : x.values()) value += value < 0 ? -0.1 : 0.1;
  return x;
}

}  // namespace

TEST_CASE("linear, with every activation and without a bias") {
  for (const Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
    const auto f = [&](Context& c, const Inputs& x) { return linear(c, x[0], x[1], x[2], activation, 0.1); };
    CHECK(gradient_error({random_tensor<double>({2, 3, 5}, 1), random_tensor<double>({4, 5}, 2),
                          random_tensor<double>({4}, 3)},
                         f) < tolerance);
  }
  const auto bare = [](Context& c, const Inputs& x) { return linear(c, x[0], x[1], V()); };
  CHECK(gradient_error({random_tensor<double>({3, 5}, 1), random_tensor<double>({4, 5}, 2)}, bare) <
        tolerance);
}

TEST_CASE("layer_norm, with and without a residual") {
  const auto alone = [](Context& c, const Inputs& x) { return layer_norm(c, x[0], V(), x[1], x[2], 1e-5); };
  const auto both = [](Context& c, const Inputs& x) { return layer_norm(c, x[0], x[3], x[1], x[2], 1e-5); };
  const std::vector<Tensor<double>> inputs = {random_tensor<double>({3, 7}, 1), random_tensor<double>({7}, 2),
                                              random_tensor<double>({7}, 3),
                                              random_tensor<double>({3, 7}, 4)};
  CHECK(gradient_error(inputs, alone) < tolerance);
  CHECK(gradient_error(inputs, both) < tolerance);
}

TEST_CASE("embedding") {
  const auto ids = Tensor<std::int64_t>::from(std::vector<std::int64_t>{0, 2, 2, 4, 0, 1}, {2, 3});
  const auto f = [&](Context& c, const Inputs& x) {
    return embedding(c, ids, x[0], random_tensor<double>({3, 4}, 8));
  };
  CHECK(gradient_error({random_tensor<double>({5, 4}, 1)}, f) < tolerance);
}

TEST_CASE("relative_self_attention, causal and not, with keys masked") {
  Tensor<std::uint8_t> masked({2, 5});
  masked[3] = masked[9] = 1;
  for (const bool causal : {true, false})
    for (const bool mask : {true, false}) {
      const auto f = [&](Context& c, const Inputs& x) {
        return relative_self_attention(c, x[0], x[1], 2, causal, mask ? masked : Tensor<std::uint8_t>());
      };
      CHECK(gradient_error({random_tensor<double>({2, 5, 18}, 1), random_tensor<double>({7, 3}, 2)}, f) <
            tolerance);
    }
}

TEST_CASE("cross_attention") {
  const auto f = [](Context& c, const Inputs& x) { return cross_attention(c, x[0], x[1], 2); };
  CHECK(gradient_error({random_tensor<double>({2, 4, 6}, 1), random_tensor<double>({2, 3, 12}, 2)}, f) <
        tolerance);
}

TEST_CASE("conv1d and conv2d") {
  const Conv1dOptions causal{.stride = 2, .dilation = 2, .pad_left = 4, .activation = Activation::relu};
  const auto one = [&](Context& c, const Inputs& x) { return conv1d(c, x[0], x[1], x[2], causal); };
  CHECK(gradient_error({random_tensor<double>({2, 9, 3}, 1), random_tensor<double>({4, 3, 3}, 2),
                        random_tensor<double>({4}, 3)},
                       one) < tolerance);
  const Conv2dOptions padded{
      .stride_h = 2, .pad_h = 1, .pad_w = 1, .activation = Activation::leaky_relu, .slope = 0.01};
  const auto two = [&](Context& c, const Inputs& x) { return conv2d(c, x[0], x[1], x[2], padded); };
  CHECK(gradient_error({random_tensor<double>({2, 3, 5, 4}, 1), random_tensor<double>({2, 3, 3, 2}, 2),
                        random_tensor<double>({2}, 3)},
                       two) < tolerance);
}

TEST_CASE("batch_norm with the batch's statistics, in groups, and with constants") {
  for (const std::int64_t groups : {1, 2}) {
    const auto f = [&](Context& c, const Inputs& x) {
      return batch_norm_training(c, x[0], x[1].value(), x[2].value(), 1e-5, Tensor<double>(Shape{3}),
                                 Tensor<double>(Shape{3}), nullptr, groups, Activation::leaky_relu, 0.1);
    };
    CHECK(gradient_error({random_tensor<double>({4, 3, 5}, 1), random_tensor<double>({3}, 2),
                          random_tensor<double>({3}, 3)},
                         f) < tolerance);
  }
  const auto affine = [](Context& c, const Inputs& x) {
    return batch_norm(c, x[0], random_tensor<double>({3}, 5), random_tensor<double>({3}, 6));
  };
  CHECK(gradient_error({random_tensor<double>({2, 3, 4}, 1)}, affine) < tolerance);
}

TEST_CASE("graph_conv") {
  const auto f = [](Context& c, const Inputs& x) { return graph_conv(c, x[0], x[1]); };
  CHECK(gradient_error({random_tensor<double>({2, 6, 3, 4}, 1), random_tensor<double>({3, 4, 4}, 2)}, f) <
        tolerance);
}

TEST_CASE("lstm_cell, through output and cell") {
  const auto f = [](Context& c, const Inputs& x) {
    const auto next = lstm_cell(c, x[0], x[1], x[2]);
    return add(c, next.h, multiply(c, next.c, random_tensor<double>({2, 3}, 9)));
  };
  CHECK(gradient_error({random_tensor<double>({2, 12}, 1), random_tensor<double>({2, 12}, 2),
                        random_tensor<double>({2, 3}, 3)},
                       f) < tolerance);
}

TEST_CASE("add with an activation, mean, softmax_pool") {
  const auto sum = [](Context& c, const Inputs& x) { return add(c, x[0], x[1], Activation::relu); };
  CHECK(
      gradient_error({away_from_zero({3, 4}, 1), Tensor<double>({3, 4})}, [](Context& c, const Inputs& x) {
        return add(c, x[0], multiply(c, x[0], random_tensor<double>({3, 4}, 7)), Activation::leaky_relu, 0.2);
      }) < tolerance);
  CHECK(gradient_error({away_from_zero({3, 4}, 1), away_from_zero({3, 4}, 3)}, sum) < tolerance);
  const auto average = [](Context& c, const Inputs& x) { return mean(c, x[0]); };
  CHECK(gradient_error({random_tensor<double>({2, 3, 4}, 1)}, average) < tolerance);
  const auto pool = [](Context& c, const Inputs& x) { return softmax_pool(c, x[0], x[1]); };
  CHECK(gradient_error({random_tensor<double>({3, 2, 4}, 1), random_tensor<double>({3, 2, 4}, 2)}, pool) <
        tolerance);
}

TEST_CASE("dropout's gradient passes where the value passed, with the same bits") {
  Context context;
  Tape<double> tape(context);
  tape.dropout_rates() = {.transformer = 0.5, .encoder = 0.25, .seed = 3, .step = 1};
  Tensor<double> x = away_from_zero({1000}, 1), gradient(Shape{1000});
  tape.watch(x, gradient);
  const auto pass = [&] {
    const V y = dropout(context, tape.parameter(x), DropoutPlace::transformer);
    const V z = dropout(context, tape.parameter(x), DropoutPlace::encoder);
    return std::pair(y, z);
  };
  const auto [y, z] = pass();
  Tensor<double> ones(Shape{1000});
  for (double& value : ones.values()) value = 1;
  int kept = 0, kept_in_encoder = 0;
  tape.backward(y, ones);
  for (int n = 0; n < 1000; ++n) {
    CHECK(gradient[n] == (y.value()[n] == 0 ? 0.0 : 2.0));
    CHECK((y.value()[n] == 0 || y.value()[n] == 2 * x[n]));
    kept += y.value()[n] != 0;
    kept_in_encoder += z.value()[n] != 0;
  }
  CHECK(kept > 420);
  CHECK(kept < 580);
  CHECK(kept_in_encoder > 680);
  CHECK(kept_in_encoder < 820);
  const auto again = pass().first;
  CHECK(std::equal(again.value().values().begin(), again.value().values().end(), y.value().values().begin()));
  tape.clear();
  ++tape.dropout_rates().step;
  const auto other = pass().first;
  CHECK_FALSE(
      std::equal(other.value().values().begin(), other.value().values().end(), y.value().values().begin()));
  tape.clear();
  tape.dropout_rates().transformer = 0;
  CHECK(pass().first.value().data() == x.data());
  tape.clear();
}
