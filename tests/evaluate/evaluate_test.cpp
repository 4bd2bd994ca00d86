#include "imu2music/evaluate/evaluate.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "imu2music/models/weights.hpp"
#include "imu2music/ops/cross_entropy.hpp"
#include "imu2music/train/dataset_writer.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

// `seconds` of one or two sensors whose wrist moves with the notes, and notes every 0.4 s or so.
Pair make_pair(const std::string& id, const std::string& stroke, double seconds, std::uint64_t seed,
               const std::vector<std::string>& sensors = {"myo"}) {
  Pair pair;
  Philox random(seed);
  pair.info.id = id;
  pair.info.stroke = stroke;
  pair.info.performer = "p" + std::to_string(seed);
  pair.info.seconds = seconds;
  for (double t = 0.1 + 0.2 * random.uniform(); t < seconds - 0.3; t += 0.3 + 0.2 * random.uniform())
    pair.notes.push_back({static_cast<int>(55 + random.below(20)), 80, t, t + 0.25});
  pair.motion.source = id;
  const auto n = static_cast<std::int64_t>(std::lround(seconds * 50));
  for (const std::string& name : sensors) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = 50;
    for (const Quantity quantity : {Quantity::rotation, Quantity::angular_velocity, Quantity::acceleration}) {
      Channel channel(quantity, n);
      for (int axis = 0; axis < 3; ++axis)
        for (std::int64_t i = 0; i < n; ++i) {
          double value = 0.2 * random.normal() + (quantity == Quantity::acceleration && axis == 2 ? 9.8 : 0);
          for (const Note& note : pair.notes) {
            const double away = (static_cast<double>(i) / 50 - note.start) / 0.05;
            if (std::abs(away) < 5) value += (axis + 1) * std::exp(-0.5 * away * away);
          }
          channel.axis(axis)[static_cast<std::size_t>(i)] = static_cast<float>(value);
        }
      sensor.channels.push_back(std::move(channel));
    }
    pair.motion.sensors.push_back(std::move(sensor));
  }
  return pair;
}

std::vector<Pair> four_pairs() {
  return {make_pair("a", "martele", 5, 1), make_pair("b", "martele", 6, 2), make_pair("c", "legato", 5, 3),
          make_pair("d", "legato", 5, 4)};
}

ModelConfig small_config() {
  ModelConfig config;
  config.encoder = "temporal";
  config.vocabulary = EventVocabulary2::size;
  config.d_model = config.feed_forward = 16;
  config.heads = 2;
  config.encoder_layers = config.decoder_layers = 1;
  config.width = 8;
  config.blocks = 1;
  config.window_ms = 2000;
  config.max_sequence = 48;
  return config;
}

EvaluationOptions quick() {
  EvaluationOptions options;
  options.permutations = 49;
  options.resamples = 50;
  options.draws = 2;
  options.retrieval_windows = 8;
  options.windows_per_recording = 0;
  return options;
}

Evaluation evaluate(const Model<float>& model, const std::vector<Pair>& pairs,
                    const EvaluationOptions& options) {
  Evaluator<float> evaluator(model, options);
  for (const Pair& pair : pairs) evaluator.add(pair);
  return evaluator.run();
}

// The model without an ear: what its encoder says is the same for every motion.
void deafen(Model<float>& model) {
  const auto silence = [](const std::string& name, auto& entry) {
    if constexpr (requires { entry.trainable; })
      if (name == "imu_net.fcn.weight") {
        entry.value = entry.value.clone();
        std::fill_n(entry.value.data(), entry.value.size(), 0.0f);
      }
  };
  model.visit(silence);
}

}  // namespace

TEST_CASE("windows on a grid lie every half window, with the music that begins in them") {
  const Model<float> model = init_model<float>(small_config(), 1);
  const std::vector<Pair> pairs = four_pairs();
  const Evaluation e = evaluate(model, pairs, quick());
  REQUIRE(e.recordings.size() == 4);
  CHECK(e.recordings[0].windows.size() == 4);  // at 0, 1, 2 and 3 s of 5
  CHECK(e.recordings[1].windows.size() == 5);
  REQUIRE(e.windows.size() == 17);
  for (const EvaluatedWindow& w : e.windows) {
    const Pair& pair = pairs[w.recording];
    CHECK(w.start_s == std::floor(w.start_s));
    CHECK(w.tokens == window_tokens(model.config, pair, w.start_s, 2));
    std::size_t begun = 0;
    for (const Note& note : pair.notes) begun += note.start >= w.start_s && note.start < w.start_s + 2;
    CHECK(w.real.size() == begun);
    for (const Note& note : w.real) {
      CHECK(note.start >= 0);
      CHECK(note.end <= 2);
    }
    CHECK(w.activity.size() == 100);
    CHECK(w.outputs.size() == 2);
    CHECK(w.likelihood[static_cast<std::size_t>(Perturbation::earlier)].has_value() == (w.start_s >= 0.5));
  }
  CHECK(e.left_out.empty());
}

