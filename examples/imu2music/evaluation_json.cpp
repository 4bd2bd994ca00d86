#include "evaluation_json.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace {

using namespace imu2music;
using Json = nlohmann::ordered_json;

// JSON has no NaN.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

class Writer {
 public:
  explicit Writer(const Evaluation& evaluation) : e_(evaluation) {}

  Json write() {
    json_["window_s"] = e_.window_s;
    json_["windows"] = e_.windows.size();
    json_["recordings"] = Json::array();
    for (const EvaluatedRecording& recording : e_.recordings) {
      Json starts = Json::array();
      for (std::size_t w : recording.windows) starts.push_back(e_.windows[w].start_s);
      json_["recordings"].push_back({{"id", recording.id},
                                     {"performer", recording.performer},
                                     {"piece", recording.piece},
                                     {"stroke", recording.stroke},
                                     {"starts_s", starts}});
    }
    json_["left_out"] = e_.left_out;
    likelihoods();
    conditioning();
    outputs();
    strokes();
    alignment("generated", e_.generated_alignment);
    alignment("real", e_.real_alignment);
    music();
    json_["intervals"] = intervals_;
    return std::move(json_);
  }

 private:
  // The figure at a path of members, and its interval.
  void put(const std::string& path, const Figure& figure, std::size_t windows, std::size_t recordings) {
    place(path) = number(figure.value);
    Json interval = {{"low", nullptr}, {"high", nullptr}, {"windows", windows}, {"recordings", recordings}};
    if (figure.interval) {
      interval["low"] = number(figure.interval->low);
      interval["high"] = number(figure.interval->high);
    }
    intervals_[path] = std::move(interval);
  }
  void put(const std::string& path, const Figure& figure) {
    put(path, figure, e_.windows.size(), e_.recordings.size());
  }
  Json& place(const std::string& path) {
    Json* at = &json_;
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find('.', begin), path.size());
      at = &(*at)[path.substr(begin, end - begin)];
      begin = end + 1;
    }
    return *at;
  }
  std::size_t recordings_of(const std::vector<std::size_t>& windows) const {
    std::set<std::size_t> recordings;
    for (std::size_t w : windows) recordings.insert(e_.windows[w].recording);
    return recordings.size();
  }

  void likelihoods() {
    json_["tokens"] = e_.tokens;
    json_["cut_windows"] = e_.cut_windows;
    put("nll", e_.nll);
    put("bits_per_second", e_.bits_per_second);
    for (std::size_t k = 0; k < event_kinds; ++k) {
      if (e_.tokens_by_kind[k] == 0) continue;
      const std::string path = "nll_by_kind." + std::string(to_string(static_cast<EventKind>(k)));
      std::vector<std::size_t> windows;  // that have an event of the kind
      for (std::size_t w = 0; w < e_.windows.size(); ++w)
        if (e_.windows[w].likelihood[0]->tokens[k] > 0) windows.push_back(w);
      put(path + ".nll", e_.nll_by_kind[k], windows.size(), recordings_of(windows));
      place(path + ".tokens") = e_.tokens_by_kind[k];
    }
    place("baselines.uniform") = e_.uniform_nll;
    put("baselines.unigram", e_.unigram_nll);
    place("baselines.unigram_counted_in") =
        e_.unigram_of_evaluated ? "the evaluated windows" : "the training windows";
    put("baselines.zeroed", e_.perturbed[static_cast<std::size_t>(Perturbation::zeroed)].nll);
    for (std::size_t p = 1; p < perturbations; ++p) {
      const std::string path = "perturbed." + std::string(to_string(static_cast<Perturbation>(p)));
      const PerturbedLikelihood& told = e_.perturbed[p];
      std::vector<std::size_t> windows;
      for (std::size_t w = 0; w < e_.windows.size(); ++w)
        if (e_.windows[w].likelihood[p]) windows.push_back(w);
      put(path + ".nll", told.nll, windows.size(), recordings_of(windows));
      put(path + ".delta", told.delta, windows.size(), recordings_of(windows));
      place(path + ".windows") = told.windows;
    }
  }

  void gap(const std::optional<ConditioningGap>& gap, const std::string& prefix, const std::string& without) {
    const std::string path = "conditioning_gap." + prefix;
    if (!gap) {
      put(path + "delta", {}, 0, 0);
      for (const char* name : {"p", "p_recordings"}) place(path + name) = nullptr;
      place(path + "windows") = 0;
      place(path + "remark") = without;
      return;
    }
    std::vector<std::size_t> windows;
    for (std::size_t k : gap->test.windows) windows.push_back(e_.chosen[k]);
    put(path + "delta", gap->delta, windows.size(), recordings_of(windows));
    place(path + "p") = gap->test.p;
    place(path + "p_recordings") =
        gap->within_recordings ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(gap->p_recordings);
    if (gap->within_recordings)
      place(path + "remark") =
          "no stroke was played in two recordings: motions of other windows of the same one";
    place(path + "nll") = gap->test.nll;
    place(path + "windows") = windows.size();
    place(path + "permutations") = gap->test.null_nll.size();
    if (gap->test.with_repetition)
      place(path + "remark") =
          "one recording holds more than half of the windows: motions drawn with repetition";
  }

  void conditioning() {
    gap(e_.gap, "", "there is one recording only");
    gap(e_.within_stroke, "within_stroke_", "no stroke has two windows");
    const std::size_t K = e_.chosen.size(), recordings = recordings_of(e_.chosen);
    put("retrieval.r1", e_.r1, K, recordings);
    put("retrieval.r5", e_.r5, K, recordings);
    put("retrieval.mrr", e_.mrr, K, recordings);
    put("retrieval.information", e_.information, K, recordings);
    place("retrieval.chance") = e_.chance.r1;
    place("retrieval.chance_r5") = e_.chance.r5;
    place("retrieval.chance_mrr") = e_.chance.reciprocal_rank;
    place("retrieval.windows") = K;
    place("retrieval.distinct_music") = e_.distinct_music;
    place("retrieval.chosen") = e_.chosen;
  }

  void matches(const std::string& name, const MatchCounts& counts) {
    place("matches." + name) = {{"matched", counts.matched},
                                {"real", counts.reference},
                                {"generated", counts.estimated},
                                {"precision", counts.precision()},
                                {"recall", counts.recall()}};
  }

  void outputs() {
    for (std::size_t t = 0; t < 3; ++t) {
      put("onset_f1." + milliseconds(t), e_.onset_f1[t]);
      matches("onset_" + milliseconds(t), e_.onset_counts[t]);
    }
    for (std::size_t t = 0; t < 3; ++t) put("onset_f1_shuffled." + milliseconds(t), e_.shuffled_onset_f1[t]);
    const std::int64_t of_training = e_.baseline_windows_of_training,
                       of_others = e_.baseline_windows_of_others;
    for (std::size_t t = 0; t < 3; ++t)
      put("onset_f1_stroke_baseline." + milliseconds(t), e_.stroke_baseline_onset_f1[t],
          static_cast<std::size_t>(of_training + of_others),
          static_cast<std::size_t>(e_.baseline_recordings));
    Json drawn_in = nullptr;
    if (of_training > 0) drawn_in = "the training recordings";
    if (of_others > 0) drawn_in = "other performers' evaluated recordings";
    if (of_training > 0 && of_others > 0)
      drawn_in = "the training recordings, or other performers' evaluated recordings";
    place("baselines.stroke_onsets_drawn_in") = drawn_in;
    put("onset_pitch_f1", e_.onset_pitch_f1);
    matches("onset_pitch", e_.onset_pitch_counts);
    put("note_f1", e_.note_f1);
    matches("note", e_.note_counts);
    put("collapse_ratio", e_.collapse_ratio, e_.chosen.size(), recordings_of(e_.chosen));
    json_["collapse"] = {{"distance_across", number(e_.distance_across)},
                         {"distance_within", number(e_.distance_within)},
                         {"draws", e_.draws},
                         {"windows", e_.chosen.size()},
                         {"unique_outputs", e_.unique_outputs}};
    put("note_count_ratio", e_.note_count_ratio);
    put("notes_per_window.generated", e_.notes_per_window);
    put("notes_per_window.real", e_.real_notes_per_window);
    json_["silent_windows"] = e_.silent_windows;
    json_["out_of_tokens"] = e_.out_of_tokens;
  }

  static std::string milliseconds(std::size_t t) {
    return std::to_string(std::lround(onset_tolerances_s[t] * 1000));
  }

  void strokes() {
    json_["strokes"] = Json::object();
    for (const auto& [name, stroke] : e_.strokes) {
      Json entry = {
          {"windows", stroke.windows}, {"recordings", stroke.recordings}, {"nll", number(stroke.nll.value)}};
      for (std::size_t t = 0; t < 3; ++t) {
        entry["onset_f1"][milliseconds(t)] = number(stroke.onset_f1[t].value);
        entry["onset_f1_stroke_baseline"][milliseconds(t)] = number(stroke.baseline_onset_f1[t].value);
        if (const auto& interval = stroke.onset_f1[t].interval)
          entry["onset_f1_interval"][milliseconds(t)] = {number(interval->low), number(interval->high)};
      }
      json_["strokes"][name] = std::move(entry);
    }
  }

  void alignment(const std::string& of, const std::optional<AlignmentFigures>& figures) {
    const std::string path = "motion_alignment." + of;
    if (!figures) {
      place(path) = nullptr;
      return;
    }
    put(path + ".peak_f1", figures->peak_f1);
    const auto windows = static_cast<std::size_t>(figures->windows);
    put(path + ".z", figures->z, windows, static_cast<std::size_t>(figures->recordings));
    place(path + ".p") = number(figures->p);
    place(path + ".correlation") = number(figures->correlation);
    place(path + ".windows") = windows;
    place(path + ".windows_without") = figures->without;
  }

  void distribution(const std::string& name, const DistributionFigures& figures) {
    put("music." + name + ".overlap_area", figures.overlap_area);
    put("music." + name + ".kl", figures.kl);
  }

  void music() {
    distribution("pitch_class", e_.pitch_class);
    distribution("note_count", e_.note_count);
    distribution("inter_onset_interval", e_.interval);
    distribution("range", e_.range);
    put("music.pitch_class_entropy.generated", e_.generated_entropy);
    put("music.pitch_class_entropy.real", e_.real_entropy);
    put("music.scale_consistency.generated", e_.generated_consistency);
    put("music.scale_consistency.real", e_.real_consistency);
    put("music.ndb_share", e_.different_bins);
    place("music.ndb_bins") = e_.bins;
  }

  const Evaluation& e_;
  Json json_ = Json::object(), intervals_ = Json::object();
};

}  // namespace

nlohmann::ordered_json evaluation_json(const Evaluation& evaluation) { return Writer(evaluation).write(); }
