#include "motion_score_svg.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace {

using imu2music::Note;

// ---- layout, in the picture's own units
// ----------------------------------------------------------------------------
constexpr double picture_width = 1200;
constexpr double margin = 36;
constexpr double plot_left = 196;
constexpr double plot_right = picture_width - margin;
constexpr double plot_width = plot_right - plot_left;
constexpr double tick_text_right = plot_left - 10;
constexpr double header_height = 128;
constexpr double row_height = 84;
constexpr double row_gap = 14;
constexpr std::size_t label_characters = 17;
constexpr std::size_t byte_goal = 900000;

// ---- text
// ----------------------------------------------------------------------------------------------------------

// Without the locale, at most `decimals` decimals, no trailing zeros, no "-0".
std::string number(double value, int decimals = 1) {
  std::array<char, 400> digits{};
  auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, decimals);
  std::string text(digits.data(), end);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

// With a true minus sign, for people.
std::string label_number(double value, int decimals) {
  std::string text = number(value, decimals);
  return text[0] == '-' ? "\u2212" + text.substr(1) : text;
}

// The characters of UTF-8 text as strings; what is no UTF-8, or no character of XML, becomes U+FFFD, control
// characters become spaces.
std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80                   ? 1
                         : lead >= 0xC2 && lead < 0xE0 ? 2
                         : lead >= 0xE0 && lead < 0xF0 ? 3
                         : lead >= 0xF0 && lead < 0xF5 ? 4
                                                       : 0;
    bool valid = length > 0 && i + length <= text.size();
    std::uint32_t code = length == 1   ? lead
                         : length == 2 ? lead & 0x1Fu
                         : length == 3 ? lead & 0x0Fu
                                       : lead & 0x07u;
    for (std::size_t k = 1; valid && k < length; ++k) {
      auto next = static_cast<unsigned char>(text[i + k]);
      valid = (next & 0xC0u) == 0x80;
      code = code << 6 | (next & 0x3Fu);
    }
    valid = valid && !(length == 3 && code < 0x800) &&
            !(length == 4 && (code < 0x10000 || code > 0x10FFFF)) && !(code >= 0xD800 && code < 0xE000) &&
            code != 0xFFFE && code != 0xFFFF;
    if (!valid) {
      result.emplace_back("\uFFFD");
      ++i;
      continue;
    }
    result.emplace_back(code < 0x20 || code == 0x7F ? " " : std::string(text.substr(i, length)));
    i += length;
  }
  return result;
}

std::string escaped(const std::vector<std::string>& text) {
  std::string result;
  for (const std::string& c : text)
    result += c == "&" ? "&amp;" : c == "<" ? "&lt;" : c == ">" ? "&gt;" : c == "\"" ? "&quot;" : c;
  return result;
}
std::string escaped(std::string_view text) { return escaped(characters(text)); }

// At most `most` characters, the last an ellipsis where some were cut.
std::vector<std::string> shortened(std::vector<std::string> text, std::size_t most) {
  if (text.size() <= most) return text;
  text.resize(most - 1);
  text.emplace_back("…");
  return text;
}

// Lines of at most `label_characters`, broken at spaces where there are some; at most three.
std::vector<std::string> label_lines(std::string_view label) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> word, line;
  auto end_word = [&] {
    if (word.empty()) return;
    if (!line.empty() && line.size() + 1 + word.size() > label_characters) {
      lines.push_back(line);
      line.clear();
    }
    if (!line.empty()) line.emplace_back(" ");
    line.insert(line.end(), word.begin(), word.end());
    word.clear();
  };
  for (const std::string& c : characters(label)) {
    if (c == " ")
      end_word();
    else
      word.push_back(c);
  }
  end_word();
  if (!line.empty()) lines.push_back(line);
  if (lines.size() > 3) {
    lines.resize(3);
    lines[2].emplace_back("…");
  }
  std::vector<std::string> result;
  for (const auto& each : lines) result.push_back(escaped(shortened(each, label_characters)));
  return result;
}

