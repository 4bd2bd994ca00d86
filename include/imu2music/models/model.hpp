// Any of the models: an encoder of motion, what writes music from it, and the layers around them, as a config
// says (io/model_config.hpp; docs/models.md lists them all).
//
//   input → encode_motion → [B, S, D] → encode_memory → memory [B, S, D]
//   tokens [B, T], memory → logits [B, T, V]
//
// The input's shape is the encoder's: input_wanted() tells it. A music_transformer has neither input nor
// memory; its memory is an undefined tensor.
//
// A Model is const once made and holds no state of any run: many threads can use one, each with its own
// Context and DecodingState. Copies share the values of their parameters, as tensors do; a Learner gives the
// one that it learns with values of its own. models/weights.hpp: clone_model copies all.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/models/imu_encoders/conv_encoder.hpp"
#include "imu2music/models/imu_encoders/conv_transformer_encoder.hpp"
#include "imu2music/models/imu_encoders/frequency_encoder.hpp"
#include "imu2music/models/imu_encoders/fully_connected_encoder.hpp"
#include "imu2music/models/imu_encoders/temporal_encoder.hpp"
#include "imu2music/models/lstm_seq2seq.hpp"
#include "imu2music/models/music_transformer.hpp"
#include "imu2music/models/musical_time.hpp"
#include "imu2music/models/pose_encoder.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/nn/embedding.hpp"
#include "imu2music/nn/linear.hpp"

namespace imu2music::inline v0 {

// What one sequence carries from step to step; Model::make_state() makes it.
template <class T>
struct DecodingState {
  std::vector<DecoderLayerCache<T>> layers;  // of a transformer
  typename LstmSeq2Seq<T>::State lstm;       // of an LSTM
  Tensor<T> control;                         // [L, 12], histograms by position, or undefined: none
  std::int64_t position = 0;                 // tokens taken so far
  double time_s = 0;                         // musical time after them, in vocabulary 2
};

template <class T>
class Model {
 public:
  using Encoder = std::variant<std::monostate, ConvEncoder<T>, FullyConnectedEncoder<T>, FrequencyEncoder<T>,
                               ConvTransformerEncoder<T>, PoseEncoder<T>, TemporalEncoder<T>>;
  using Writer = std::variant<MusicTransformer<T>, DecoderOnly<T>, LstmSeq2Seq<T>>;

  ModelConfig config;
  Embedding<T> embedding;
  std::optional<ControlInput<T>> control_input;
  Encoder motion_net;
  Parameter<T> positions;  // [L, 1, D], state_dict name positional_encoding.pe
  Writer writer;
  Linear<T> Wout;

  // The structure, with parameters still undefined: see models/weights.hpp for init_model and load_model.
  // Throws InputError for a number out of its range.
  explicit Model(const ModelConfig& model_config)
      : config((config_detail::check_numbers(model_config, "the model's config"), model_config)),
        embedding(config.vocabulary, config.d_model),
        motion_net(make_encoder(config)),
        writer(make_writer(config)),
        Wout(config.d_model, config.vocabulary) {
    if (config.control) control_input.emplace(config.d_model, config.max_sequence);
    positions = Parameter<T>::buffer({config.max_sequence, 1, config.d_model}, 0);
    positions.formula = &sinusoidal_table<T>;
    if (config.time_positions) position_rates_ = position_rates(config.d_model);
  }

  // The id of padding: the last one, except that vocabulary 2 appends its own ids to vocabulary 1.
  std::int64_t pad() const {
    return config.vocabulary == EventVocabulary2::size ? EventVocabulary2::pad : config.vocabulary - 1;
  }
  // Where its parameters are, and so where it computes (models/weights.hpp: to_device).
  Device device() const { return Wout.weight.value.device(); }
  bool has_memory() const { return !std::holds_alternative<std::monostate>(motion_net); }

  // The most memory tokens that the encoder gives for its usual input.
  std::int64_t memory_length() const {
    return std::visit(
        [&]<class Net>(const Net& net) -> std::int64_t {
          if constexpr (std::is_same_v<Net, std::monostate>)
            return 0;
          else if constexpr (std::is_same_v<Net, PoseEncoder<T>> || std::is_same_v<Net, TemporalEncoder<T>>)
            return config.memory_positions;
          else if constexpr (std::is_same_v<Net, ConvTransformerEncoder<T>>)
            return net.tokens();
          else
            return Net::tokens;
        },
        motion_net);
  }

