// All that is told of a model on recordings that it did not learn from: what Evaluator::run()
// fills in (evaluate.hpp).
//
// A figure is NaN where there is nothing to form it of. Its interval is by recording (bootstrap.hpp), absent
// where it would tell nothing. docs/evaluation.md says what each figure means and how to read it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/core/tensor.hpp"
#include "imu2music/evaluate/bootstrap.hpp"
#include "imu2music/evaluate/likelihood.hpp"
#include "imu2music/evaluate/musical_statistics.hpp"
#include "imu2music/evaluate/note_f1.hpp"
#include "imu2music/evaluate/permutation.hpp"
#include "imu2music/evaluate/retrieval.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct Figure {
  double value = std::numeric_limits<double>::quiet_NaN();
  std::optional<Interval> interval = {};
};

// What is done to a window's motion.
enum class Perturbation {
  none,
  zeroed,    // every input 0
  reversed,  // the last frame first
  later,     // the motion from 0.5 s after the window's beginning on
  earlier,   // from 0.5 s before
};
inline constexpr std::size_t perturbations = 5;
inline constexpr double perturbation_shift_s = 0.5;

constexpr std::string_view to_string(Perturbation perturbation) {
  constexpr std::array<std::string_view, perturbations> names = {"none", "zeroed", "reversed", "later",
                                                                 "earlier"};
  return names[static_cast<std::size_t>(perturbation)];
}

struct EvaluatedRecording {
  std::string id, performer, piece, stroke;
  std::vector<std::size_t> windows;  // indices of Evaluation::windows
};

struct EvaluatedWindow {
  std::size_t recording = 0;  // index of Evaluation::recordings
  double start_s = 0;         // on the recording's time axis
  std::vector<int> tokens;    // [SOS] ids [EOS]
  bool cut = false;           // the model has no room for all of its music
  std::array<std::optional<LikelihoodSums>, perturbations>
      likelihood;  // without value: not within the recording
  // Seconds from the window's beginning, ended at its end; those that begin in it.
  std::vector<Note> real, generated;
  std::vector<std::vector<int>> outputs;  // ids, by draw; `generated` is the first
  std::vector<double> activity;           // M (motion_alignment.hpp); empty: the sensors have none
  std::vector<double> peaks;              // of M, s from the window's beginning
};

struct PerturbedLikelihood {
  Figure nll, delta;  // delta against the same windows as they are
  std::int64_t windows = 0;
};

struct ConditioningGap {
  Figure delta;
  PermutationTest test;  // windows change places
  // Whole recordings do; NaN where motions come from other windows of the same recording.
  double p_recordings = std::numeric_limits<double>::quiet_NaN();
  bool within_recordings = false;
};

struct StrokeFigures {
  std::int64_t windows = 0, recordings = 0;
  Figure nll;
  std::array<Figure, 3> onset_f1, baseline_onset_f1;
};

struct AlignmentFigures {
  Figure peak_f1;  // onsets against M's peaks, 100 ms
  MatchCounts peaks;
  double correlation = std::numeric_limits<double>::quiet_NaN();
  double p = std::numeric_limits<double>::quiet_NaN();
  Figure z;
  std::int64_t windows = 0, without = 0;  // with a correlation, and without
  std::int64_t recordings = 0;            // that have any of the former
};

struct DistributionFigures {
  Figure overlap_area, kl;
};

struct Evaluation {
  std::vector<EvaluatedRecording> recordings;
  std::vector<EvaluatedWindow> windows;
  std::vector<std::string> left_out;  // recordings, a sentence each
  double window_s = 0;
  std::int64_t vocabulary = 0, cut_windows = 0;

  // How likely the music is.
  std::int64_t tokens = 0;
  Figure nll, bits_per_second;
  std::array<Figure, event_kinds> nll_by_kind;
  std::array<std::int64_t, event_kinds> tokens_by_kind{};
  double uniform_nll = 0;
  Figure unigram_nll;
  bool unigram_of_evaluated = false;  // counted in the evaluated windows themselves
  std::array<PerturbedLikelihood, perturbations> perturbed;

  // Of the windows chosen, every music under every motion.
  std::vector<std::size_t> chosen;
  Tensor<double> scores;            // [K, K]
  std::int64_t distinct_music = 0;  // different token sequences among them
  std::optional<ConditioningGap> gap, within_stroke;
  Figure r1, r5, mrr, information;
  RetrievalRow chance;

  // What is written.
  std::int64_t draws = 0;
  Figure collapse_ratio;
  double distance_across = 0, distance_within = 0;
  std::int64_t unique_outputs = 0, silent_windows = 0, out_of_tokens = 0;
  Figure notes_per_window, real_notes_per_window, note_count_ratio;
  std::array<Figure, 3> onset_f1,
      shuffled_onset_f1;  // at onset_tolerances_s; against another recording's music
  // Of real onsets from other places of music of the window's stroke: what knowing the stroke is worth.
  std::array<Figure, 3> stroke_baseline_onset_f1;
  // By where those onsets are from: the music that the model learnt from, or other performers' among the
  // evaluated; and the recordings that have any.
  std::int64_t baseline_windows_of_training = 0, baseline_windows_of_others = 0, baseline_recordings = 0;
  std::array<MatchCounts, 3> onset_counts;
  Figure onset_pitch_f1, note_f1;  // at 50 ms; note_f1 with offsets
  MatchCounts onset_pitch_counts, note_counts;
  std::map<std::string, StrokeFigures> strokes;
  std::optional<AlignmentFigures> generated_alignment, real_alignment;

  // As a whole.
  MusicHistograms real_histograms, generated_histograms;
  DistributionFigures pitch_class, note_count, interval, range;
  Figure real_entropy, generated_entropy, real_consistency, generated_consistency;
  std::size_t bins = 0;
  Figure different_bins;
};

inline constexpr std::array<double, 3> onset_tolerances_s = {0.05, 0.1, 0.15};

}  // namespace imu2music::inline v0