// ---- scales
// --------------------------------------------------------------------------------------------------------

struct Scale {
  double low = 0, high = 1;  // values
  double from = 0, to = 1;   // where they are drawn
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

// The smallest of 1, 2, 5 · 10^n that is at least `least`.
double round_step(double least) {
  double power = std::pow(10.0, std::floor(std::log10(least)));
  for (double digit : {1.0, 2.0, 5.0})
    if (digit * power >= least * (1 - 1e-9)) return digit * power;
  return 10 * power;
}
double time_step(double duration) {
  for (double step :
       {0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0})
    if (duration / step <= 12) return duration < 0.6 ? round_step(duration / 12) : step;
  return 3600 * round_step(duration / 12 / 3600);
}
int decimals_of(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9);
}

// The multiples of `step` in [low, high].
std::vector<double> multiples(double step, double low, double high) {
  std::vector<double> result;
  double first = std::ceil(low / step - 1e-9);
  for (int i = 0; i < 100 && (first + i) * step <= high + 1e-9 * step; ++i)
    result.push_back((first + i) * step);
  return result;
}

// ---- parts
// ---------------------------------------------------------------------------------------------------------

class Picture {
 public:
  explicit Picture(const MotionScore& score) : score_(score) {}

  std::string draw() {
    set_time();
    set_value_scales();
    set_pitches();
    double height = roll_top() + roll_height_ + 78;
    svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(picture_width) + " " +
           number(height) + "\" width=\"" + number(picture_width) + "\" height=\"" + number(height) +
           "\" role=\"img\" aria-labelledby=\"title desc\">\n";
    svg_ += "<title id=\"title\">" + escaped(score_.title) + "</title>\n<desc id=\"desc\">" +
            escaped(description()) + "</desc>\n";
    style();
    svg_ += "<clipPath id=\"plot\"><rect x=\"" + number(plot_left) + "\" y=\"0\" width=\"" +
            number(plot_width) + "\" height=\"" + number(height) + "\"/></clipPath>\n";
    svg_ += "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n";
    header();
    panels();
    time_lines();
    for (std::size_t i = 0; i < score_.traces.size(); ++i) trace(i);
    roll();
    time_axis();
    svg_ += "</svg>\n";
    return std::move(svg_);
  }

 private:
  double row_top(std::size_t row) const { return header_height + double(row) * (row_height + row_gap); }
  double roll_top() const { return row_top(score_.traces.size()) + (score_.traces.empty() ? 0 : 8); }

  static double trace_end(const MotionTrace& trace) {
    return trace.rate_hz > 0 ? trace.start_s + double(trace.values.size()) / trace.rate_hz : trace.start_s;
  }

  void set_time() {
    double low = 0, high = 0;
    for (const MotionTrace& trace : score_.traces) {
      if (std::isfinite(trace.start_s)) low = std::min(low, trace.start_s);
      if (std::isfinite(trace_end(trace))) high = std::max(high, trace_end(trace));
    }
    for (const Note& note : score_.notes) {
      if (std::isfinite(note.start)) low = std::min(low, note.start);
      if (std::isfinite(note.end)) high = std::max(high, note.end);
    }
    low = score_.start_s.value_or(low);
    high = score_.end_s.value_or(high);
    if (!std::isfinite(low)) low = 0;
    if (!std::isfinite(high) || !(high > low)) high = low + 1;
    time_ = {low, high, plot_left, plot_right};
    time_step_ = time_step(high - low);
  }

