// train: weights from a data set.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "imu2music/imu/sensor_map.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/init_from.hpp"
#include "imu2music/train/trainer.hpp"
#include "imu2music/train/training_config.hpp"
#include "imu2music/train/training_data.hpp"
#include "recording_options.hpp"
#include "signals.hpp"

namespace {

using namespace imu2music;

struct TrainOptions {
  CommonOptions common;
  Device device = Device::cpu();
  std::string config, data, folder, split = "all", sensors, init_from, only;
  bool resume = false;
};

std::string text_of(double value, int decimals) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  char text[40];
  std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

// Which tensors a beginning gave, as a table; those that are alike are counted.
std::string transfer_table(const std::vector<TransferredTensor>& rows) {
  std::string text;
  std::size_t taken = 0;
  for (const TransferredTensor& row : rows) {
    taken += row.taken;
    text += "  " + row.name + ": " + (row.taken ? "taken" : "not taken, " + row.reason) + "\n";
  }
  return std::to_string(taken) + " of " + std::to_string(rows.size()) + " tensors taken\n" + text;
}

// Throws InputError for a run's folder that is the data set's, or, of a new run, lies in it.
void check_apart(const std::string& folder, const std::string& data, bool is_new) {
  namespace fs = std::filesystem;
  std::error_code fault;
  fs::path place = fs::weakly_canonical(fs::absolute(folder, fault), fault);
  for (bool is_own = true; !place.empty(); place = place.parent_path(), is_own = false) {
    if ((is_own || is_new) && fs::equivalent(place, data, fault))
      throw InputError(folder, is_own ? "is the data set's folder" : "lies in the data set's folder",
                       "give the run a folder of its own");
    if (!place.has_relative_path()) return;
  }
}

void run_train(const TrainOptions& options) {
  const TrainingConfig config = read_training_config(options.config);
  if (!options.only.empty() && options.init_from.empty())
    throw InputError("--only wants --init-from, the weights to begin with");
  if (options.resume && !options.init_from.empty())
    throw InputError("--init-from and --resume exclude one another: a run goes on from its own weights");
  check_apart(options.folder, options.data, !options.resume);
  is_there((std::filesystem::path(options.data) / dataset_list).string());  // or it may not be known
  const Dataset dataset(options.data);
  const Split split = dataset.split(options.split);
  std::function<Recording(const Recording&)> prepare;
  if (!options.sensors.empty())
    prepare = [map = sensor_map_for(config.model, options.sensors)](const Recording& recording) {
      return map_sensors(recording, map);
    };
  const TrainingData data(dataset, split, config, prepare);
  if (!options.sensors.empty() && !data.with_motion())
    throw InputError("--sensors maps motion sensors; the split " + split.name + " of " + options.data +
                     " trains on music alone");

  Model<float> model = init_model<float>(config.model, static_cast<std::uint64_t>(config.seed));
  std::vector<TransferredTensor> transferred;
  std::vector<WeightsSplit> learnt_from;
  if (!options.init_from.empty()) {
    const TensorFile beginning = read_weights(options.init_from);
    transferred = transfer_weights(model, beginning, options.only);
    const std::optional<ModelConfig> config_there = config_of(beginning);
    if (const auto own = split_of(beginning))
      learnt_from.push_back(*own);
    else if (!config_there || !config_there->untrained)
      learnt_from.push_back({});  // of what they learnt nothing is known
    for (const WeightsSplit& one : begun_with(beginning))
      if (std::find(learnt_from.begin(), learnt_from.end(), one) == learnt_from.end())
        learnt_from.push_back(one);
  }
  if (auto* temporal = std::get_if<TemporalEncoder<float>>(&model.motion_net); temporal != nullptr) {
    bool given = false;  // statistics belong to the convolutions that were learnt with them
    for (const TransferredTensor& row : transferred)
      given = given || (row.taken && row.name == "imu_net.stem.weight");
    if (!given && data.with_motion()) {
      const auto [mean, deviation] = data.channel_statistics();
      for (std::size_t c = 0; c < mean.size(); ++c) {
        temporal->mean.value[static_cast<std::int64_t>(c)] = static_cast<float>(mean[c]);
        temporal->deviation.value[static_cast<std::int64_t>(c)] = static_cast<float>(deviation[c]);
      }
      for (TransferredTensor& row : transferred)
        if (row.taken && (row.name == "imu_net.mean" || row.name == "imu_net.deviation")) {
          row.taken = false;
          row.reason = "that of the training recordings, for imu_net.stem.weight was not taken";
        }
    }
  }

  const OrderlyEnd orderly("imu2music: ends after this step; once more ends it at once\n");
  std::signal(SIGPIPE, SIG_IGN);  // a report that nobody reads ends the run in order
  std::optional<SystemError> unreported;
  TrainerOptions trainer_options{
      options.folder, thread_count(options.common), options.resume, {}, {}, options.device, options.sensors};
  trainer_options.begun_with = learnt_from;
  trainer_options.stop = [&] { return OrderlyEnd::requested() != 0 || unreported; };
  trainer_options.on_report = [&](const TrainingReport& report) {
    if (options.common.json || unreported) return;
    std::string line = "step " + std::to_string(report.step) + "/" + std::to_string(report.steps);
    if (report.validation) {
      line += "  validation NLL " + text_of(report.nll, 4) + (report.best ? "  (the best so far)" : "");
    } else {
      const double left = report.step == 0 ? 0
                                           : report.seconds / static_cast<double>(report.step) *
                                                 static_cast<double>(report.steps - report.step);
      line += "  loss " + text_of(report.loss, 4) + "  NLL " + text_of(report.nll, 4) + "  " +
              text_of(report.tokens_per_second, 0) + " tokens/s  left " + clock_text(left);
    }
    try {
      print_text(line + "\n");
    } catch (const SystemError& error) {
      unreported = error;
    }
  };
  Trainer trainer(model, config, data, trainer_options);
  std::int64_t parameters = 0;
  for (const auto& p : trainer.learner().parameters()) parameters += p.value.size();
  if (!options.common.json) {
    std::string text = std::to_string(parameters) + " parameters; split " + split.name + ": " +
                       std::to_string(data.training_pairs()) + " pairs to train on, " +
                       std::to_string(data.validation_pairs()) + " to validate" +
                       (data.with_motion() ? "" : "; music alone") + "\n";
    for (const std::string& sentence : data.left_out()) text += "left out: " + sentence + "\n";
    if (!transferred.empty()) text += options.init_from + ": " + transfer_table(transferred);
    if (options.resume) text += "resumed after step " + std::to_string(trainer.progress().step) + "\n";
    print_text(text);
  }
  const TrainingOutcome outcome = trainer.run();
  if (unreported) throw *unreported;
  const bool validated = std::isfinite(outcome.progress.best_nll);
  if (options.common.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const TransferredTensor& row : transferred) {
      nlohmann::ordered_json line = {{"name", row.name}, {"taken", row.taken}};
      if (!row.taken) line["reason"] = row.reason;
      rows.push_back(line);
    }
    print_json(
        {{"run", options.folder},
         {"step", outcome.progress.step},
         {"stopped", outcome.stopped},
         {"out_of_patience", outcome.out_of_patience},
         {"best_validation_nll", validated ? nlohmann::ordered_json(outcome.progress.best_nll) : nullptr},
         {"best_step", outcome.progress.best_step},
         {"seconds", outcome.progress.seconds},
         {"parameters", parameters},
         {"split", split.name},
         {"split_hash", split.hash},
         {"training_pairs", data.training_pairs()},
         {"validation_pairs", data.validation_pairs()},
         {"left_out", data.left_out()},
         {"transferred", rows},
         {"weights", outcome.weights}});
    return;
  }
  std::string text =
      outcome.stopped ? "stopped after step " + std::to_string(outcome.progress.step) + "; --resume goes on"
      : outcome.out_of_patience
          ? "no better validation for long: ended after step " + std::to_string(outcome.progress.step)
          : "done";
  text += " in " + clock_text(outcome.progress.seconds) + "; " + outcome.weights;
  if (validated)
    text += ": validation NLL " + text_of(outcome.progress.best_nll, 4) + " at step " +
            std::to_string(outcome.progress.best_step);
  print_text(text + "\n");
}

}  // namespace

void add_train_command(CLI::App& program) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = program.add_subcommand("train", "Learn weights from a data set");
  command->add_option("CONFIG.json", options->config, "The model and how it learns")
      ->required()
      ->check(given());
  command->add_option("--data", options->data, "A data set that prepare has made")
      ->required()
      ->check(given());
  command->add_option("-o,--output", options->folder, "The run's folder")->required()->check(given());
  command
      ->add_option(
          "--split", options->split,
          "What is kept for testing: all (nothing), performer:NAME, piece:NAME, stroke:NAME, or a file")
      ->check(given())
      ->capture_default_str();
  command->add_flag("--resume", options->resume, "Go on with the run in the folder, exactly");
  command->add_option("--init-from", options->init_from, "Weights to begin with, as far as they fit")
      ->check(given());
  command->add_option("--only", options->only, "Of those, the encoder or the decoder only")
      ->check(CLI::IsMember({"encoder", "decoder"}));
  command->add_option("--sensors", options->sensors, sensors_help)->check(given());
  add_device_option(*command, options->device);
  add_common_options(*command, options->common);
  command->callback([options] { run_train(*options); });
}