TEST_CASE("NLL is the model's, pooled over all tokens, and the scores' diagonal is the same") {
  const Model<float> model = init_model<float>(small_config(), 1);
  const std::vector<Pair> pairs = four_pairs();
  const Evaluation e = evaluate(model, pairs, quick());
  double nats = 0;
  std::int64_t tokens = 0;
  Context context;
  for (const EvaluatedWindow& w : e.windows) {
    const MotionWindows motion(pairs[w.recording].motion, model.config);
    const MotionPlace place{&motion, std::lround(w.start_s * 50)};
    const auto nll = [&](Perturbation perturbation) {
      const Tensor<float> memory = model.encode_memory(
          context, model.encode_motion(context, motion_inputs<float>(std::span(&place, 1), perturbation)));
      const auto count = static_cast<std::int64_t>(w.tokens.size()) - 1;
      Tensor<std::int64_t> x(Shape{1, count}), y = x.clone();
      std::copy(w.tokens.begin(), w.tokens.end() - 1, x.data());
      std::copy(w.tokens.begin() + 1, w.tokens.end(), y.data());
      return cross_entropy(context, model.logits(context, memory, x), y, model.pad()) *
             static_cast<double>(count);
    };
    CHECK(w.likelihood[0]->all_nats() == doctest::Approx(nll(Perturbation::none)).epsilon(1e-5));
    CHECK(w.likelihood[2]->all_nats() == doctest::Approx(nll(Perturbation::reversed)).epsilon(1e-5));
    nats += w.likelihood[0]->all_nats();
    tokens += static_cast<std::int64_t>(w.tokens.size()) - 1;
  }
  CHECK(e.tokens == tokens);
  CHECK(e.nll.value == doctest::Approx(nats / static_cast<double>(tokens)));
  CHECK(e.bits_per_second.value == doctest::Approx(nats / std::log(2.0) / (2.0 * 17)));
  REQUIRE(e.nll.interval);
  CHECK(e.nll.interval->low <= e.nll.value);
  CHECK(e.nll.interval->high >= e.nll.value);
  CHECK(e.uniform_nll == doctest::Approx(std::log(332.0)));
  CHECK(e.unigram_of_evaluated);
  CHECK(e.unigram_nll.value < e.uniform_nll);
  REQUIRE(e.chosen.size() == 8);
  for (std::size_t k = 0; k < 8; ++k)
    CHECK(e.scores[static_cast<std::int64_t>(9 * k)] ==
          doctest::Approx(-e.windows[e.chosen[k]].likelihood[0]->all_nats()).epsilon(1e-5));
  CHECK(e.perturbed[0].delta.value == 0);
  CHECK(e.perturbed[1].windows == 17);
  CHECK(e.perturbed[1].delta.value == doctest::Approx(e.perturbed[1].nll.value - e.nll.value));
}

TEST_CASE("nothing depends on threads, everything drawn on the seed") {
  const Model<float> model = init_model<float>(small_config(), 1);
  const std::vector<Pair> pairs = four_pairs();
  EvaluationOptions options = quick();
  const Evaluation one = evaluate(model, pairs, options);
  options.threads = 3;
  const Evaluation three = evaluate(model, pairs, options);
  options.seed = 1;
  const Evaluation other = evaluate(model, pairs, options);
  CHECK(one.nll.value == three.nll.value);
  CHECK(one.collapse_ratio.value == three.collapse_ratio.value);
  CHECK(one.nll.interval->low == three.nll.interval->low);
  REQUIRE(one.gap);
  REQUIRE(three.gap);
  CHECK(one.gap->test.null_nll == three.gap->test.null_nll);
  CHECK(one.gap->test.null_nll != other.gap->test.null_nll);
  bool all_alike = true;
  for (std::size_t w = 0; w < one.windows.size(); ++w) {
    CHECK(one.windows[w].outputs == three.windows[w].outputs);
    CHECK(one.windows[w].generated == three.windows[w].generated);
    all_alike = all_alike && one.windows[w].outputs == other.windows[w].outputs;
    CHECK(one.windows[w].outputs[0] != one.windows[w].outputs[1]);
  }
  CHECK_FALSE(all_alike);
  CHECK(one.generated_alignment->z.value == three.generated_alignment->z.value);
}

