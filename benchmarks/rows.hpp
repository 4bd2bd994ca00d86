// The work that is measured, row by row. benchmarks/reference/ has the same rows of other engines.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct Row {
  std::string unit;  // what one time is of: "token", "call", "step", "window"
  double units = 1;  // how many a call of `work` does
  double flops = 0;  // floating-point operations of a unit, a multiply-add being two; 0: not counted
  double bytes = 0;  // that a unit must read at least, where reading bounds it; 0: where it does not
  std::function<void()> work;
  std::function<double()> peak_bytes = {};  // of a device's memory; none: the process tells
};

// A row that cannot be made, with the reason.
class NotRun : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Row `name` done by `engine` on `threads` threads. Engines: "ours"; "ours-bf16" and "ours-int8", which keep
// the weights so while decoding; "eigen" and "onednn" for the rows linear/*. Throws NotRun.
Row make_row(const std::string& name, const std::string& engine, int threads);

// All names that stand in the tables.
std::vector<std::string> row_names();

}  // namespace bench