  // Whether an input of this shape can be encoded, and in words which can.
  bool takes(const Shape& input) const {
    return std::visit(
        [&]<class Net>(const Net& net) {
          if constexpr (std::is_same_v<Net, std::monostate>)
            return false;
          else
            return net.takes(input);
        },
        motion_net);
  }
  std::string input_wanted() const {
    return std::visit(
        []<class Net>(const Net& net) -> std::string {
          if constexpr (std::is_same_v<Net, std::monostate>)
            return "none: these weights write music without motion";
          else
            return net.wanted();
        },
        motion_net);
  }

  // input → the motion network's tokens, [B, S, D]. Throws ShapeError for an input that it does not take,
  // Error where the model has no motion network.
  template <class V>
  V encode_motion(Context& context, const V& input) const {
    return std::visit(
        [&]<class Net>(const Net& net) -> V {
          if constexpr (std::is_same_v<Net, std::monostate>)
            throw Error("[model] a music_transformer has no encoder of motion");
          else if constexpr (records<V>)
            return net.forward(context, input);
          else
            return net.forward(context, on_device_of(context, input));
        },
        motion_net);
  }

  // The motion network's tokens → what the music is written from, [B, S, D].
  template <class V>
  V encode_memory(Context& context, const V& features) const {
    if (const auto* transformer = std::get_if<MusicTransformer<T>>(&writer))
      return transformer->encoder.forward(context, features);
    return features;
  }

  // tokens: [B, T], T <= max_sequence; memory: [B, S, D]; control: [B, T, 12] or undefined, for the sequences
  // that `controlled` marks, empty: for all → [B, T, V]. PAD is ignored as a key where there is a memory. An
  // encoder_decoder without memory is its decoder alone, its attention to a memory left out: how it learns
  // from music without motion.
  template <class V>
  V logits(Context& context, const V& memory, const Tensor<std::int64_t>& tokens,
           const Tensor<T>& control = {}, std::span<const std::uint8_t> controlled = {}) const {
    check_control(control);
    detail::require(
        memory.defined() ? has_memory() : !std::holds_alternative<LstmSeq2Seq<T>>(writer), "model", [&] {
          return std::string(has_memory() ? "a memory is wanted" : "a music_transformer takes no memory");
        });
    detail::require(
        tokens.rank() == 2 && (!memory.defined() || memory.dim(0) == tokens.dim(0)), "model", [&] {
          return "tokens " + tokens.shape().to_string() + " are not as many sequences as there are memories";
        });
    detail::require(!memory.defined() || (memory.rank() == 3 && memory.dim(1) >= 1), "model", [&] {
      return "a memory must be (B, S, D), S at least 1, not " + memory.shape().to_string();
    });
    if (const auto* lstm = std::get_if<LstmSeq2Seq<T>>(&writer))
      return Wout.forward(context, lstm->forward(context, memory, tokens.dim(1)));
    detail::require(tokens.dim(1) <= config.max_sequence, "model", [&] {
      return "sequences of " + std::to_string(tokens.dim(1)) + " tokens are longer than max_sequence, " +
             std::to_string(config.max_sequence);
    });
    V x = dropout(context, embed<V>(context, tokens), DropoutPlace::transformer);
    if (control_input) x = control_input->forward(context, x, control, controlled);
    if (const auto* alone = std::get_if<DecoderOnly<T>>(&writer))
      return Wout.forward(context, alone->layers.forward(context, x, true));
    Tensor<std::uint8_t> key_masked = context.allocate_on_host<std::uint8_t>(tokens.shape());
    for (std::int64_t n = 0; n < tokens.size(); ++n) key_masked[n] = tokens[n] == pad();
    KeyRanges seen;
    if (memory.defined()) seen = memory_ranges(context, tokens, memory.dim(1), config);
    return Wout.forward(
        context, std::get<MusicTransformer<T>>(writer).decoder.forward(context, x, memory, key_masked, seen));
  }

  // Room for one sequence over a memory of at most `memory_length` tokens.
  DecodingState<T> make_state(Context& context, std::int64_t memory_length) const {
    DecodingState<T> state;
    if (const auto* transformer = std::get_if<MusicTransformer<T>>(&writer))
      state.layers = transformer->decoder.make_caches(context, memory_length);
    else if (const auto* alone = std::get_if<DecoderOnly<T>>(&writer))
      state.layers = alone->layers.make_caches(context);
    else
      state.lstm = std::get<LstmSeq2Seq<T>>(writer).make_state(context, 1);
    return state;
  }