TEST_CASE("a model that cannot hear has no gap, and finds motion by chance") {
  Model<float> model = init_model<float>(small_config(), 1);
  deafen(model);
  const Evaluation e = evaluate(model, four_pairs(), quick());
  REQUIRE(e.gap);
  CHECK(e.gap->delta.value == doctest::Approx(0));
  CHECK(e.gap->test.p == 1);
  CHECK(e.gap->p_recordings == 1);
  REQUIRE(e.within_stroke);
  CHECK(e.within_stroke->test.windows.size() == 8);
  CHECK(e.r1.value == doctest::Approx(1.0 / 8));
  CHECK(e.mrr.value == doctest::Approx(e.chance.reciprocal_rank));
  CHECK(e.information.value == doctest::Approx(0));
  for (const PerturbedLikelihood& perturbed : e.perturbed) CHECK(perturbed.delta.value == doctest::Approx(0));
  CHECK(e.collapse_ratio.value == doctest::Approx(1).epsilon(0.15));
}

TEST_CASE("figures of the music are those of its windows") {
  const Model<float> model = init_model<float>(small_config(), 2);
  const Evaluation e = evaluate(model, four_pairs(), quick());
  MatchCounts counts;
  std::int64_t real = 0, generated = 0, silent = 0;
  for (const EvaluatedWindow& w : e.windows) {
    CHECK(w.generated == notes_begun<EventVocabulary2>(w.outputs[0], 2));
    counts += match_notes(w.real, w.generated, {.onset_s = 0.1, .pitch = false, .offset = false});
    real += static_cast<std::int64_t>(w.real.size());
    generated += static_cast<std::int64_t>(w.generated.size());
    silent += w.generated.empty();
  }
  CHECK(e.onset_counts[1] == counts);
  CHECK(e.onset_f1[1].value == counts.f1());
  CHECK(e.note_counts.reference == real);
  CHECK(e.note_counts.estimated == generated);
  CHECK(e.note_count_ratio.value ==
        doctest::Approx(static_cast<double>(generated) / static_cast<double>(real)));
  CHECK(e.silent_windows == silent);
  CHECK(e.onset_f1[0].value <= e.onset_f1[1].value);
  CHECK(e.onset_f1[1].value <= e.onset_f1[2].value);
  CHECK(e.onset_pitch_counts.matched <= e.onset_counts[0].matched);
  CHECK(e.note_counts.matched <= e.onset_pitch_counts.matched);
  REQUIRE(e.strokes.size() == 2);
  CHECK(e.strokes.at("martele").windows == 9);
  CHECK(e.strokes.at("legato").recordings == 2);
  const auto& a = e.strokes.at("martele");
  const auto& b = e.strokes.at("legato");
  CHECK(std::min(a.nll.value, b.nll.value) <= e.nll.value);
  CHECK(std::max(a.nll.value, b.nll.value) >= e.nll.value);
  // The real onsets lie where the wrist moves.
  REQUIRE(e.real_alignment);
  CHECK(e.real_alignment->peak_f1.value > 0.8);
  CHECK(e.real_alignment->z.value > 3);
  CHECK(e.real_alignment->z.value > e.generated_alignment->z.value);
  double pitch_classes = 0;
  for (double count : e.real_histograms.pitch_class) pitch_classes += count;
  CHECK(pitch_classes == static_cast<double>(real));
  CHECK(e.bins == 3);
}

