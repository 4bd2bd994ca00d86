// init: untrained weights for a config.
#include <cstdint>
#include <memory>

#include "command.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/models/weights.hpp"

namespace {

struct InitOptions {
  CommonOptions common;
  std::string config, output;
  std::uint64_t seed = 0;
};

void run_init(const InitOptions& options) {
  using namespace imu2music;
  const ModelConfig config = read_model_config(options.config);
  check_outputs({options.output}, {options.config});
  check_ending(options.output, "safetensors");
  Model<float> shapes(config);
  double bytes = 0;
  const auto measure = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>)
      bytes += static_cast<double>(entry.shape.element_count()) * sizeof(float);
  };
  shapes.visit(measure);
  constexpr double most_bytes = 2e9;
  if (bytes > most_bytes)
    throw InputError(options.config, "these sizes make " + figure(bytes / 1e9) + " GB of weights",
                     "2 GB are supported: lower d_model, feed_forward or the number of layers");
  Model<float> model = init_model<float>(config, options.seed);
  save_model(model, options.output);
  const WeightCount count = count_weights(model);
  if (options.common.json)
    print_json({{"output", options.output},
                {"seed", options.seed},
                {"parameters", count.parameters},
                {"tensors", count.tensors},
                {"config", nlohmann::ordered_json::parse(to_json(model.config))}});
  else
    print_text(options.output + ": untrained weights, " + std::to_string(count.parameters) +
               " parameters in " + std::to_string(count.tensors) + " tensors, seed " +
               std::to_string(options.seed) + "\n");
}

}  // namespace

void add_init_command(CLI::App& program) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* command = program.add_subcommand("init", "Make untrained weights from a config");
  command->add_option("CONFIG.json", options->config, "The model's sizes")->required()->check(given());
  command->add_option("-o,--output", options->output, "Weights to write (safetensors)")
      ->required()
      ->check(given());
  command->add_option("--seed", options->seed, "Seed of the random numbers (default 0)")
      ->transform(seed_number());
  add_common_options(*command, options->common);
  command->callback([options] { run_init(*options); });
}
