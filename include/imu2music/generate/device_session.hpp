// Decoding on a GPU, many tokens a launch: one sequence, over weights that many sessions can share.
//
//   DeviceWeights weights(model, WeightFormat::bf16)    once: a copy of the decoder, in float32 or bfloat16
//   DeviceSession session(weights)
//   session.start(memory)
//   session.generate(sos, count, options)               ids, chosen on the device and fed back there
//   session.step(token)                                 or token by token, the logits on the host
//
// The model: an encoder_decoder or a music_transformer, without control. Caches stay float32 in either
// format.
//
// generate() draws with the random stream of Sampler(options.sampler), started at options.stream, and under
// the rules of EventGrammar, so its ids are those that Session, Sampler and EventGrammar give, but where
// rounding decides between two ids that are all but equally likely. Without a grammar every id but PAD and
// SOS may come. It ends after an EOS (or CUT), when the music's time is used up, after `count` ids or at
// max_sequence.
//
// A session has a queue of its own and belongs to one thread at a time; weights are const. Errors: Error for
// a model that it cannot decode, before a start, and where no id can be chosen; ShapeError for a memory, a
// token or a position that does not fit; InputError for an option of the sampler outside its range;
// DeviceError where there is no such device, or it is too small for the model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cpu/linear_scalar.hpp>
#include <cstdint>
#include <decode_table.hpp>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/generate/event_grammar.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/music/performance_vocabulary.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

namespace detail {

// What every id of a vocabulary does.
struct IdTable {
  std::vector<std::uint8_t> kind, pitch;
  std::vector<double> shift_s;
  bool has_grammar = false, continues = false;

  explicit IdTable(std::int64_t V)
      : kind(static_cast<std::size_t>(V), kernels::decode_passed_over),
        pitch(kind.size()),
        shift_s(kind.size()) {}
};

template <class Vocabulary>
IdTable id_table_of() {
  IdTable table(Vocabulary::size);
  table.has_grammar = true;
  table.continues = std::is_same_v<Vocabulary, EventVocabulary2>;
  for (int id = 0; id < Vocabulary::size; ++id) {
    const auto at = static_cast<std::size_t>(id);
    table.shift_s[at] = Vocabulary::shift_s(id);
    const auto set = [&](kernels::DecodeIdKind kind, bool pitched = false) {
      table.kind[at] = kind;
      if (pitched) table.pitch[at] = static_cast<std::uint8_t>(Vocabulary::pitch(id));
    };
    switch (Vocabulary::kind(id)) {
      case EventKind::note_on:
        set(kernels::decode_note_on, true);
        break;
      case EventKind::note_off:
        set(kernels::decode_note_off, true);
        break;
      case EventKind::velocity:
        set(kernels::decode_velocity);
        break;
      case EventKind::time_shift:
        set(kernels::decode_time_shift);
        break;
      case EventKind::continued:
        set(kernels::decode_continued, true);
        break;
      case EventKind::eos:
      case EventKind::cut:
        set(kernels::decode_end);
        break;
      case EventKind::sos:
      case EventKind::pad:
        break;
    }
  }
  return table;
}

// By the vocabulary's size. Of another size nothing is known but that the last id is PAD.
inline IdTable id_table(const ModelConfig& config) {
  if (config.vocabulary == EventVocabulary1::size) return id_table_of<EventVocabulary1>();
  if (config.vocabulary == EventVocabulary2::size) return id_table_of<EventVocabulary2>();
  if (config.vocabulary == PerformanceVocabulary::size) return id_table_of<PerformanceVocabulary>();
  IdTable table(config.vocabulary);
  std::fill(table.kind.begin(), table.kind.end() - 1, kernels::decode_velocity);  // no event, but no padding
  return table;
}

}  // namespace detail

// The format that a model's dense weights have been packed in; plain where they have not.
template <class T>
WeightFormat weight_format(const Model<T>& model) {
  return model.Wout.weight.packed.empty() ? WeightFormat::plain : model.Wout.weight.packed.front().format;
}