TEST_CASE("what is written where no note was played counts as too many notes") {
  const Model<float> model = init_model<float>(small_config(), 2);
  std::vector<Pair> pairs = four_pairs();
  pairs[1].notes.clear();
  pairs[2].notes.clear();
  const Evaluation e = evaluate(model, pairs, quick());
  double written = 0, in_silence = 0, played = 0;
  for (const EvaluatedWindow& w : e.windows) {
    const auto notes = static_cast<double>(w.generated.size());
    written += notes;
    if (pairs[w.recording].notes.empty()) in_silence += notes;
    played += static_cast<double>(w.real.size());
  }
  REQUIRE(in_silence > 0);
  CHECK(e.note_count_ratio.value == doctest::Approx(written / played));
  CHECK(e.note_count_ratio.value ==
        doctest::Approx(e.notes_per_window.value / e.real_notes_per_window.value));
  REQUIRE(e.note_count_ratio.interval);
  CHECK(e.note_count_ratio.interval->high > written / played);
}

TEST_CASE("one recording alone has no gap and no intervals") {
  const Model<float> model = init_model<float>(small_config(), 1);
  const Evaluation e = evaluate(model, {make_pair("a", "", 5, 1)}, quick());
  CHECK_FALSE(e.gap);
  CHECK_FALSE(e.within_stroke);
  CHECK_FALSE(e.nll.interval);
  CHECK(e.strokes.empty());
  CHECK(std::isfinite(e.nll.value));
  CHECK(std::isnan(e.shuffled_onset_f1[0].value));
}

TEST_CASE("a figure that rests on one recording has no interval, however many are evaluated") {
  const Model<float> model = init_model<float>(small_config(), 1);
  // One window of each but the first, which alone has two of a stroke, and music.
  std::vector<Pair> pairs = {make_pair("a", "martele", 5, 1), make_pair("b", "legato", 2, 2),
                             make_pair("c", "spiccato", 2, 3)};
  pairs[1].notes.clear();
  pairs[2].notes.clear();
  EvaluationOptions options = quick();
  const Evaluation e = evaluate(model, pairs, options);
  REQUIRE(e.gap);
  CHECK(e.gap->delta.interval);
  CHECK(e.r1.interval);
  CHECK(e.collapse_ratio.interval);
  REQUIRE(e.within_stroke);
  CHECK(e.within_stroke->test.windows.size() == 4);
  CHECK_FALSE(e.within_stroke->delta.interval);
  REQUIRE(e.real_alignment);
  CHECK(std::isfinite(e.real_alignment->z.value));
  CHECK(e.real_alignment->recordings == 1);
  CHECK_FALSE(e.real_alignment->z.interval);
  CHECK(e.generated_alignment->recordings == 3);
  CHECK(e.generated_alignment->z.interval);

  options.retrieval_windows = 1;
  const Evaluation one = evaluate(model, pairs, options);
  CHECK(one.r1.value == 1);
  for (const Figure* figure : {&one.r1, &one.r5, &one.mrr, &one.information, &one.collapse_ratio})
    CHECK_FALSE(figure->interval);
  CHECK(one.nll.interval);
}

TEST_CASE("recordings without a part in a figure leave its interval as it is") {
  const Model<float> model = init_model<float>(small_config(), 1);
  std::vector<Pair> pairs = four_pairs();
  for (Pair& pair : pairs) pair.info.stroke = "martele";
  const Evaluation without = evaluate(model, pairs, quick());
  pairs.push_back(make_pair("e", "legato", 2, 5));
  EvaluationOptions options = quick();
  ++options.retrieval_windows;  // the window of "e" is one more, and the only one of its stroke
  const Evaluation with = evaluate(model, pairs, options);
  REQUIRE(without.within_stroke);
  REQUIRE(with.within_stroke);
  CHECK(with.within_stroke->test.windows.size() == without.within_stroke->test.windows.size());
  REQUIRE(with.within_stroke->delta.interval);
  CHECK(with.within_stroke->delta.interval->low == without.within_stroke->delta.interval->low);
  CHECK(with.within_stroke->delta.interval->high == without.within_stroke->delta.interval->high);
}

