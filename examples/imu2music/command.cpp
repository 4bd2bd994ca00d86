#include "command.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/imu/repovizz_layout.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/file_descriptor.hpp"

void add_common_options(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "Print the result as one JSON object");
  command
      .add_option("--threads", options.threads,
                  "Threads to use; no result depends on it (default: all cores)")
      ->transform(whole_number(1, 1024));
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
    if (read_number(text, number) && number >= least && number <= most) {
      text = std::to_string(number);
      return std::string();
    }
    return "'" + text + "' must be a whole number of at least " + std::to_string(least) +
           (most < std::numeric_limits<std::int64_t>::max() ? " and at most " + std::to_string(most) : "");
  });
}

CLI::Validator seed_number() {
  return validator("", [](std::string& text) {
    std::uint64_t number = 0;
    if (!read_number(text, number))
      return "'" + text + "' must be a whole number from 0 to 18446744073709551615";
    text = std::to_string(number);
    return std::string();
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

CLI::Validator given() {
  return validator("", [](std::string& text) {
    return text.empty() ? std::string("'' is an empty value") : std::string();
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

namespace fs = std::filesystem;

fs::path destination(std::string name) {
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  std::error_code fault;
  fs::path path = fs::absolute(name, fault);
  constexpr int most_links = 40;
  for (int i = 0; i < most_links && fs::is_symlink(fs::symlink_status(path, fault)); ++i)
    path = path.parent_path() / fs::read_symlink(path, fault);
  return fs::weakly_canonical(path, fault);
}

namespace {

// Whether two names lead to one file, there or yet to be made.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code fault;
  if (fs::equivalent(a, b, fault)) return true;
  const fs::path x = destination(a);
  return !x.empty() && x == destination(b);
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() && rest != path.end();
}

// Whether what a name leads to takes the report. A terminal and /dev/null may take an output as well.
bool is_standard_output(const std::string& name) {
  const std::string plain = fs::path(name).lexically_normal().string();
  if (plain == "/dev/stdout" || plain == "/dev/fd/1" || plain == "/proc/self/fd/1") return true;
  struct stat there {
  }, output{};
  return ::stat(name.c_str(), &there) == 0 && ::fstat(STDOUT_FILENO, &output) == 0 &&
         there.st_dev == output.st_dev && there.st_ino == output.st_ino && !S_ISCHR(output.st_mode);
}

// A pipe that the shell hands over, as /dev/fd/63, has no place in any folder.
bool is_named_pipe(const std::string& name) {
  std::error_code fault;
  return fs::is_fifo(name, fault) && !fs::canonical(name, fault).empty() && !name.starts_with("/dev/fd/") &&
         !name.starts_with("/proc/self/fd/");
}

bool is_read_as(const std::string& output, const std::string& input) {
  std::error_code fault;
  if (!fs::exists(output, fault)) return false;
  if (same_file(output, input)) return true;
  if (!fs::is_regular_file(output, fault)) return false;
  const fs::path file = destination(output), from = destination(input);
  if (fs::is_directory(from, fault)) {
    for (const char* made : {".mid", ".wav", ".svg", ".html"})
      if (file.extension() == made) return false;
    return is_below(file, from);
  }
  const auto signal = imu2music::parse_repovizz_file_name(file.filename().string());
  return !fs::exists(from, fault) && signal && !signal->is_raw && signal->take == from.filename() &&
         file.parent_path() == from.parent_path();
}

struct Ending {
  std::string_view text, format;
};

// What listeners, browsers and other programs take a file for by its name. Of those of one format the first
// is the usual one.
constexpr std::array<Ending, 17> known_endings = {{{".mid", "MIDI"},
                                                   {".midi", "MIDI"},
                                                   {".wav", "WAV"},
                                                   {".svg", "SVG"},
                                                   {".html", "HTML"},
                                                   {".htm", "HTML"},
                                                   {".safetensors", "safetensors"},
                                                   {".pt", "a PyTorch checkpoint"},
                                                   {".pth", "a PyTorch checkpoint"},
                                                   {".mp3", "MP3"},
                                                   {".flac", "FLAC"},
                                                   {".ogg", "Ogg"},
                                                   {".png", "PNG"},
                                                   {".pdf", "PDF"},
                                                   {".json", "JSON"},
                                                   {".csv", "CSV"},
                                                   {".musicxml", "MusicXML"}}};

}  // namespace

void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs) {
  using imu2music::InputError;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& output = outputs[i];
    std::error_code fault;
    if (is_standard_output(output))
      throw InputError(output, "takes this command's report", "name a file for the output");
    if (is_named_pipe(output))
      throw InputError(output, "is a named pipe", "name a file, or hand the pipe over as >(COMMAND)");
    for (std::size_t j = 0; j < i; ++j)
      if (same_file(output, outputs[j]) && !fs::is_character_file(output, fault))
        throw InputError(output, "is named for two outputs", "give each output a file of its own");
    for (const std::string& input : inputs)
      if (!input.empty() && is_read_as(output, input))
        throw InputError(output, "is read as input too", "give the output another name");
    const imu2music::AtomicFile probe(output);
  }
}

void check_ending(const std::string& output, std::string_view format) {
  const std::string ending = imu2music::csv_detail::lower_case(fs::path(output).extension().string());
  const auto of = [](auto member, std::string_view value) {
    return std::find_if(known_endings.begin(), known_endings.end(),
                        [&](const Ending& one) { return one.*member == value; });
  };
  const auto other = of(&Ending::text, ending);
  if (other == known_endings.end() || other->format == format) return;
  throw imu2music::InputError(
      output,
      "has the ending of " + std::string(other->format) + ", and what is written is " + std::string(format),
      "end the name in " + std::string(of(&Ending::format, format)->text));
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
