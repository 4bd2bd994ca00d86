// Our own encoder: causal dilated convolutions along time, any sensors, any length, offline or frame by
// frame.
//
//   input      [B, C, T]: channels of all sensors in SI units, frames at rate_hz
//   standard   (x - mean) / deviation by channel; both stand with the weights
//   stem       causal Conv1d C→W, ReLU
//   halvings   causal Conv1d W→W with stride 2, ReLU: as many as bring rate_hz to 12.5 a second, spread
//              evenly among the blocks, the first before block 0
//   blocks     x + Conv1d 1 (ReLU(causal Conv1d, dilated (LayerNorm over channels (x)))); the dilation
//              doubles from block to block and starts again at 1 after a halving
//   output     LayerNorm, Linear W→D, plus the sinusoidal position of the token's index → [B, S, D],
//              S = T 12.5 / rate_hz rounded up
//
// Token s looks at frames up to s rate_hz / 12.5 and none after, so it is known at time s / 12.5 s. No norm
// needs a batch or the future. TemporalStream gives the same tokens, bit for bit, as the frames come in.
// Throws ShapeError for another number of channels.
//
// Sources: van den Oord et al. 2016 (WaveNet, arXiv:1609.03499) and Bai, Kolter, Koltun 2018
// (arXiv:1803.01271) for causal dilated stacks with residuals.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/nn/conv.hpp"
#include "imu2music/nn/embedding.hpp"
#include "imu2music/nn/layer_norm.hpp"
#include "imu2music/nn/linear.hpp"
#include "imu2music/ops/add.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

struct TemporalSizes {
  std::int64_t C = 18;      // input channels
  std::int64_t W = 64;      // channels of the convolutions
  std::int64_t kernel = 5;  // their length
  int blocks = 6;
  int halvings = 2;  // rate = 12.5 * 2^halvings
};

template <class T>
struct TemporalBlock {
  LayerNorm<T> norm;
  Conv1d<T> conv, mix;

  TemporalBlock(std::int64_t W, std::int64_t kernel, std::int64_t dilation)
      : norm(W), conv(W, W, kernel, dilation, 1), mix(W, W, 1, 1, 1) {}

  // x: [B, T, W].
  template <class V>
  V forward(Context& context, const V& x) const {
    const V normed = norm.forward(context, x);
    const V hidden = dropout(context, conv.forward(context, normed, Activation::relu), DropoutPlace::encoder);
    return add(context, x, mix.forward(context, hidden));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    norm.visit(visitor, prefix + "norm.");
    conv.visit(visitor, prefix + "conv.");
    mix.visit(visitor, prefix + "mix.");
  }
};

template <class T>
struct TemporalEncoder {
  static constexpr double token_rate_hz = 12.5;

  TemporalSizes sizes;
  Parameter<T> mean, deviation;  // [C]
  Conv1d<T> stem;
  std::vector<Conv1d<T>> halvings;
  std::vector<TemporalBlock<T>> blocks;
  LayerNorm<T> norm;
  Linear<T> fcn;
  Tensor<T> first_positions;  // of as many tokens as a window of six seconds has; no parameter

  TemporalEncoder() = default;
  TemporalEncoder(std::int64_t D, const TemporalSizes& s)
      : sizes(s),
        mean(Parameter<T>::buffer({s.C}, 0)),
        deviation(Parameter<T>::buffer({s.C}, 1)),
        stem(s.C, s.W, s.kernel, 1, 1),
        halvings(static_cast<std::size_t>(s.halvings), Conv1d<T>(s.W, s.W, s.kernel, 1, 2)),
        norm(s.W),
        fcn(s.W, D),
        first_positions(sinusoidal_positions<T>(75, D)) {
    mean.on_host = deviation.on_host = true;
    std::int64_t dilation = 1;
    for (int i = 0; i < s.blocks; ++i) {
      if (halvings_before(i) > 0) dilation = 1;
      blocks.emplace_back(s.W, s.kernel, dilation);
      dilation *= 2;
    }
  }

  // How many halvings stand right before block i.
  int halvings_before(int i) const {
    int count = 0;
    for (int j = 0; j < sizes.halvings; ++j) count += j * sizes.blocks / sizes.halvings == i;
    return count;
  }
  std::int64_t frames_per_token() const { return std::int64_t{1} << sizes.halvings; }

