// Parameters, and how a model names them.
//
// A module is a struct of Parameters with two members:
//   forward<V>(Context&, const V& x) const    V = Tensor<T>: evaluation mode, records nothing
//                                             V = Variable<T>: training mode, recorded (autograd/tape.hpp)
//   visit(visitor, prefix)                    calls visitor(prefix + name, parameter) for each, in state_dict
//   order
// Names are those of the PyTorch state_dict, so weights go both ways without a table.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "imu2music/autograd/mode.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

// How an untrained parameter starts; PyTorch's own choices for each layer.
struct Initializer {
  enum class Kind { constant, normal, uniform } kind = Kind::constant;
  double scale = 0;  // the constant, the standard deviation, or the bound of -bound..bound

  static Initializer constant(double value) { return {Kind::constant, value}; }
  static Initializer normal(double deviation) { return {Kind::normal, deviation}; }
  static Initializer uniform(double bound) { return {Kind::uniform, bound}; }
  // A dense or convolutional layer's default: uniform within 1/sqrt(fan_in).
  static Initializer fan_in(std::int64_t inputs) {
    return uniform(1 / std::sqrt(static_cast<double>(inputs)));
  }
  // Glorot and Bengio 2010: uniform within sqrt(6 / (fan_in + fan_out)).
  static Initializer xavier(std::int64_t inputs, std::int64_t outputs) {
    return uniform(std::sqrt(6.0 / static_cast<double>(inputs + outputs)));
  }
};

template <class T>
struct Parameter {
  Shape shape;
  Initializer initializer;
  bool trainable = true;                         // false: a buffer, such as a running mean
  Tensor<T> (*formula)(const Shape&) = nullptr;  // where given, a file may lack it: its value follows from it
  int free_axis = -1;                            // an axis whose size is the file's choice; -1: none
  Tensor<T> value;

  Parameter() = default;
  Parameter(const Shape& s, const Initializer& i) : shape(s), initializer(i) {}
  static Parameter buffer(const Shape& s, double start) {
    Parameter parameter(s, Initializer::constant(start));
    parameter.trainable = false;
    return parameter;
  }

  // A fresh value; `random` is this parameter's own stream.
  void initialize(Philox random) {
    if (formula != nullptr) {
      value = formula(shape);
      return;
    }
    value = Tensor<T>::uninitialised(shape);
    for (T& element : value.values()) {
      double x = initializer.scale;
      if (initializer.kind == Initializer::Kind::normal) x *= random.normal();
      if (initializer.kind == Initializer::Kind::uniform) x *= 2 * random.uniform() - 1;
      element = static_cast<T>(x);
    }
  }
};

// Integers kept beside the parameters in a state_dict: a batch norm's num_batches_tracked.
struct Counter {
  std::int64_t value = 0;
};

}  // namespace imu2music::inline v0
