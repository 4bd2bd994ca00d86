#include "imu2music/nn/lstm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "random.hpp"

using namespace imu2music;

namespace {

template <class T>
Lstm<T> some_lstm(std::int64_t D, std::int64_t H, int layers) {
  Lstm<T> lstm(D, H, layers);
  std::uint64_t seed = 10;
  const auto fill = [&](const std::string&, Parameter<T>& p) {
    const Tensor<double> values = test::random_tensor<double>(p.shape, seed++);
    p.value = Tensor<T>(p.shape);
    for (std::int64_t n = 0; n < values.size(); ++n)
      p.value[n] = static_cast<T>(static_cast<float>(values[n]) / 2);
  };
  lstm.visit(fill, "");
  return lstm;
}

double logistic(double z) { return 1 / (1 + std::exp(-z)); }

// Plain stacked cells; h and c: [layer][unit] of one row, replaced; the result is the last layer's output.
std::vector<double> plain_step(const Lstm<double>& lstm, std::vector<double> x,
                               std::vector<std::vector<double>>& h, std::vector<std::vector<double>>& c) {
  const auto H = static_cast<std::size_t>(lstm.hidden);
  for (std::size_t i = 0; i < lstm.layers.size(); ++i) {
    const auto& layer = lstm.layers[i];
    std::vector<double> gates(4 * H);
    for (std::size_t row = 0; row < 4 * H; ++row) {
      const auto r = static_cast<std::int64_t>(row);
      gates[row] = layer.bias_ih.value[r] + layer.bias_hh.value[r];
      for (std::size_t d = 0; d < x.size(); ++d)
        gates[row] += layer.weight_ih.value.data()[row * x.size() + d] * x[d];
      for (std::size_t n = 0; n < H; ++n) gates[row] += layer.weight_hh.value.data()[row * H + n] * h[i][n];
    }
    for (std::size_t n = 0; n < H; ++n) {
      c[i][n] = logistic(gates[H + n]) * c[i][n] + logistic(gates[n]) * std::tanh(gates[2 * H + n]);
      h[i][n] = logistic(gates[3 * H + n]) * std::tanh(c[i][n]);
    }
    x = h[i];
  }
  return x;
}

}  // namespace

TEST_CASE("a stack of LSTM layers follows plain cells over many steps, in double and in float") {
  const std::int64_t B = 3, D = 5, H = 19;
  const int layers = 2, steps = 12;
  const Lstm<double> lstm = some_lstm<double>(D, H, layers);
  const Lstm<float> single = some_lstm<float>(D, H, layers);
  Context context(2);
  LstmState<double> state = lstm.make_state(context, B);
  LstmState<float> state_single = single.make_state(context, B);
  const std::vector<std::vector<double>> zero(layers, std::vector<double>(H));
  std::vector<std::vector<std::vector<double>>> h(B, zero), c(B, zero);
  for (int step = 0; step < steps; ++step) {
    const auto xf = test::random_tensor<float>({B, D}, 100 + static_cast<std::uint64_t>(step));
    Tensor<double> x({B, D});
    for (std::int64_t n = 0; n < x.size(); ++n) x[n] = xf[n];
    const Tensor<double> y = lstm.step(context, x, state);
    const Tensor<float> yf = single.step(context, xf, state_single);
    REQUIRE(y.shape() == Shape{B, H});
    for (std::int64_t b = 0; b < B; ++b) {
      const std::vector<double> row(x.data() + b * D, x.data() + (b + 1) * D);
      const auto wanted =
          plain_step(lstm, row, h[static_cast<std::size_t>(b)], c[static_cast<std::size_t>(b)]);
      for (std::int64_t n = 0; n < H; ++n) {
        CHECK(y[b * H + n] == doctest::Approx(wanted[static_cast<std::size_t>(n)]).epsilon(1e-12));
        CHECK(std::abs(yf[b * H + n] - wanted[static_cast<std::size_t>(n)]) < 1e-5);
      }
    }
  }
  // Cells of both layers too; a cleared state begins anew.
  for (std::size_t i = 0; i < 2; ++i)
    for (std::int64_t n = 0; n < H; ++n)
      CHECK(state.c[i][n] == doctest::Approx(c[0][i][static_cast<std::size_t>(n)]).epsilon(1e-12));
  state.clear(context);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::int64_t n = 0; n < B * H; ++n) CHECK((state.h[i][n] == 0 && state.c[i][n] == 0));
}