  void set_value_scales() {
    for (const MotionTrace& trace : score_.traces) {
      auto [entry, is_new] = ranges_.try_emplace(trace.unit, std::array<double, 2>{0, 0});
      for (const auto& sample : trace.values)
        for (float value : sample)
          if (std::isfinite(value)) {
            entry->second[0] = std::min<double>(entry->second[0], value);
            entry->second[1] = std::max<double>(entry->second[1], value);
          }
    }
    for (auto& [unit, range] : ranges_) {
      double width = range[1] - range[0];
      if (!(width > 1e-9)) {
        range = {range[0] - 1, range[1] + 1};
      } else {
        range = {range[0] - 0.06 * width, range[1] + 0.06 * width};
      }
    }
  }

  void set_pitches() {
    lowest_ = 127;
    highest_ = 0;
    for (const Note& note : score_.notes)
      if (visible(note)) {
        lowest_ = std::min(lowest_, note.pitch);
        highest_ = std::max(highest_, note.pitch);
      }
    any_note_ = lowest_ <= highest_;
    if (!any_note_) lowest_ = 55, highest_ = 79;
    used_lowest_ = lowest_;
    used_highest_ = highest_;
    lowest_ -= 2;
    highest_ += 2;
    while (highest_ - lowest_ < 18) --lowest_, ++highest_;
    double semitones = highest_ - lowest_ + 1;
    roll_height_ = std::clamp(semitones * 9, 170.0, 330.0);
    semitone_ = roll_height_ / semitones;
  }
  bool visible(const Note& note) const {
    return note.pitch >= 0 && note.pitch <= 127 && note.end >= time_.low && note.start <= time_.high;
  }
  double pitch_top(int pitch) const { return roll_top() + (highest_ - pitch) * semitone_; }

  std::string description() const {
    std::string text;
    if (!score_.subtitle.empty()) text += score_.subtitle + ". ";
    text += std::to_string(score_.traces.size()) + (score_.traces.size() == 1 ? " row" : " rows") +
            " of motion from " + number(time_.low, 1) + " s to " + number(time_.high, 1) + " s";
    if (!any_note_) return text + "; no notes.";
    std::size_t count = 0;
    for (const Note& note : score_.notes) count += visible(note) ? 1 : 0;
    return text + ", above a piano roll of " + std::to_string(count) + (count == 1 ? " note" : " notes") +
           " from " + imu2music::pitch_name(used_lowest_) + " to " + imu2music::pitch_name(used_highest_) +
           ".";
  }

  void style() {
    svg_ +=
        "<style>\n"
        "svg{color-scheme:light dark}\n"
        "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12px;"
        "font-variant-numeric:tabular-nums;fill:#57606a}\n"
        "text.title{font-size:24px;font-weight:600;fill:#1b1f24}\n"
        "text.subtitle{font-size:14px}\n"
        "text.label{font-size:13px;font-weight:600;fill:#1b1f24}\n"
        "text.number{font-size:11px;text-anchor:end}\n"
        "text.time{text-anchor:middle}\n"
        "text.none{font-size:14px;text-anchor:middle;stroke:#f6f8fa;stroke-width:8px;paint-order:stroke}\n"
        ".page{fill:#ffffff}\n"
        ".panel{fill:#f6f8fa}\n"
        ".black-key{fill:#eaeef2}\n"
        ".line{fill:none;stroke-width:1.2;stroke-linejoin:round;stroke-linecap:round}\n"
        ".envelope{stroke-width:1;stroke-opacity:.75}\n"
        ".sample{stroke-width:2.4;stroke-linecap:round}\n"
        ".x{stroke:#0072b2}\n"
        ".y{stroke:#d55e00}\n"
        ".z{stroke:#009e73}\n"
        ".grid{stroke:#d8dee4;stroke-width:1;fill:none}\n"
        ".zero{stroke:#afb8c1;stroke-width:1;fill:none}\n"
        ".window{stroke:#8c959f;stroke-width:1;stroke-dasharray:2 4;fill:none}\n"
        ".note{fill:#6f3cc3}\n"
        "@media (prefers-color-scheme:dark){\n"
        "text{fill:#9aa5b1}\n"
        "text.title,text.label{fill:#eef2f6}\n"
        "text.none{stroke:#171d24}\n"
        ".page{fill:#0f1419}\n"
        ".panel{fill:#171d24}\n"
        ".black-key{fill:#10161c}\n"
        ".x{stroke:#56b4e9}\n"
        ".y{stroke:#f0883e}\n"
        ".z{stroke:#3fcf9f}\n"
        ".grid{stroke:#28313b}\n"
        ".zero{stroke:#46525f}\n"
        ".window{stroke:#77828e}\n"
        ".note{fill:#b794f6}\n"
        "}\n"
        "</style>\n";
  }

