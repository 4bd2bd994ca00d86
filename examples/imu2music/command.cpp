#include "command.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "imu2music/core/error.hpp"
#include "imu2music/core/parallel.hpp"

void add_common_options(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "Print the result as one JSON object");
  command
      .add_option("--threads", options.threads,
                  "Threads to use; no result depends on it (default: all cores)")
      ->check(CLI::Range(1, 1024));
}

int thread_count(const CommonOptions& options) {
  return options.threads > 0 ? options.threads : imu2music::available_threads();
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