  bool takes(const Shape& input) const {
    return input.rank() == 3 && input[0] >= 1 && input[1] == sizes.C && input[2] >= 1;
  }
  std::string wanted() const { return "(B, " + std::to_string(sizes.C) + ", T): channels, frames"; }

  // input: [B, C, T] → [B, S, D].
  template <class V>
  V forward(Context& context, const V& input) const {
    detail::require(takes(input.shape()), "temporal_encoder",
                    [&] { return "the input must be " + wanted() + "; not " + input.shape().to_string(); });
    V x = stem.forward(context, permute(context, standardise(context, input), {0, 2, 1}), Activation::relu);
    std::size_t halving = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      for (int n = halvings_before(static_cast<int>(i)); n > 0; --n)
        x = halvings[halving++].forward(context, x, Activation::relu);
      x = blocks[i].forward(context, x);
    }
    const V tokens = fcn.forward(context, norm.forward(context, x));
    const std::int64_t B = tokens.dim(0), S = tokens.dim(1), D = tokens.dim(2);
    return add(context, tokens, constant<V>(positions_of(context, B, S, D)));
  }

  // The positions of S tokens, alike in every sequence: [B, S, D].
  Tensor<T> positions_of(Context& context, std::int64_t B, std::int64_t S, std::int64_t D) const {
    Tensor<T> rows = context.allocate_on_host<T>({context.on_device() ? 1 : B, S, D});
    for (std::int64_t s = 0; s < S; ++s) write_position(s, rows.data() + s * D);
    if (context.on_device()) {
      const Tensor<T> first = on_device_of(context, rows);
      rows = context.allocate<T>({B, S, D});
      for (std::int64_t b = 0; b < B; ++b) {
        Tensor<T> sequence = rows.slice(b, 1);
        copy(context, first, sequence);
      }
      return rows;
    }
    for (std::int64_t b = 1; b < B; ++b) std::copy_n(rows.data(), S * D, rows.data() + b * S * D);
    return rows;
  }

  // x: [B, C, T].
  template <class V>
  V standardise(Context& context, const V& x) const {
    Tensor<T> scale = context.allocate_on_host<T>({sizes.C}), shift = context.allocate_on_host<T>({sizes.C});
    for (std::int64_t c = 0; c < sizes.C; ++c) {
      scale[c] = T(1) / deviation.value[c];
      shift[c] = -mean.value[c] * scale[c];
    }
    return batch_norm(context, x, on_device_of(context, scale), on_device_of(context, shift));
  }

  // The sinusoidal position of token s (formula: nn/embedding.hpp), [D].
  void write_position(std::int64_t s, T* out) const {
    const std::int64_t D = fcn.weight.shape[0];
    if (s < first_positions.dim(0)) {
      std::copy_n(first_positions.data() + s * D, D, out);
      return;
    }
    for (std::int64_t c = 0; c < D; ++c) {
      const double rate = std::pow(10000.0, -static_cast<double>(c - c % 2) / static_cast<double>(D));
      const double angle = static_cast<double>(s) * rate;
      out[c] = static_cast<T>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "mean", mean);
    visitor(prefix + "deviation", deviation);
    stem.visit(visitor, prefix + "stem.");
    for (std::size_t i = 0; i < halvings.size(); ++i)
      halvings[i].visit(visitor, prefix + "halvings." + std::to_string(i) + ".");
    for (std::size_t i = 0; i < blocks.size(); ++i)
      blocks[i].visit(visitor, prefix + "blocks." + std::to_string(i) + ".");
    norm.visit(visitor, prefix + "norm.");
    fcn.visit(visitor, prefix + "fcn.");
  }
};