// Whether a model computes on a device and DeviceSession decodes what Session would.
template <class T>
bool decodes_on_device(const Model<T>& model) {
  const ModelConfig& config = model.config;
  return std::is_same_v<T, float> && model.device() != Device::cpu() && config.model != "lstm_seq2seq" &&
         !config.control && weight_format(model) != WeightFormat::int8 &&
         config.d_model / config.heads <= kernels::decode_most_head_width &&
         kernels::cuda_column<kernels::DecodeKernels> != nullptr;
}

template <class T = float>
class DeviceWeights {
 public:
  // Of a model on the CPU or, all work on its parameters being done, on the device. It is not needed after.
  explicit DeviceWeights(const Model<T>& model, WeightFormat format = WeightFormat::plain)
      : config_(model.config),
        ids_(detail::id_table(config_)),
        memory_length_(model.memory_length()),
        format_(format),
        context_(1, Device::cuda()) {
    static_assert(std::is_same_v<T, float>, "a device computes in float");
    const auto* with_memory = std::get_if<MusicTransformer<T>>(&model.writer);
    const auto* alone = std::get_if<DecoderOnly<T>>(&model.writer);
    if (with_memory == nullptr && alone == nullptr) refuse("a model of the kind " + config_.model);
    if (with_memory != nullptr && !model.has_memory()) refuse("an encoder_decoder without an encoder");
    if (model.control_input) refuse("a model with control");
    if (format == WeightFormat::int8) refuse("weights in int8");
    if (config_.d_model / config_.heads > kernels::decode_most_head_width)
      refuse("a model with heads wider than " + std::to_string(kernels::decode_most_head_width));
    model_.bf16 = format == WeightFormat::bf16;
    model_.D = config_.d_model;
    model_.H = config_.heads;
    model_.F = config_.feed_forward;
    model_.V = config_.vocabulary;
    model_.L = config_.max_sequence;
    if (with_memory != nullptr)
      take_layers(with_memory->decoder.layers, with_memory->decoder.norm);
    else
      take_layers(alone->layers.layers, alone->layers.norm);
    model_.logits = matrix(model.Wout);
    model_.embedding = put(numbers(model.embedding.weight));
    take_positions(model);
    // As the layers do: padding is no key where there is a memory.
    if (with_memory != nullptr) model_.pad = static_cast<std::int32_t>(model.pad());
    pad_ = model.pad();
    model_.kind = put(ids_.kind);
    model_.pitch = put(ids_.pitch);
    model_.shift_s = put(ids_.shift_s);
    synchronise(context_);  // queues of sessions may read all of it now
  }
  DeviceWeights(const DeviceWeights&) = delete;
  DeviceWeights& operator=(const DeviceWeights&) = delete;

  const ModelConfig& config() const { return config_; }
  WeightFormat format() const { return format_; }
  std::int64_t memory_length() const { return memory_length_; }  // the tokens that the model's encoder gives
  std::int64_t pad() const { return pad_; }
  const detail::IdTable& ids() const { return ids_; }
  const kernels::DecodeModel& model() const { return model_; }

 private:
  [[noreturn]] static void refuse(const std::string& what) {
    throw Error("[device_session] " + what + " cannot be decoded on the device; use Session");
  }

