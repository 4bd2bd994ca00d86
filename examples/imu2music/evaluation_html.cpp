#include "evaluation_html.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace {

using namespace imu2music;

// ---- text

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "–";
  std::array<char, 64> digits{};
  const auto [end, fault] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, decimals);
  std::string text(digits.data(), fault == std::errc() ? end : digits.data());
  if (text.find_first_not_of("-0.") == std::string::npos && text[0] == '-') text.erase(0, 1);
  return text[0] == '-' ? "\u2212" + text.substr(1) : text;
}

// For coordinates: a plain minus sign, two decimals at most.
std::string at(double value) {
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                 std::isfinite(value) ? value : 0.0, std::chars_format::fixed, 2)
                       .ptr;
  std::string text(digits.data(), end);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string count(std::int64_t n) { return std::to_string(n); }

// Text of HTML; control characters become spaces.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  return result;
}

std::string interval_text(const Figure& figure, int decimals) {
  return figure.interval
             ? fixed(figure.interval->low, decimals) + " … " + fixed(figure.interval->high, decimals)
             : "–";
}

constexpr std::string_view style =
    R"(<style>
:root{color-scheme:light dark;--page:#fff;--panel:#f6f8fa;--line:#d8dee4;--text:#24292f;--soft:#57606a;
--real:#0072b2;--made:#8a3ffc;--motion:#d55e00;--warn:#fff4d6;--warn-text:#5c4300;
--q0:#f7fbff;--q1:#deebf7;--q2:#c6dbef;--q3:#9ecae1;--q4:#6baed6;--q5:#4292c6;--q6:#2171b5;--q7:#084594}
@media (prefers-color-scheme:dark){:root{--page:#0f1419;--panel:#171d24;--line:#313b46;--text:#e6ebf0;--soft:#9aa5b1;
--real:#56b4e9;--made:#c29bff;--motion:#f0883e;--warn:#3a2f10;--warn-text:#f2d98c;
--q0:#0f1c2b;--q1:#132d47;--q2:#174063;--q3:#1d5583;--q4:#2b6ea4;--q5:#4a8fc7;--q6:#83b9e6;--q7:#dcefff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:2rem 1rem 4rem;background:var(--page);color:var(--text);
font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 1rem}
h2{font-size:1.2rem;margin:2.6rem 0 .6rem}
h3{font-size:1rem;margin:1.4rem 0 .3rem}
p{margin:.4rem 0;max-width:48rem}
.soft{color:var(--soft)}
.warn{background:var(--warn);color:var(--warn-text);padding:.6rem .9rem;border-radius:.4rem;max-width:none}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1.2rem;margin:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem .25rem 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600;color:var(--soft)}
th:first-child,td:first-child{text-align:left;white-space:normal}
td.note{text-align:left;white-space:normal;color:var(--soft);font-size:.9rem}
tr.group th{padding-top:1.1rem;color:var(--text)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem 2rem}
figure{margin:0}
figcaption{font-size:.9rem;color:var(--soft)}
svg{display:block;width:100%;height:auto}
svg text{font-size:11px;fill:var(--soft);font-variant-numeric:tabular-nums}
.end{text-anchor:end}.mid{text-anchor:middle}
.panel{fill:var(--panel)}.axis{stroke:var(--line);fill:none}
.real{fill:var(--real)}.made{fill:var(--made)}.null{fill:var(--soft);fill-opacity:.55}
.curve{stroke:var(--motion);fill:none;stroke-width:1.2;stroke-linejoin:round}
.peak{stroke:var(--motion);stroke-opacity:.45;stroke-dasharray:2 3}
.own{stroke:var(--made);stroke-width:2.5}
.key{display:inline-block;width:.8em;height:.8em;border-radius:.15em;vertical-align:-.05em;margin:0 .3em}
)"
    R"(.q0{fill:var(--q0)}.q1{fill:var(--q1)}.q2{fill:var(--q2)}.q3{fill:var(--q3)}
