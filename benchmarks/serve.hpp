// Rows measured on request, for the scripts of benchmarks/reference: a JSON object a line in, one out.
//
//   {"describe": true}                                → what `describe` gives
//   {"row": NAME, "describe_row": true}               → {"flops", "bytes", "unit"}
//   {"row": NAME, "peer": ENGINE, "threads": N, "seconds": S} → {"times": […]} or {"not_run": reason}
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "rows.hpp"

namespace bench {

// Until standard input ends. make: as make_row().
void serve(const std::function<Row(const std::string& name, const std::string& engine, int threads)>& make,
           const std::function<nlohmann::ordered_json()>& describe);

}  // namespace bench