  // A copy on the device, kept as long as this.
  template <class Number>
  const Number* put(const std::vector<Number>& from) {
    const std::size_t bytes = from.size() * sizeof(Number);
    kept_.push_back(context_.allocate<std::uint8_t>({static_cast<std::int64_t>(bytes)}));
    kernels::cuda_runtime->upload(context_.kernel(), kept_.back().data(), from.data(), bytes);
    return reinterpret_cast<const Number*>(kept_.back().data());
  }
  std::vector<T> numbers(const Parameter<T>& parameter) {
    const Tensor<T> here = on_host(context_, parameter.value);
    return {here.data(), here.data() + here.size()};
  }
  // Rows of `width` numbers → rows of `stride`, zeros behind.
  static std::vector<T> padded_rows(const std::vector<T>& from, std::int64_t width, std::int64_t stride) {
    const std::int64_t rows = static_cast<std::int64_t>(from.size()) / width;
    std::vector<T> to(static_cast<std::size_t>(rows * stride));
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(from.data() + r * width, width, to.data() + r * stride);
    return to;
  }
  // Rows first..first + count of a dense layer; count -1: all.
  kernels::DecodeMatrix matrix(const Parameter<T>& weight, const Parameter<T>& bias, std::int64_t first = 0,
                               std::int64_t count = -1) {
    const std::int64_t inputs = weight.shape[1];
    if (count < 0) count = weight.shape[0];
    const auto part = [](const std::vector<T>& all, std::int64_t begin, std::int64_t size) {
      return std::vector<T>(all.begin() + begin, all.begin() + begin + size);
    };
    kernels::DecodeMatrix m;
    m.outputs = static_cast<std::int32_t>(count);
    m.stride = static_cast<std::int32_t>(kernels::decode_padded(inputs, kernels::decode_padding));
    const std::vector<T> rows =
        padded_rows(part(numbers(weight), first * inputs, count * inputs), inputs, m.stride);
    if (format_ == WeightFormat::bf16) {
      std::vector<std::uint16_t> upper(rows.size());
      std::transform(rows.begin(), rows.end(), upper.begin(), kernels::scalar::nearest_bfloat16);
      m.weight = put(upper);
    } else {
      m.weight = put(rows);
    }
    m.bias = put(part(numbers(bias), first, count));
    return m;
  }
  kernels::DecodeMatrix matrix(const Linear<T>& layer) { return matrix(layer.weight, layer.bias); }
  kernels::DecodeNorm norm(const LayerNorm<T>& layer) {
    return {put(numbers(layer.weight)), put(numbers(layer.bias)), layer.eps};
  }

  template <class Layer>
  void take_layers(const std::vector<Layer>& layers, const LayerNorm<T>& last) {
    constexpr bool has_memory = std::is_same_v<Layer, TransformerDecoderLayer<T>>;
    if (layers.empty()) refuse("a model without layers");
    const std::int64_t D = model_.D, K = D / model_.H;
    std::vector<kernels::DecodeLayer> taken;
    for (const Layer& layer : layers) {
      kernels::DecodeLayer to;
      to.products[kernels::decode_qkv] = matrix(layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias);
      to.products[kernels::decode_out] = matrix(layer.self_attn.out_proj);
      to.products[kernels::decode_ff1] = matrix(layer.linear1);
      to.products[kernels::decode_ff2] = matrix(layer.linear2);
      to.norms[0] = norm(layer.norm1);
      if constexpr (has_memory) {
        const CrossAttention<T>& cross = layer.multihead_attn;
        to.products[kernels::decode_cross_q] = matrix(cross.in_proj_weight, cross.in_proj_bias, 0, D);
        to.cross_kv = matrix(cross.in_proj_weight, cross.in_proj_bias, D, 2 * D);
        to.products[kernels::decode_cross_out] = matrix(cross.out_proj);
        to.norms[1] = norm(layer.norm2);
        to.norms[2] = norm(layer.norm3);
      } else {
        to.norms[2] = norm(layer.norm2);
      }
      to.Er = put(padded_rows(numbers(layer.self_attn.Er), K, kernels::decode_padded(K, 4)));
      taken.push_back(to);
    }
    model_.has_memory = has_memory;
    model_.layers = static_cast<std::int32_t>(taken.size());
    model_.layer = put(taken);
    model_.final_norm = norm(last);
  }

  void take_positions(const Model<T>& model) {
    constexpr double none = std::numeric_limits<double>::infinity();
    model_.token_rate = TemporalEncoder<T>::token_rate_hz;
    if (config_.time_positions) {
      std::vector<double> rates(static_cast<std::size_t>((config_.d_model + 1) / 2));
      for (std::size_t i = 0; i < rates.size(); ++i)
        rates[i] = std::pow(10000.0, -static_cast<double>(2 * i) / static_cast<double>(config_.d_model));
      model_.rates = put(rates);
    } else {
      model_.positions = put(numbers(model.positions));
    }
    model_.bounded_sight = model_.has_memory && config_.bounds_sight();
    model_.lookback_s = config_.lookback_ms < ModelConfig::unbounded_ms ? 1e-3 * config_.lookback_ms : none;
    model_.lookahead_s =
        config_.lookahead_ms < ModelConfig::unbounded_ms ? 1e-3 * config_.lookahead_ms : none;
  }