TEST_CASE("within strokes of one recording each, windows of it change places") {
  const Model<float> model = init_model<float>(small_config(), 1);
  const Evaluation e =
      evaluate(model, {make_pair("a", "martele", 5, 1), make_pair("b", "legato", 5, 2)}, quick());
  REQUIRE(e.gap);
  CHECK_FALSE(e.gap->within_recordings);
  REQUIRE(e.within_stroke);
  CHECK(e.within_stroke->within_recordings);
  CHECK(std::isnan(e.within_stroke->p_recordings));
  CHECK(e.within_stroke->test.windows.size() == e.chosen.size());
  // What is drawn for a window is never its own motion: of a deaf model, no gap.
  Model<float> deaf = init_model<float>(small_config(), 1);
  deafen(deaf);
  const Evaluation none =
      evaluate(deaf, {make_pair("a", "martele", 5, 1), make_pair("b", "legato", 5, 2)}, quick());
  CHECK(none.within_stroke->delta.value == doctest::Approx(0));
  CHECK_FALSE(e.strokes.at("legato").onset_f1[0].interval);
  // Nor have strokes that are not known.
  CHECK_FALSE(evaluate(model, {make_pair("a", "", 5, 1), make_pair("b", "", 5, 2)}, quick()).within_stroke);
}

TEST_CASE("the baseline by stroke: onsets of other windows of the stroke, counted by hand") {
  const Model<float> model = init_model<float>(small_config(), 1);
  Pair pair = make_pair("a", "martele", 4, 1);
  pair.notes = {{60, 80, 0.53, 0.7}, {61, 80, 1.08, 1.2}, {62, 80, 1.5, 1.7}};
  // As long as a window: it can be drawn at one place only.
  Pair training = make_pair("t", "martele", 2, 7), other = make_pair("u", "legato", 2, 8);
  training.notes = {{70, 80, 0.5, 0.6}, {71, 80, 1.0, 1.1}};
  Evaluator<float> evaluator(model, quick());
  evaluator.add(pair);
  evaluator.add_training_music(training);
  evaluator.add_training_music(other);
  const Evaluation e = evaluator.run();
  REQUIRE(e.windows.size() == 3);
  // At 0 s: 0.53, 1.08 and 1.5 against 0.5 and 1; at 1 s: 0.08 and 0.5; at 2 s nothing.
  const double of = (3 + 2) + (2 + 2) + (0 + 2);
  CHECK(e.stroke_baseline_onset_f1[0].value == doctest::Approx(2 * (1 + 1) / of));
  CHECK(e.stroke_baseline_onset_f1[1].value == doctest::Approx(2 * (2 + 1) / of));
  CHECK(e.stroke_baseline_onset_f1[2].value == doctest::Approx(2 * (2 + 1) / of));
  CHECK(e.strokes.at("martele").baseline_onset_f1[0].value == e.stroke_baseline_onset_f1[0].value);
  CHECK(e.baseline_windows_of_training == 3);
  CHECK(e.baseline_windows_of_others == 0);
  CHECK(e.baseline_recordings == 1);
}

TEST_CASE("without training music of the stroke the baseline is drawn from other performers") {
  const Model<float> model = init_model<float>(small_config(), 1);
  const Evaluation e = evaluate(model, four_pairs(), quick());
  CHECK(e.baseline_windows_of_others == 17);
  CHECK(e.stroke_baseline_onset_f1[1].value > 0);
  CHECK(e.stroke_baseline_onset_f1[0].value <= e.stroke_baseline_onset_f1[1].value);
  REQUIRE(e.stroke_baseline_onset_f1[1].interval);
  CHECK(e.stroke_baseline_onset_f1[1].value ==
        evaluate(model, four_pairs(), quick()).stroke_baseline_onset_f1[1].value);
  // One's own takes of the stroke are none of others, and music of no stroke is like no other.
  std::vector<Pair> pairs = {make_pair("a", "martele", 5, 1), make_pair("b", "martele", 5, 1),
                             make_pair("c", "", 5, 2), make_pair("d", "", 5, 3)};
  const Evaluation none = evaluate(model, pairs, quick());
  CHECK(std::isnan(none.stroke_baseline_onset_f1[0].value));
  CHECK(none.baseline_windows_of_others == 0);
}

