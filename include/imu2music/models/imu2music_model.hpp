// IMU2Music: an IMU encoder, a transformer encoder over its tokens, and a music transformer decoder that
// writes events (github kiototeko/IMU2Music).
//
//   input  [B, 2, 3, 150] → encode_motion → [B, S, D] → encode_memory → memory [B, S, D]
//   tokens [B, T], memory → logits [B, T, V]
//
// A Model is const once made and holds no state of any run: many threads can use one, each with its own
// Context.
#pragma once

#include <cstdint>
#include <string>

#include "imu2music/core/context.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/models/imu_encoders/conv_encoder.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/nn/embedding.hpp"
#include "imu2music/nn/linear.hpp"
#include "imu2music/nn/transformer.hpp"

namespace imu2music::inline v0 {

template <class T>
class Imu2MusicModel {
 public:
  ModelConfig config;
  Embedding<T> embedding;
  ConvEncoder<T> imu_net;
  Parameter<T> positions;  // [L, 1, D], state_dict name positional_encoding.pe
  TransformerEncoder<T> encoder;
  TransformerDecoder<T> decoder;
  Linear<T> Wout;

  // The structure, with parameters still undefined: see models/weights.hpp for init_model and load_model.
  explicit Imu2MusicModel(const ModelConfig& model_config)
      : config(model_config),
        embedding(config.vocabulary, config.d_model),
        imu_net(config.d_model),
        encoder({config.d_model, config.heads, config.feed_forward, config.memory_positions},
                config.encoder_layers),
        decoder({config.d_model, config.heads, config.feed_forward, config.max_sequence},
                config.decoder_layers),
        Wout(config.d_model, config.vocabulary) {
    positions = Parameter<T>::buffer({config.max_sequence, 1, config.d_model}, 0);
    positions.optional = true;
    positions.value = sinusoidal_positions<T>(config.max_sequence, config.d_model).reshape(positions.shape);
  }

  // input: [B, 2, 3, 150] → the IMU network's tokens, [B, S, D].
  Tensor<T> encode_motion(Context& context, const Tensor<T>& input) const {
    return imu_net.forward(context, input);
  }

  // The IMU network's tokens → what the decoder looks at, [B, S, D].
  Tensor<T> encode_memory(Context& context, const Tensor<T>& features) const {
    return encoder.forward(context, features);
  }

  // tokens: [B, T], T <= max_sequence, PAD ignored as a key; memory: [B, S, D] → [B, T, V].
  Tensor<T> logits(Context& context, const Tensor<T>& memory, const Tensor<std::int64_t>& tokens) const {
    Tensor<std::uint8_t> key_masked = context.allocate<std::uint8_t>(tokens.shape());
    for (std::int64_t n = 0; n < tokens.size(); ++n) key_masked[n] = tokens[n] == EventVocabulary1::pad;
    const Tensor<T> x = embedding.forward(context, tokens, position_rows());
    return Wout.forward(context, decoder.forward(context, x, memory, key_masked));
  }

  // The logits, [1, V], after one more token at position `position`, the caches holding the ones before it.
  Tensor<T> step(Context& context, std::int64_t token, std::int64_t position,
                 std::vector<DecoderLayerCache<T>>& caches) const {
    const Tensor<std::int64_t> ids = Tensor<std::int64_t>::view(&token, {1, 1});
    const Tensor<T> x = embedding.forward(context, ids, position_rows(), position);
    return Wout.forward(context, decoder.step(context, x.reshape({1, config.d_model}), caches));
  }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("embedding.weight", embedding.weight);
    imu_net.visit(visitor, "imu_net.");
    visitor("positional_encoding.pe", positions);
    encoder.visit(visitor, "transformer.encoder.");
    decoder.visit(visitor, "transformer.decoder.");
    Wout.visit(visitor, "Wout.");
  }

 private:
  Tensor<T> position_rows() const { return positions.value.reshape({config.max_sequence, config.d_model}); }
};

}  // namespace imu2music::inline v0