  ModelConfig config_;
  detail::IdTable ids_;
  std::int64_t memory_length_ = 0, pad_ = 0;
  WeightFormat format_;
  Context context_;
  std::vector<Tensor<std::uint8_t>> kept_;
  kernels::DecodeModel model_;
};

// How ids are chosen on the device.
struct DeviceDecoding {
  SamplerOptions sampler = {};
  std::uint64_t stream = 0;                                   // of the sampler's random numbers
  std::optional<GrammarOptions> grammar = {};                 // none: any id but PAD and SOS
  double window_s = std::numeric_limits<double>::infinity();  // over when the music's time comes to it
  std::span<const int> prime = {};                            // comes first, and is not chosen
  std::int32_t tokens_a_launch = 128;
};

template <class T = float>
class DeviceSession {
 public:
  // The weights must outlive the session. memory_length: the most memory tokens that start() will bring; 0:
  // as many as the model's encoder gives.
  explicit DeviceSession(const DeviceWeights<T>& weights, std::int64_t memory_length = 0)
      : weights_(weights),
        context_(1, Device::cuda()),
        memory_length_(memory_length > 0 ? memory_length : weights.memory_length()),
        logits_(Shape{weights.config().vocabulary}) {
    const kernels::DecodeModel& m = weights.model();
    const std::int64_t Kp = kernels::decode_padded(m.D / m.H, 4), layers = m.layers;
    state_.S_most = static_cast<std::int32_t>(memory_length_);
    // Padding between the rows of keys and values is read.
    state_.keys = take<float>(layers * m.H * m.L * Kp);
    state_.values = take<float>(layers * m.H * m.L * Kp);
    state_.memory_keys = take<float>(layers * m.H * state_.S_most * Kp);
    state_.memory_values = take<float>(layers * m.H * state_.S_most * Kp);
    state_.masked = take<std::uint8_t>(m.L);
    state_.carry = take<kernels::DecodeCarry>(1);
    state_.chosen = take<std::int32_t>(m.L);
    state_.occurrences = take<std::int32_t>(m.V);
    state_.q = take<float>(m.H * Kp);
    const std::int64_t tiles =
        (std::max(m.L, state_.S_most) + kernels::decode_tile - 1) / kernels::decode_tile;
    state_.partial = take<float>(m.H * tiles * (Kp + 4));
    state_.sum = take<float>(m.D);
    state_.hidden = take<float>(m.F);
    state_.logits = take<float>(m.V);
  }
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;

  // Starts a sequence over a memory, [1, S, D], on the CPU or, all work on it being done, on the device;
  // undefined for a music_transformer. Nothing sounds.
  void start(const Tensor<T>& memory = {}) {
    const kernels::DecodeModel& m = weights_.model();
    detail::require(!m.has_memory ? !memory.defined()
                                  : memory.rank() == 3 && memory.dim(0) == 1 && memory.dim(1) >= 1 &&
                                        memory.dim(1) <= memory_length_ && memory.dim(2) == m.D,
                    "device_session", [&] {
                      if (!m.has_memory) return std::string("a music_transformer takes no memory");
                      return "the memory must be (1, at most " + std::to_string(memory_length_) + ", " +
                             std::to_string(m.D) + "), not " + memory.shape().to_string();
                    });
    if (m.has_memory) {
      const Tensor<T> there = on_device_of(context_, memory);
      state_.S = static_cast<std::int32_t>(memory.dim(1));
      table().remember(context_.kernel(), m, state_, there.data(), state_.S);
      if (memory.device() != Device::cpu()) synchronise(context_);  // its queue may give its block out again
    }
    carry_ = {};
    started_ = true;
    start_music();
  }

  // The music begins anew, at time_s of its window, with these notes sounding from before: in vocabulary 2
  // they wait to be continued. The tokens taken so far stay.
  void start_music(std::span<const Note> sounding = {}, double time_s = 0) {
    carry_.ended = 0;
    carry_.music_time_s = time_s;
    carry_.at_start = 1;
    std::fill(std::begin(carry_.sounding), std::end(carry_.sounding), 0u);
    for (const Note& note : sounding)
      carry_.sounding[(note.pitch & 127) / 32] |= std::uint32_t{1} << (note.pitch & 31);
    std::fill(std::begin(carry_.awaited), std::end(carry_.awaited), 0u);
    if (weights_.ids().continues)
      std::copy(std::begin(carry_.sounding), std::end(carry_.sounding), std::begin(carry_.awaited));
  }

