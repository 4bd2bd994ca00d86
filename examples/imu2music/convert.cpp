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
  Model<float> model = load_model<float>(options.checkpoint);
  save_model(model, options.output);
  std::int64_t parameters = 0, tensors = 0;
  const auto count = [&]<class Entry>(const std::string&, Entry& entry) {
    ++tensors;
    if constexpr (std::is_same_v<Entry, Parameter<float>>)
      if (entry.trainable) parameters += entry.value.size();
  };
  model.visit(count);
  if (options.common.json)
    print_json({{"checkpoint", options.checkpoint},
                {"output", options.output},
                {"parameters", parameters},
                {"tensors", tensors},
                {"config", nlohmann::ordered_json::parse(to_json(model.config))}});
  else
    print_text(options.output + ": " + model.config.model + " with the encoder " + model.config.encoder +
               ", " + std::to_string(parameters) + " parameters in " + std::to_string(tensors) +
               " tensors\n");
}

}  // namespace

void add_convert_command(CLI::App& program) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command =
      program.add_subcommand("convert", "Write a checkpoint's weights as safetensors, config included");
  command->add_option("CHECKPOINT", options->checkpoint, "A PyTorch checkpoint or safetensors")->required();
  command->add_option("-o,--output", options->output, "Weights to write (safetensors)")->required();
  add_common_options(*command, options->common);
  command->callback([options] { run_convert(*options); });
}
