// Gradients against finite differences, in double:
//
//   f: inputs → y,  loss = sum_n w_n y_n  with fixed weights w,
//   (loss(x + h e_i) - loss(x - h e_i)) / 2 h  against  dloss/dx_i from the tape
//
// gradient_error() returns the largest |difference| / (1 + |gradient|) over all elements of all inputs. Cost:
// two evaluations of f an element.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "imu2music/autograd/tape.hpp"

namespace imu2music::inline v0 {

// f(context, std::vector<Variable<double>>&) → Variable<double>; `inputs` are changed and put back.
template <class Function>
double gradient_error(std::vector<Tensor<double>> inputs, const Function& f, double h = 1e-6) {
  Context context;
  std::vector<Tensor<double>> gradients;
  Tape<double> tape(context);
  for (Tensor<double>& input : inputs) {
    input = input.clone();
    gradients.emplace_back(input.shape());
    tape.watch(input, gradients.back());
  }
  const auto evaluate = [&] {
    std::vector<Variable<double>> variables;
    for (const Tensor<double>& input : inputs) variables.push_back(tape.parameter(input));
    return f(context, variables);
  };
  const auto weight = [](std::int64_t n) { return std::sin(1.0 + 0.7 * static_cast<double>(n)); };
  const auto loss = [&] {
    const Variable<double> y = evaluate();
    double sum = 0;
    for (std::int64_t n = 0; n < y.size(); ++n) sum += weight(n) * y.value()[n];
    tape.clear();
    return sum;
  };
  {
    const Variable<double> y = evaluate();
    Tensor<double> dy(y.shape());
    for (std::int64_t n = 0; n < dy.size(); ++n) dy[n] = weight(n);
    tape.backward(y, dy);
    tape.clear();
  }
  double worst = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k)
    for (std::int64_t i = 0; i < inputs[k].size(); ++i) {
      double& x = inputs[k][i];
      const double at = x;
      x = at + h;
      const double above = loss();
      x = at - h;
      const double below = loss();
      x = at;
      const double expected = (above - below) / (2 * h), got = gradients[k][i];
      const double error = std::abs(expected - got) / (1 + std::abs(expected));
      if (!(error <= worst)) worst = error;  // NaN too
    }
  return worst;
}

}  // namespace imu2music::inline v0
