// One sequence being decoded: all state of a run, over a Model that many sessions can share.
//
// prepare() (the constructor calls it) allocates and warms everything; start() takes a memory; step() takes a
// token and gives the logits after it. Keys and values are cached, cross-attention's once a memory, so a step
// costs one row of each layer. With one thread step() does not allocate or lock, and throws for wrong calls
// only. The logits equal those of the full computation over all tokens so far, bit for bit.
//
// A session computes where its model is. On a GPU every step is a row of small launches and ends with a copy
// of the logits; to decode as fast as the device can, use generate/device_session.hpp. Many sessions that
// step together, reading the weights once: generate/session_group.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T = float>
class Session {
 public:
  // The model must outlive the session, and its parameters stay as they are: after a training step make
  // another. memory_length: the most memory tokens that start() will bring; 0: as many as the model's encoder
  // gives.
  explicit Session(const Model<T>& model, int threads = 1, std::int64_t memory_length = 0)
      : model_(model),
        context_(threads, model.device()),
        memory_length_(memory_length > 0 ? memory_length : model.memory_length()),
        state_(make_state()),
        logits_(Shape{model.config.vocabulary}) {
    detail::require(memory_length >= 0, "session", [&] {
      return "a memory of at most " + std::to_string(memory_length) +
             " tokens is none; 0 is the encoder's own";
    });
    prepare();
  }
  Session(const Model<T>&&, int = 1, std::int64_t = 0) = delete;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Encodes a window of motion of the shape that the model takes, batch 1, and starts a sequence over it.
  void start_from_motion(const Tensor<T>& input) {
    ArenaScope scope(context_, arena_);
    start(model_.encode_memory(context_, model_.encode_motion(context_, input)));
  }

  // Starts a sequence over a memory, [1, S, D], S from 1 to memory_length(), which no LSTM is bound to;
  // undefined for a music_transformer. Throws ShapeError for any other, and what went on goes on.
  void start(const Tensor<T>& memory = {}) {
    const bool fits = model_.has_memory() ? memory.rank() == 3 && memory.dim(0) == 1 && memory.dim(1) >= 1 &&
                                                (state_.layers.empty() || memory.dim(1) <= memory_length_) &&
                                                memory.dim(2) == model_.config.d_model
                                          : !memory.defined();
    detail::require(fits, "session", [&] {
      if (!model_.has_memory()) return std::string("a music_transformer takes no memory");
      return "the memory must be (1, S, " + std::to_string(model_.config.d_model) + "), S from 1 to " +
             std::to_string(memory_length_) + ", not " + memory.shape().to_string();
    });
    ArenaScope scope(context_, arena_);
    started_ = false;
    model_.remember(context_, on_device_of(context_, memory), state_);
    if (memory.defined() && memory.device() != Device::cpu())
      synchronise(context_);  // its queue may give its block out again
    started_ = true;
  }

  // The histograms of pitch classes that steer what follows: [12], alike at every position; [L, 12], one
  // each; undefined: none. Stays until it is set again. Throws ShapeError where the model takes none.
  void set_control(const Tensor<T>& histogram) { state_.control = model_.control_rows(histogram); }

  // The control of another session of the same model, in place of its own. Throws ShapeError for another
  // model.
  void set_control_of(const Session& other) {
    require_same_model(other);
    state_.control = other.state_.control;
  }

  // Takes the next token; the logits, [V], stay valid until the next call. Throws Error before a start,
  // ShapeError for a token outside the vocabulary or past max_sequence.
  std::span<const T> step(std::int64_t token) {
    check_step(token);
    ArenaScope scope(context_, arena_);
    DecodingState<T>* const state = &state_;
    const Tensor<T> logits =
        on_host(context_, model_.step(context_, std::span(&token, 1), std::span(&state, 1)));
    std::copy_n(logits.data(), logits_.size(), logits_.data());
    return std::as_const(logits_).values();
  }

  // Becomes as `other`, a session of the same model whose memory fits: what follows the same tokens has the
  // same logits in both, and neither knows of the other from then on. Nothing is computed again and nothing
  // is allocated. Throws ShapeError for another model or a memory that is too long.
  void copy_from(const Session& other) {
    if (this == &other) return;
    require_same_model(other);
    for (std::size_t i = 0; i < state_.layers.size(); ++i)
      detail::require(other.state_.layers[i].memory.length() <= state_.layers[i].memory.capacity(), "session",
                      [&] {
                        return "a memory of " + std::to_string(other.state_.layers[i].memory.length()) +
                               " tokens does not fit one of " + std::to_string(memory_length_);
                      });
    synchronise(other.context_);
    for (std::size_t i = 0; i < state_.layers.size(); ++i) {
      state_.layers[i].self.copy_from(other.state_.layers[i].self);
      state_.layers[i].memory.copy_from(other.state_.layers[i].memory);
    }
    for (std::size_t i = 0; i < state_.lstm.lstm.h.size(); ++i) {
      copy(context_, other.state_.lstm.lstm.h[i], state_.lstm.lstm.h[i]);
      copy(context_, other.state_.lstm.lstm.c[i], state_.lstm.lstm.c[i]);
    }
    if (state_.lstm.y.defined()) copy(context_, other.state_.lstm.y, state_.lstm.y);
    state_.control = other.state_.control;
    state_.time_s = other.state_.time_s;
    state_.position = other.state_.position;
    synchronise(context_);  // other may change now what was copied
    std::copy_n(other.logits_.data(), logits_.size(), logits_.data());
    started_ = other.started_;
  }

  // Of the last step, [V]; valid until the next. They mean nothing before the first step after start().
  std::span<const T> logits() const { return logits_.values(); }
  std::int64_t memory_length() const { return memory_length_; }  // the most that start() takes
  std::int64_t position() const { return state_.position; }      // tokens taken so far
  double time_s() const { return state_.time_s; }                // musical time after them, in vocabulary 2
  std::int64_t capacity() const { return model_.config.max_sequence; }
  const Model<T>& model() const { return model_; }
  Context& context() { return context_; }

 private:
  template <class>
  friend class SessionGroup;

  void require_same_model(const Session& other) const {
    detail::require(&model_ == &other.model_, "session",
                    [] { return std::string("the other session is of another model"); });
  }

  void check_step(std::int64_t token) const {
    if (!started_) throw Error("[session] a step without a memory; call start() first");
    detail::require(token >= 0 && token < model_.config.vocabulary, "session", [&] {
      return "token " + std::to_string(token) + " lies outside the vocabulary of " +
             std::to_string(model_.config.vocabulary);
    });
    detail::require(position() < capacity(), "session", [&] {
      return "all " + std::to_string(capacity()) + " positions of the model are taken";
    });
  }

  // All caches side by side.
  DecodingState<T> make_state() {
    Context context = context_;
    context.set_lasting(std::make_shared<Arena>());
    return model_.make_state(context, memory_length_);
  }

  // Runs once everything that a step can touch, so that the arena has its final size and every table is
  // chosen.
  void prepare() {
    EventVocabulary1::time_shift_bins_s();  // made with the first call, under a lock
    start(model_.has_memory() ? Tensor<T>({1, memory_length_, model_.config.d_model}) : Tensor<T>());
    step(0);
    started_ = false;
    state_.position = 0;
    state_.time_s = 0;
  }

  const Model<T>& model_;
  Context context_;
  Arena arena_;
  std::int64_t memory_length_;
  DecodingState<T> state_;
  Tensor<T> logits_;
  bool started_ = false;
};

}  // namespace imu2music::inline v0