.q4{fill:var(--q4)}.q5{fill:var(--q5)}.q6{fill:var(--q6)}.q7{fill:var(--q7)}
.border{stroke:var(--text);stroke-opacity:.5;stroke-width:.12;fill:none}
</style>
)";

class Page {
 public:
  Page(const Evaluation& evaluation, const EvaluationHeading& heading) : e_(evaluation), heading_(heading) {}

  std::string draw() {
    html_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
        escaped(heading_.title) + "</title>\n" + std::string(style) + "</head>\n<body>\n<h1>" +
        escaped(heading_.title) + "</h1>\n";
    if (!heading_.warning.empty()) html_ += "<p class=\"warn\">" + escaped(heading_.warning) + "</p>\n";
    html_ += "<dl>\n";
    for (const auto& [name, value] : heading_.facts)
      html_ += "<dt>" + escaped(name) + "</dt><dd>" + escaped(value) + "</dd>\n";
    html_ += "</dl>\n";
    if (!e_.left_out.empty()) {
      html_ += "<p class=\"soft\">Left out: ";
      for (std::size_t i = 0; i < e_.left_out.size() && i < 20; ++i)
        html_ += (i == 0 ? "" : "; ") + escaped(e_.left_out[i]);
      html_ += e_.left_out.size() > 20
                   ? "; and " + count(static_cast<std::int64_t>(e_.left_out.size()) - 20) + " more.</p>\n"
                   : ".</p>\n";
    }
    figures();
    conditioning();
    retrieval();
    strokes();
    rolls();
    distributions();
    html_ += "</body>\n</html>\n";
    return std::move(html_);
  }

 private:
  // ---- the table
  void group(const std::string& name) {
    html_ += "<tr class=\"group\"><th colspan=\"5\">" + name + "</th></tr>\n";
  }
  void row(const std::string& name, const Figure& figure, int decimals, const std::string& beside,
           const std::string& note) {
    html_ += "<tr><td>" + name + "</td><td>" + fixed(figure.value, decimals) + "</td><td>" +
             interval_text(figure, decimals) + "</td><td>" + beside + "</td><td class=\"note\">" + note +
             "</td></tr>\n";
  }