  // Starts a sequence over one memory, [1, S, D]; undefined for a music_transformer.
  void remember(Context& context, const Tensor<T>& memory, DecodingState<T>& state) const {
    if (const auto* transformer = std::get_if<MusicTransformer<T>>(&writer))
      transformer->decoder.remember(context, memory, state.layers);
    else if (const auto* lstm = std::get_if<LstmSeq2Seq<T>>(&writer))
      lstm->remember(context, memory, state.lstm);
    else
      for (DecoderLayerCache<T>& layer : state.layers) layer.self.clear();
    state.position = 0;
    state.time_s = 0;
  }

  // One more token of each of B sequences, each after those that its state holds → the logits, [B, V]. Every
  // weight is read once, and a row has the same bits whatever stands beside it.
  Tensor<T> step(Context& context, std::span<const std::int64_t> tokens,
                 std::span<DecodingState<T>* const> states) const {
    const auto B = static_cast<std::int64_t>(states.size());
    detail::require(B >= 1 && tokens.size() == states.size(), "model", [&] {
      return std::to_string(tokens.size()) + " tokens for " + std::to_string(B) + " sequences";
    });
    for (const DecodingState<T>* state : states)
      detail::require(std::holds_alternative<LstmSeq2Seq<T>>(writer) || state->position < config.max_sequence,
                      "model", [&] {
                        return "a sequence has max_sequence, " + std::to_string(config.max_sequence) +
                               ", tokens already";
                      });
    for (std::size_t b = 0; b < states.size(); ++b)
      states[b]->time_s = token_time(states[b]->time_s, tokens[b]);
    if (const auto* lstm = std::get_if<LstmSeq2Seq<T>>(&writer)) {
      Tensor<T> x;
      for (std::int64_t b = 0; b < B; ++b) {
        DecodingState<T>& state = *states[static_cast<std::size_t>(b)];
        const Tensor<T> row = lstm->step(context, state.lstm);
        if (B == 1) x = row;
        if (!x.defined()) x = context.allocate<T>({B, config.d_model});
        if (B > 1) {
          Tensor<T> to = x.slice(b, 1);
          copy(context, row, to);
        }
        ++state.position;
      }
      return Wout.forward(context, x);
    }
    Tensor<T> x = embed_step(context, tokens, states);
    Tensor<StepRow<T>> rows = context.allocate_on_host<StepRow<T>>({B});
    const auto* alone = std::get_if<DecoderOnly<T>>(&writer);
    for (std::int64_t b = 0; b < B; ++b) {
      DecodingState<T>& state = *states[static_cast<std::size_t>(b)];
      rows[b] = {state.layers.data()};
      if (alone == nullptr) {
        rows[b].padding = tokens[static_cast<std::size_t>(b)] == pad();
        if (config.bounds_sight())
          rows[b].range = memory_range(state.time_s, state.layers.front().memory.length(), config);
      }
      ++state.position;
    }
    const std::span<const StepRow<T>> taken = std::as_const(rows).values();
    return Wout.forward(context, alone != nullptr
                                     ? alone->layers.step(context, x, taken)
                                     : std::get<MusicTransformer<T>>(writer).decoder.step(context, x, taken));
  }

  // The control of a sequence, for DecodingState::control. histogram: [12], alike at every position but the
  // first, which gets zeros; [L, 12], one each; undefined: none. Throws ShapeError, InputError for a number
  // that is not finite.
  Tensor<T> control_rows(const Tensor<T>& histogram) const {
    check_control(histogram);
    if (!histogram.defined()) return {};
    if (histogram.shape() == Shape{ControlInput<T>::classes})
      return control_input->repeated(checked_control(histogram));
    detail::require(histogram.shape() == Shape{config.max_sequence, ControlInput<T>::classes}, "control",
                    [&] {
                      return "a histogram must be (12) or (" + std::to_string(config.max_sequence) +
                             ", 12), not " + histogram.shape().to_string();
                    });
    return checked_control(histogram.clone());
  }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("embedding.weight", embedding.weight);
    if (control_input) control_input->visit(visitor);
    const std::string prefix = config.encoder == "pose" ? "pose_net." : "imu_net.";
    std::visit(
        [&]<class Net>(Net& net) {
          if constexpr (!std::is_same_v<Net, std::monostate>) net.visit(visitor, prefix);
        },
        motion_net);
    visitor("positional_encoding.pe", positions);
    std::visit([&](auto& part) { part.visit(visitor, "transformer."); }, writer);
    Wout.visit(visitor, "Wout.");
  }