// The encoder frame by frame. Holds the newest inputs of every convolution; after the first frames (the
// constructor runs some) push() does not allocate.
template <class T>
class TemporalStream {
 public:
  // The encoder must outlive the stream.
  explicit TemporalStream(const TemporalEncoder<T>&& encoder, int threads = 1) = delete;
  explicit TemporalStream(const TemporalEncoder<T>& encoder, int threads = 1)
      : encoder_(encoder), context_(threads), token_(Shape{encoder.fcn.weight.shape[0]}) {
    detail::require(encoder.fcn.weight.value.device() == Device::cpu(), "temporal_stream", [] {
      return std::string("frames are encoded one by one on the cpu, and this model is on a device");
    });
    histories_.emplace_back(encoder.stem);
    for (const Conv1d<T>& halving : encoder.halvings) histories_.emplace_back(halving);
    for (const TemporalBlock<T>& block : encoder.blocks) histories_.emplace_back(block.conv);
    const Tensor<T> zeros(Shape{encoder.sizes.C});
    for (std::int64_t i = 0; i < encoder.frames_per_token(); ++i) push(zeros.values());
    clear();
  }
  TemporalStream(const TemporalStream&) = delete;
  TemporalStream& operator=(const TemporalStream&) = delete;

  // Forgets all frames.
  void clear() {
    for (History& history : histories_) history.clear();
    tokens_ = 0;
  }

  // Takes a frame, [C]; gives the token, [D], that it completes, valid until the next call, or nothing.
  std::span<const T> push(std::span<const T> frame) {
    detail::require(static_cast<std::int64_t>(frame.size()) == encoder_.sizes.C, "temporal_stream", [&] {
      return "a frame has " + std::to_string(encoder_.sizes.C) + " channels, not " +
             std::to_string(frame.size());
    });
    ArenaScope scope(context_, arena_);
    Tensor<T> x = context_.allocate<T>({1, encoder_.sizes.C, 1});
    std::copy(frame.begin(), frame.end(), x.data());
    std::size_t history = 0;
    x = encoder_.standardise(context_, x).reshape({1, 1, encoder_.sizes.C});
    if (!histories_[history++].step(context_, encoder_.stem, x)) return {};
    std::size_t halving = 0;
    const std::size_t first_block = 1 + encoder_.halvings.size();
    for (std::size_t i = 0; i < encoder_.blocks.size(); ++i) {
      for (int n = encoder_.halvings_before(static_cast<int>(i)); n > 0; --n, ++halving)
        if (!histories_[1 + halving].step(context_, encoder_.halvings[halving], x)) return {};
      const TemporalBlock<T>& block = encoder_.blocks[i];
      Tensor<T> inner = block.norm.forward(context_, x);
      histories_[first_block + i].step(context_, block.conv, inner);
      x = add(context_, x, block.mix.forward(context_, inner));
    }
    const Tensor<T> plain = encoder_.fcn.forward(context_, encoder_.norm.forward(context_, x));
    Tensor<T> position = context_.allocate<T>(plain.shape());
    encoder_.write_position(tokens_, position.data());
    const Tensor<T> sum = add(context_, plain, position);
    std::copy_n(sum.data(), sum.size(), token_.data());
    ++tokens_;
    return std::as_const(token_).values();
  }

  std::int64_t tokens() const { return tokens_; }  // given so far

 private:
  // The newest inputs of one convolution, oldest first: [1, reach, C].
  class History {
   public:
    explicit History(const Conv1d<T>& conv) : inputs_(Shape{1, conv.reach(), conv.weight.shape[1]}) {}

    void clear() {
      std::fill_n(inputs_.data(), inputs_.size(), T(0));
      count_ = 0;
    }

    // Takes x: [1, 1, C] and puts the convolution's ReLU output, [1, 1, O], in its place; false where the
    // stride skips this input.
    bool step(Context& context, const Conv1d<T>& conv, Tensor<T>& x) {
      const std::int64_t C = inputs_.dim(2), older = inputs_.size() - C;
      std::memmove(inputs_.data(), inputs_.data() + C, static_cast<std::size_t>(older) * sizeof(T));
      std::copy_n(x.data(), C, inputs_.data() + older);
      if (count_++ % conv.options.stride != 0) return false;
      x = conv.step(context, inputs_, Activation::relu);
      return true;
    }

   private:
    Tensor<T> inputs_;
    std::int64_t count_ = 0;
  };

  const TemporalEncoder<T>& encoder_;
  Context context_;
  Arena arena_;
  std::vector<History> histories_;
  Tensor<T> token_;
  std::int64_t tokens_ = 0;
};

}  // namespace imu2music::inline v0
