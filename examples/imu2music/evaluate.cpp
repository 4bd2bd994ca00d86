// evaluate: how well weights write music for motion that they did not learn from.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "command.hpp"
#include "evaluation_html.hpp"
#include "evaluation_json.hpp"
#include "imu2music/evaluate/evaluate.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/io/sha256.hpp"
#include "imu2music/io/weights_file.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/weights_split.hpp"
#include "recording_options.hpp"

namespace {

using namespace imu2music;

struct EvaluateOptions {
  CommonOptions common;
  Device device = Device::cpu();
  WeightFormat precision = WeightFormat::plain;
  std::string weights, data, split = "all", part, sensors, report;
  std::int64_t windows_per_recording = 6, retrieval_windows = 64, draws = 3, permutations = 999;
  bool even_windows = false;
  std::uint64_t seed = 0;
  double temperature = 1, top_p = 1;
};

// What the weights say of the split that they were trained with.
struct Training {
  std::optional<WeightsSplit> told;
  std::optional<Split> split;  // of this data set; without value where it was another one
  std::vector<Split> before;   // of this data set too, those of the weights that the training began with
  std::vector<WeightsSplit> unknown;  // such as are not of this data set
};

Training training_of(const std::string& weights, const Dataset& dataset) {
  const TensorFile file = read_weights(weights);
  Training training{split_of(file), {}, {}, {}};
  if (training.told) training.split = find_split(dataset, *training.told);
  for (const WeightsSplit& one : begun_with(file))
    if (std::optional<Split> split = find_split(dataset, one))
      training.before.push_back(std::move(*split));
    else
      training.unknown.push_back(one);
  return training;
}

// "test" is the split that the weights were trained with.
Split named_split(const EvaluateOptions& options, const Dataset& dataset, const Training& training) {
  if (options.split != "test") return dataset.split(options.split);
  const std::string choice = "--split performer:NAME, piece:NAME, stroke:NAME or a split's file";
  if (!training.told)
    throw InputError(options.weights, "does not say which split it was trained with",
                     "name what was kept from it: " + choice);
  if (!training.split)
    throw InputError(options.weights,
                     "was trained with the split " + in_quotes(training.told->name) +
                         " of other data, or of a file elsewhere (hash " +
                         in_quotes(training.told->hash.substr(0, 16)) + ", which no split of " +
                         options.data + " has)",
                     "name the data that it was trained with, or " + choice);
  if (training.split->test.empty() && (options.part.empty() || options.part == "test"))
    throw InputError(
        options.weights,
        "was trained with the split " + in_quotes(training.told->name) + ", which keeps nothing for a test",
        "choose --split all, which tells how well it knows what it learnt from");
  return *training.split;
}

struct Part {
  std::string name;
  std::vector<std::size_t> pairs;
};

// Which pairs of the split are evaluated. One that keeps nothing for a test is evaluated whole.
Part part_of(const Split& split, const Dataset& dataset, const std::string& wanted) {
  Part part{wanted, {}};
  if (wanted == "train") {
    part.pairs = split.train;
  } else if (wanted == "validation") {
    part.pairs = split.validation;
  } else if (wanted == "all" || (wanted.empty() && split.test.empty())) {
    part.name = "all";
    part.pairs.resize(dataset.pairs().size());
    std::iota(part.pairs.begin(), part.pairs.end(), std::size_t{0});
  } else {
    part.name = "test";
    part.pairs = split.test;
  }
  if (part.pairs.empty())
    throw InputError(dataset.folder(), "the split " + split.name + " has nothing in its part " + part.name,
                     "choose another --part or --split");
  return part;
}

// Whether the split that is evaluated has a part to train on that is apart from what is evaluated.
bool is_apart(const Part& part) { return part.name == "test" || part.name == "validation"; }

// How many of the recordings evaluated the weights learnt from; without value where their splits do not tell.
std::optional<std::size_t> known_to_be_seen(const Evaluation& evaluation, const Dataset& dataset,
                                            const Training& training) {
  std::set<std::string> learnt;
  const auto add = [&](const Split& split) {
    for (const std::size_t i : split.train) learnt.insert(dataset.pairs()[i].id);
  };
  if (training.split) add(*training.split);
  for (const Split& split : training.before) add(split);
  std::size_t count = 0;
  for (const EvaluatedRecording& recording : evaluation.recordings) count += learnt.count(recording.id);
  if (!training.split && count == 0) return std::nullopt;
  return count;
}

std::string text_of(const Figure& figure, int decimals) {
  if (!std::isfinite(figure.value)) return "-";
  char text[120];
  if (figure.interval)
    std::snprintf(text, sizeof text, "%.*f  (%.*f to %.*f)", decimals, figure.value, decimals,
                  figure.interval->low, decimals, figure.interval->high);
  else
    std::snprintf(text, sizeof text, "%.*f", decimals, figure.value);
  return text;
}

std::string plain(double value, int decimals) { return text_of(Figure{value}, decimals); }

std::string summary(const Evaluation& e) {
  std::string text;
  const auto line = [&](const std::string& name, const std::string& value) {
    text += name + std::string(name.size() < 28 ? 28 - name.size() : 1, ' ') + value + "\n";
  };
  line("windows", std::to_string(e.windows.size()) + " of " + number_text(e.window_s) + " s, " +
                      std::to_string(e.recordings.size()) + " recordings");
  line("NLL, nats a token", text_of(e.nll, 4) + "; unigram " + plain(e.unigram_nll.value, 4) + ", uniform " +
                                plain(e.uniform_nll, 4) + ", motion zeroed " +
                                plain(e.perturbed[1].nll.value, 4));
  line("bits a second", text_of(e.bits_per_second, 3));
  const auto gap = [&](const std::string& name, const std::optional<ConditioningGap>& told) {
    if (told)
      line(name, text_of(told->delta, 4) + "; p " + plain(told->test.p, 3) + ", by recordings " +
                     (told->within_recordings ? "—" : plain(told->p_recordings, 3)));
  };
  gap("conditioning gap", e.gap);
  gap("  within a stroke", e.within_stroke);
  line("R@1 of " + std::to_string(e.chosen.size()), text_of(e.r1, 3) + "; chance " + plain(e.chance.r1, 3));
  line("R@5, MRR", plain(e.r5.value, 3) + ", " + plain(e.mrr.value, 3) + "; chance " + plain(e.chance.r5, 3) +
                       ", " + plain(e.chance.reciprocal_rank, 3));
  line("information, nats", text_of(e.information, 3));
  line("collapse ratio", text_of(e.collapse_ratio, 3) + "; 1 is collapsed");
  line("notes, generated to real", text_of(e.note_count_ratio, 3));
  for (std::size_t t = 0; t < onset_tolerances_s.size(); ++t)
    line("onset F1, " + std::to_string(std::lround(1000 * onset_tolerances_s[t])) + " ms",
         text_of(e.onset_f1[t], 3) + "; against another recording " + plain(e.shuffled_onset_f1[t].value, 3) +
             ", knowing the stroke " + plain(e.stroke_baseline_onset_f1[t].value, 3));
  line("onset and pitch F1", text_of(e.onset_pitch_f1, 3));
  line("note F1", text_of(e.note_f1, 3));
  if (e.generated_alignment)
    line("onsets and motion, z",
         text_of(e.generated_alignment->z, 2) + "; real music " + plain(e.real_alignment->z.value, 2));
  for (const auto& [name, stroke] : e.strokes)
    line("  " + name,
         "NLL " + plain(stroke.nll.value, 3) + ", onset F1 " + plain(stroke.onset_f1[0].value, 3) + " " +
             plain(stroke.onset_f1[1].value, 3) + " " + plain(stroke.onset_f1[2].value, 3) +
             "; knowing the stroke " + plain(stroke.baseline_onset_f1[0].value, 3) + " " +
             plain(stroke.baseline_onset_f1[1].value, 3) + " " + plain(stroke.baseline_onset_f1[2].value, 3));
  for (const std::string& sentence : e.left_out) text += "left out: " + sentence + "\n";
  return text;
}

nlohmann::ordered_json weights_split_json(const Training& training) {
  if (!training.told) return nullptr;
  nlohmann::ordered_json others = nlohmann::ordered_json::array();
  for (const WeightsSplit& one : training.unknown)
    others.push_back(one.name.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(one.name));
  return {{"name", training.told->name},
          {"hash", training.told->hash},
          {"of_this_data", training.split.has_value()},
          {"begun_with_others", others}};
}

void run_evaluate(const EvaluateOptions& options) {
  if (!options.report.empty()) {
    check_outputs({options.report}, {options.weights, options.data, options.split});
    check_ending(options.report, "HTML");
  }
  const std::string digest = sha256_of_file(options.weights);
  Model<float> model = load_model<float>(options.weights, options.precision);
  to_device(model, options.device, options.precision);
  if (const std::string obstacle = composing_obstacle(model.config); !obstacle.empty())
    throw InputError(options.weights, obstacle,
                     "evaluate needs weights that write music for a recording's motion");
  is_there((std::filesystem::path(options.data) / dataset_list).string());  // or it may not be known
  const Dataset dataset(options.data);
  Training training = training_of(options.weights, dataset);
  const Split split = named_split(options, dataset, training);
  // One of a file that lies elsewhere is known where it is the one that is named.
  const WeightsSplit named{split.name, split.hash};
  if (training.told && *training.told == named) training.split = split;
  if (std::erase(training.unknown, named) > 0) training.before.push_back(split);
  const Part part = part_of(split, dataset, options.part);
  if (std::none_of(part.pairs.begin(), part.pairs.end(),
                   [&](std::size_t i) { return dataset.pairs()[i].has_motion; }))
    throw InputError(options.data,
                     "has music alone in the part " + part.name + " of the split " + in_quotes(split.name),
                     "evaluate wants motion with its music: choose another --part or --split, or prepare "
                     "recordings with what was played");

  EvaluationOptions evaluation_options;
  evaluation_options.threads = thread_count(options.common);
  evaluation_options.seed = options.seed;
  evaluation_options.windows_per_recording = options.even_windows ? 0 : options.windows_per_recording;
  evaluation_options.retrieval_windows = options.retrieval_windows;
  evaluation_options.draws = options.draws;
  evaluation_options.permutations = static_cast<int>(options.permutations);
  evaluation_options.sampler.temperature = options.temperature;
  evaluation_options.sampler.top_p = options.top_p;
  if (!options.sensors.empty())
    evaluation_options.prepare = [map = sensor_map_for(model.config, options.sensors)](
                                     const Recording& recording) { return map_sensors(recording, map); };
  std::optional<Progress> stage;
  std::string stage_name;
  evaluation_options.on_progress = [&](std::string_view name, std::int64_t done, std::int64_t of) {
    if (!stage || name != stage_name) {
      stage.reset();
      stage_name = name;
      stage.emplace(stage_name);
    }
    stage->update(done, of);
  };
  std::optional<Unigram> unigram;
  if (is_apart(part)) unigram = count_unigram(dataset, split.train, model.config);
  evaluation_options.unigram = unigram ? &*unigram : nullptr;

  Evaluator<float> evaluator(model, evaluation_options);
  for (const std::size_t i : part.pairs) evaluator.add(dataset.load(i));
  if (is_apart(part))
    for (const std::size_t i : split.train)
      if (dataset.pairs()[i].has_motion) evaluator.add_training_music(dataset.load_notes(i));
  const Evaluation evaluation = [&] {
    try {
      return evaluator.run();
    } catch (const Error& error) {
      if (typeid(error) != typeid(Error)) throw;  // the others say whose fault it is
      throw InputError(options.weights, std::string("its results are no numbers (") + error.what() + ")",
                       "the weights are damaged or were never fit to use");
    }
  }();
  stage.reset();

  if (sha256_of_file(options.weights) != digest)
    throw InputError(options.weights, "was replaced while it was evaluated", "evaluate a copy of it");
  std::string warning;
  if (model.config.untrained) warning = "The weights are untrained: the music does not follow the motion. ";
  const std::optional<std::size_t> seen = known_to_be_seen(evaluation, dataset, training);
  // Where that is not known, the part that was asked for is all there is to go by; with weights that tell no
  // split even that tells nothing.
  const bool untold = !seen && is_apart(part) && !training.told && !model.config.untrained;
  const bool may_have_been_seen = seen ? *seen > 0 : !is_apart(part);
  if (seen && *seen > 0)
    warning += "The weights learnt from " + std::to_string(*seen) + " of these " +
               std::to_string(evaluation.recordings.size()) + " recordings.";
  else if (may_have_been_seen)
    warning += "These recordings are not kept for a test: the weights may have learnt from them.";
  else if (untold)
    warning += "The weights do not say what they learnt from: these recordings may be among it.";
  if (!(seen && *seen > 0) && !training.unknown.empty())
    warning +=
        std::string(warning.empty() || warning.back() == ' ' ? "" : " ") +
        (training.unknown.front().name.empty()
             ? "The training began with weights that do not say what they learnt from."
             : "The training began with weights of the split " + in_quotes(training.unknown.front().name) +
                   " of other data, or of a file elsewhere: what those learnt from is not known.");
  if (!options.report.empty()) {
    const std::string name = std::filesystem::path(options.weights).filename().string();
    EvaluationHeading heading{
        "Evaluation of " + name,
        {{"Weights", options.weights},
         {"SHA-256", digest},
         {"Data", options.data},
         {"Split", split.name + ", part " + part.name},
         {"Hash of the split", split.hash},
         {"Windows", options.even_windows
                         ? "every half window"
                         : "at random places, up to " + std::to_string(options.windows_per_recording) +
                               " in a recording"},
         {"Seed", std::to_string(options.seed)},
         {"Drawn at", "temperature " + number_text(options.temperature) +
                          (options.top_p < 1 ? ", top-p " + number_text(options.top_p) : "")}},
        warning};
    AtomicFile file(options.report);
    file.write(evaluation_html(evaluation, heading));
    file.commit();
  }
  if (options.common.json) {
    nlohmann::ordered_json json = {
        {"weights", options.weights},
        {"weights_sha256", digest},
        {"untrained", model.config.untrained},
        {"data", options.data},
        {"split",
         {{"name", split.name},
          {"part", part.name},
          {"hash", split.hash},
          {"may_have_been_seen",
           untold ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(may_have_been_seen)}}},
        {"weights_split", weights_split_json(training)},
        {"seed", options.seed},
        {"even_windows", options.even_windows},
        {"temperature", options.temperature},
        {"top_p", options.top_p}};
    json.update(evaluation_json(evaluation));
    if (!options.report.empty()) json["report"] = options.report;
    print_json(json);
    return;
  }
  std::string text = "split " + split.name + ", part " + part.name + " (" + split.hash.substr(0, 16) + ")\n";
  if (!warning.empty()) text += warning + "\n";
  print_text(text + summary(evaluation) + (options.report.empty() ? "" : "report: " + options.report + "\n"));
}

}  // namespace

