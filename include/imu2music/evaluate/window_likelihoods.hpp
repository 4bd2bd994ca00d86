// What a model makes of windows of motion: memories, and the log-likelihood of music under them.
//
//   windows → input [B, …] → memory [B, S, D];  memory, x [B, T] → logits [B, T, V] → −log p(y), y [B, T]
//
// Several windows are computed at once, as many as keep B·T near 8192 tokens. Errors: ShapeError for windows
// that a recording does not have, Error where a likelihood is no number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cpu/cross_entropy.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/evaluate/evaluation.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/ops/check.hpp"
#include "imu2music/train/motion_windows.hpp"

namespace imu2music::inline v0 {

// A window's motion: where it begins in a recording that is ready.
struct MotionPlace {
  const MotionWindows* motion = nullptr;
  std::int64_t frame = 0;
};

// Where the motion of a perturbed window begins; nothing where the recording does not reach.
inline std::optional<std::int64_t> perturbed_frame(const MotionPlace& place, Perturbation perturbation) {
  const auto shift = static_cast<std::int64_t>(std::lround(perturbation_shift_s * place.motion->rate_hz()));
  std::int64_t frame = place.frame;
  if (perturbation == Perturbation::later) frame += shift;
  if (perturbation == Perturbation::earlier) frame -= shift;
  if (frame < 0 || frame + place.motion->window_frames() > place.motion->frames()) return std::nullopt;
  return frame;
}

// Inputs of windows, [B, …]; each must have its motion, perturbed as it is.
template <class T>
Tensor<T> motion_inputs(std::span<const MotionPlace> places, Perturbation perturbation = Perturbation::none) {
  const Shape& one = places.front().motion->input_shape();
  Shape shape{static_cast<std::int64_t>(places.size())};
  for (const std::int64_t size : one) shape.push_back(size);
  Tensor<T> input(shape);
  if (perturbation == Perturbation::zeroed) return input;
  T* out = input.data();
  for (const MotionPlace& place : places) {
    const std::optional<std::int64_t> frame = perturbed_frame(place, perturbation);
    detail::require(frame.has_value(), "motion_inputs", [&] {
      return "frame " + std::to_string(place.frame) + " " + std::string(to_string(perturbation)) +
             " leaves the recording";
    });
    place.motion->window(*frame, out);
    if (perturbation == Perturbation::reversed) {
      // Time is the last axis but for keypoints, where a frame's nodes come after it.
      const std::int64_t frame_size = one.rank() == 4 ? one[2] * one[3] : 1;
      const std::int64_t row_size = place.motion->window_frames() * frame_size;
      for (T* row = out; row != out + one.element_count(); row += row_size)
        for (T *early = row, *late = row + row_size - frame_size; early < late;
             early += frame_size, late -= frame_size)
          std::swap_ranges(early, early + frame_size, late);
    }
    out += one.element_count();
  }
  return input;
}

template <class T>
class WindowLikelihoods {
 public:
  static constexpr std::int64_t tokens_at_once = 8192;

  // The model must outlive it.
  WindowLikelihoods(const Model<T>&& model, int threads) = delete;
  WindowLikelihoods(const Model<T>& model, int threads) : model_(model), context_(threads, model.device()) {}

  // How many windows of sequences this long are computed at once.
  static std::size_t at_once(std::size_t length) {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(
        tokens_at_once / std::max<std::int64_t>(static_cast<std::int64_t>(length), 1), 1, 64));
  }

  // [B, S, D]
  Tensor<T> memories(std::span<const MotionPlace> places, Perturbation perturbation = Perturbation::none) {
    const Tensor<T> input = motion_inputs<T>(places, perturbation);
    return model_.encode_memory(context_, model_.encode_motion(context_, input));
  }