  // Takes the next token; the logits, [V], stay valid until the next call. The grammar takes no notice of it.
  std::span<const T> step(std::int64_t token) {
    require_room(token);
    send_carry();
    kernels::DecodeOptions options;
    options.choose = false;
    options.first_token = static_cast<std::int32_t>(token);
    run(options, 1);
    kernels::cuda_runtime->download(context_.kernel(), logits_.data(), state_.logits,
                                    static_cast<std::size_t>(logits_.size()) * sizeof(T));
    ++carry_.position;
    carry_.token_time_s += weights_.ids().shift_s[static_cast<std::size_t>(token)];
    return std::as_const(logits_).values();
  }

  // Takes `first_token`, then ids chosen one after another; at most `count` of them, EOS or CUT included
  // where it comes. The last one is not taken yet: hand it on as the next call's first. None where the music
  // is over.
  std::vector<int> generate(std::int64_t first_token, std::int64_t count,
                            const DeviceDecoding& decoding = {}) {
    check_sampler_options(decoding.sampler);
    if (decoding.tokens_a_launch < 1) throw InputError("a launch of 0 tokens decodes nothing; use 1 or more");
    if (count <= 0 || (started_ && carry_.ended != 0)) return {};
    require_room(first_token);
    const kernels::DecodeModel& m = weights_.model();
    count = std::min<std::int64_t>(count, m.L - carry_.position);
    carry_.token = static_cast<std::int32_t>(first_token);
    carry_.count = 0;
    carry_.draws = 0;
    send_carry();
    kernels::cuda_runtime->zero(context_.kernel(), state_.occurrences,
                                static_cast<std::size_t>(m.V) * sizeof(std::int32_t));
    const Tensor<std::uint8_t> allowed = on_device_of(context_, allowed_ids(decoding));
    Tensor<std::int32_t> forced;
    if (!decoding.prime.empty()) forced = on_device_of(context_, forced_ids(decoding));
    const kernels::DecodeOptions options = options_of(decoding, allowed, forced);
    for (std::int64_t left = count; left > 0 && carry_.ended == 0;) {
      const std::int64_t tokens = std::min<std::int64_t>(left, decoding.tokens_a_launch);
      run(options, static_cast<std::int32_t>(tokens));
      kernels::cuda_runtime->download(context_.kernel(), &carry_, state_.carry, sizeof carry_);
      left -= tokens;
    }
    std::vector<int> chosen(static_cast<std::size_t>(carry_.count));
    static_assert(sizeof(int) == sizeof(std::int32_t));
    if (!chosen.empty())
      kernels::cuda_runtime->download(context_.kernel(), chosen.data(), state_.chosen,
                                      chosen.size() * sizeof(std::int32_t));
    if (carry_.ended == failed)
      throw Error("[sampler] no id can be chosen: none is allowed, or the logits are not numbers");
    return chosen;
  }

  bool ended() const { return carry_.ended != 0; }           // the music is over
  std::int64_t position() const { return carry_.position; }  // tokens taken so far
  double time_s() const { return carry_.music_time_s; }      // of the music that was chosen
  std::int64_t capacity() const { return weights_.model().L; }
  std::int64_t memory_length() const { return memory_length_; }  // the most that start() takes
  const DeviceWeights<T>& weights() const { return weights_; }
  Context& context() { return context_; }

 private:
  static constexpr std::int32_t failed = 2;

  const kernels::DecodeKernels& table() const {
    if (kernels::cuda_column<kernels::DecodeKernels> == nullptr)
      throw DeviceError("[cuda] this program was built without the kernels that decode");
    return *kernels::cuda_column<kernels::DecodeKernels>;
  }
  void run(const kernels::DecodeOptions& options, std::int32_t tokens) {
    try {
      table().run(context_.kernel(), weights_.model(), state_, options, tokens);
    } catch (const kernels::DeviceFailure& failure) {
      throw DeviceError(failure.what());
    }
  }

