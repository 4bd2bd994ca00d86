// Runs fuzz targets where there is no libFuzzer: each seed, then a fixed number of inputs made of the seeds
// by the same changes on each run.
//
//   test_fuzz LOADER SEEDS [ROUNDS]            seeds whose name begins with "refused" have to be refused,
//                                              the others read
//   test_fuzz LOADER SEEDS --write ROUND OUT   writes the input of one round, for a debugger or as a new seed
//
// A fault ends the run; the message says which round it was. An input may take ten seconds of the processor's
// time.
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "target.hpp"

namespace {

constexpr std::size_t longest_input = 65536;

struct Seed {
  std::string name, bytes;
};

std::vector<Seed> read_seeds(const std::string& folder) {
  std::vector<Seed> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream stream(entry.path(), std::ios::binary);
    seeds.push_back(
        {entry.path().filename().string(), std::string(std::istreambuf_iterator<char>(stream), {})});
  }
  std::sort(seeds.begin(), seeds.end(), [](const Seed& a, const Seed& b) { return a.name < b.name; });
  return seeds;
}

constexpr std::string_view pieces[] = {"\n",
                                       "\r\n\r\n",
                                       "\t",
                                       ",",
                                       ";",
                                       "\"",
                                       "'",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       ":",
                                       "#",
                                       "//",
                                       "\\u0000",
                                       "\xEF\xBB\xBF",
                                       "\x1b",
                                       "null",
                                       "true",
                                       "nan",
                                       "-inf",
                                       "1e308",
                                       "-1e-320",
                                       "1e999",
                                       "0.5",
                                       "-",
                                       "-1",
                                       "255",
                                       "65536",
                                       "2147483648",
                                       "4294967295",
                                       "9223372036854775807",
                                       "18446744073709551616"};
constexpr std::uint64_t numbers[] = {0,
                                     1,
                                     2,
                                     6,
                                     127,
                                     128,
                                     255,
                                     256,
                                     32767,
                                     32768,
                                     65535,
                                     65536,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xffffffffffffffff};

// The input of one round, which depends on the seeds and the round alone.
class Changes {
 public:
  Changes(const std::vector<Seed>& seeds, std::uint64_t round) : seeds_(seeds), random_(round) {}

  std::string input() {
    std::string text = seeds_[below(seeds_.size())].bytes;
    for (std::size_t left = 1 + below(3); left > 0; --left) change(text);
    if (text.size() > longest_input) text.resize(longest_input);
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  std::size_t place(const std::string& text) { return below(text.size() + 1); }

  void change(std::string& text) {
    const std::size_t at = place(text), length = below(std::min<std::size_t>(text.size() - at, 64) + 1);
    switch (below(10)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 1:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 1 << below(8));
        break;
      case 2: {  // a number of 1, 2, 4 or 8 bytes, of either order
        std::uint64_t number = numbers[below(std::size(numbers))];
        const std::size_t size = std::size_t{1} << below(4);
        char bytes[8];
        for (std::size_t i = 0; i < size; ++i, number >>= 8) bytes[i] = static_cast<char>(number);
        if (below(2) == 0) std::reverse(bytes, bytes + size);
        text.replace(at, size, bytes, size);
        break;
      }
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.resize(at);
        break;
      case 5:
        text.insert(place(text), text.substr(at, length));
        break;
      case 6: {  // a part again and again
        const std::string part = text.substr(at, length);
        std::string many;
        for (std::size_t left = below(2000); left > 0 && many.size() < longest_input; --left) many += part;
        text.insert(at, many);
        break;
      }
      case 7:
        text.insert(at, pieces[below(std::size(pieces))]);
        break;
      case 8: {  // another number in the place of one that is written out
        std::size_t begin = text.find_first_of("0123456789", at);
        if (begin == std::string::npos) break;
        std::size_t end = text.find_first_not_of("0123456789", begin);
        text.replace(begin, std::min(end, text.size()) - begin,
                     std::to_string(numbers[below(std::size(numbers))]));
        break;
      }
      default: {  // the end of another seed
        const std::string& other = seeds_[below(seeds_.size())].bytes;
        text = text.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }

  const std::vector<Seed>& seeds_;
  std::mt19937_64 random_;
};

char where[256] = "";  // for the handler: what was being read

extern "C" void tell_where(int signal) {
  if (::write(STDERR_FILENO, where, std::strlen(where)) < 0) return;
  if (signal == SIGVTALRM) {
    static constexpr char hang[] = "fuzz: an input takes more than ten seconds\n";
    if (::write(STDERR_FILENO, hang, sizeof hang - 1) < 0) return;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

bool run(const fuzz::Target& target, const std::string& bytes, const std::string& what) {
  std::snprintf(where, sizeof where, "fuzz: %s, %s\n", target.loader, what.c_str());
  const itimerval ten_seconds{{0, 0}, {10, 0}};
  setitimer(ITIMER_VIRTUAL, &ten_seconds, nullptr);
  const bool read = fuzz::accepts(target, bytes);
  const itimerval off{};
  setitimer(ITIMER_VIRTUAL, &off, nullptr);
  return read;
}

int usage() {
  std::fputs("test_fuzz LOADER SEEDS [ROUNDS] or test_fuzz LOADER SEEDS --write ROUND OUT\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--large") return fuzz::run_large_inputs() == 0 ? 0 : 1;
  if (arguments.size() < 2) return usage();
  const fuzz::Target* target = fuzz::find(arguments[0]);
  if (target == nullptr) {
    std::fprintf(stderr, "there is no target '%s'\n", arguments[0].c_str());
    return 2;
  }
  const std::vector<Seed> seeds = read_seeds(arguments[1]);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds\n", arguments[1].c_str());
    return 2;
  }
  const auto number = [](const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  if (arguments.size() > 2 && arguments[2] == "--write") {
    if (arguments.size() != 5) return usage();
    std::ofstream(arguments[4], std::ios::binary) << Changes(seeds, number(arguments[3])).input();
    return 0;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGVTALRM})
    std::signal(signal, &tell_where);
  int wrong = 0;
  for (const Seed& seed : seeds) {
    const bool wanted = seed.name.rfind("refused", 0) != 0;
    if (run(*target, seed.bytes, "seed " + seed.name) == wanted) continue;
    std::fprintf(stderr, "%s: seed %s is %s\n", target->loader, seed.name.c_str(),
                 wanted ? "refused" : "read");
    ++wrong;
  }
  const std::uint64_t rounds = arguments.size() > 2 ? number(arguments[2]) : 0;
  std::uint64_t read = 0;
  for (std::uint64_t round = 0; round < rounds; ++round)
    read += run(*target, Changes(seeds, round).input(), "round " + std::to_string(round));
  std::printf("%s: %zu seeds, %llu inputs made of them, of which %llu were read\n", target->loader,
              seeds.size(), static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(read));
  return wrong == 0 ? 0 : 1;
}