  void figures() {
    html_ += "<h2>Figures</h2>\n<p class=\"soft\">" + count(static_cast<std::int64_t>(e_.windows.size())) +
             " windows of " + at(e_.window_s) + " s from " +
             count(static_cast<std::int64_t>(e_.recordings.size())) +
             (e_.recordings.size() == 1 ? " recording" : " recordings") +
             ". Intervals are 95 % bootstrap intervals by recording.</p>\n<div class=\"scroll\"><table>\n"
             "<tr><th>Figure</th><th>Value</th><th>Interval</th><th>Beside it</th><th></th></tr>\n";
    group("Likelihood of the real music");
    row("NLL, nats a token", e_.nll, 3,
        "unigram " + fixed(e_.unigram_nll.value, 3) + ", uniform " + fixed(e_.uniform_nll, 3),
        count(e_.tokens) + " tokens; unigram counted in the " +
            (e_.unigram_of_evaluated ? "evaluated" : "training") + " windows");
    row("Bits a second", e_.bits_per_second, 2, "", "comparable across vocabularies");
    for (std::size_t k = 0; k < event_kinds; ++k)
      if (e_.tokens_by_kind[k] > 0)
        row("NLL of " + std::string(to_string(static_cast<EventKind>(k))), e_.nll_by_kind[k], 3, "",
            count(e_.tokens_by_kind[k]) + " tokens");
    group("Does it depend on the motion?");
    if (e_.gap)
      row("Conditioning gap Δ", e_.gap->delta, 4,
          "p = " + fixed(e_.gap->test.p, 3) + "; " + fixed(e_.gap->p_recordings, 3) + " by recordings",
          "NLL under another recording's motion less NLL under its own; about 0: motion is ignored");
    if (e_.within_stroke)
      row("Δ within a stroke", e_.within_stroke->delta, 4,
          "p = " + fixed(e_.within_stroke->test.p, 3) +
              (e_.within_stroke->within_recordings
                   ? ""
                   : "; " + fixed(e_.within_stroke->p_recordings, 3) + " by recordings"),
          e_.within_stroke->within_recordings
              ? "no stroke was played twice: the other motion is another window of the same recording"
              : "the other recording is of the same bow stroke");
    const std::array<std::string, perturbations> names = {"", "motion zeroed", "motion reversed in time",
                                                          "motion 0.5 s later", "motion 0.5 s earlier"};
    for (std::size_t p = 1; p < perturbations; ++p)
      row("Δ, " + names[p], e_.perturbed[p].delta, 4, "NLL " + fixed(e_.perturbed[p].nll.value, 3),
          count(e_.perturbed[p].windows) + " windows");
    group("Retrieval: whose motion is it?");
    const std::string among = count(static_cast<std::int64_t>(e_.chosen.size())) + " windows, " +
                              count(e_.distinct_music) + " different pieces of music";
    row("R@1", e_.r1, 3, "chance " + fixed(e_.chance.r1, 3), among);
    row("R@5", e_.r5, 3, "chance " + fixed(e_.chance.r5, 3), "");
    row("MRR", e_.mrr, 3, "chance " + fixed(e_.chance.reciprocal_rank, 3), "");
    row("Information, nats a window", e_.information, 3,
        "at most " + fixed(std::log(static_cast<double>(e_.chosen.size())), 3), "");
    group("What it writes");
    row("Collapse ratio", e_.collapse_ratio, 3, "1 = collapsed",
        "distance across inputs " + fixed(e_.distance_across, 3) + ", within draws " +
            fixed(e_.distance_within, 3) + "; " + count(e_.unique_outputs) + " of " +
            count(static_cast<std::int64_t>(e_.chosen.size())) + " outputs unique");
    row("Notes, generated to real", e_.note_count_ratio, 3,
        fixed(e_.notes_per_window.value, 1) + " to " + fixed(e_.real_notes_per_window.value, 1) + " a window",
        "silent windows " + count(e_.silent_windows) + ", out of tokens " + count(e_.out_of_tokens));
    for (std::size_t t = 0; t < 3; ++t)
      row("Onset F1, " + count(std::lround(1000 * onset_tolerances_s[t])) + " ms", e_.onset_f1[t], 3,
          "other recording " + fixed(e_.shuffled_onset_f1[t].value, 3) + "; knowing the stroke " +
              fixed(e_.stroke_baseline_onset_f1[t].value, 3),
          "precision " + fixed(e_.onset_counts[t].precision(), 3) + ", recall " +
              fixed(e_.onset_counts[t].recall(), 3));
    row("Onset and pitch F1", e_.onset_pitch_f1, 3, "", "50 ms");
    row("Note F1", e_.note_f1, 3, "", "onset, pitch and offset, by mir_eval's rules");
    if (e_.generated_alignment && e_.real_alignment) {
      const AlignmentFigures &made = *e_.generated_alignment, &real = *e_.real_alignment;
      row("Onsets at peaks of motion, F1", made.peak_f1, 3, "real " + fixed(real.peak_f1.value, 3), "100 ms");
      row("Onset density and motion, z", made.z, 2, "real " + fixed(real.z.value, 2),
          "against circular shifts; p = " + fixed(made.p, 3) + ", real " + fixed(real.p, 3));
    }
    group("As music, beside the real");
    const std::array<std::pair<const char*, const DistributionFigures*>, 4> all = {
        {{"Pitch classes", &e_.pitch_class},
         {"Note count", &e_.note_count},
         {"Inter-onset interval", &e_.interval},
         {"Range", &e_.range}}};
    for (const auto& [name, figures] : all)
      row(std::string(name) + ", overlap area", figures->overlap_area, 3, "KL " + fixed(figures->kl.value, 3),
          "");
    row("Pitch-class entropy, bits", e_.generated_entropy, 3, "real " + fixed(e_.real_entropy.value, 3), "");
    row("Scale consistency", e_.generated_consistency, 3, "real " + fixed(e_.real_consistency.value, 3), "");
    row("NDB/k", e_.different_bins, 3, count(static_cast<std::int64_t>(e_.bins)) + " bins", "0 = alike");
    html_ += "</table></div>\n";
  }

