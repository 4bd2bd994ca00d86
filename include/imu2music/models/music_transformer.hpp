// The two transformers that write music.
//
//   MusicTransformer      an encoder over the motion's tokens and a decoder that looks at them; state_dict
//                         transformer.encoder.*, transformer.decoder.* (IMU2Music, Foley Music)
//   DecoderOnly           causal layers without a memory; the state_dict calls them transformer.encoder.*
//                         (Music Transformer, Huang et al. 2018, arXiv:1809.04281; gwinndr's implementation).
//                         PAD is not masked as a key.
//   ControlInput          pitch-class histograms joined to the tokens (Foley Music)
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/nn/embedding.hpp"
#include "imu2music/nn/linear.hpp"
#include "imu2music/nn/transformer.hpp"
#include "imu2music/ops/concatenate.hpp"

namespace imu2music::inline v0 {

template <class T>
struct MusicTransformer {
  TransformerEncoder<T> encoder;
  TransformerDecoder<T> decoder;

  // `memory_positions`, `max_sequence`: L of the two stacks.
  MusicTransformer(const TransformerSizes& sizes, int encoder_layers, std::int64_t memory_positions,
                   int decoder_layers)
      : encoder({sizes.D, sizes.H, sizes.F, memory_positions}, encoder_layers),
        decoder(sizes, decoder_layers) {}

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    encoder.visit(visitor, prefix + "encoder.");
    decoder.visit(visitor, prefix + "decoder.");
  }
};

template <class T>
struct DecoderOnly {
  TransformerEncoder<T> layers;

  DecoderOnly(const TransformerSizes& sizes, int layer_count) : layers(sizes, layer_count) {}

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    layers.visit(visitor, prefix + "encoder.");
  }
};

// After token positions are added: LeakyReLU .1 of Linear(D + 13 → D) of [token (D), flag (1), c (12)]. With
// control the flag is 0 and c the histogram of pitch classes at that token; without, the flag is 1 and c is
// 0. c has sinusoidal positions of its own added, with control or without.
template <class T>
struct ControlInput {
  static constexpr std::int64_t classes = 12;

  Linear<T> concat_fc;
  Parameter<T> positions;  // [L, 1, 12]

  ControlInput() = default;
  ControlInput(std::int64_t D, std::int64_t L) : concat_fc(D + 1 + classes, D) {
    positions = Parameter<T>::buffer({L, 1, classes}, 0);
    positions.formula = &sinusoidal_table<T>;
    positions.on_host = true;
  }

  // x: [B, T, D]; control: [B, T, 12] or undefined; controlled: of each of the B sequences, whether its rows
  // count or it has none; empty: all count.
  template <class V>
  V forward(Context& context, const V& x, const Tensor<T>& control,
            std::span<const std::uint8_t> controlled = {}) const {
    const std::int64_t B = x.dim(0), length = x.dim(1);
    detail::require(!control.defined() || control.shape() == Shape{B, length, classes}, "control", [&] {
      return "the histograms must be (" + std::to_string(B) + ", " + std::to_string(length) + ", 12), not " +
             control.shape().to_string();
    });
    detail::require(controlled.empty() || static_cast<std::int64_t>(controlled.size()) == B, "control", [&] {
      return std::to_string(controlled.size()) + " marks for " + std::to_string(B) + " sequences";
    });
    const auto given = [&](std::int64_t b) {
      return control.defined() && (controlled.empty() || controlled[static_cast<std::size_t>(b)] != 0);
    };
    Tensor<T> rows = context.allocate_on_host<T>({B, length, 1 + classes});
    for (std::int64_t n = 0; n < B * length; ++n)
      fill_row(n % length, given(n / length) ? control.data() + n * classes : nullptr,
               rows.data() + n * (1 + classes));
    return join(context, x, rows);
  }

  // One token of each of B sequences, x: [B, D]; row(b): its position and its histogram, or null.
  template <class Row>
  Tensor<T> step(Context& context, const Tensor<T>& x, const Row& row) const {
    const std::int64_t B = x.dim(0);
    Tensor<T> rows = context.allocate_on_host<T>({B, 1 + classes});
    for (std::int64_t b = 0; b < B; ++b) {
      const auto [position, histogram] = row(b);
      fill_row(position, histogram, rows.data() + b * (1 + classes));
    }
    return join(context, x, rows);
  }

  // One histogram, [12], for a whole sequence: repeated over L positions, the first of which gets zeros.
  Tensor<T> repeated(const Tensor<T>& histogram) const {
    Tensor<T> rows({positions.shape[0], classes});
    for (std::int64_t t = 1; t < rows.dim(0); ++t)
      std::copy_n(histogram.data(), classes, rows.data() + t * classes);
    return rows;
  }

  template <class Visitor>
  void visit(Visitor& visitor) {
    concat_fc.visit(visitor, "concat_fc.0.");
    visitor("control_positional_encoding.pe", positions);
  }

 private:
  // [flag, c + position's sinusoids]; histogram: [12] or null.
  void fill_row(std::int64_t position, const T* histogram, T* row) const {
    row[0] = histogram != nullptr ? T(0) : T(1);
    for (std::int64_t c = 0; c < classes; ++c)
      row[1 + c] = positions.value[position * classes + c] + (histogram != nullptr ? histogram[c] : T(0));
  }

  template <class V>
  V join(Context& context, const V& x, const Tensor<T>& rows) const {
    const std::array<V, 2> parts = {x, constant<V>(on_device_of(context, rows))};
    return concat_fc.forward(context, concatenate(context, std::span<const V>(parts), x.shape().rank() - 1),
                             Activation::leaky_relu, T(0.1));
  }
};

}  // namespace imu2music::inline v0
