// plot: the curves of a training run as one SVG.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "command.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/file_bytes.hpp"

namespace {

using namespace imu2music;

struct PlotOptions {
  CommonOptions common;
  std::string folder, output;
};

struct Point {
  double x = 0, y = 0;
};

struct Curves {
  std::vector<Point> training, smoothed, validation, rate;
};

Curves read_log(const std::string& path) {
  Curves curves;
  std::istringstream text(read_text_file(path));
  int number = 0;
  double mean = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const auto fault = [&](const std::string& what) {
      return InputError(path, "line " + std::to_string(number) + " " + what,
                        "a run's log has one JSON object a line");
    };
    nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
    if (entry.is_discarded() || !entry.is_object() || !entry.contains("step") || !entry["step"].is_number())
      throw fault("is no entry of a log");
    const double step = entry["step"].get<double>();
    if (entry.contains("validation_nll") && entry["validation_nll"].is_number()) {
      curves.validation.push_back({step, entry["validation_nll"].get<double>()});
    } else if (entry.contains("nll") && entry["nll"].is_number()) {
      const double nll = entry["nll"].get<double>();
      constexpr double share = 0.1;  // of the newest in the running mean
      mean = curves.training.empty() ? nll : (1 - share) * mean + share * nll;
      curves.training.push_back({step, nll});
      curves.smoothed.push_back({step, mean});
      if (entry.contains("learning_rate") && entry["learning_rate"].is_number())
        curves.rate.push_back({step, entry["learning_rate"].get<double>()});
    } else {
      throw fault("has neither nll nor validation_nll");
    }
  }
  if (curves.training.empty() && curves.validation.empty())
    throw InputError(path, "has no entries yet", "plot a run that has taken steps");
  return curves;
}