  // Zeroed memory, kept as long as the session.
  template <class Element>
  Element* take(std::int64_t count) {
    kept_.push_back(context_.allocate<std::uint8_t>({count * static_cast<std::int64_t>(sizeof(Element))}));
    zero(context_, kept_.back());
    return reinterpret_cast<Element*>(kept_.back().data());
  }
  void send_carry() {
    kernels::cuda_runtime->upload(context_.kernel(), state_.carry, &carry_, sizeof carry_);
  }

  void require_room(std::int64_t token) const {
    if (!started_) throw Error("[device_session] a step without a memory; call start() first");
    const kernels::DecodeModel& m = weights_.model();
    detail::require(token >= 0 && token < m.V, "device_session", [&] {
      return "token " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(m.V);
    });
    detail::require(carry_.position < m.L, "device_session",
                    [&] { return "the sequence is full with " + std::to_string(m.L) + " tokens"; });
  }

  Tensor<std::uint8_t> allowed_ids(const DeviceDecoding& decoding) const {
    const detail::IdTable& ids = weights_.ids();
    Tensor<std::uint8_t> allowed = Tensor<std::uint8_t>::uninitialised(Shape{weights_.model().V});
    for (std::int64_t id = 0; id < allowed.size(); ++id) {
      const std::uint8_t kind = ids.kind[static_cast<std::size_t>(id)];
      const bool ends = kind == kernels::decode_end;
      allowed[id] = id != weights_.pad() && kind != kernels::decode_passed_over &&
                    !(ends && decoding.grammar && !decoding.grammar->may_end);
    }
    return allowed;
  }
  Tensor<std::int32_t> forced_ids(const DeviceDecoding& decoding) const {
    const auto size = static_cast<std::int64_t>(decoding.prime.size());
    Tensor<std::int32_t> forced = Tensor<std::int32_t>::uninitialised({size});
    for (std::int64_t n = 0; n < size; ++n) {
      const int id = decoding.prime[static_cast<std::size_t>(n)];
      detail::require(id >= 0 && id < weights_.model().V, "device_session", [&] {
        return "the id " + std::to_string(id) + " to begin with is outside the vocabulary";
      });
      forced[n] = id;
    }
    return forced;
  }
  kernels::DecodeOptions options_of(const DeviceDecoding& decoding, const Tensor<std::uint8_t>& allowed,
                                    const Tensor<std::int32_t>& forced) const {
    kernels::DecodeOptions o;
    const SamplerOptions& sampler = decoding.sampler;
    o.greedy = sampler.greedy;
    o.temperature = temperature_in<float>(sampler);
    o.top_k = sampler.top_k;
    o.top_p = sampler.top_p;
    o.min_p = static_cast<float>(sampler.min_p);
    o.repetition_penalty = static_cast<float>(sampler.repetition_penalty);
    o.repetition_window = sampler.repetition_window;
    o.seed = sampler.seed;
    o.stream = decoding.stream;
    o.allowed = allowed.data();
    if (decoding.grammar) {
      const detail::IdTable& ids = weights_.ids();
      if (!ids.has_grammar)
        throw Error("[device_session] no grammar is known of a vocabulary of " +
                    std::to_string(weights_.model().V) + " ids");
      o.note_off_needs_note_on = decoding.grammar->note_off_needs_note_on;
      o.checks_continued = ids.continues;
      o.may_begin_continued = decoding.grammar->may_begin_continued;
    }
    o.most_s = decoding.window_s;
    o.forced = forced.defined() ? forced.data() : nullptr;
    o.forced_count = static_cast<std::int32_t>(forced.size());
    return o;
  }

  const DeviceWeights<T>& weights_;
  Context context_;
  std::int64_t memory_length_;
  std::vector<Tensor<std::uint8_t>> kept_;
  kernels::DecodeState state_;
  kernels::DecodeCarry carry_;  // as on the device, between calls
  Tensor<T> logits_;
  bool started_ = false;
};

}  // namespace imu2music::inline v0
