// Parameters, and how a model names them.
//
// A module is a struct of Parameters with two members:
//   forward<V>(Context&, const V& x) const    V = Tensor<T>: evaluation mode, records nothing
//                                             V = Variable<T>: training mode, recorded (autograd/tape.hpp)
//   visit(visitor, prefix)                    calls visitor(prefix + name, parameter) for each, in
//                                             state_dict order
// Names are those of the PyTorch state_dict, so weights go both ways without a table.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "imu2music/autograd/mode.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/conv1d.hpp"
#include "imu2music/ops/linear.hpp"
#include "imu2music/ops/relative_attention.hpp"

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
  bool on_host = false;  // read by the host too: stays on the CPU, whatever the model does
  Tensor<T> value;

  // A dense layer's or one-dimensional convolution's weight: where it is cut into parts that are used by
  // themselves, last the number of its rows. Other parameters have none.
  std::vector<std::int64_t> dense_parts;
  // What inference multiplies with in place of `value` once pack() has made it, one for each part.
  std::vector<PackedWeight<T>> packed;

  bool relative = false;  // Er of relative attention
  Tensor<T> columns;      // what decoding reads in place of it once pack() has made it (relative_columns())

  Parameter() = default;
  Parameter(const Shape& s, const Initializer& i) : shape(s), initializer(i) {}
  static Parameter buffer(const Shape& s, double start) {
    Parameter parameter(s, Initializer::constant(start));
    parameter.trainable = false;
    return parameter;
  }

  static Parameter dense(const Shape& s, const Initializer& i, std::int64_t cut = 0) {
    Parameter parameter(s, i);
    if (cut > 0) parameter.dense_parts.push_back(cut);
    parameter.dense_parts.push_back(s[0]);
    return parameter;
  }

  static Parameter relative_positions(const Shape& s) {
    Parameter parameter(s, Initializer::normal(1));
    parameter.relative = true;
    return parameter;
  }

  // Packs such a parameter from its value; others have nothing to pack. The context: of the value's device.
  void pack(WeightFormat format = WeightFormat::plain) {
    Context context;
    pack(context, format);
  }
  void pack(Context& context, WeightFormat format) {
    unpack();
    if (relative && !context.on_device()) columns = relative_columns(context, value);
    std::vector<PackedWeight<T>> parts;
    std::int64_t first = 0;
    for (const std::int64_t end : dense_parts) {
      const Tensor<T> part = value.slice(first, end - first);
      parts.push_back(part.rank() == 3 ? pack_conv1d_weight(context, part, format)
                                       : pack_weight(context, part, format));
      first = end;
    }
    packed = std::move(parts);
  }

  bool packs() const { return relative || !dense_parts.empty(); }

  // What pack() takes of the context's memory, without its rounding.
  std::size_t packed_bytes(WeightFormat format) const {
    if (relative)
      return sizeof(T) * static_cast<std::size_t>(shape[1] * detail::turned_row(shape[0])) + buffer_alignment;
    std::int64_t bytes = 0, first = 0;
    for (const std::int64_t end : dense_parts) {
      bytes += packed_weight_bytes<T>(end - first, shape.element_count() / shape[0], format);
      first = end;
    }
    return static_cast<std::size_t>(bytes);
  }

  void unpack() {
    packed.clear();
    columns = {};
  }

  // A fresh value; `random` is this parameter's own stream.
  void initialize(Philox random) {
    unpack();
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

// activation(x W^T + b) with part `part` of a dense layer's weight and the same rows of its bias. In
// inference the packed weight is used where there is one; the bits are the same without, the plain format
// given.
template <class V, class T>
V dense(Context& context, const V& x, const Parameter<T>& weight, const Parameter<T>& bias,
        Activation activation = Activation::none, T slope = T(0), std::size_t part = 0) {
  const std::int64_t first = part == 0 ? 0 : weight.dense_parts[part - 1],
                     count = weight.dense_parts[part] - first;
  if constexpr (!records<V>)
    if (!weight.packed.empty())
      return linear(context, x, weight.packed[part], bias.value.slice(first, count), activation, slope);
  return linear(context, x, parameter<V>(context, weight.value.slice(first, count)),
                parameter<V>(context, bias.value.slice(first, count)), activation, slope);
}

// Integers kept beside the parameters in a state_dict: a batch norm's num_batches_tracked.
struct Counter {
  std::int64_t value = 0;
};

}  // namespace imu2music::inline v0