  // ---- the conditioning gap and what it would be by chance
  void null_picture(const ConditioningGap& gap, const std::string& title) {
    constexpr double width = 460, height = 170, left = 10, right = 450, top = 12, bottom = 132;
    const std::vector<double>& null = gap.test.null_nll;
    double low = gap.test.nll, high = gap.test.nll;
    for (double nll : null) low = std::min(low, nll), high = std::max(high, nll);
    const double room = std::max(0.06 * (high - low), 1e-6);
    low -= room, high += room;
    const auto x = [&](double value) { return left + (value - low) / (high - low) * (right - left); };
    constexpr std::size_t bins = 48;
    std::array<double, bins> counts{};
    for (double nll : null)
      counts[std::min(static_cast<std::size_t>((nll - low) / (high - low) * bins), bins - 1)] += 1;
    const double most = *std::max_element(counts.begin(), counts.end());
    std::string bars;
    for (std::size_t b = 0; b < bins; ++b)
      if (counts[b] > 0) {
        const double tall = counts[b] / most * (bottom - top), step = (right - left) / bins;
        bars += "<rect class=\"null\" x=\"" + at(left + static_cast<double>(b) * step) + "\" y=\"" +
                at(bottom - tall) + "\" width=\"" + at(step - 0.6) + "\" height=\"" + at(tall) + "\"/>";
      }
    html_ +=
        "<figure><figcaption>" + title + ": Δ = " + fixed(gap.delta.value, 4) + " (" +
        interval_text(gap.delta, 4) + "), p = " + fixed(gap.test.p, 3) +
        "; exchanging whole recordings p = " + fixed(gap.p_recordings, 3) + "; " +
        count(static_cast<std::int64_t>(gap.test.windows.size())) +
        " windows</figcaption>\n<svg viewBox=\"0 0 460 170\" role=\"img\" aria-label=\"" + title +
        ": NLL under the right motion and under others\"><rect class=\"panel\" x=\"0\" y=\"0\" width=\"" +
        at(width) + "\" height=\"" + at(height - 26) + "\"/>" + bars + "<path class=\"own\" d=\"M" +
        at(x(gap.test.nll)) + " " + at(top - 6) + "V" + at(bottom) + "\"/><path class=\"axis\" d=\"M" +
        at(left) + " " + at(bottom) + "H" + at(right) + "\"/>";
    for (int k = 0; k <= 4; ++k) {
      const double value = low + (high - low) * k / 4;
      html_ += "<text class=\"" +
               std::string(k == 0   ? ""
                           : k == 4 ? "end"
                                    : "mid") +
               "\" x=\"" + at(x(value)) + "\" y=\"160\">" + fixed(value, high - low < 0.05 ? 4 : 3) +
               "</text>";
    }
    html_ += "</svg></figure>\n";
  }

  void conditioning() {
    html_ += "<h2>Conditioning gap</h2>\n";
    if (!e_.gap) {
      html_ += "<p>There is one recording only: no other motion to compare with.</p>\n";
      return;
    }
    html_ +=
        "<p>The NLL (nats a token) of the real music under its own motion, the coloured line, and under "
        "motions of other "
        "recordings, " +
        count(static_cast<std::int64_t>(e_.gap->test.null_nll.size())) +
        " derangements. A line inside the heap: the model does not listen.</p>\n<div class=\"pair\">\n";
    null_picture(*e_.gap, "Any other recording");
    if (e_.within_stroke)
      null_picture(*e_.within_stroke, e_.within_stroke->within_recordings
                                          ? "Another window of the same recording"
                                          : "Another recording of the same stroke");
    else
      html_ +=
          "<p class=\"soft\">No stroke has two windows, so there is no gap within "
          "strokes.</p>\n";
    html_ += "</div>\n";
  }

