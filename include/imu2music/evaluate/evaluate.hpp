// Evaluates a model on recordings with their music.
//
//   Evaluator<float> evaluator(model, options);
//   for (…) evaluator.add(pair);                  // recordings that the model did not learn from
//   for (…) evaluator.add_training_music(other);  // those that it did, for the baseline by stroke
//   const Evaluation evaluation = evaluator.run();
//
// Windows are as long as the model's and begin at frames drawn at random, or every half window, as in
// validation (windows_per_recording). Everything depends on model, recordings, options and seed alone, not on
// threads. Draws of window w begin the sampler's streams draws · w, draws · w + 1, …
//
// Generated music is that of each window by itself: vocabulary 2 is not told what sounds at the window's
// beginning, and a note that it continues from before is no onset, in the model's music as in the real one.
//
// The baseline by stroke: a window's onsets against those of another window, drawn anywhere in the training
// music of the same stroke of the bow; where that has none, in other performers' recordings among the
// evaluated. Pooled over 20 draws a window.
//
// Memory: all recordings at the encoder's rate, K memories. Errors: InputError for a model that writes no
// music for a recording, or no window; what loading and resampling throw; Error where the model gives no
// numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/parallel.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/evaluate/bootstrap.hpp"
#include "imu2music/evaluate/collapse.hpp"
#include "imu2music/evaluate/evaluation.hpp"
#include "imu2music/evaluate/motion_alignment.hpp"
#include "imu2music/evaluate/window_likelihoods.hpp"
#include "imu2music/generate/compose.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/window.hpp"
#include "imu2music/models/model.hpp"
#include "imu2music/music/notes.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/motion_windows.hpp"
#include "imu2music/train/windows.hpp"

