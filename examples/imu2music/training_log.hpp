// `plot`: the log of a training run, and its curves as one SVG.
//
// A log has one JSON object a line: {"step", "nll", …} of training, {"step", "validation_nll", …} of a
// validation (train/trainer.hpp); other members are passed over. Errors: InputError with the line where there
// is none of these, or numbers that no run has.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/json_reader.hpp"

namespace training_log {

struct Point {
  double x = 0, y = 0;
};

struct Curves {
  std::vector<Point> training, smoothed, validation;
};

// Takes the events of read_json(), so that no line grows into a tree.
class Entry {
 public:
  bool is_object = false;
  std::optional<double> step, nll, validation_nll;

  void null() { member_ = nullptr; }
  void boolean(bool) { member_ = nullptr; }
  void integer(std::int64_t value) { set(static_cast<double>(value)); }
  void unsigned_integer(std::uint64_t value) { set(static_cast<double>(value)); }
  void number(std::string_view text) {
    double value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) set(value);
  }
  void string(const std::string&) { member_ = nullptr; }
  void start_object() {
    if (depth_ == 0) is_object = true;
    start_array();
  }
  void end_object() { --depth_; }
  void start_array() {
    ++depth_;
    member_ = nullptr;
  }
  void end_array() { --depth_; }
  void key(const std::string& name) {
    member_ = nullptr;
    if (depth_ != 1 || !is_object) return;
    if (name == "step") member_ = &step;
    if (name == "nll") member_ = &nll;
    if (name == "validation_nll") member_ = &validation_nll;
  }

 private:
  void set(double value) {
    if (member_ != nullptr) *member_ = value;
    member_ = nullptr;
  }

  std::optional<double>* member_ = nullptr;
  std::size_t depth_ = 0;
};

inline Curves read(const std::string& path) {
  constexpr double most_steps = 1e15, most_nats = 1e39;  // beyond which no float's logits go
  Curves curves;
  const std::string text = imu2music::read_text_file(path);
  int number = 0;
  double mean = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    const auto fault = [&](const std::string& what) {
      return imu2music::InputError(path, "line " + std::to_string(number) + " " + what,
                                   "a run's log has one JSON object a line");
    };
    Entry entry;
    if (imu2music::read_json(line, entry) || !entry.is_object || !entry.step) {
      if (end == text.size() && number > 1) break;  // a run that was killed had not come to its end
      throw fault("is no entry of a log");
    }
    if (!entry.nll && !entry.validation_nll) throw fault("has neither nll nor validation_nll");
    const double nll = entry.validation_nll ? *entry.validation_nll : *entry.nll;
    if (!(*entry.step >= 0 && *entry.step <= most_steps) || !(std::abs(nll) <= most_nats))
      throw fault("has a step or an NLL that no run has");
    if (entry.validation_nll) {
      curves.validation.push_back({*entry.step, nll});
    } else {
      constexpr double share = 0.1;  // of the newest in the running mean
      mean = curves.training.empty() ? nll : (1 - share) * mean + share * nll;
      curves.training.push_back({*entry.step, nll});
      curves.smoothed.push_back({*entry.step, mean});
    }
  }
  if (curves.training.empty() && curves.validation.empty())
    throw imu2music::InputError(path, "has no entries yet", "plot a run that has taken steps");
  return curves;
}

// A step of 1, 2 or 5 times a power of ten that divides the range into about `count`.
inline double tick_step(double range, int count) {
  const double raw = std::max(range, 1e-12) / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

inline std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// `title` is text between tags.
inline std::string svg_of(const Curves& curves, const std::string& title) {
  constexpr double width = 860, height = 440, left = 64, right = 150, top = 44, bottom = 52;
  double most_x = 1, low = 1e300, high = -1e300;
  for (const auto* points : {&curves.training, &curves.validation})
    for (const Point& p : *points) {
      most_x = std::max(most_x, p.x);
      low = std::min(low, p.y);
      high = std::max(high, p.y);
    }
  // Values that differ by their last bits only still have ticks that differ.
  const double range = std::max(high - low, 1e-6 * std::max(std::abs(low), std::abs(high)));
  const double step_y = tick_step(range, 6);
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

}  // namespace training_log