TEST_CASE("windows at random places come from the seed, and are what is taken where nothing is said") {
  const Model<float> model = init_model<float>(small_config(), 1);
  EvaluationOptions options = quick();
  CHECK(EvaluationOptions().windows_per_recording == 6);
  options.windows_per_recording = 3;
  const std::vector<Pair> pairs = four_pairs();
  const Evaluation a = evaluate(model, pairs, options), b = evaluate(model, pairs, options);
  options.seed = 9;
  const Evaluation c = evaluate(model, pairs, options);
  REQUIRE(a.windows.size() == 12);
  bool same = true;
  for (std::size_t w = 0; w < 12; ++w) {
    CHECK(a.windows[w].start_s == b.windows[w].start_s);
    CHECK(a.windows[w].start_s >= 0);
    CHECK(a.windows[w].start_s + 2 <= pairs[a.windows[w].recording].info.seconds + 1e-9);
    same = same && a.windows[w].start_s == c.windows[w].start_s;
  }
  CHECK_FALSE(same);
  // No two of a recording are one: of 2.08 s there are five windows of 2 s.
  options.windows_per_recording = 6;
  const Evaluation few = evaluate(model, {make_pair("a", "x", 2.08, 1)}, options);
  REQUIRE(few.windows.size() == 5);
  for (std::size_t w = 0; w < 5; ++w)
    CHECK(few.windows[w].start_s == doctest::Approx(0.02 * static_cast<double>(w)));
}

TEST_CASE("two armbands and vocabulary 1") {
  ModelConfig config;
  config.d_model = config.feed_forward = 16;
  config.heads = 2;
  config.encoder_layers = config.decoder_layers = 1;
  config.max_sequence = 24;
  const Model<float> model = init_model<float>(config, 1);
  const std::vector<Pair> pairs = {make_pair("a", "x", 9.2, 1, {"myo1", "myo2"}),
                                   make_pair("b", "x", 9.2, 2, {"myo1", "myo2"})};
  const Evaluation e = evaluate(model, pairs, quick());
  CHECK(e.window_s == 6);
  CHECK(e.windows.size() == 4);
  CHECK(e.cut_windows == 4);  // some 13 notes take more than 24 ids
  CHECK(e.uniform_nll == doctest::Approx(std::log(243.0)));
  for (const EvaluatedWindow& w : e.windows) {
    CHECK(w.tokens.size() == 25);
    CHECK(w.generated == notes_begun<EventVocabulary1>(w.outputs[0], 6));
  }
  // A recording of one sensor stands for both where it is told to.
  EvaluationOptions mapped = quick();
  mapped.prepare = [](const Recording& recording) {
    Recording both = recording;
    both.sensors.push_back(both.sensors[0]);
    both.sensors[0].name = "myo1";
    both.sensors[1].name = "myo2";
    return both;
  };
  CHECK(evaluate(model, {make_pair("a", "x", 9.2, 1)}, mapped).windows.size() == 2);
  CHECK_THROWS_AS(evaluate(model, {make_pair("a", "x", 9.2, 1)}, quick()), InputError);
}

TEST_CASE("what cannot be evaluated is left out or refused") {
  const Model<float> model = init_model<float>(small_config(), 1);
  std::vector<Pair> pairs = {make_pair("long", "x", 5, 1), make_pair("short", "x", 1.5, 2),
                             make_pair("music", "x", 5, 3)};
  pairs[2].info.has_motion = false;
  const Evaluation e = evaluate(model, pairs, quick());
  CHECK(e.recordings.size() == 1);
  REQUIRE(e.left_out.size() == 2);
  CHECK(e.left_out[0] == "short lasts 1.5 s, less than a window");
  CHECK(e.left_out[1] == "music has no motion");
  // The motion may be a little shorter than the pair: its first sample comes later.
  pairs[1] = make_pair("edge", "x", 1.98, 2);
  pairs[1].info.seconds = 2;
  const Evaluation edge = evaluate(model, pairs, quick());
  CHECK(edge.recordings.size() == 1);
  REQUIRE(edge.left_out.size() == 2);
  CHECK(edge.left_out[0] == "edge has 1.98 s of motion, less than a window");
  CHECK_THROWS_AS(evaluate(model, {pairs[1]}, quick()), InputError);
  ModelConfig music;
  music.model = "music_transformer";
  music.encoder = "none";
  music.encoder_layers = 0;
  music.vocabulary = 390;
  music.d_model = 16, music.heads = 2, music.max_sequence = 16, music.feed_forward = 16;
  const Model<float> alone = init_model<float>(music, 1);
  CHECK_THROWS_AS(Evaluator<float>(alone, quick()), InputError);
}