namespace imu2music::inline v0 {

struct EvaluationOptions {
  int threads = 1;
  std::uint64_t seed = 0;
  // At random frames, no two alike; 0: one every half window. Music that was played to a click has its bars
  // on such a grid, and windows of it are then all the beginnings of bars.
  std::int64_t windows_per_recording = 6;
  std::int64_t retrieval_windows = 64;  // K, at most
  std::int64_t draws = 3;               // outputs a window, 2 or more for the collapse ratio
  int permutations = 999, resamples = 1000;
  SamplerOptions sampler;            // its seed is `seed`
  const Unigram* unigram = nullptr;  // counted in the training windows; null: in the evaluated ones
  std::function<Recording(const Recording&)> prepare =
      {};  // applied to every recording first, such as map_sensors()
  std::function<void(std::string_view stage, std::int64_t done, std::int64_t of)> on_progress = {};
};

// The notes of a window's ids that begin in it, as generate would write them: none from before the window,
// each ended at the window's end and where its pitch is struck again.
template <class Vocabulary>
std::vector<Note> notes_begun(std::span<const int> ids, double seconds) {
  WindowState<Vocabulary> state(seconds, {});
  std::vector<bool> continued;
  for (int id : ids) {
    state.push(id);
    if (state.decoder().notes().size() > continued.size())
      continued.push_back(Vocabulary::kind(id) == EventKind::continued);
  }
  // A window of vocabulary 2 that ended before its music did sounds to its end.
  if constexpr (std::is_same_v<Vocabulary, EventVocabulary2>)
    if (!state.ended()) state.push(Vocabulary::cut);
  std::vector<Note> kept;
  const std::span<const Note> notes = state.decoder().finish();
  for (std::size_t i = 0; i < notes.size(); ++i)
    if (!continued[i]) kept.push_back(notes[i]);
  return notes_until(kept, seconds);
}

// Which of `count` windows a recording, given by how many each has, stand for all: as many of each recording
// as can be, spread evenly, `most` in all. Rising.
inline std::vector<std::size_t> chosen_windows(std::span<const EvaluatedRecording> recordings,
                                               std::size_t most) {
  std::vector<std::size_t> taken(recordings.size(), 0), chosen;
  std::size_t total = 0, all = 0;
  for (const EvaluatedRecording& recording : recordings) all += recording.windows.size();
  // Where there are more recordings than room, those that come first are evenly spread too.
  for (std::size_t round = 0; total < std::min(most, all); ++round) {
    std::vector<std::size_t> open;
    for (std::size_t g = 0; g < recordings.size(); ++g)
      if (recordings[g].windows.size() > round) open.push_back(g);
    const std::size_t room = std::min(open.size(), most - total);
    for (std::size_t k = 0; k < room; ++k) ++taken[open[k * open.size() / room]];
    total += room;
  }
  for (std::size_t g = 0; g < recordings.size(); ++g)
    for (std::size_t k = 0; k < taken[g]; ++k)
      chosen.push_back(recordings[g].windows[(2 * k + 1) * recordings[g].windows.size() / (2 * taken[g])]);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

template <class T = float>
class Evaluator {
 public:
  // The model must outlive the evaluator.
  Evaluator(const Model<T>&& model, const EvaluationOptions& options) = delete;
  Evaluator(const Model<T>& model, const EvaluationOptions& options)
      : model_(model), options_(options), likelihoods_(model, options.threads) {
    if (const std::string obstacle = composing_obstacle(model.config); !obstacle.empty())
      throw InputError("this model cannot be evaluated on recordings: it " + obstacle);
    result_.window_s = window_seconds(model.config);
    result_.vocabulary = model.config.vocabulary;
    result_.draws = std::max<std::int64_t>(options.draws, 1);
    options_.sampler.seed = options.seed;
    check_sampler_options(options_.sampler);
  }

  void add(const Pair& pair) {
    const auto leave_out = [&](const std::string& why) {
      result_.left_out.push_back(pair.info.id + " " + why);
    };
    if (!pair.info.has_motion) return leave_out("has no motion");
    if (pair.info.seconds < result_.window_s)
      return leave_out("lasts " + number_text(pair.info.seconds) + " s, less than a window");
    const Recording recording = options_.prepare ? options_.prepare(pair.motion) : pair.motion;
    try {
      motions_.push_back(std::make_unique<MotionWindows>(recording, model_.config));
    } catch (const MotionTooShort& error) {
      return leave_out("has " + number_text(error.seconds) + " s of motion, less than a window");
    }
    const MotionWindows& motion = *motions_.back();
    const MotionActivity activity = motion_activity(recording);
    const std::vector<double> peaks = motion_peaks(activity);
    evaluated_music_.push_back(stroke_music(pair));
    EvaluatedRecording added{pair.info.id, pair.info.performer, pair.info.piece, pair.info.stroke, {}};
    for (std::int64_t frame : window_starts(motion)) {
      added.windows.push_back(result_.windows.size());
      places_.push_back({&motion, frame});
      result_.windows.push_back(
          window(pair, activity, peaks, motion.start_s() + static_cast<double>(frame) / motion.rate_hz()));
    }
    result_.recordings.push_back(std::move(added));
  }

  // The pair's motion is not looked at.
  void add_training_music(const Pair& pair) {
    if (!pair.info.stroke.empty() && pair.info.seconds >= result_.window_s)
      training_music_.push_back(stroke_music(pair));
  }

  // Once.
  Evaluation run() {
    if (result_.windows.empty())
      throw InputError("there is no window to evaluate" +
                       (result_.left_out.empty() ? std::string() : ": " + result_.left_out.front()) +
                       "; recordings of at least " + number_text(result_.window_s) +
                       " s with motion are wanted");
    compute_likelihoods();
    compute_scores();
    generate();
    tell_likelihoods();
    tell_conditioning();
    tell_outputs();
    tell_matches();
    tell_alignment();
    tell_statistics();
    return std::move(result_);
  }

 private:
  // Random streams beside those of the sampler.
  enum Stream : std::uint64_t {
    starts = 1,
    gaps,
    stroke_gaps,
    shifts,
    clusters,
    resampling,
    shuffles,
    stroke_windows
  };
  Philox random(Stream purpose, std::uint64_t index = 0) const {
    return Philox(options_.seed ^ (0x9E3779B97F4A7C15u * purpose), index);
  }
  std::uint64_t seed_for(Stream purpose) const { return random(purpose).uint64(); }
  void progress(std::string_view stage, std::size_t done, std::size_t of) const {
    if (options_.on_progress)
      options_.on_progress(stage, static_cast<std::int64_t>(done), static_cast<std::int64_t>(of));
  }

  // When the notes of a recording begin, for the baseline by stroke.
  struct StrokeMusic {
    std::string stroke, performer;
    double seconds = 0;
    std::vector<double> onsets;
  };
  static StrokeMusic stroke_music(const Pair& pair) {
    StrokeMusic music{pair.info.stroke, pair.info.performer, pair.info.seconds, {}};
    for (const Note& note : pair.notes) music.onsets.push_back(note.start);
    return music;
  }

  // ---- windows
  std::vector<std::int64_t> window_starts(const MotionWindows& motion) const {
    const std::int64_t last = motion.frames() - motion.window_frames();
    std::vector<std::int64_t> starts_at;
    if (options_.windows_per_recording > 0) {
      Philox draw = random(starts, result_.recordings.size());
      std::set<std::int64_t> drawn;
      while (std::ssize(drawn) < std::min(options_.windows_per_recording, last + 1))
        drawn.insert(draw.below(static_cast<std::uint32_t>(last + 1)));
      starts_at.assign(drawn.begin(), drawn.end());
    } else {
      const std::int64_t hop = std::max<std::int64_t>(motion.window_frames() / 2, 1);
      for (std::int64_t frame = 0; frame <= last; frame += hop) starts_at.push_back(frame);
    }
    return starts_at;
  }

  EvaluatedWindow window(const Pair& pair, const MotionActivity& activity, std::span<const double> peaks,
                         double start_s) {
    EvaluatedWindow w;
    w.recording = result_.recordings.size();
    w.start_s = start_s;
    w.tokens = window_tokens(model_.config, pair.notes, start_s, result_.window_s, "pair " + pair.info.id,
                             pair.info.goes_on);
    ModelConfig roomy = model_.config;
    ++roomy.max_sequence;  // with one more place, what was cut has more or other ids
    w.cut = window_tokens(roomy, pair.notes, start_s, result_.window_s, "pair " + pair.info.id,
                          pair.info.goes_on) != w.tokens;
    for (Note note : pair.notes) {
      note.start -= start_s;
      note.end = std::min(note.end - start_s, result_.window_s);
      note.velocity = std::max(note.velocity, 1);
      if (note.start >= 0 && note.start < result_.window_s) w.real.push_back(note);
    }
    w.real = notes_until(w.real, result_.window_s);  // as generated ones are: one sounding note a pitch
    for (std::size_t i = 0; i < activity.values.size(); ++i)
      if (const double t = activity.time_s(i) - start_s; t >= 0 && t < result_.window_s)
        w.activity.push_back(activity.values[i]);
    for (double peak : peaks)
      if (peak >= start_s && peak < start_s + result_.window_s) w.peaks.push_back(peak - start_s);
    return w;
  }

  // ---- running the model
  void compute_likelihoods() {
    std::size_t longest = 2;
    for (const EvaluatedWindow& w : result_.windows) longest = std::max(longest, w.tokens.size());
    const std::size_t block = likelihoods_.at_once(longest);
    for (std::size_t p = 0; p < perturbations; ++p) {
      const auto perturbation = static_cast<Perturbation>(p);
      std::vector<std::size_t> able;
      for (std::size_t w = 0; w < places_.size(); ++w)
        if (perturbed_frame(places_[w], perturbation)) able.push_back(w);
      for (std::size_t first = 0; first < able.size(); first += block) {
        progress("likelihoods", p * places_.size() + first, perturbations * places_.size());
        const std::span<const std::size_t> some =
            std::span<const std::size_t>(able).subspan(first, std::min(block, able.size() - first));
        std::vector<MotionPlace> places;
        for (std::size_t w : some) places.push_back(places_[w]);
        const auto nll =
            likelihoods_.negative_log_p(likelihoods_.memories(places, perturbation), sequences(some));
        for (std::size_t k = 0; k < some.size(); ++k) {
          EvaluatedWindow& w = result_.windows[some[k]];
          LikelihoodSums& sums = w.likelihood[p].emplace();
          sums.seconds = result_.window_s;
          for (std::size_t t = 0; t < nll[k].size(); ++t) sums.add(w.tokens[t + 1], nll[k][t]);
        }
      }
    }
  }

  void compute_scores() {
    result_.chosen = chosen_windows(
        result_.recordings, static_cast<std::size_t>(std::max<std::int64_t>(options_.retrieval_windows, 1)));
    progress("every music under every motion", 0, 1);
    std::vector<MotionPlace> places;
    std::set<std::vector<int>> distinct;
    for (std::size_t w : result_.chosen) {
      places.push_back(places_[w]);
      distinct.insert(result_.windows[w].tokens);
    }
    result_.scores = likelihoods_.scores(places, sequences(result_.chosen));
    result_.distinct_music = static_cast<std::int64_t>(distinct.size());
  }

  std::vector<const std::vector<int>*> sequences(std::span<const std::size_t> windows) const {
    std::vector<const std::vector<int>*> pointers;
    for (std::size_t w : windows) pointers.push_back(&result_.windows[w].tokens);
    return pointers;
  }

  void generate() {
    if (result_.vocabulary == EventVocabulary2::size)
      generate_in<EventVocabulary2>();
    else
      generate_in<EventVocabulary1>();
  }

  template <class Vocabulary>
  void generate_in() {
    struct Lane {
      Session<T> session;
      Sampler<T> sampler;
      WindowState<Vocabulary> state;
      std::unique_ptr<DeviceWindows<T>> on_device;  // in place of session and sampler, where it can
      std::int64_t out_of_tokens = 0;
    };
    std::vector<std::unique_ptr<Lane>> lanes;
    const std::size_t count = result_.windows.size();
    constexpr int most_on_a_device = 4;  // its sequences take turns anyway, and each has queues of its own
    const int most =
        model_.device() == Device::cpu() ? options_.threads : std::min(options_.threads, most_on_a_device);
    while (lanes.size() < std::min(static_cast<std::size_t>(most), count)) {
      lanes.push_back(std::unique_ptr<Lane>(
          new Lane{Session<T>(model_, 1), Sampler<T>(result_.vocabulary, options_.sampler),
                   WindowState<Vocabulary>(result_.window_s, {}), nullptr, 0}));
      lanes.back()->on_device =
          DeviceWindows<T>::of(lanes.back()->session, options_.sampler, {}, lanes.front()->on_device.get());
    }
    const auto ignored = [](int, const Note*) {};
    const auto write = [&](Lane& lane, const Tensor<T>& input, std::uint64_t stream) {
      lane.state.start(result_.window_s);
      if (lane.on_device) {
        lane.on_device->start(input);
        return lane.on_device->decode(stream, lane.session.capacity(), {}, result_.window_s, {}, lane.state,
                                      ignored);
      }
      lane.session.start_from_motion(input);
      lane.sampler.start(stream);
      return decode_window(lane.session, lane.sampler, lane.session.capacity(), {}, lane.state, ignored);
    };
    const auto generate_one = [&](Lane& lane, std::size_t w) {
      EvaluatedWindow& window = result_.windows[w];
      const Tensor<T> input = motion_inputs<T>(std::span(&places_[w], 1));
      for (std::int64_t d = 0; d < result_.draws; ++d) {
        ComposedWindow written =
            write(lane, input, static_cast<std::uint64_t>(result_.draws) * w + static_cast<std::uint64_t>(d));
        if (d == 0) lane.out_of_tokens += written.out_of_tokens;
        window.outputs.push_back(std::move(written.ids));
      }
      window.generated = notes_begun<Vocabulary>(window.outputs.front(), result_.window_s);
    };
    for (std::size_t group = 0; group < count; group += lanes.size()) {
      progress("music", group, count);
      parallel_for(options_.threads, static_cast<std::int64_t>(std::min(lanes.size(), count - group)), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (auto n = static_cast<std::size_t>(begin); n < static_cast<std::size_t>(end); ++n)
                       generate_one(*lanes[n], group + n);
                   });
    }
    for (const auto& lane : lanes) result_.out_of_tokens += lane->out_of_tokens;
  }

  // ---- figures
  template <class Statistic>
  std::optional<Interval> interval(const Statistic& statistic, std::size_t recordings) const {
    return bootstrap_interval(recordings, statistic,
                              {.resamples = options_.resamples, .seed = seed_for(resampling)});
  }
  template <class Statistic>
  std::optional<Interval> interval(const Statistic& statistic) const {
    return interval(statistic, result_.recordings.size());
  }
  // The same where some recordings have no part in the figure: they are not drawn. `among` may name one more
  // than once; the statistic takes the weights of all recordings.
  template <class Statistic>
  std::optional<Interval> interval_among(std::span<const std::size_t> among,
                                         const Statistic& statistic) const {
    const std::set<std::size_t> once(among.begin(), among.end());
    const std::vector<std::size_t> drawn(once.begin(), once.end());
    std::vector<double> all(result_.recordings.size(), 0.0);
    return interval(
        [&](std::span<const double> weights) {
          for (std::size_t k = 0; k < drawn.size(); ++k) all[drawn[k]] = weights[k];
          return statistic(std::span<const double>(all));
        },
        drawn.size());
  }

  // Σ numerator / Σ denominator of all windows, each counting for its recording. of(window, numerator,
  // denominator) adds what the window has.
  template <class Of>
  Figure ratio(const Of& of) const {
    std::vector<double> numerator(result_.recordings.size(), 0.0), denominator = numerator;
    for (const EvaluatedWindow& w : result_.windows) of(w, numerator[w.recording], denominator[w.recording]);
    return ratio_of(numerator, denominator);
  }
  // Recordings without a denominator are not drawn: they have no part in the figure.
  Figure ratio_of(std::span<const double> numerators, std::span<const double> denominators) const {
    std::vector<double> numerator, denominator;
    for (std::size_t g = 0; g < denominators.size(); ++g)
      if (denominators[g] > 0) numerator.push_back(numerators[g]), denominator.push_back(denominators[g]);
    return ratio_of_all(numerator, denominator);
  }
  // The same where a recording without a denominator still has its say.
  Figure ratio_of_all(std::span<const double> numerators, std::span<const double> denominators) const {
    const auto value = [&](std::span<const double> weights) {
      double n = 0, d = 0;
      for (std::size_t g = 0; g < weights.size(); ++g)
        n += weights[g] * numerators[g], d += weights[g] * denominators[g];
      return d > 0 ? n / d : std::numeric_limits<double>::quiet_NaN();
    };
    return {value(std::vector<double>(numerators.size(), 1.0)), interval(value, numerators.size())};
  }

  void tell_likelihoods() {
    LikelihoodSums all;
    for (const EvaluatedWindow& w : result_.windows) {
      all.add(*w.likelihood[0]);
      result_.cut_windows += w.cut;
    }
    result_.tokens = static_cast<std::int64_t>(all.all_tokens());
    result_.nll = ratio([](const EvaluatedWindow& w, double& n, double& d) {
      n += w.likelihood[0]->all_nats(), d += w.likelihood[0]->all_tokens();
    });
    result_.bits_per_second = ratio([](const EvaluatedWindow& w, double& n, double& d) {
      if (w.cut) return;  // the ids are not those of the whole time
      n += w.likelihood[0]->all_nats() / std::numbers::ln2, d += w.likelihood[0]->seconds;
    });
    for (std::size_t k = 0; k < event_kinds; ++k) {
      result_.tokens_by_kind[k] = static_cast<std::int64_t>(all.tokens[k]);
      result_.nll_by_kind[k] = ratio([k](const EvaluatedWindow& w, double& n, double& d) {
        n += w.likelihood[0]->nats[k], d += w.likelihood[0]->tokens[k];
      });
    }
    result_.uniform_nll = std::log(static_cast<double>(result_.vocabulary));
    Unigram counted(result_.vocabulary);
    result_.unigram_of_evaluated = options_.unigram == nullptr || options_.unigram->all() == 0;
    for (const EvaluatedWindow& w : result_.windows)
      for (std::size_t t = 1; t < w.tokens.size(); ++t) counted.count(w.tokens[t]);
    const Unigram& unigram = result_.unigram_of_evaluated ? counted : *options_.unigram;
    result_.unigram_nll = ratio([&](const EvaluatedWindow& w, double& n, double& d) {
      for (std::size_t t = 1; t < w.tokens.size(); ++t) n += unigram.negative_log_p(w.tokens[t]), d += 1;
    });
    for (std::size_t p = 0; p < perturbations; ++p) {
      PerturbedLikelihood& told = result_.perturbed[p];
      for (const EvaluatedWindow& w : result_.windows) told.windows += w.likelihood[p].has_value();
      told.nll = ratio([p](const EvaluatedWindow& w, double& n, double& d) {
        if (w.likelihood[p]) n += w.likelihood[p]->all_nats(), d += w.likelihood[p]->all_tokens();
      });
      told.delta = ratio([p](const EvaluatedWindow& w, double& n, double& d) {
        if (!w.likelihood[p]) return;
        n += w.likelihood[p]->all_nats() - w.likelihood[0]->all_nats();
        d += w.likelihood[p]->all_tokens();
      });
    }
  }

  void tell_conditioning() {
    std::vector<std::int64_t> tokens;
    std::vector<std::size_t> recording, stroke;
    std::map<std::string, std::size_t> strokes;
    for (std::size_t w : result_.chosen) {
      const std::size_t g = result_.windows[w].recording;
      const std::string& name = result_.recordings[g].stroke;
      tokens.push_back(static_cast<std::int64_t>(result_.windows[w].tokens.size()) - 1);
      recording.push_back(g);
      // Strokes that are not known are no two of a kind.
      stroke.push_back(name.empty() ? result_.recordings.size() + g
                                    : strokes.try_emplace(name, strokes.size()).first->second);
    }
    // `from`: what a window may not get its motion from.
    const auto gap = [&](std::span<const std::size_t> from, std::span<const std::size_t> strata,
                         Stream stream) -> std::optional<ConditioningGap> {
      const auto test = [&](Exchange exchange) {
        return permutation_test(result_.scores, tokens, from, strata, options_.permutations, seed_for(stream),
                                exchange);
      };
      auto windows = test(Exchange::windows);
      if (!windows) return std::nullopt;
      ConditioningGap told;
      told.within_recordings = from.data() != recording.data();
      if (!told.within_recordings) told.p_recordings = test(Exchange::recordings)->p;
      std::vector<std::size_t> taking_part;
      for (const std::size_t i : windows->windows) taking_part.push_back(recording[i]);
      told.delta = {windows->delta, interval_among(taking_part, [&](std::span<const double> weights) {
                      return windows->weighted_delta(recording, weights);
                    })};
      told.test = std::move(*windows);
      return told;
    };
    result_.gap = gap(recording, {}, gaps);
    result_.within_stroke = gap(recording, stroke, stroke_gaps);
    if (!result_.within_stroke) {
      // Each stroke stands in one recording: then other windows of it, those of unknown strokes apart.
      std::vector<std::size_t> window(recording.size()), named = stroke;
      std::iota(window.begin(), window.end(), std::size_t{0});
      for (std::size_t i = 0; i < named.size(); ++i)
        if (result_.recordings[recording[i]].stroke.empty()) named[i] = 2 * result_.recordings.size() + i;
      result_.within_stroke = gap(window, named, stroke_gaps);
    }

    const std::vector<RetrievalRow> rows = retrieval_rows(result_.scores);
    const RetrievalRow mean = mean_of(rows);
    const auto figure = [&](double RetrievalRow::*member) -> Figure {
      return {mean.*member, interval_among(recording, [&](std::span<const double> weights) {
                return mean_of(rows, recording, weights).*member;
              })};
    };
    result_.r1 = figure(&RetrievalRow::r1);
    result_.r5 = figure(&RetrievalRow::r5);
    result_.mrr = figure(&RetrievalRow::reciprocal_rank);
    result_.information = figure(&RetrievalRow::information);
    result_.chance = retrieval_chance(static_cast<std::int64_t>(rows.size()));
  }

  void tell_outputs() {
    std::vector<Collapse::Outputs> outputs;
    std::vector<std::size_t> recording;
    for (std::size_t w : result_.chosen) {
      outputs.push_back(result_.windows[w].outputs);
      recording.push_back(result_.windows[w].recording);
    }
    const Collapse collapse(outputs, recording, result_.recordings.size());
    result_.collapse_ratio = {
        collapse.ratio(),
        interval_among(recording, [&](std::span<const double> weights) { return collapse.ratio(weights); })};
    result_.distance_across = collapse.across();
    result_.distance_within = collapse.within();
    result_.unique_outputs = collapse.unique();
    for (const EvaluatedWindow& w : result_.windows) result_.silent_windows += w.generated.empty();
    const auto count = [](const std::vector<Note>& notes) { return static_cast<double>(notes.size()); };
    result_.notes_per_window =
        ratio([&](const EvaluatedWindow& w, double& n, double& d) { n += count(w.generated), d += 1; });
    result_.real_notes_per_window =
        ratio([&](const EvaluatedWindow& w, double& n, double& d) { n += count(w.real), d += 1; });
    // Notes where there should be none count too.
    std::vector<double> generated(result_.recordings.size(), 0.0), real = generated;
    for (const EvaluatedWindow& w : result_.windows)
      generated[w.recording] += count(w.generated), real[w.recording] += count(w.real);
    result_.note_count_ratio = ratio_of_all(generated, real);
  }

  // Pooled F1 of windows whose counts are given, and their sum.
  Figure f1(std::span<const MatchCounts> counts, MatchCounts& sum,
            const std::function<bool(const EvaluatedWindow&)>& takes = {}) const {
    std::vector<double> numerator(result_.recordings.size(), 0.0), denominator = numerator;
    for (std::size_t w = 0; w < counts.size(); ++w) {
      const EvaluatedWindow& window = result_.windows[w];
      if (takes && !takes(window)) continue;
      sum += counts[w];
      numerator[window.recording] += 2 * static_cast<double>(counts[w].matched);
      denominator[window.recording] += static_cast<double>(counts[w].reference + counts[w].estimated);
    }
    Figure figure = ratio_of(numerator, denominator);
    figure.value = sum.f1();
    return figure;
  }

  std::vector<MatchCounts> counts(const NoteMatchOptions& options) const {
    std::vector<MatchCounts> list;
    for (const EvaluatedWindow& w : result_.windows)
      list.push_back(match_notes(w.real, w.generated, options));
    return list;
  }

  void tell_matches() {
    for (std::size_t t = 0; t < onset_tolerances_s.size(); ++t) {
      const NoteMatchOptions onsets{.onset_s = onset_tolerances_s[t], .pitch = false, .offset = false};
      const std::vector<MatchCounts> list = counts(onsets);
      result_.onset_f1[t] = f1(list, result_.onset_counts[t]);
      for (const EvaluatedRecording& recording : result_.recordings) {
        if (recording.stroke.empty() || (result_.strokes.contains(recording.stroke) &&
                                         !std::isnan(result_.strokes[recording.stroke].onset_f1[t].value)))
          continue;
        MatchCounts sum;
        result_.strokes[recording.stroke].onset_f1[t] = f1(list, sum, [&](const EvaluatedWindow& w) {
          return result_.recordings[w.recording].stroke == recording.stroke;
        });
      }
      result_.shuffled_onset_f1[t] = shuffled_f1(onsets);
    }
    for (const EvaluatedRecording& recording : result_.recordings) {
      if (recording.stroke.empty()) continue;
      StrokeFigures& stroke = result_.strokes[recording.stroke];
      stroke.windows += static_cast<std::int64_t>(recording.windows.size());
      if (++stroke.recordings == 1)
        stroke.nll = ratio([&](const EvaluatedWindow& w, double& n, double& d) {
          if (result_.recordings[w.recording].stroke != recording.stroke) return;
          n += w.likelihood[0]->all_nats(), d += w.likelihood[0]->all_tokens();
        });
    }
    tell_stroke_baseline();
    result_.onset_pitch_f1 = f1(counts({.offset = false}), result_.onset_pitch_counts);
    result_.note_f1 = f1(counts({}), result_.note_counts);
  }

  // The generated music against the real music of other recordings: what F1 is worth without the motion.
  Figure shuffled_f1(const NoteMatchOptions& options) const {
    constexpr int repetitions = 20;
    std::vector<std::size_t> recording, other;
    for (const EvaluatedWindow& w : result_.windows) recording.push_back(w.recording);
    const Derangements derangements(recording);
    std::vector<double> numerator(result_.recordings.size(), 0.0), denominator = numerator;
    Philox draw = random(shuffles);
    for (int r = 0; r < repetitions && !derangements.windows().empty(); ++r) {
      derangements.draw(draw, other);
      for (std::size_t w : derangements.windows()) {
        const MatchCounts found =
            match_notes(result_.windows[other[w]].real, result_.windows[w].generated, options);
        numerator[recording[w]] += 2 * static_cast<double>(found.matched);
        denominator[recording[w]] += static_cast<double>(found.reference + found.estimated);
      }
    }
    return ratio_of(numerator, denominator);
  }

  // Real onsets of other windows against the real ones: what F1 is worth to one who knows the stroke alone.
  void tell_stroke_baseline() {
    constexpr int draws = 20;
    std::array<std::vector<MatchCounts>, onset_tolerances_s.size()> found;
    found.fill(std::vector<MatchCounts>(result_.windows.size()));
    std::set<std::size_t> recordings;
    for (std::size_t w = 0; w < result_.windows.size(); ++w) {
      const std::size_t g = result_.windows[w].recording;
      std::vector<const StrokeMusic*> others = training_music_of(g);
      const bool of_training = !others.empty();
      if (!of_training) others = others_of_stroke(g);
      if (others.empty()) continue;
      ++(of_training ? result_.baseline_windows_of_training : result_.baseline_windows_of_others);
      recordings.insert(g);
      std::vector<double> real;
      for (const Note& note : result_.windows[w].real) real.push_back(note.start);
      Philox draw = random(stroke_windows, w);
      for (int d = 0; d < draws; ++d) {
        const StrokeMusic& music = *others[draw.below(static_cast<std::uint32_t>(others.size()))];
        const double start_s = draw.uniform() * (music.seconds - result_.window_s);
        std::vector<double> onsets;
        for (double onset : music.onsets)
          if (onset >= start_s && onset < start_s + result_.window_s) onsets.push_back(onset - start_s);
        for (std::size_t t = 0; t < onset_tolerances_s.size(); ++t)
          found[t][w] += match_onsets(real, onsets, onset_tolerances_s[t]);
      }
    }
    result_.baseline_recordings = static_cast<std::int64_t>(recordings.size());
    for (std::size_t t = 0; t < onset_tolerances_s.size(); ++t) {
      const auto figure = [&](const std::string& stroke) {
        std::vector<double> numerator(result_.recordings.size(), 0.0), denominator = numerator;
        for (std::size_t w = 0; w < found[t].size(); ++w) {
          const std::size_t g = result_.windows[w].recording;
          if (!stroke.empty() && result_.recordings[g].stroke != stroke) continue;
          numerator[g] += 2 * static_cast<double>(found[t][w].matched);
          denominator[g] += static_cast<double>(found[t][w].reference + found[t][w].estimated);
        }
        return ratio_of(numerator, denominator);
      };
      result_.stroke_baseline_onset_f1[t] = figure("");
      for (auto& [name, stroke] : result_.strokes) stroke.baseline_onset_f1[t] = figure(name);
    }
  }

  std::vector<const StrokeMusic*> training_music_of(std::size_t recording) const {
    std::vector<const StrokeMusic*> found;
    for (const StrokeMusic& music : training_music_)
      if (music.stroke == result_.recordings[recording].stroke) found.push_back(&music);
    return found;
  }
  std::vector<const StrokeMusic*> others_of_stroke(std::size_t recording) const {
    std::vector<const StrokeMusic*> found;
    const StrokeMusic& own = evaluated_music_[recording];
    for (std::size_t g = 0; g < evaluated_music_.size(); ++g) {
      const StrokeMusic& music = evaluated_music_[g];
      if (g != recording && !own.stroke.empty() && music.stroke == own.stroke &&
          (own.performer.empty() || music.performer != own.performer))
        found.push_back(&music);
    }
    return found;
  }

  void tell_alignment() {
    const auto told = [&](std::vector<Note> EvaluatedWindow::*notes) {
      AlignmentFigures figures;
      OnsetMotionCorrelation correlations(result_.recordings.size(), seed_for(shifts));
      std::vector<MatchCounts> list;
      std::vector<std::size_t> taking_part;
      for (std::size_t w = 0; w < result_.windows.size(); ++w) {
        const EvaluatedWindow& window = result_.windows[w];
        std::vector<double> onsets;
        for (const Note& note : window.*notes) onsets.push_back(note.start);
        list.push_back(window.activity.empty() ? MatchCounts{} : match_onsets(window.peaks, onsets, 0.1));
        const std::vector<double> found =
            onset_correlations(window.activity, motion_activity_rate_hz, onsets);
        if (!found.empty()) taking_part.push_back(window.recording);
        correlations.add(window.recording, w, found);
      }
      figures.peak_f1 = f1(list, figures.peaks);
      const auto result = correlations.result();
      figures.correlation = result.correlation;
      figures.p = result.p;
      figures.z = {result.z, interval_among(taking_part, [&](std::span<const double> weights) {
                     return correlations.result(weights).z;
                   })};
      figures.recordings = static_cast<std::int64_t>(std::set(taking_part.begin(), taking_part.end()).size());
      figures.windows = correlations.windows();
      figures.without = correlations.without();
      return figures;
    };
    const bool any = std::any_of(result_.windows.begin(), result_.windows.end(),
                                 [](const EvaluatedWindow& w) { return !w.activity.empty(); });
    if (!any) return;
    result_.generated_alignment = told(&EvaluatedWindow::generated);
    result_.real_alignment = told(&EvaluatedWindow::real);
  }

  void tell_statistics() {
    const std::size_t G = result_.recordings.size();
    std::vector<WindowMusic> real, generated;
    std::vector<std::size_t> recording;
    std::vector<MusicHistograms> real_by(G), generated_by(G);
    for (const EvaluatedWindow& w : result_.windows) {
      real.push_back(window_music(w.real));
      generated.push_back(window_music(w.generated));
      recording.push_back(w.recording);
      real_by[w.recording].add(real.back().histograms);
      generated_by[w.recording].add(generated.back().histograms);
      result_.real_histograms.add(real.back().histograms);
      result_.generated_histograms.add(generated.back().histograms);
    }
    const auto distribution = [&](auto MusicHistograms::*member) {
      std::vector<std::size_t> taking_part;
      for (std::size_t g = 0; g < G; ++g)
        for (const MusicHistograms* of : {&real_by[g], &generated_by[g]})
          for (const double count : of->*member)
            if (count > 0) taking_part.push_back(g);
      const auto figure = [&](const auto& function) -> Figure {
        return {function(result_.real_histograms.*member, result_.generated_histograms.*member),
                interval_among(taking_part, [&](std::span<const double> weights) {
                  std::remove_cvref_t<decltype(result_.real_histograms.*member)> p{}, q{};
                  for (std::size_t g = 0; g < G; ++g)
                    for (std::size_t b = 0; b < p.size(); ++b) {
                      p[b] += weights[g] * (real_by[g].*member)[b];
                      q[b] += weights[g] * (generated_by[g].*member)[b];
                    }
                  return function(p, q);
                })};
      };
      return DistributionFigures{figure([](const auto& p, const auto& q) { return overlap_area(p, q); }),
                                 figure([](const auto& p, const auto& q) { return kl_divergence(p, q); })};
    };
    result_.pitch_class = distribution(&MusicHistograms::pitch_class);
    result_.note_count = distribution(&MusicHistograms::note_count);
    result_.interval = distribution(&MusicHistograms::interval);
    result_.range = distribution(&MusicHistograms::range);

    const auto mean = [&](const std::vector<WindowMusic>& windows, double WindowMusic::*member) {
      std::vector<double> numerator(G, 0.0), denominator(G, 0.0);
      for (std::size_t w = 0; w < windows.size(); ++w)
        if (windows[w].notes > 0)
          numerator[recording[w]] += windows[w].*member, denominator[recording[w]] += 1;
      return ratio_of(numerator, denominator);
    };
    result_.real_entropy = mean(real, &WindowMusic::pitch_class_entropy);
    result_.generated_entropy = mean(generated, &WindowMusic::pitch_class_entropy);
    result_.real_consistency = mean(real, &WindowMusic::scale_consistency);
    result_.generated_consistency = mean(generated, &WindowMusic::scale_consistency);

    const DifferentBins bins(real, generated, recording, G, seed_for(clusters));
    result_.bins = bins.bins();
    result_.different_bins = {bins.share(),
                              interval([&](std::span<const double> weights) { return bins.share(weights); })};
  }

  const Model<T>& model_;
  EvaluationOptions options_;
  WindowLikelihoods<T> likelihoods_;
  std::vector<std::unique_ptr<MotionWindows>> motions_;
  std::vector<MotionPlace> places_;                            // by window
  std::vector<StrokeMusic> training_music_, evaluated_music_;  // the latter by recording
  Evaluation result_;
};

// The ids of the windows that pairs have every half window, counted. Music without motion counts where a
// model learns from it: where no pair has motion, or the model hears none.
inline Unigram count_unigram(const Dataset& dataset, std::span<const std::size_t> pairs,
                             const ModelConfig& config) {
  Unigram unigram(config.vocabulary);
  const double seconds = window_seconds(config);
  const auto has_motion = [&](std::size_t i) { return dataset.pairs()[i].has_motion; };
  const bool with_motion = config.encoder != "none" && std::any_of(pairs.begin(), pairs.end(), has_motion);
  for (std::size_t i : long_enough(dataset.pairs(), pairs, seconds)) {
    if (with_motion && !has_motion(i)) continue;
    const Pair pair = dataset.load_notes(i);
    for (const Window& window : even_windows(std::span(&pair.info, 1), seconds, seconds / 2)) {
      const std::vector<int> tokens = window_tokens(config, pair, window.start_s, seconds);
      for (std::size_t t = 1; t < tokens.size(); ++t) unigram.count(tokens[t]);
    }
  }
  return unigram;
}

}  // namespace imu2music::inline v0