void add_evaluate_command(CLI::App& program) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = program.add_subcommand("evaluate", "How well weights write music for motion");
  command->add_option("--weights", options->weights, "The weights")->required()->check(given());
  command->add_option("--data", options->data, "A data set that prepare has made")
      ->required()
      ->check(given());
  command
      ->add_option("--split", options->split,
                   "What was kept for testing: test: what the split kept that the weights were trained with; "
                   "performer:NAME, piece:NAME, stroke:NAME, a split's file; all: nothing was, everything is "
                   "evaluated")
      ->check(given())
      ->capture_default_str();
  command
      ->add_option("--part", options->part,
                   "Which part of the split: test, validation, train or all (default: test, or all where "
                   "there is none)")
      ->check(CLI::IsMember({"test", "validation", "train", "all"}));
  command->add_option("--report", options->report, "Write an HTML report with pictures")->check(given());
  command
      ->add_option("--windows-per-recording", options->windows_per_recording,
                   "So many windows at random places of every recording")
      ->transform(whole_number(1, 100000))
      ->capture_default_str();
  command
      ->add_flag("--even-windows", options->even_windows,
                 "One window every half window from the recording's beginning on, in place of random ones")
      ->excludes("--windows-per-recording");
  command
      ->add_option("--retrieval-windows", options->retrieval_windows,
                   "The most windows whose music is held against every motion")
      ->transform(whole_number(1, 4096))
      ->capture_default_str();
  command->add_option("--draws", options->draws, "Pieces of music for one window, to tell collapse")
      ->transform(whole_number(1, 100))
      ->capture_default_str();
  command->add_option("--permutations", options->permutations, "Derangements for the conditioning gap")
      ->transform(whole_number(1, 100000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of windows, draws and resampling")
      ->transform(seed_number())
      ->capture_default_str();
  command->add_option("--temperature", options->temperature, "Of the draws")
      ->check(positive_number())
      ->capture_default_str();
  command
      ->add_option("--top-p", options->top_p, "Of the draws: share of the probability kept, above 0 up to 1")
      ->check(positive_number())
      ->capture_default_str();
  command->add_option("--sensors", options->sensors, sensors_help)->check(given());
  add_precision_option(*command, options->precision);
  add_device_option(*command, options->device);
  add_common_options(*command, options->common);
  command->callback([options] { run_evaluate(*options); });
}
