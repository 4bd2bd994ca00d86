// The table of benchmarks/compare_encoders.sh: one row an encoder and beginning, means over seeds with their
// standard deviation, from the files that the script left in a folder.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

struct Row {
  std::vector<double> parameters, seconds;
  std::map<std::string, std::vector<double>> figures;
};

// The number at "a.b.c"; NaN where there is none.
double figure(const Json& json, const std::string& path) {
  const Json* at = &json;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    if (!at->is_object() || !at->contains(name)) return std::nan("");
    at = &(*at)[name];
    begin = end + 1;
  }
  return at->is_number() ? at->get<double>() : std::nan("");
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return std::nan("");
  const double m = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - m) * (value - m);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

std::string text(double value, int decimals) {
  if (std::isnan(value)) return "—";
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.*f", decimals, value);
  return digits;
}

std::string with_deviation(const std::vector<double>& values, int decimals) {
  const double d = deviation(values);
  return text(mean(values), decimals) + (std::isnan(d) ? "" : " ± " + text(d, decimals));
}

Json read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: compare_table FOLDER\n";
    return 2;
  }
  try {
    std::map<std::string, Row> rows;
    const std::vector<std::string> wanted = {"nll",
                                             "conditioning_gap.delta",
                                             "conditioning_gap.p",
                                             "conditioning_gap.within_stroke_delta",
                                             "conditioning_gap.within_stroke_p",
                                             "retrieval.r1",
                                             "onset_f1.100",
                                             "collapse_ratio"};
    std::size_t windows = 0;
    double chance = 0;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      const std::string name = entry.path().filename().string(), ending = ".evaluation.json";
      if (!name.ends_with(ending)) continue;
      const std::string run = name.substr(0, name.size() - ending.size()),
                        kind = run.substr(0, run.rfind('-'));
      const Json evaluation = read(entry.path());
      const Json training = read(std::filesystem::path(argv[1]) / (run + ".train.json"));
      Row& row = rows[kind];
      row.parameters.push_back(figure(training, "parameters"));
      row.seconds.push_back(figure(training, "seconds"));
      for (const std::string& path : wanted) row.figures[path].push_back(figure(evaluation, path));
      windows = static_cast<std::size_t>(figure(evaluation, "windows"));
      chance = figure(evaluation, "retrieval.chance");
    }
    if (rows.empty()) {
      std::cerr << argv[1] << " holds no *.evaluation.json: run compare_encoders.sh first\n";
      return 2;
    }
    std::cout << "| encoder | decoder begins | runs | parameters | test NLL | gap Δ | p | Δ within a stroke "
                 "| p | R@1 "
                 "| onset F1, 100 ms | collapse | training, s |\n"
                 "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for (const auto& [kind, row] : rows) {
      const std::size_t dash = kind.rfind('-');
      const auto of = [&](const std::string& path, int decimals) {
        return with_deviation(row.figures.at(path), decimals);
      };
      std::cout << "| " << kind.substr(0, dash) << " | " << kind.substr(dash + 1) << " | "
                << row.parameters.size() << " | " << text(mean(row.parameters), 0) << " | " << of("nll", 3)
                << " | " << of("conditioning_gap.delta", 3) << " | "
                << text(mean(row.figures.at("conditioning_gap.p")), 3) << " | "
                << of("conditioning_gap.within_stroke_delta", 3) << " | "
                << text(mean(row.figures.at("conditioning_gap.within_stroke_p")), 3) << " | "
                << of("retrieval.r1", 3) << " | " << of("onset_f1.100", 3) << " | " << of("collapse_ratio", 2)
                << " | " << text(mean(row.seconds), 0) << " |\n";
    }
    std::cout << "\nMeans ± standard deviation over seeds; p is the mean of the runs'. " << windows
              << " test windows; R@1 by chance " << text(chance, 3) << ".\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
