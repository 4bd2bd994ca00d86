// convert: any checkpoint or weights to safetensors that carry the model's config.
#include <memory>

#include "command.hpp"
#include "imu2music/models/weights.hpp"

namespace {

struct ConvertOptions {
  CommonOptions common;
  std::string checkpoint, output;
};

void run_convert(const ConvertOptions& options) {
  using namespace imu2music;
  check_outputs({options.output}, {options.checkpoint});
  check_ending(options.output, "safetensors");
  Model<float> model = load_model<float>(options.checkpoint);
  save_model(model, options.output);
  const WeightCount count = count_weights(model);
  if (options.common.json)
    print_json({{"checkpoint", options.checkpoint},
                {"output", options.output},
                {"parameters", count.parameters},
                {"tensors", count.tensors},
                {"config", nlohmann::ordered_json::parse(to_json(model.config))}});
  else
    print_text(options.output + ": " + model.config.model + " with the encoder " + model.config.encoder +
               ", " + std::to_string(count.parameters) + " parameters in " + std::to_string(count.tensors) +
               " tensors\n");
}

}  // namespace

void add_convert_command(CLI::App& program) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command =
      program.add_subcommand("convert", "Write a checkpoint's weights as safetensors, config included");
  command->add_option("CHECKPOINT", options->checkpoint, "A PyTorch checkpoint or safetensors")
      ->required()
      ->check(given());
  command->add_option("-o,--output", options->output, "Weights to write (safetensors)")
      ->required()
      ->check(given());
  add_common_options(*command, options->common);
  command->callback([options] { run_convert(*options); });
}