  void text(double x, double y, const std::string& css, const std::string& escaped_text) {
    svg_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\"" +
            (css.empty() ? "" : " class=\"" + css + "\"") + ">" + escaped_text + "</text>\n";
  }

  void header() {
    text(margin, 52, "title", escaped(shortened(characters(score_.title), 76)));
    text(margin, 77, "subtitle", escaped(shortened(characters(score_.subtitle), 140)));
    // Legend: widths are estimates from the number of characters, as no font can be measured here.
    double x = plot_left, y = 108;
    auto entry = [&](const std::string& sample, double sample_width, const std::vector<std::string>& name) {
      svg_ += sample;
      text(x + sample_width + 7, y, "", escaped(name));
      x += sample_width + 7 + 7.0 * double(name.size()) + 22;
    };
    auto stroke = [&](std::string_view css) {
      return "<path class=\"" + std::string(css) + (css == window_class ? "" : " sample") + "\" d=\"M" +
             number(x) + " " + number(y - 4) + "h22\"/>\n";
    };
    if (!score_.traces.empty())
      for (std::size_t axis = 0; axis < 3; ++axis)
        entry(stroke(axis_classes[axis]), 22, shortened(characters(score_.axes[axis]), 24));
    if (!score_.window_starts_s.empty()) entry(stroke(window_class), 22, characters("window"));
    if (any_note_) {
      std::string sample = "<g class=\"note\">";
      for (int i = 0; i < 3; ++i)
        sample += "<rect x=\"" + number(x + 13 * i) + "\" y=\"" + number(y - 9) +
                  "\" width=\"12\" height=\"9\" rx=\"2\" fill-opacity=\"" + number(opacity(20 + 50 * i), 2) +
                  "\"/>";
      entry(sample + "</g>\n", 38, characters("notes, soft to loud"));
    }
  }

  void panels() {
    for (std::size_t i = 0; i < score_.traces.size(); ++i) panel(row_top(i), row_height);
    panel(roll_top(), roll_height_);
    svg_ += "<g class=\"black-key\">";
    for (int pitch = std::max(0, lowest_); pitch <= highest_; ++pitch) {
      int pitch_class = pitch % 12;
      if (pitch_class == 1 || pitch_class == 3 || pitch_class == 6 || pitch_class == 8 || pitch_class == 10)
        svg_ += "<rect x=\"" + number(plot_left) + "\" y=\"" + number(pitch_top(pitch)) + "\" width=\"" +
                number(plot_width) + "\" height=\"" + number(semitone_) + "\"/>";
    }
    svg_ += "</g>\n";
  }
  void panel(double top, double height) {
    svg_ += "<rect class=\"panel\" x=\"" + number(plot_left) + "\" y=\"" + number(top) + "\" width=\"" +
            number(plot_width) + "\" height=\"" + number(height) + "\" rx=\"4\"/>\n";
  }

  // A vertical line through every panel for each time.
  std::string through_panels(const std::vector<double>& times) const {
    std::string path;
    for (double time : times) {
      double x = time_(time);
      for (std::size_t i = 0; i < score_.traces.size(); ++i)
        path += "M" + number(x) + " " + number(row_top(i)) + "v" + number(row_height);
      path += "M" + number(x) + " " + number(roll_top()) + "v" + number(roll_height_);
    }
    return path;
  }

