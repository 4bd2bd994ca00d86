// The pairs of a split as batches of windows, in memory.
//
// A training window is a pair, drawn by how many windows it has, and a start on one of its motion's frames,
// drawn evenly; where there is no motion, on a grid of 20 ms. It is augmented as one (train/augment.hpp; the
// motion that of a temporal encoder only) before inputs and targets are cut from one list of tokens. Element
// e of batch i draws from the random stream (seed, i, e) alone. Validation takes windows every half window,
// not augmented. An augmentation that these data cannot have is refused.
//
// For a model with control, the row of a token is the histogram of pitch classes from it on
// (music/event_vocabulary.hpp), that of SOS zeros; a share control_dropout of the windows has none, drawn for
// training, evenly spread over validation, so that the model learns both.
//
// A split with motion trains on its pairs with motion only; one of music alone trains the decoder alone
// (models/model.hpp), for which the model must be an encoder_decoder with a transformer or a
// music_transformer. A music_transformer of 390 ids learns from excerpts: as many ids as its sequence has, or
// up to the piece's end, from a start on the grid on, wherever in the piece.
//
// Memory: every pair's motion at the encoder's rate. Errors: InputError where no pair can be used, or what a
// pair has does not fit the model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/random.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/music/notes.hpp"
#include "imu2music/music/performance_vocabulary.hpp"
#include "imu2music/train/augment.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/motion_windows.hpp"
#include "imu2music/train/trainer.hpp"
#include "imu2music/train/windows.hpp"

namespace imu2music::inline v0 {

class TrainingData : public BatchSource {
 public:
  // `prepare`, where given, is applied to every recording first, such as map_sensors().
  TrainingData(const Dataset& dataset, const Split& split, const TrainingConfig& config,
               const std::function<Recording(const Recording&)>& prepare = {})
      : config_(config), split_(split.name), hash_(split.hash), pad_(Model<float>(config.model).pad()) {
    const auto has_motion = [&](std::size_t i) { return dataset.pairs()[i].has_motion; };
    with_motion_ =
        config.model.encoder != "none" && std::any_of(split.train.begin(), split.train.end(), has_motion);
    if (!with_motion_ && config.model.model == "lstm_seq2seq")
      throw InputError(dataset.folder(), "holds music alone",
                       "an lstm_seq2seq writes from motion only: use a data set with motion");
    const auto take = [&](const std::vector<std::size_t>& which, std::vector<Piece>& pieces) {
      for (const std::size_t i : which) {
        const PairInfo& info = dataset.pairs()[i];
        if (with_motion_ && !info.has_motion) continue;
        if (!of_excerpts() && info.seconds < window_seconds(config.model)) {
          left_out_.push_back(info.id + " lasts " + number_text(info.seconds) + " s, less than a window");
          continue;
        }
        try {
          pieces.push_back(make_piece(dataset.load(i), prepare));
        } catch (const MotionTooShort& error) {
          left_out_.push_back(info.id + " has " + number_text(error.seconds) +
                              " s of motion, less than a window");
        }
      }
    };
    take(split.train, train_);
    take(split.validation, validation_);
    if (train_.empty())
      throw InputError(dataset.folder(),
                       "the split " + split.name + " has no pair to train on that lasts " +
                           number_text(window_seconds(config.model)) + " s",
                       "use another split, more data or shorter windows");
    check_augmented(dataset.folder());
    augmentation_.transpose_semitones_max = static_cast<double>(config.transpose_semitones);
    augmentation_.transpose_with_motion = config.transpose_with_motion;
    augmentation_.rotation_degrees_max = config.rotation_degrees;
    augmentation_.gain_max = config.gain;
    augmentation_.noise_deviations = config.noise;
    augmentation_.note_jitter_s = config.note_jitter_s;
    for (const double deviation : channel_statistics().second)
      deviations_.push_back(static_cast<float>(deviation));
    std::int64_t total = 0;
    for (const Piece& piece : train_) ends_.push_back(total += piece.starts);
    for (std::size_t p = 0; p < validation_.size(); ++p) {
      const Piece& piece = validation_[p];
      const std::int64_t hop = std::max<std::int64_t>(piece.window_frames / 2, 1);
      for (std::int64_t start = 0; start < piece.starts; start += hop)
        validation_windows_.emplace_back(p, start);
    }
  }

  bool with_motion() const { return with_motion_; }
  std::size_t training_pairs() const { return train_.size(); }
  std::size_t validation_pairs() const { return validation_.size(); }
  const std::vector<std::string>& left_out() const { return left_out_; }  // a sentence each