  // ---- the matrix
  void retrieval() {
    const std::int64_t K = check_scores(e_.scores);
    html_ +=
        "<h2>Every music under every motion</h2>\n<p>A row is a window's real music, a column a window's "
        "motion; "
        "colour is the music's log-likelihood under the motion, in deviations from the row's mean, "
        "<span class=\"key\" style=\"background:var(--q0)\"></span>2 below to "
        "<span class=\"key\" style=\"background:var(--q7)\"></span>1.5 and more above it. A diagonal that "
        "stands "
        "out: the model finds the motion that belongs to the music. Lines separate recordings.</p>\n";
    std::array<std::string, 8> paths;
    for (std::int64_t i = 0; i < K; ++i) {
      const double* row = e_.scores.data() + i * K;
      double mean = 0, squares = 0;
      for (std::int64_t j = 0; j < K; ++j) mean += row[j] / static_cast<double>(K);
      for (std::int64_t j = 0; j < K; ++j) squares += (row[j] - mean) * (row[j] - mean);
      const double deviation = std::sqrt(squares / static_cast<double>(K));
      const auto level = [&](std::int64_t j) {
        const double z = deviation > 1e-9 ? (row[j] - mean) / deviation : 0;
        return static_cast<std::size_t>(std::clamp(std::floor((z + 2) * 2), 0.0, 7.0));
      };
      for (std::int64_t j = 0, end = 0; j < K; j = end) {
        for (end = j; end < K && level(end) == level(j);) ++end;
        paths[level(j)] += "M" + count(j) + " " + count(i) + "h" + count(end - j) + "v1H" + count(j) + "z";
      }
    }
    std::string lines;
    for (std::size_t k = 1; k < e_.chosen.size(); ++k)
      if (e_.windows[e_.chosen[k]].recording != e_.windows[e_.chosen[k - 1]].recording)
        lines += "M" + count(static_cast<std::int64_t>(k)) + " 0V" + count(K) + "M0 " +
                 count(static_cast<std::int64_t>(k)) + "H" + count(K);
    html_ += "<figure style=\"max-width:34rem\"><svg viewBox=\"0 0 " + count(K) + " " + count(K) +
             "\" role=\"img\" aria-label=\"Log-likelihood of " + count(K) + " pieces of music under " +
             count(K) + " motions\" shape-rendering=\"crispEdges\">";
    for (std::size_t q = 0; q < paths.size(); ++q)
      if (!paths[q].empty()) html_ += "<path class=\"q" + std::to_string(q) + "\" d=\"" + paths[q] + "\"/>";
    html_ += "<path class=\"border\" d=\"" + lines + "\"/></svg><figcaption>R@1 " + fixed(e_.r1.value, 3) +
             " against chance " + fixed(e_.chance.r1, 3) + "; " + count(e_.distinct_music) +
             " of the pieces of music are different</figcaption></figure>\n";
  }

  void strokes() {
    if (e_.strokes.empty()) return;
    html_ +=
        "<h2>By stroke</h2>\n<div "
        "class=\"scroll\"><table>\n<tr><th>Stroke</th><th>Recordings</th><th>Windows</th>"
        "<th>NLL</th><th>Onset F1, 50 ms</th><th>100 ms</th><th>150 ms</th></tr>\n";
    for (const auto& [name, stroke] : e_.strokes) {
      html_ += "<tr><td>" + escaped(name) + "</td><td>" + count(stroke.recordings) + "</td><td>" +
               count(stroke.windows) + "</td><td>" + fixed(stroke.nll.value, 3) + "</td>";
      for (const Figure& figure : stroke.onset_f1)
        html_ += "<td>" + fixed(figure.value, 3) +
                 (figure.interval ? " <span class=\"soft\">(" + interval_text(figure, 2) + ")</span>" : "") +
                 "</td>";
      html_ += "</tr>\n";
    }
    html_ += "</table></div>\n";
  }