  void time_lines() {
    svg_ +=
        "<path class=\"grid\" d=\"" + through_panels(multiples(time_step_, time_.low, time_.high)) + "\"/>\n";
    std::vector<double> windows;
    for (double start : score_.window_starts_s)
      if (start >= time_.low && start <= time_.high && windows.size() < 1000) windows.push_back(start);
    // Where they stand close, they recede.
    const bool dense = double(windows.size()) * 16 > plot_width;
    if (!windows.empty())
      svg_ += "<path class=\"window\"" + std::string(dense ? " stroke-opacity=\".4\"" : "") + " d=\"" +
              through_panels(windows) + "\"/>\n";
  }

  void trace(std::size_t index) {
    const MotionTrace& trace = score_.traces[index];
    const double top = row_top(index);
    const auto& range = ranges_.at(trace.unit);
    Scale value{range[0], range[1], top + row_height, top};

    std::vector<std::string> lines = label_lines(trace.label);
    double y = top + row_height / 2 + 4 - 8.0 * double(lines.size()) + (trace.unit.empty() ? 8 : 0);
    for (const std::string& line : lines) {
      text(margin, y, "label", line);
      y += 16;
    }
    if (!trace.unit.empty())
      text(margin, y, "", escaped(shortened(characters(trace.unit), label_characters)));

    double step = round_step((range[1] - range[0]) / 4.4);
    for (double tick : multiples(step, range[0], range[1])) {
      bool zero = std::abs(tick) < step / 2;
      svg_ += "<path class=\"" + std::string(zero ? "zero" : "grid") + "\" d=\"M" + number(plot_left) + " " +
              number(value(tick)) + "h" + number(plot_width) + "\"/>\n";
      text(tick_text_right, std::clamp(value(tick) + 4, top + 9, top + row_height), "number",
           label_number(tick, decimals_of(step)));
    }
    const bool dense = double(trace.values.size()) > 4 * plot_width;
    svg_ += "<g class=\"line" + std::string(dense ? " envelope" : "") + "\" clip-path=\"url(#plot)\">\n";
    for (std::size_t axis = 0; axis < 3; ++axis)
      svg_ += "<path class=\"" + std::string(axis_classes[axis]) + "\" d=\"" + curve(trace, axis, value) +
              "\"/>\n";
    svg_ += "</g>\n";
  }

  std::string curve(const MotionTrace& trace, std::size_t axis, const Scale& value) const {
    if (!(trace.rate_hz > 0) || !std::isfinite(trace.start_s)) return {};
    // What can be seen of it, with one sample more on either side.
    auto index_at = [&](double time) {
      double index = std::floor((time - trace.start_s) * trace.rate_hz);
      return static_cast<std::size_t>(std::clamp(index, 0.0, double(trace.values.size())));
    };
    std::size_t first = index_at(time_.low), end = std::min(trace.values.size(), index_at(time_.high) + 2);
    std::string path;
    bool pen_down = false;
    auto point = [&](std::size_t i) {
      path += pen_down ? "L" : "M";
      path += number(time_(trace.start_s + double(i) / trace.rate_hz)) + " " +
              number(value(trace.values[i][axis]));
      pen_down = true;
    };
    constexpr std::size_t point_bytes = 13;
    std::size_t for_lines =
        byte_goal - std::min<std::size_t>(byte_goal / 2, score_.notes.size() * note_bytes);
    std::size_t columns = std::clamp<std::size_t>(for_lines / (score_.traces.size() * 3 * 2 * point_bytes),
                                                  100, static_cast<std::size_t>(plot_width));
    if (end <= first) return path;
    if (end - first <= 2 * columns) {
      for (std::size_t i = first; i < end; ++i)
        if (std::isfinite(trace.values[i][axis]))
          point(i);
        else
          pen_down = false;
      return path;
    }
    for (std::size_t column = 0; column < columns; ++column) {
      std::size_t from = first + (end - first) * column / columns,
                  to = first + (end - first) * (column + 1) / columns;
      constexpr std::size_t none = static_cast<std::size_t>(-1);
      std::size_t least = none, most = none;
      for (std::size_t i = from; i < to; ++i) {
        float sample = trace.values[i][axis];
        if (!std::isfinite(sample)) continue;
        if (least == none || sample < trace.values[least][axis]) least = i;
        if (most == none || sample > trace.values[most][axis]) most = i;
      }
      if (least == none) {
        pen_down = false;
        continue;
      }
      point(std::min(least, most));
      if (least != most) point(std::max(least, most));
    }
    return path;
  }

