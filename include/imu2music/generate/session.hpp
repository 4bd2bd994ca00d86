// One sequence being decoded: all state of a run, over a Model that many sessions can share.
//
// prepare() (the constructor calls it) allocates and warms everything; start() takes a memory; step() takes a
// token and gives the logits after it. Keys and values are cached, cross-attention's once a memory, so a step
// costs one row of each layer. With one thread step() does not allocate, lock or, within max_sequence, throw.
// The logits equal those of the full computation over all tokens so far, bit for bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/models/imu2music_model.hpp"

namespace imu2music::inline v0 {

template <class T = float>
class Session {
 public:
  // The model must outlive the session. memory_length: the most memory tokens that start() will bring.
  explicit Session(const Imu2MusicModel<T>& model, int threads = 1,
                   std::int64_t memory_length = ConvEncoder<T>::tokens)
      : model_(model),
        context_(threads),
        memory_length_(memory_length),
        caches_(model.decoder.make_caches(memory_length)),
        logits_(Shape{model.config.vocabulary}) {
    prepare();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Encodes a window of motion, [1, 2, 3, 150], and starts a sequence over it.
  void start_from_motion(const Tensor<T>& input) {
    ArenaScope scope(context_, arena_);
    start(model_.encode_memory(context_, model_.encode_motion(context_, input)));
  }

  // Starts a sequence over a memory, [1, S, D].
  void start(const Tensor<T>& memory) {
    detail::require(memory.rank() == 3 && memory.dim(0) == 1 && memory.dim(2) == model_.config.d_model,
                    "session", [&] {
                      return "the memory must be (1, S, " + std::to_string(model_.config.d_model) +
                             "), not " + memory.shape().to_string();
                    });
    ArenaScope scope(context_, arena_);
    model_.decoder.remember(context_, memory, caches_);
    position_ = 0;
    started_ = true;
  }

  // Takes the next token; the logits, [V], stay valid until the next call. Throws Error before a start,
  // ShapeError for a token outside the vocabulary or past max_sequence.
  std::span<const T> step(std::int64_t token) {
    if (!started_) throw Error("[session] a step without a memory; call start() first");
    ArenaScope scope(context_, arena_);
    const Tensor<T> logits = model_.step(context_, token, position_, caches_);
    std::copy_n(logits.data(), logits_.size(), logits_.data());
    ++position_;
    return std::as_const(logits_).values();
  }

  // Becomes as `other`, a session of the same model whose memory fits: what follows the same tokens has the
  // same logits in both, and neither knows of the other from then on. Nothing is computed again and nothing
  // is allocated. Throws ShapeError for another model or a memory that is too long.
  void copy_from(const Session& other) {
    if (this == &other) return;
    detail::require(&model_ == &other.model_, "session",
                    [] { return std::string("only a session of the same model can be copied"); });
    for (std::size_t i = 0; i < caches_.size(); ++i) {
      caches_[i].self.copy_from(other.caches_[i].self);
      caches_[i].memory.copy_from(other.caches_[i].memory);
    }
    std::copy_n(other.logits_.data(), other.logits_.size(), logits_.data());
    position_ = other.position_;
    started_ = other.started_;
  }

  // Of the last step, [V]; valid until the next.
  std::span<const T> logits() const { return logits_.values(); }
  std::int64_t memory_length() const { return memory_length_; }  // the most that start() takes
  std::int64_t position() const { return position_; }  // tokens taken so far
  std::int64_t capacity() const { return model_.config.max_sequence; }
  const Imu2MusicModel<T>& model() const { return model_; }
  Context& context() { return context_; }

 private:
  // Runs once everything that a step can touch, so that the arena has its final size and every table is
  // chosen.
  void prepare() {
    start(Tensor<T>({1, memory_length_, model_.config.d_model}));
    step(0);
    started_ = false;
  }

  const Imu2MusicModel<T>& model_;
  Context context_;
  Arena arena_;
  std::int64_t memory_length_;
  std::vector<DecoderLayerCache<T>> caches_;
  Tensor<T> logits_;
  std::int64_t position_ = 0;
  bool started_ = false;
};

}  // namespace imu2music::inline v0
