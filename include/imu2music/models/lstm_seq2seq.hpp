// The LSTM sequence-to-sequence model that stands in place of the transformer.
//
//   encoder   an LSTM over the S tokens of the motion
//   decoder   starts from the encoder's last state and the last token; y_t = Linear(LSTM(y_{t-1})), y_{-1}
//             the last token; y_t goes to the output projection
//
// It never sees the music written so far: what comes out at step t depends on the motion and t alone, and so
// does greedy music. A property of the reference. Source: github kiototeko/IMU2Music.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/nn/linear.hpp"
#include "imu2music/nn/lstm.hpp"
#include "imu2music/ops/concatenate.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

template <class T>
struct LstmSeq2Seq {
  Lstm<T> encoder, decoder;
  Linear<T> linear;

  LstmSeq2Seq(std::int64_t D, int encoder_layers, int decoder_layers)
      : encoder(D, D, encoder_layers), decoder(D, D, decoder_layers), linear(D, D) {
    if (encoder_layers != decoder_layers || decoder_layers < 1)
      throw Error("[lstm_seq2seq] the decoder starts from the encoder's state, so both need as many layers");
  }

  // What the decoder carries from step to step, for B sequences.
  struct State {
    LstmState<T> lstm;
    Tensor<T> y;  // [B, D], the decoder's last output
  };

  State make_state(Context& context, std::int64_t B) const {
    return {decoder.make_state(context, B), on_device_of(context, Tensor<T>({B, decoder.hidden}))};
  }

  State make_state(std::int64_t B) const {
    Context cpu;
    return make_state(cpu, B);
  }

  // Starts over tokens [B, S, D], S >= 1.
  void remember(Context& context, const Tensor<T>& tokens, State& state) const {
    const std::int64_t B = tokens.dim(0), S = tokens.dim(1), D = tokens.dim(2);
    detail::require(S >= 1 && state.y.shape() == Shape{B, D}, "lstm_seq2seq", [&] {
      return "the tokens must be (" + std::to_string(state.y.dim(0)) + ", S, " +
             std::to_string(state.y.dim(1)) + "), not " + tokens.shape().to_string();
    });
    state.lstm.clear(context);
    const Tensor<T> by_time = B == 1 ? tokens.reshape({S, B, D}) : permute(context, tokens, {1, 0, 2});
    encoder.run(context, by_time, state.lstm);
    copy(context, by_time.slice(S - 1, 1), state.y);
  }

  // The next output, [B, D].
  Tensor<T> step(Context& context, State& state) const {
    const Tensor<T> y = linear.forward(context, decoder.step(context, state.y, state.lstm));
    copy(context, y, state.y);
    return state.y;
  }

  // All steps at once, tokens [B, S, D] → [B, length, D].
  template <class V>
  V forward(Context& context, const V& tokens, std::int64_t length) const {
    const std::int64_t B = tokens.dim(0), S = tokens.dim(1), D = tokens.dim(2);
    detail::require(S >= 1 && D == decoder.hidden, "lstm_seq2seq", [&] {
      return "the tokens must be (B, S, " + std::to_string(decoder.hidden) + "), not " +
             tokens.shape().to_string();
    });
    const V by_time = permute(context, tokens, {1, 0, 2});
    Tensor<T> none = context.allocate<T>({B, D});
    zero(context, none);
    std::vector<V> h(decoder.layers.size(), constant<V>(none)), c = h, outputs;
    V y = by_time.slice(S - 1, 1).reshape({B, D});
    encoder.forward_all(context, by_time, h, c);
    for (std::int64_t t = 0; t < length; ++t) {
      y = linear.forward(context, decoder.forward(context, y, h, c));
      outputs.push_back(y);
    }
    const V joined = concatenate(context, std::span<const V>(outputs), 0).reshape({length, B, D});
    return permute(context, joined, {1, 0, 2});
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    encoder.visit(visitor, prefix + "encoder.lstm.");
    decoder.visit(visitor, prefix + "decoder.lstm.");
    linear.visit(visitor, prefix + "decoder.linear.");
  }
};

}  // namespace imu2music::inline v0