  // ---- windows
  void rolls() {
    html_ +=
        "<h2>Windows</h2>\n<p>Motion M(t) above, its peaks as dashed lines; the real music "
        "<span class=\"key\" style=\"background:var(--real)\"></span>and below it what the model wrote "
        "<span class=\"key\" style=\"background:var(--made)\"></span>for this motion.</p>\n<div "
        "class=\"pair\">\n";
    // One window of each of at most six recordings, spread evenly.
    const std::size_t G = e_.recordings.size(), shown = std::min<std::size_t>(6, G);
    for (std::size_t k = 0; k < shown; ++k) {
      const EvaluatedRecording& recording = e_.recordings[k * G / shown];
      if (!recording.windows.empty())
        roll(recording, e_.windows[recording.windows[recording.windows.size() / 2]]);
    }
    html_ += "</div>\n";
  }

  void roll(const EvaluatedRecording& recording, const EvaluatedWindow& window) {
    constexpr double left = 34, right = 454, motion_top = 6, motion_height = 54, lane = 96, gap = 8;
    const double real_top = motion_top + motion_height + gap, made_top = real_top + lane + gap,
                 end = made_top + lane;
    const auto x = [&](double time) { return left + time / e_.window_s * (right - left); };
    int lowest = 127, highest = 0;
    for (const auto* notes : {&window.real, &window.generated})
      for (const Note& note : *notes)
        lowest = std::min(lowest, note.pitch), highest = std::max(highest, note.pitch);
    if (lowest > highest) lowest = 55, highest = 79;
    lowest -= 1, highest += 1;
    while (highest - lowest < 13) --lowest, ++highest;
    const double semitone = lane / (highest - lowest + 1);
    html_ += "<figure><figcaption>" + escaped(recording.id) + ", from " + fixed(window.start_s, 2) + " s; " +
             count(static_cast<std::int64_t>(window.real.size())) + " real notes, " +
             count(static_cast<std::int64_t>(window.generated.size())) +
             " written</figcaption>\n<svg viewBox=\"0 0 460 " + at(end + 18) +
             "\" role=\"img\" aria-label=\"Motion, real and generated notes of a window\">";
    for (const auto& [top, height] :
         {std::pair{motion_top, motion_height}, {real_top, lane}, {made_top, lane}})
      html_ += "<rect class=\"panel\" x=\"" + at(left) + "\" y=\"" + at(top) + "\" width=\"" +
               at(right - left) + "\" height=\"" + at(height) + "\"/>";
    if (!window.activity.empty()) {
      const auto [least, most] = std::minmax_element(window.activity.begin(), window.activity.end());
      const double span = std::max(*most - *least, 1e-9);
      std::string d;
      for (std::size_t i = 0; i < window.activity.size(); ++i) {
        const double y =
            motion_top + motion_height - 3 - (window.activity[i] - *least) / span * (motion_height - 6);
        d += (i == 0 ? "M" : "L") +
             at(x(e_.window_s * static_cast<double>(i) / static_cast<double>(window.activity.size()))) + " " +
             at(y);
      }
      html_ += "<path class=\"curve\" d=\"" + d + "\"/>";
    }
    std::string peaks;
    for (double peak : window.peaks) peaks += "M" + at(x(peak)) + " " + at(motion_top) + "V" + at(end);
    if (!peaks.empty()) html_ += "<path class=\"peak\" d=\"" + peaks + "\"/>";
    const auto notes = [&](const std::vector<Note>& list, double top, const char* css) {
      html_ += "<g class=\"" + std::string(css) + "\">";
      for (const Note& note : list)
        html_ += "<rect x=\"" + at(x(note.start)) + "\" y=\"" + at(top + (highest - note.pitch) * semitone) +
                 "\" width=\"" + at(std::max(x(note.end) - x(note.start) - 0.7, 0.8)) + "\" height=\"" +
                 at(std::max(semitone - 0.4, 0.8)) + "\" rx=\"1\"/>";
      html_ += "</g><text class=\"end\" x=\"" + at(left - 4) + "\" y=\"" + at(top + 10) + "\">" +
               pitch_name(highest) + "</text><text class=\"end\" x=\"" + at(left - 4) + "\" y=\"" +
               at(top + lane - 2) + "\">" + pitch_name(lowest) + "</text>";
    };
    notes(window.real, real_top, "real");
    notes(window.generated, made_top, "made");
    const double step = e_.window_s > 12 ? 5 : e_.window_s > 3 ? 1 : 0.5;
    for (double t = 0; t <= e_.window_s + 1e-9; t += step)
      html_ += "<text class=\"mid\" x=\"" + at(x(t)) + "\" y=\"" + at(end + 13) + "\">" + at(t) + "</text>";
    html_ += "</svg></figure>\n";
  }