TEST_CASE("a likelihood that is no number is an error") {
  Model<float> model = init_model<float>(small_config(), 1);
  model.Wout.bias.value = model.Wout.bias.value.clone();
  model.Wout.bias.value[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(evaluate(model, four_pairs(), quick()), Error);
}

TEST_CASE("notes begun: continued ones are none, and the window's end ends them") {
  using V = EventVocabulary2;
  const std::vector<int> ids = {
      V::first_velocity + 20, V::continued(60),         V::note_on(64), V::first_time_shift + 31,
      V::note_off(60),        V::first_time_shift + 31, V::note_on(64), V::cut};
  const std::vector<Note> notes = notes_begun<V>(ids, 2.5);
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].pitch == 64);
  CHECK(notes[0].start == 0);
  CHECK(notes[0].end == doctest::Approx(2 * 1.1713).epsilon(1e-4));  // struck again
  CHECK(notes[1].end == 2.5);
  CHECK(notes_begun<V>(ids, 2).size() == 1);  // the second begins after the end
  CHECK(notes_begun<EventVocabulary1>({}, 6).empty());
  // Ids that ran out leave a note sounding, as in the music that is written.
  const std::vector<int> run_out = {V::first_velocity + 20, V::note_on(60)};
  REQUIRE(notes_begun<V>(run_out, 6).size() == 1);
  CHECK(notes_begun<V>(run_out, 6)[0].end == 6);
}

TEST_CASE("real music is that of an instrument with one sounding note a pitch, as generated music is") {
  Pair pair = make_pair("a", "x", 5, 1);
  pair.notes = {{60, 80, 0.5, 1.5}, {60, 0, 1.0, 1.2}, {64, 80, 1.0, 1.4}, {64, 80, 1.0, 1.3}};
  const Model<float> model = init_model<float>(small_config(), 1);
  const Evaluation e = evaluate(model, {pair, make_pair("b", "x", 5, 2)}, quick());
  const std::vector<Note>& real = e.windows[0].real;
  REQUIRE(real.size() == 3);
  CHECK(real[0].end == 1.0);
  CHECK(real[1].pitch == 60);
  CHECK(real[2].end == doctest::Approx(1.4));
}

TEST_CASE("bits a second are of the windows that are not cut") {
  ModelConfig config = small_config();
  const std::vector<Pair> pairs = four_pairs();
  const Evaluation whole = evaluate(init_model<float>(config, 1), pairs, quick());
  CHECK(whole.cut_windows == 0);
  double bits = 0, seconds = 0;
  for (const EvaluatedWindow& w : whole.windows) {
    bits += w.likelihood[0]->all_nats() / std::numbers::ln2;
    seconds += 2;
  }
  CHECK(whole.bits_per_second.value == doctest::Approx(bits / seconds));
  config.max_sequence = 4;
  const Evaluation cut = evaluate(init_model<float>(config, 1), pairs, quick());
  CHECK(cut.cut_windows == static_cast<std::int64_t>(cut.windows.size()));
  CHECK(std::isnan(cut.bits_per_second.value));
}

TEST_CASE("chosen windows are spread over recordings and within them") {
  std::vector<EvaluatedRecording> recordings(3);
  std::size_t next = 0;
  for (std::size_t g = 0; g < 3; ++g)
    for (std::size_t k = 0; k < std::array<std::size_t, 3>{10, 2, 10}[g]; ++k)
      recordings[g].windows.push_back(next++);
  CHECK(chosen_windows(recordings, 8) == std::vector<std::size_t>{1, 5, 8, 10, 11, 13, 17, 20});
  CHECK(chosen_windows(recordings, 100).size() == 22);
  CHECK(chosen_windows(recordings, 2).size() == 2);
  CHECK(chosen_windows(recordings, 1) == std::vector<std::size_t>{5});
  CHECK(chosen_windows({}, 5).empty());
}

TEST_CASE("the unigram is of the music that was learnt: without motion where no pair has any") {
  test::ScratchFolder scratch;
  DatasetWriter writer(scratch / "data");
  std::vector<Pair> pairs = {make_pair("long", "x", 5, 1), make_pair("music", "x", 5, 3)};
  pairs[1].info.has_motion = false;
  pairs[1].motion = {};
  for (const Pair& pair : pairs) writer.add(pair);
  writer.commit();
  const Dataset dataset(scratch / "data");
  const std::size_t both[] = {0, 1}, motion[] = {0}, music[] = {1};
  const auto ids = [&](std::span<const std::size_t> which) {
    return count_unigram(dataset, which, small_config()).all();
  };
  CHECK(ids(music) > 0);
  CHECK(ids(motion) > 0);
  CHECK(ids(both) == ids(motion));
}
