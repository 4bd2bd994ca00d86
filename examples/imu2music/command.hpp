// What the commands of the program share: common options, output as text or JSON, progress, and failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <linear_table.hpp>

#include "imu2music/core/device.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

struct CommonOptions {
  bool json = false;
  int threads = 0;  // 0: as many as the machine offers
};

// Adds --device: where the command computes. Throws DeviceError at once where there is no such device.
void add_device_option(CLI::App& command, imu2music::Device& device);

// Adds --json and --threads.
void add_common_options(CLI::App& command, CommonOptions& options);

int thread_count(const CommonOptions& options);

// What an option may be, said in words: a whole number in a range, a number above 0, a number of at least 0.
// All of them finite, and none cut to fit. Whole numbers are for transform(), after which 010 is ten and not,
// as CLI11 would read it, eight.
CLI::Validator whole_number(std::int64_t least, std::int64_t most = std::numeric_limits<std::int64_t>::max());
CLI::Validator seed_number();
CLI::Validator positive_number();
CLI::Validator non_negative_number();

// Anything but an empty text, which a script has where a variable was never set: not what a left out option
// means.
CLI::Validator given();

// --precision: how the weights of dense layers are kept while the command runs.
void add_precision_option(CLI::App& command, imu2music::kernels::WeightFormat& format);

// A command did its work and the answer is no (a verification that failed): exit status 1. The message is one
// line.
class CommandFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Refuses, before any work is done, outputs that could not be written or that nobody may read yet (a named
// pipe), that would overwrite one another or standard output's report, or that are one of the inputs. A
// folder stands for all that is below it but the music, sound, pictures and reports, which commands make
// there; FOLDER/TAKE for the take's files. Inputs of no name are passed over.
void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs);

// Refuses, after check_outputs(), a name with the ending of another format than what is written has: "MIDI",
// "WAV", "SVG", "HTML" or "safetensors". Any ending that is none of a format will do, and none.
void check_ending(const std::string& output, std::string_view format);

// Where a name leads, links followed, though what it names be yet to be made. Empty where it leads nowhere.
std::filesystem::path destination(std::string name);

// Prints one JSON object on standard output. Throws SystemError where it cannot be written.
void print_json(const nlohmann::ordered_json& object);

// Prints text on standard output. Throws SystemError where it cannot be written.
void print_text(std::string_view text);

// "0.000012", "3.5e-07": a figure for a table.
std::string figure(double value);

// Says how far a long task has come, on standard error, only where that is a terminal and after the first
// second.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::int64_t done, std::int64_t of);

 private:
  std::string what_;
  std::chrono::steady_clock::time_point begin_;
  bool terminal_, shown_ = false;
};

void add_init_command(CLI::App& program);
void add_convert_command(CLI::App& program);
void add_simulate_command(CLI::App& program);
void add_generate_command(CLI::App& program);
void add_verify_command(CLI::App& program);
void add_train_command(CLI::App& program);
void add_plot_command(CLI::App& program);
void add_prepare_command(CLI::App& program);
void add_features_command(CLI::App& program);
void add_inspect_command(CLI::App& program);
void add_evaluate_command(CLI::App& program);
void add_info_command(CLI::App& program);
