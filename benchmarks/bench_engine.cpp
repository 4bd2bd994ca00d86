// The engine's own times, row by row, against the machine's ceilings measured in the same run.
//
//   bench_engine [ROW…] [--threads N…]   a table of the rows whose names begin so; all where none is named
//   bench_engine --serve                 requests and answers for reference/compare.py (serve.hpp); it is
//                                        {"machine", "ceilings": {"fma_gflop_s", "read_gb_s"}}
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "measure.hpp"
#include "rows.hpp"
#include "serve.hpp"

namespace {

constexpr std::int64_t MiB = std::int64_t{1} << 20;
const std::vector<std::pair<const char*, std::int64_t>> working_sets = {
    {"256 KiB", MiB / 4}, {"1 MiB", MiB}, {"8 MiB", 8 * MiB}, {"64 MiB", 64 * MiB}, {"256 MiB", 256 * MiB}};

nlohmann::ordered_json describe() {
  nlohmann::ordered_json answer = {{"machine", bench::machine()}};
  for (int threads : {1, 2}) {
    const std::string count = std::to_string(threads);
    answer["ceilings"]["fma_gflop_s"][count] = bench::multiply_add_ceiling(threads);
    for (const auto& [name, bytes] : working_sets)
      answer["ceilings"]["read_gb_s"][count][name] = bench::read_ceiling(threads, bytes);
  }
  return answer;
}

void print_table(const std::vector<std::string>& beginnings, const std::vector<int>& thread_counts) {
  std::printf("%s\n", bench::machine().c_str());
  std::map<int, double> fma;
  std::map<int, std::map<std::int64_t, double>> reading;
  for (int threads : thread_counts) {
    fma[threads] = bench::multiply_add_ceiling(threads);
    std::printf("%d thread%s: multiply-adds %.0f GF/s; reading", threads, threads > 1 ? "s" : "",
                fma[threads]);
    for (const auto& [name, bytes] : working_sets) {
      reading[threads][bytes] = bench::read_ceiling(threads, bytes);
      std::printf(" %s %.1f GB/s", name, reading[threads][bytes]);
    }
    std::printf("\n");
  }
  std::printf("%-28s %7s %12s %10s   %9s %s\n", "work", "threads", "us", "quartiles", "GF/s",
              "of the ceiling");
  for (const std::string& name : bench::row_names()) {
    if (!beginnings.empty() && std::none_of(beginnings.begin(), beginnings.end(), [&](const std::string& b) {
          return name.compare(0, b.size(), b) == 0;
        }))
      continue;
    for (int threads : thread_counts) {
      bench::Row row = bench::make_row(name, "ours", threads);
      row.work();
      std::vector<double> times = bench::repetitions(row.work, 0.5, 5);
      for (double& time : times) time /= row.units;
      const bench::Spread seconds = bench::spread(times);
      std::printf("%-28s %7d %12.2f ±%8.1f%%", name.c_str(), threads, seconds.median * 1e6,
                  50 * (seconds.high - seconds.low) / seconds.median);
      if (row.flops > 0)
        std::printf("   %9.1f %3.0f%% of multiply-adds", row.flops / seconds.median * 1e-9,
                    100 * row.flops / seconds.median * 1e-9 / fma[threads]);
      if (row.bytes > 0) {
        const auto set = std::find_if(working_sets.begin(), working_sets.end(), [&](const auto& s) {
          return static_cast<double>(s.second) >= row.bytes;
        });
        const std::int64_t bytes = set == working_sets.end() ? working_sets.back().second : set->second;
        std::printf(", %3.0f%% of reading",
                    100 * row.bytes / seconds.median * 1e-9 / reading[threads][bytes]);
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--serve"}) {
    bench::serve(bench::make_row, describe);
    return 0;
  }
  std::vector<std::string> rows;
  std::vector<int> threads;
  bool counting = false;
  for (const std::string& argument : arguments) {
    if (argument == "--threads")
      counting = true;
    else if (counting)
      threads.push_back(std::max(1, std::atoi(argument.c_str())));
    else
      rows.push_back(argument);
  }
  if (threads.empty()) threads = {1, 2};
  try {
    print_table(rows, threads);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_engine: %s\n", error.what());
    return 1;
  }
}