  // Mean and standard deviation of every channel over the training pairs, for a temporal encoder.
  std::pair<std::vector<double>, std::vector<double>> channel_statistics() const {
    std::vector<double> mean, deviation;
    if (!with_motion_) return {mean, deviation};
    const std::int64_t rows = train_.front().motion->rows().dim(0);
    for (std::int64_t row = 0; row < rows; ++row) {
      double sum = 0, squares = 0, count = 0;
      for (const Piece& piece : train_) {
        const std::int64_t frames = piece.motion->frames();
        const float* values = piece.motion->rows().data() + row * frames;
        for (std::int64_t i = 0; i < frames; ++i) sum += values[i];
        count += static_cast<double>(frames);
      }
      const double m = sum / count;
      for (const Piece& piece : train_) {
        const std::int64_t frames = piece.motion->frames();
        const float* values = piece.motion->rows().data() + row * frames;
        for (std::int64_t i = 0; i < frames; ++i) squares += (values[i] - m) * (values[i] - m);
      }
      mean.push_back(m);
      deviation.push_back(std::max(std::sqrt(squares / count), 1e-6));
    }
    return {mean, deviation};
  }

  TrainingBatch<float> training_batch(std::int64_t index) const override {
    std::vector<Element> elements;
    for (std::int64_t e = 0; e < config_.batch; ++e) {
      Philox random = augmentation_random(static_cast<std::uint64_t>(config_.seed),
                                          static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(e));
      const auto place = static_cast<std::int64_t>(random.uniform() * static_cast<double>(ends_.back()));
      const auto p =
          static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), place) - ends_.begin());
      const std::int64_t start = place - (p == 0 ? 0 : ends_[p - 1]);
      elements.push_back(element(train_[p], start, &random));
      if (config_.model.control) elements.back().controlled = random.uniform() >= config_.control_dropout;
    }
    return joined(elements);
  }

  std::int64_t validation_batches() const override {
    const auto count = static_cast<std::int64_t>(validation_windows_.size());
    return (count + config_.batch - 1) / config_.batch;
  }

  TrainingBatch<float> validation_batch(std::int64_t index) const override {
    std::vector<Element> elements;
    const auto first = static_cast<std::size_t>(index * config_.batch);
    const auto last = std::min(first + static_cast<std::size_t>(config_.batch), validation_windows_.size());
    for (std::size_t n = first; n < last; ++n) {
      elements.push_back(
          element(validation_[validation_windows_[n].first], validation_windows_[n].second, nullptr));
      const auto dropped = [&](std::size_t windows) {  // of the first so many
        return std::floor(static_cast<double>(windows) * config_.control_dropout);
      };
      elements.back().controlled = config_.model.control && dropped(n + 1) == dropped(n);
    }
    return joined(elements);
  }

  std::string data_hash() const override { return hash_; }
  std::string split_name() const override { return split_; }

 private:
  static constexpr double music_rate_hz = 50;  // of window starts where there is no motion

  bool of_excerpts() const {
    return config_.model.model == "music_transformer" &&
           config_.model.vocabulary == PerformanceVocabulary::size;
  }

  void check_augmented(const std::string& folder) const {
    if (with_motion_ && config_.transpose_semitones > 0 && !config_.transpose_with_motion)
      throw InputError(folder, "has motion, which tells the pitch: transpose_semitones is for music alone",
                       "leave it out, or set transpose_with_motion where the motion does not tell it");
    const double amount = config_.rotation_degrees + config_.gain + config_.noise;
    if (!with_motion_ && amount > 0)
      throw InputError(folder, "is learnt from without motion: rotation_degrees, gain and noise change none",
                       "leave them out");
  }

  struct Piece {
    std::string id;
    std::vector<Note> notes;
    bool goes_on = false;  // the music, after the pair's end
    std::optional<MotionWindows> motion;
    std::int64_t window_frames = 0, starts = 0;  // frames a window begins at: 0 to starts - 1
    double rate_hz = music_rate_hz, start_s = 0;
  };
  struct Element {
    std::vector<float> input;
    std::vector<int> tokens;
    bool controlled = false;
  };

  static std::size_t ids_of(const Piece& piece) {
    try {
      return PerformanceVocabulary::encode(piece.notes).size();
    } catch (const InputError& error) {  // knows the note, not the pair
      throw InputError("pair " + piece.id + ": " + error.what());
    }
  }

  Piece make_piece(Pair pair, const std::function<Recording(const Recording&)>& prepare) const {
    Piece piece;
    piece.id = pair.info.id;
    piece.goes_on = pair.info.goes_on;
    piece.notes = std::move(pair.notes);
    std::int64_t frames = 0;
    if (with_motion_) {
      piece.motion.emplace(prepare ? prepare(pair.motion) : pair.motion, config_.model);
      piece.rate_hz = piece.motion->rate_hz();
      piece.start_s = piece.motion->start_s();
      frames = piece.motion->frames();
      piece.window_frames = piece.motion->window_frames();
    } else {
      frames = static_cast<std::int64_t>(pair.info.seconds * music_rate_hz);
      double seconds = window_seconds(config_.model);
      if (of_excerpts()) {  // how long one lasts in the mean
        const auto ids = static_cast<double>(ids_of(piece));
        frames = static_cast<std::int64_t>(end_of(piece.notes) * music_rate_hz);
        seconds = end_of(piece.notes) * std::min(1.0, static_cast<double>(config_.model.max_sequence) / ids);
      }
      piece.window_frames = std::max<std::int64_t>(std::llround(std::ceil(seconds * music_rate_hz)), 1);
      frames = std::max(frames, piece.window_frames);
    }
    piece.starts = of_excerpts() ? frames : frames - piece.window_frames + 1;
    return piece;
  }

  // `random` null: as it is.
  Element element(const Piece& piece, std::int64_t start, Philox* random) const {
    Element result;
    const double start_s = piece.start_s + static_cast<double>(start) / piece.rate_hz;
    const double seconds = window_seconds(config_.model);
    if (piece.motion) {
      result.input.resize(static_cast<std::size_t>(piece.motion->input_shape().element_count()));
      piece.motion->window(start, result.input.data());
    }
    const auto tokens_of = [&](std::span<const Note> notes) {
      return of_excerpts()
                 ? performance_excerpt(notes, start_s, static_cast<std::size_t>(config_.model.max_sequence),
                                       piece.goes_on)
                 : window_tokens(config_.model, notes, start_s, seconds, "pair " + piece.id, piece.goes_on);
    };
    if (random == nullptr || augmentation_.is_none()) {
      result.tokens = tokens_of(piece.notes);
      return result;
    }
    const std::vector<Note> notes = augment_notes(augmentation_, piece.notes, with_motion_, *random);
    if (piece.motion && config_.model.encoder == "temporal")
      augment_motion(augmentation_, result.input, piece.motion->window_frames(), config_.model.sensors,
                     motion_quantities(config_.model), deviations_, *random);
    result.tokens = tokens_of(notes);
    return result;
  }

  TrainingBatch<float> joined(const std::vector<Element>& elements) const {
    std::size_t longest = 2;
    for (const Element& e : elements) longest = std::max(longest, e.tokens.size());
    const auto B = static_cast<std::int64_t>(elements.size()),
               length = static_cast<std::int64_t>(longest) - 1;
    TrainingBatch<float> batch;
    batch.tokens = Tensor<std::int64_t>({B, length});
    batch.targets = Tensor<std::int64_t>({B, length});
    for (std::int64_t b = 0; b < B; ++b) {
      const ModelTokens both = inputs_and_targets(elements[static_cast<std::size_t>(b)].tokens, longest - 1,
                                                  static_cast<int>(pad_));
      std::copy(both.x.begin(), both.x.end(), batch.tokens.data() + b * length);
      std::copy(both.y.begin(), both.y.end(), batch.targets.data() + b * length);
    }
    if (config_.model.control) {
      constexpr std::int64_t classes = ControlInput<float>::classes;
      batch.control = Tensor<float>({B, length, classes});
      for (std::int64_t b = 0; b < B; ++b) {
        const Element& e = elements[static_cast<std::size_t>(b)];
        batch.controlled.push_back(e.controlled);
        const std::span<const int> ids = std::span(e.tokens).subspan(1);  // without SOS
        const std::vector<PitchHistogram> rows = config_.model.vocabulary == EventVocabulary2::size
                                                     ? pitch_histograms<EventVocabulary2>(ids)
                                                     : pitch_histograms<EventVocabulary1>(ids);
        for (std::size_t t = 1; t < e.tokens.size() - 1; ++t)
          for (std::size_t c = 0; c < rows[t - 1].size(); ++c)
            batch.control[(b * length + static_cast<std::int64_t>(t)) * classes +
                          static_cast<std::int64_t>(c)] = static_cast<float>(rows[t - 1][c]);
      }
    }
    if (with_motion_) {
      const Shape& one = train_.front().motion->input_shape();
      Shape shape{B};
      for (const std::int64_t size : one) shape.push_back(size);
      batch.input = Tensor<float>::uninitialised(shape);
      for (std::int64_t b = 0; b < B; ++b)
        std::copy(elements[static_cast<std::size_t>(b)].input.begin(),
                  elements[static_cast<std::size_t>(b)].input.end(),
                  batch.input.data() + b * one.element_count());
    }
    return batch;
  }

  TrainingConfig config_;
  Augmentation augmentation_;
  std::vector<float> deviations_;  // of the motion's channels
  std::string split_, hash_;
  std::int64_t pad_ = 0;
  bool with_motion_ = false;
  std::vector<Piece> train_, validation_;
  std::vector<std::int64_t> ends_;  // running sums of Piece::starts
  std::vector<std::pair<std::size_t, std::int64_t>> validation_windows_;
  std::vector<std::string> left_out_;
};

}  // namespace imu2music::inline v0
