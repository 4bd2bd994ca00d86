// plot: the curves of a training run as one SVG.
#include <filesystem>
#include <memory>
#include <string>

#include "command.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/file_descriptor.hpp"
#include "imu2music/io/text.hpp"
#include "training_log.hpp"

namespace {

using namespace imu2music;

struct PlotOptions {
  CommonOptions common;
  std::string folder, output;
};

// For text between tags.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text)
    result += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '>' ? "&gt;" : std::string(1, c);
  return result;
}

// The run's name, also of one that is called "." or ends with "/".
std::string title_of(const std::string& folder) {
  const std::string name = destination(folder).filename().string();
  return printable(name.empty() ? folder : name);
}

void run_plot(const PlotOptions& options) {
  const std::string log = (std::filesystem::path(options.folder) / "log.jsonl").string();
  const std::string output = options.output.empty()
                                 ? (std::filesystem::path(options.folder) / "curves.svg").string()
                                 : options.output;
  if (!is_there(log))
    throw InputError(options.folder, "holds no log.jsonl", "name the folder of a training run");
  check_outputs({output}, {log, options.folder});
  check_ending(output, "SVG");
  const training_log::Curves curves = training_log::read(log);
  AtomicFile file(output);
  file.write(training_log::svg_of(curves, escaped(title_of(options.folder))));
  file.commit();
  if (options.common.json)
    print_json({{"output", output},
                {"training_points", curves.training.size()},
                {"validation_points", curves.validation.size()}});
  else
    print_text(output + ": " + std::to_string(curves.training.size()) + " points of training, " +
               std::to_string(curves.validation.size()) + " of validation\n");
}

}  // namespace

void add_plot_command(CLI::App& program) {
  auto options = std::make_shared<PlotOptions>();
  CLI::App* command = program.add_subcommand("plot", "Draw the curves of a training run");
  command->add_option("RUN", options->folder, "The folder that train wrote")->required()->check(given());
  command->add_option("-o,--output", options->output, "The picture to write (SVG); RUN/curves.svg by default")
      ->check(given());
  add_common_options(*command, options->common);
  command->callback([options] { run_plot(*options); });
}