  // −log p of tokens 1, 2, … of each sequence, [SOS] ids [EOS] of at least two; memories: [B, S, D]. Throws
  // ShapeError where that does not hold.
  std::vector<std::vector<double>> negative_log_p(const Tensor<T>& memories,
                                                  std::span<const std::vector<int>* const> sequences) {
    const auto B = static_cast<std::int64_t>(sequences.size());
    std::size_t longest = 2;
    for (const auto* tokens : sequences)
      detail::require(tokens->size() >= 2, "window_likelihoods",
                      [] { return std::string("a sequence has two tokens at least"); });
    for (const auto* tokens : sequences) longest = std::max(longest, tokens->size());
    const auto length = static_cast<std::int64_t>(longest) - 1;
    Tensor<std::int64_t> x = Tensor<std::int64_t>::uninitialised({B, length}), y = x.clone();
    std::fill_n(x.data(), x.size(), model_.pad());
    std::fill_n(y.data(), y.size(), model_.pad());
    for (std::int64_t b = 0; b < B; ++b) {
      const std::vector<int>& tokens = *sequences[static_cast<std::size_t>(b)];
      std::copy(tokens.begin(), tokens.end() - 1, x.data() + b * length);
      std::copy(tokens.begin() + 1, tokens.end(), y.data() + b * length);
      const int last = tokens.back();  // the others are inputs too, which the model checks
      detail::require(last >= 0 && last < model_.config.vocabulary, "window_likelihoods", [&] {
        return "token " + std::to_string(last) + " is outside the vocabulary of " +
               std::to_string(model_.config.vocabulary);
      });
    }
    const Tensor<T> logits = model_.logits(context_, memories, x);
    const Tensor<std::int64_t> targets = on_device_of(context_, y);
    Tensor<T> nll = context_.template allocate<T>({B * length});
    const auto& table = context_.template table<kernels::CrossEntropyKernels<T>>();
    parallel_for(context_.threads(), B * length, detail::grain_for(8 * logits.dim(2)),
                 [&](std::int64_t begin, std::int64_t end) {
                   table.forward(context_.kernel(), logits.data(), targets.data(), nll.data(), begin, end,
                                 logits.dim(2), model_.pad());
                 });
    nll = on_host(context_, nll);
    std::vector<std::vector<double>> result;
    for (std::int64_t b = 0; b < B; ++b) {
      const T* first = nll.data() + b * length;
      result.emplace_back(first, first + sequences[static_cast<std::size_t>(b)]->size() - 1);
      for (double value : result.back())
        if (!std::isfinite(value)) throw Error("[evaluate] a likelihood is no number");
    }
    return result;
  }

  // scores[i, j] = log p(sequence i | motion j), nats. Equal sequences are computed once. [K, K]. Throws
  // ShapeError unless there are as many places as sequences, one at least.
  Tensor<double> scores(std::span<const MotionPlace> places,
                        std::span<const std::vector<int>* const> sequences) {
    const std::size_t K = places.size();
    detail::require(K > 0 && sequences.size() == K, "window_likelihoods", [&] {
      return std::to_string(sequences.size()) + " sequences for " + std::to_string(K) + " places";
    });
    std::vector<Tensor<T>> blocks;
    const std::size_t longest = (*std::max_element(sequences.begin(), sequences.end(), [](auto* a, auto* b) {
                                  return a->size() < b->size();
                                }))->size();
    const std::size_t block = at_once(longest);
    for (std::size_t j = 0; j < K; j += block)
      blocks.push_back(memories(places.subspan(j, std::min(block, K - j))));
    Tensor<double> result(Shape{static_cast<std::int64_t>(K), static_cast<std::int64_t>(K)});
    for (std::size_t i = 0; i < K; ++i) {
      double* row = result.data() + i * K;
      std::size_t same = 0;
      while (*sequences[same] != *sequences[i]) ++same;
      if (same < i) {
        std::copy_n(result.data() + same * K, K, row);
        continue;
      }
      for (const Tensor<T>& memory : blocks) {
        const std::vector<const std::vector<int>*> repeated(static_cast<std::size_t>(memory.dim(0)),
                                                            sequences[i]);
        for (const std::vector<double>& nll : negative_log_p(memory, repeated)) {
          double sum = 0;
          for (double value : nll) sum -= value;
          *row++ = sum;
        }
      }
    }
    return result;
  }

 private:
  const Model<T>& model_;
  Context context_;
};

}  // namespace imu2music::inline v0