// A step of 1, 2 or 5 times a power of ten that divides the range into about `count`.
double tick_step(double range, int count) {
  const double raw = std::max(range, 1e-12) / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string svg_of(const Curves& curves, const std::string& title) {
  constexpr double width = 860, height = 440, left = 64, right = 150, top = 44, bottom = 52;
  double most_x = 1, low = 1e300, high = -1e300;
  for (const auto* points : {&curves.training, &curves.validation})
    for (const Point& p : *points) {
      most_x = std::max(most_x, p.x);
      low = std::min(low, p.y);
      high = std::max(high, p.y);
    }
  const double step_y = tick_step(high - low, 6);
  low = std::floor(low / step_y) * step_y;
  high = std::max(std::ceil(high / step_y) * step_y, low + step_y);
  const auto at_x = [&](double x) { return left + (width - left - right) * x / most_x; };
  const auto at_y = [&](double y) {
    return height - bottom - (height - top - bottom) * (y - low) / (high - low);
  };
  std::ostringstream svg;
  svg.setf(std::ios::fixed);
  svg.precision(1);
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << " " << height
      << "\" font-family=\"sans-serif\" font-size=\"12\">\n<style>\n"
         ":root{--ink:#1f2328;--paper:#ffffff;--grid:#d8dee4;--a:#9cc2ee;--b:#1f6feb;--c:#c2410c}\n"
         "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--grid:#30363d;--a:#2f5a8f;--"
         "b:#58a6ff;"
         "--c:#ff9b5e}}\ntext{fill:var(--ink)}\n</style>\n<rect width=\"100%\" height=\"100%\" "
         "fill=\"var(--paper)\"/>\n"
      << "<text x=\"" << left << "\" y=\"24\" font-size=\"15\">" << title << "</text>\n";
  for (double y = low; y <= high + step_y / 2; y += step_y)
    svg << "<line x1=\"" << left << "\" x2=\"" << width - right << "\" y1=\"" << at_y(y) << "\" y2=\""
        << at_y(y) << "\" stroke=\"var(--grid)\"/><text x=\"" << left - 8 << "\" y=\"" << at_y(y) + 4
        << "\" text-anchor=\"end\">" << text_of(y) << "</text>\n";
  const double step_x = tick_step(most_x, 7);
  for (double x = 0; x <= most_x; x += step_x)
    svg << "<text x=\"" << at_x(x) << "\" y=\"" << height - bottom + 18 << "\" text-anchor=\"middle\">"
        << text_of(x) << "</text>\n";
  svg << "<text x=\"" << (left + width - right) / 2 << "\" y=\"" << height - 12
      << "\" text-anchor=\"middle\">step</text>\n<text transform=\"translate(16 "
      << (top + height - bottom) / 2 << ") rotate(-90)\" text-anchor=\"middle\">NLL, nats a token</text>\n";
  double label_y = top + 6;
  const auto draw = [&](const std::vector<Point>& points, const char* colour, double stroke,
                        const char* label, bool marks) {
    if (points.empty()) return;
    svg << "<polyline fill=\"none\" stroke=\"var(" << colour << ")\" stroke-width=\"" << stroke
        << "\" points=\"";
    for (const Point& p : points) svg << at_x(p.x) << "," << at_y(p.y) << " ";
    svg << "\"/>\n";
    if (marks)
      for (const Point& p : points)
        svg << "<circle cx=\"" << at_x(p.x) << "\" cy=\"" << at_y(p.y) << "\" r=\"2.5\" fill=\"var(" << colour
            << ")\"/>\n";
    svg << "<line x1=\"" << width - right + 14 << "\" x2=\"" << width - right + 34 << "\" y1=\"" << label_y
        << "\" y2=\"" << label_y << "\" stroke=\"var(" << colour << ")\" stroke-width=\"" << stroke
        << "\"/><text x=\"" << width - right + 40 << "\" y=\"" << label_y + 4 << "\">" << label
        << "</text>\n";
    label_y += 20;
  };
  draw(curves.training, "--a", 1, "training", false);
  draw(curves.smoothed, "--b", 2, "running mean", false);
  draw(curves.validation, "--c", 2, "validation", true);
  if (!curves.validation.empty()) {
    const Point best = *std::min_element(curves.validation.begin(), curves.validation.end(),
                                         [](const Point& a, const Point& b) { return a.y < b.y; });
    svg << "<circle cx=\"" << at_x(best.x) << "\" cy=\"" << at_y(best.y)
        << "\" r=\"6\" fill=\"none\" stroke=\"var(--c)\" stroke-width=\"1.5\"/>\n<text x=\""
        << width - right + 14 << "\" y=\"" << label_y + 8 << "\">best "
        << text_of(std::round(best.y * 1e4) / 1e4) << "</text><text x=\"" << width - right + 14 << "\" y=\""
        << label_y + 24 << "\">at step " << text_of(best.x) << "</text>\n";
  }
  svg << "</svg>\n";
  return svg.str();
}

// For text between tags.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text)
    result += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '>' ? "&gt;" : std::string(1, c);
  return result;
}

void run_plot(const PlotOptions& options) {
  const std::string log = (std::filesystem::path(options.folder) / "log.jsonl").string();
  const std::string output = options.output.empty()
                                 ? (std::filesystem::path(options.folder) / "curves.svg").string()
                                 : options.output;
  if (!std::filesystem::exists(log))
    throw InputError(options.folder, "holds no log.jsonl", "name the folder of a training run");
  check_outputs({output}, {log});
  const Curves curves = read_log(log);
  const std::string name = std::filesystem::path(options.folder).lexically_normal().filename().string();
  AtomicFile file(output);
  file.write(svg_of(curves, escaped(name.empty() ? options.folder : name)));
  file.commit();
  if (options.common.json)
    print_json({{"output", output},
                {"training_points", curves.training.size()},
                {"validation_points", curves.validation.size()}});
  else
    print_text(output + ": " + std::to_string(curves.training.size()) + " points of training, " +
               std::to_string(curves.validation.size()) + " of validation\n");
}

}  // namespace

void add_plot_command(CLI::App& program) {
  auto options = std::make_shared<PlotOptions>();
  CLI::App* command = program.add_subcommand("plot", "Draw the curves of a training run");
  command->add_option("RUN", options->folder, "The folder that train wrote")->required();
  command->add_option("-o,--output", options->output,
                      "The picture to write (SVG); RUN/curves.svg by default");
  add_common_options(*command, options->common);
  command->callback([options] { run_plot(*options); });
}