  static double opacity(int velocity) { return 0.3 + 0.7 * std::clamp(velocity, 0, 127) / 127.0; }

  void roll() {
    const double top = roll_top();
    text(margin, top + roll_height_ / 2 - 4, "label", "Notes");
    text(margin, top + roll_height_ / 2 + 13, "", "pitch");
    std::string lines;
    std::vector<double> taken;
    auto pitch_label = [&](int pitch) {
      double y = pitch_top(pitch) + semitone_ / 2 + 4;
      if (std::any_of(taken.begin(), taken.end(), [&](double other) { return std::abs(other - y) < 13; }))
        return;
      taken.push_back(y);
      std::string name = imu2music::pitch_name(pitch);
      if (name[1] == '#') name.replace(1, 1, "♯");
      text(tick_text_right, y, "number", name);
    };
    for (int pitch = (std::max(lowest_, 0) + 11) / 12 * 12; pitch <= highest_; pitch += 12) {
      lines +=
          "M" + number(plot_left) + " " + number(pitch_top(pitch) + semitone_) + "h" + number(plot_width);
      pitch_label(pitch);
    }
    if (any_note_) {
      pitch_label(used_lowest_);
      pitch_label(used_highest_);
    }
    svg_ += "<path class=\"zero\" d=\"" + lines + "\"/>\n";
    if (!any_note_) {
      text((plot_left + plot_right) / 2, top + roll_height_ / 2 + 5, "none", "no notes");
      return;
    }
    const double height = std::max(3.0, semitone_ - 1);
    const std::string shape = "\" height=\"" + number(height) + "\" rx=\"2\" fill-opacity=\"";
    svg_ += "<g class=\"note\" clip-path=\"url(#plot)\">\n";
    for (const Note& note : score_.notes) {
      if (!visible(note)) continue;
      double left = time_(std::max(note.start, time_.low)), right = time_(std::min(note.end, time_.high));
      svg_ += "<rect x=\"" + number(left) + "\" y=\"" +
              number(pitch_top(note.pitch) + (semitone_ - height) / 2) + "\" width=\"" +
              number(std::max(1.5, right - left - 0.8)) + shape + number(opacity(note.velocity), 2) +
              "\"/>\n";
    }
    svg_ += "</g>\n";
  }

  void time_axis() {
    const double bottom = roll_top() + roll_height_;
    for (double tick : multiples(time_step_, time_.low, time_.high))
      text(time_(tick), bottom + 20, "time", label_number(tick, decimals_of(time_step_)));
    text((plot_left + plot_right) / 2, bottom + 46, "time", "time (s)");
  }

  static constexpr std::string_view window_class = "window";
  static constexpr std::array<const char*, 3> axis_classes{"x", "y", "z"};
  static constexpr std::size_t note_bytes = 78;

  const MotionScore& score_;
  std::string svg_;
  Scale time_;
  double time_step_ = 1;
  std::map<std::string, std::array<double, 2>> ranges_;  // unit → lowest and highest value of its rows
  int lowest_ = 0, highest_ = 0;                         // pitches of the roll
  int used_lowest_ = 0, used_highest_ = 0;               // pitches of the notes
  bool any_note_ = false;
  double roll_height_ = 0, semitone_ = 1;
};

}  // namespace

std::string motion_score_svg(const MotionScore& score) { return Picture(score).draw(); }