 private:
  static Encoder make_encoder(const ModelConfig& config) {
    const std::int64_t D = config.d_model;
    if (config.encoder == "conv") return ConvEncoder<T>(D);
    if (config.encoder == "fully_connected") return FullyConnectedEncoder<T>(D);
    if (config.encoder == "frequency") return FrequencyEncoder<T>(D);
    if (config.encoder == "conv_transformer")
      return ConvTransformerEncoder<T>(D, config.heads, config.decoder_layers, config.rows);
    if (config.encoder == "pose") return PoseEncoder<T>(D, config.layout, config.pose_layers);
    if (config.encoder == "temporal") {
      int halvings = 0;
      while ((25 << halvings) < 2 * config.rate_hz) ++halvings;
      return TemporalEncoder<T>(D, {config.channels, config.width, config.kernel, config.blocks, halvings});
    }
    if (config.encoder == "none") return std::monostate{};
    throw Error("[model] there is no encoder " + config.encoder);
  }

  static Writer make_writer(const ModelConfig& config) {
    const TransformerSizes sizes{config.d_model, config.heads, config.feed_forward, config.max_sequence};
    if (config.model == "encoder_decoder")
      return MusicTransformer<T>(sizes, config.encoder_layers, config.memory_positions,
                                 config.decoder_layers);
    if (config.model == "music_transformer") return DecoderOnly<T>(sizes, config.decoder_layers);
    if (config.model == "lstm_seq2seq")
      return LstmSeq2Seq<T>(config.d_model, config.encoder_layers, config.decoder_layers);
    throw Error("[model] there is no model " + config.model);
  }

  void check_control(const Tensor<T>& control) const {
    detail::require(!control.defined() || control_input.has_value(), "model",
                    [] { return std::string("these weights take no control"); });
  }

  static Tensor<T> checked_control(Tensor<T> histogram) {
    for (const T value : std::as_const(histogram).values())
      if (!std::isfinite(value))
        throw InputError("a control histogram holds a value that is not finite; use shares of 0 to 1");
    return histogram;
  }

  // tokens: [B, T] → [B, T, D]: embedding plus position, of the token's index or of its musical time.
  template <class V>
  V embed(Context& context, const Tensor<std::int64_t>& tokens) const {
    if (!config.time_positions) return embedding.template forward<V>(context, tokens, position_rows());
    const Shape row{1, tokens.size()}, result{tokens.dim(0), tokens.dim(1), config.d_model};
    return embedding.template forward<V>(context, tokens.reshape(row), rows_at(context, token_times(tokens)))
        .reshape(result);
  }
  // The same for the next token of each sequence, with the control where the model has one: [B, D].
  Tensor<T> embed_step(Context& context, std::span<const std::int64_t> tokens,
                       std::span<DecodingState<T>* const> states) const {
    const auto B = static_cast<std::int64_t>(states.size());
    Tensor<std::int64_t> ids = context.allocate_on_host<std::int64_t>({1, B});
    std::copy(tokens.begin(), tokens.end(), ids.data());
    Tensor<T> x;
    if (config.time_positions) {
      Tensor<double> times = context.allocate_on_host<double>({B});
      for (std::int64_t b = 0; b < B; ++b) times[b] = states[static_cast<std::size_t>(b)]->time_s;
      x = embedding.forward(context, ids, rows_at(context, times));
    } else if (B == 1) {
      x = embedding.forward(context, ids, position_rows(), states.front()->position);
    } else {
      Tensor<T> rows = context.allocate<T>({B, config.d_model});
      for (std::int64_t b = 0; b < B; ++b) {
        Tensor<T> row = rows.slice(b, 1);
        copy(context, position_rows().slice(states[static_cast<std::size_t>(b)]->position, 1), row);
      }
      x = embedding.forward(context, ids, rows);
    }
    x = x.reshape({B, config.d_model});
    if (!control_input) return x;
    return control_input->step(context, x, [&](std::int64_t b) {
      const DecodingState<T>& state = *states[static_cast<std::size_t>(b)];
      const std::int64_t at = state.position;
      return std::pair(at, state.control.defined() ? state.control.data() + at * ControlInput<T>::classes
                                                   : static_cast<const T*>(nullptr));
    });
  }
  Tensor<T> rows_at(Context& context, const Tensor<double>& times) const {
    return time_position_rows<T>(context, times, position_rates_, config.d_model);
  }
  Tensor<T> position_rows() const { return positions.value.reshape({config.max_sequence, config.d_model}); }

  Tensor<double> position_rates_;  // of musical time
};

}  // namespace imu2music::inline v0
