#include "signals.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <iterator>

#include "imu2music/io/atomic_file.hpp"

namespace {

constexpr int noted_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

struct sigaction before[std::size(noted_signals)];
std::string_view told;
std::atomic<int> first_signal{0};
std::atomic<std::int64_t> first_ms{0};  // 0: none has come

extern "C" void note_signal(int signal) {
  const int error = errno;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t ms = 1 + std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
  std::int64_t first = 0;
  if (first_ms.compare_exchange_strong(first, ms)) {
    first_signal = signal;
    if (!told.empty() && ::write(STDERR_FILENO, told.data(), told.size()) < 0)
      errno = error;  // nobody to tell
  } else if (signal != SIGHUP && ms - first > 500) {
    end_by_signal(signal);
  }
  errno = error;
}

}  // namespace

void end_by_signal(int signal) {
  if (imu2music::hold_signal(signal)) return;
  imu2music::remove_temporaries();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void handle_unless_ignored(int signal, void (*handler)(int)) {
  if (std::signal(signal, handler) == SIG_IGN) std::signal(signal, SIG_IGN);
}

OrderlyEnd::OrderlyEnd(std::string_view notice) {
  told = notice;
  first_ms = 0;
  first_signal = 0;
  for (std::size_t i = 0; i < std::size(noted_signals); ++i) {
    sigaction(noted_signals[i], nullptr, &before[i]);
    handle_unless_ignored(noted_signals[i], &note_signal);
  }
}

OrderlyEnd::~OrderlyEnd() {
  for (std::size_t i = 0; i < std::size(noted_signals); ++i) sigaction(noted_signals[i], &before[i], nullptr);
}

int OrderlyEnd::requested() { return first_signal; }
