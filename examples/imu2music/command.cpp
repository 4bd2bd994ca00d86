#include "command.hpp"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <utility>

#include "imu2music/core/context.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/io/atomic_file.hpp"

void add_common_options(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "Print the result as one JSON object");
  command
      .add_option("--threads", options.threads,
                  "Threads to use; no result depends on it (default: all cores)")
      ->check(whole_number(1, 1024));
}

namespace {

// The number that fills `text`.
template <class Number>
bool read_number(const std::string& text, Number& number) {
  const char* begin = text.data() + (text.size() > 1 && text[0] == '+' ? 1 : 0);
  const auto [end, fault] = std::from_chars(begin, text.data() + text.size(), number);
  return fault == std::errc() && end == text.data() + text.size() && !text.empty();
}

CLI::Validator validator(const char* kind, std::function<std::string(std::string&)> check) {
  return CLI::Validator(std::move(check), kind);
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return validator("", [least, most](std::string& text) {
    std::int64_t number = 0;
    if (read_number(text, number) && number >= least && number <= most) return std::string();
    return "'" + text + "' must be a whole number of at least " + std::to_string(least) +
           (most < std::numeric_limits<std::int64_t>::max() ? " and at most " + std::to_string(most) : "");
  });
}

CLI::Validator seed_number() {
  return validator("", [](std::string& text) {
    std::uint64_t number = 0;
    return read_number(text, number) ? std::string()
                                     : "'" + text + "' must be a whole number from 0 to 18446744073709551615";
  });
}

CLI::Validator positive_number() {
  return validator("", [](std::string& text) {
    double number = 0;
    return read_number(text, number) && number > 0 && std::isfinite(number)
               ? std::string()
               : "'" + text + "' must be a number above 0";
  });
}

CLI::Validator non_negative_number() {
  return validator("", [](std::string& text) {
    double number = 0;
    return read_number(text, number) && number >= 0 && std::isfinite(number)
               ? std::string()
               : "'" + text + "' must be a number of at least 0";
  });
}

void add_precision_option(CLI::App& command, imu2music::kernels::WeightFormat& format) {
  using imu2music::kernels::WeightFormat;
  command
      .add_option_function<std::string>(
          "--precision",
          [&format](const std::string& name) {
            format = name == "bfloat16" ? WeightFormat::bf16
                     : name == "int8"   ? WeightFormat::int8
                                        : WeightFormat::plain;
          },
          "Keep the weights as float32, bfloat16 or int8 (default float32)")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8"}));
}

void add_device_option(CLI::App& command, imu2music::Device& device) {
  command
      .add_option_function<std::string>(
          "--device",
          [&device](const std::string& name) {
            if (name == "cpu") return;
            device = imu2music::Device::cuda();
            imu2music::Context(1, device);  // whether there is a GPU is told before any work
          },
          "Compute on the cpu or with cuda, on an NVIDIA GPU (default cpu)")
      ->check(CLI::IsMember({"cpu", "cuda"}));
}

int thread_count(const CommonOptions& options) {
  return options.threads > 0 ? options.threads : imu2music::available_threads();
}

namespace {

// Whether two names lead to one file, there or yet to be made.
bool same_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code fault;
  if (fs::equivalent(a, b, fault)) return true;
  const fs::path x = fs::weakly_canonical(a, fault), y = fs::weakly_canonical(b, fault);
  return !fault && x == y;
}

}  // namespace

void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  using imu2music::InputError;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& output = outputs[i];
    if (output == "/dev/stdout")
      throw InputError(output, "takes this command's report", "name a file for the output");
    for (std::size_t j = 0; j < i; ++j)
      if (same_file(output, outputs[j]) && output.rfind("/dev/", 0) != 0)
        throw InputError(output, "is named for two outputs", "give each output a file of its own");
    for (const std::string& input : inputs) {
      if (input.empty()) continue;
      std::error_code fault;
      const bool inside = fs::is_directory(input, fault) && fs::is_regular_file(output, fault) &&
                          fs::path(output).extension() != ".mid" && fs::path(output).extension() != ".wav" &&
                          fs::path(output).extension() != ".svg" &&
                          same_file(fs::absolute(output, fault).parent_path().string(), input);
      if (inside || (fs::exists(output, fault) && same_file(output, input)))
        throw InputError(output, "is read as input too", "give the output another name");
    }
    const imu2music::AtomicFile probe(output);
  }
}

void print_text(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw imu2music::SystemError("write", "standard output", errno);
}

void print_json(const nlohmann::ordered_json& object) {
  // File names may hold bytes that are not UTF-8; JSON cannot.
  print_text(object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

std::string figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

Progress::Progress(std::string what)
    : what_(std::move(what)),
      begin_(std::chrono::steady_clock::now()),
      terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}

void Progress::update(std::int64_t done, std::int64_t of) {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
  if (!terminal_ || elapsed.count() < 1 || done <= 0) return;
  const double left = elapsed.count() * static_cast<double>(of - done) / static_cast<double>(done);
  std::fprintf(stderr, "\r\033[K%s %lld of %lld, %.0f s left", what_.c_str(), static_cast<long long>(done),
               static_cast<long long>(of), left);
  shown_ = true;
}