TEST_CASE("an LSTM's forward pass gives the bits of its steps, and a row those it has alone") {
  const std::int64_t B = 4, D = 7, H = 21;
  const Lstm<float> lstm = some_lstm<float>(D, H, 3);
  Context context;
  LstmState<float> state = lstm.make_state(context, B), alone = lstm.make_state(context, 1);
  std::vector<Tensor<float>> h, c;
  for (std::size_t i = 0; i < 3; ++i) h.push_back(state.h[i].clone()), c.push_back(state.c[i].clone());
  for (std::uint64_t step = 0; step < 5; ++step) {
    const auto x = test::random_tensor<float>({B, D}, step);
    const auto y = lstm.step(context, x, state).clone();
    const auto forward = lstm.forward(context, x, h, c);
    CHECK(std::memcmp(forward.data(), y.data(), sizeof(float) * std::size_t(B * H)) == 0);
    for (std::size_t i = 0; i < 3; ++i)
      CHECK(std::memcmp(c[i].data(), state.c[i].data(), sizeof(float) * std::size_t(B * H)) == 0);
    const auto row = lstm.step(context, x.slice(2, 1), alone);
    CHECK(std::memcmp(row.data(), y.data() + 2 * H, sizeof(float) * std::size_t(H)) == 0);
  }
}

TEST_CASE("an LSTM names and shapes its parameters as PyTorch does") {
  Lstm<float> lstm(5, 3, 2);
  std::vector<std::string> names;
  std::vector<Shape> shapes;
  const auto note = [&](const std::string& name, Parameter<float>& p) {
    names.push_back(name), shapes.push_back(p.shape);
  };
  lstm.visit(note, "rnn.");
  CHECK(names == std::vector<std::string>{"rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0",
                                          "rnn.bias_hh_l0", "rnn.weight_ih_l1", "rnn.weight_hh_l1",
                                          "rnn.bias_ih_l1", "rnn.bias_hh_l1"});
  CHECK(shapes == std::vector<Shape>{{12, 5}, {12, 3}, {12}, {12}, {12, 3}, {12, 3}, {12}, {12}});
}

TEST_CASE("all steps layer by layer are the steps one by one") {
  const std::int64_t B = 3, S = 5, D = 7, H = 11;
  const Lstm<double> lstm = some_lstm<double>(D, H, 3);
  Context context;
  const LstmState<double> zeros = lstm.make_state(context, B);
  std::vector<Tensor<double>> h = zeros.h, c = zeros.c, all_h = h, all_c = c;
  const auto x = test::random_tensor<double>({S, B, D}, 4);
  for (std::int64_t s = 0; s < S; ++s) lstm.forward(context, x.slice(s, 1).reshape({B, D}), h, c);
  lstm.forward_all(context, x, all_h, all_c);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::int64_t n = 0; n < B * H; ++n) CHECK((h[i][n] == all_h[i][n] && c[i][n] == all_c[i][n]));
}

TEST_CASE("all steps in one call have the bits of one step after the other") {
  const std::int64_t S = 7, B = 3, D = 21, H = 35;
  for (const int layers : {1, 2, 3}) {
    const Lstm<float> lstm = some_lstm<float>(D, H, layers);
    Context context(2);
    LstmState<float> state = lstm.make_state(context, B), stepped = lstm.make_state(context, B);
    for (std::int64_t round = 0; round < 2; ++round) {  // the second begins in the middle
      const auto x = test::random_tensor<float>({S, B, D}, 300 + static_cast<std::uint64_t>(round));
      lstm.run(context, x, state);
      for (std::int64_t s = 0; s < S; ++s) lstm.step(context, x.slice(s, 1).reshape({B, D}), stepped);
    }
    for (std::size_t i = 0; i < state.h.size(); ++i) {
      const auto bytes = static_cast<std::size_t>(B * H) * sizeof(float);
      CHECK(std::memcmp(state.h[i].data(), stepped.h[i].data(), bytes) == 0);
      CHECK(std::memcmp(state.c[i].data(), stepped.c[i].data(), bytes) == 0);
    }
  }
}