  // ---- distributions
  void bars(const std::string& title, std::span<const double> real, std::span<const double> made,
            const std::vector<std::string>& names) {
    constexpr double left = 6, right = 454, top = 8, bottom = 120;
    const auto shares = [](std::span<const double> counts) {
      double total = 0;
      for (double c : counts) total += c;
      std::vector<double> result;
      for (double c : counts) result.push_back(total > 0 ? c / total : 0);
      return result;
    };
    const std::vector<double> p = shares(real), q = shares(made);
    const double most =
        std::max({*std::max_element(p.begin(), p.end()), *std::max_element(q.begin(), q.end()), 1e-9});
    const double step = (right - left) / static_cast<double>(p.size());
    html_ += "<figure><figcaption>" + title +
             "</figcaption>\n<svg viewBox=\"0 0 460 140\" role=\"img\" aria-label=\"" + title +
             ", real and generated\"><rect class=\"panel\" x=\"0\" y=\"0\" width=\"460\" height=\"" +
             at(bottom) + "\"/>";
    for (std::size_t b = 0; b < p.size(); ++b) {
      const double x = left + static_cast<double>(b) * step;
      for (const auto& [share, css, offset] : {std::tuple{p[b], "real", 0.08}, {q[b], "made", 0.5}})
        if (share > 0)
          html_ += "<rect class=\"" + std::string(css) + "\" x=\"" + at(x + offset * step) + "\" y=\"" +
                   at(bottom - share / most * (bottom - top)) + "\" width=\"" + at(0.42 * step) +
                   "\" height=\"" + at(share / most * (bottom - top)) + "\"/>";
      if (!names[b].empty())
        html_ += "<text class=\"mid\" x=\"" + at(x + step / 2) + "\" y=\"134\">" + names[b] + "</text>";
    }
    html_ += "</svg></figure>\n";
  }

  void distributions() {
    html_ +=
        "<h2>Distributions</h2>\n<p>Shares in the real music "
        "<span class=\"key\" style=\"background:var(--real)\"></span>and in the generated "
        "<span class=\"key\" style=\"background:var(--made)\"></span>.</p>\n<div class=\"pair\">\n";
    const MusicHistograms &real = e_.real_histograms, &made = e_.generated_histograms;
    bars("Pitch classes", real.pitch_class, made.pitch_class,
         {"C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"});
    bars("Notes a window", real.note_count, made.note_count,
         {"0", "1", "2", "3", "4", "6", "8", "12", "16", "24", "32", "48", "64"});
    std::vector<std::string> seconds(real.interval.size());
    for (std::size_t b = 0; b < seconds.size(); b += 2)
      seconds[b] = at(std::exp2(static_cast<double>(b) / 2 - 6));
    bars("Inter-onset interval, s", real.interval, made.interval, seconds);
    std::vector<std::string> semitones(real.range.size());
    for (std::size_t b = 0; b < semitones.size(); b += 3) semitones[b] = std::to_string(2 * b);
    bars("Range of a window, semitones", real.range, made.range, semitones);
    html_ += "</div>\n";
  }

  const Evaluation& e_;
  const EvaluationHeading& heading_;
  std::string html_;
};

}  // namespace

std::string evaluation_html(const Evaluation& evaluation, const EvaluationHeading& heading) {
  return Page(evaluation, heading).draw();
}
