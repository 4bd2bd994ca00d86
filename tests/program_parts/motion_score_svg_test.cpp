#include "motion_score_svg.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <string_view>

#include "support.hpp"

namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t result = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++result;
  return result;
}

// Every tag is closed in order, every attribute quoted, every & an entity: enough of XML for what is drawn
// here.
std::string xml_fault(std::string_view text) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && text[i] != '\n') return "control character";
    if (text[i] == '&') {
      std::string_view rest = text.substr(i, 6);
      if (!rest.starts_with("&amp;") && !rest.starts_with("&lt;") && !rest.starts_with("&gt;") &&
          !rest.starts_with("&quot;"))
        return "bare &";
    }
    if (text[i] == '>') return "bare >";
    if (text[i] != '<') continue;
    std::size_t end = text.find('>', i);
    if (end == std::string_view::npos) return "unclosed tag";
    std::string_view tag = text.substr(i + 1, end - i - 1);
    if (count(tag, "\"") % 2 != 0 || tag.find('<') != std::string_view::npos) return "broken tag";
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) return "wrong end tag " + std::string(tag);
      open.pop_back();
    } else if (!tag.ends_with("/")) {
      open.emplace_back(tag.substr(0, tag.find(' ')));
    }
    i = end;
  }
  return open.empty() ? "" : "open " + open.back();
}

MotionTrace waves(double seconds, double rate_hz) {
  MotionTrace trace{"Right arm gyroscope", "°/s", 0, rate_hz, {}};
  std::mt19937 random(1);
  std::uniform_real_distribution<float> noise(-1, 1);
  for (int i = 0; i < seconds * rate_hz; ++i) {
    float t = float(i / rate_hz);
    trace.values.push_back({100 * std::sin(9 * t) + noise(random), 40 * std::cos(2 * t), noise(random)});
  }
  return trace;
}

MotionScore small_score() {
  MotionScore score;
  score.title = "A title";
  score.subtitle = "and more";
  score.traces = {waves(10, 25)};
  score.notes = {{60, 64, 0, 1}, {67, 127, 1, 2.5}, {72, 1, 3, 9}};
  score.window_starts_s = {0, 6};
  return score;
}

}  // namespace

TEST_CASE("a picture has its parts, on light and dark") {
  std::string svg = motion_score_svg(small_score());
  CHECK(xml_fault(svg) == "");
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="));
  CHECK(svg.find("prefers-color-scheme:dark") != std::string::npos);
  CHECK(svg.find("<title id=\"title\">A title</title>") != std::string::npos);
  CHECK(svg.find("1 row of motion from 0 s to 10 s, above a piano roll of 3 notes from C4 to C5.") !=
        std::string::npos);
  for (const char* text : {">A title</text>", ">and more</text>", ">Right arm</text>", ">gyroscope</text>",
                           ">°/s</text>", ">x</text>", ">y</text>", ">z</text>", ">window</text>",
                           ">C4</text>", ">C5</text>", ">time (s)</text>", ">−100</text>", ">10</text>"}) {
    INFO(text);
    CHECK(svg.find(text) != std::string::npos);
  }
  CHECK(count(svg, "fill-opacity=\"1\"") == 1);     // velocity 127
  CHECK(count(svg, "fill-opacity=\"0.65\"") == 1);  // velocity 64
  CHECK(svg.find("no notes") == std::string::npos);
  CHECK(svg == motion_score_svg(small_score()));
}

TEST_CASE("notes lie on the time axis of the motion") {
  MotionScore score = small_score();
  std::string svg = motion_score_svg(score);
  // The plot is 968 wide from 196 on, 10 s long: the second note begins at 1 s and lasts 1.5 s.
  CHECK(svg.find("<rect x=\"292.8\"") != std::string::npos);
  CHECK(svg.find("width=\"144.4\"") != std::string::npos);
  score.start_s = 1.0;
  score.end_s = 3.0;
  svg = motion_score_svg(score);
  CHECK(xml_fault(svg) == "");
  CHECK(svg.find("<rect x=\"196\" y=") != std::string::npos);
  CHECK(svg.find("from 1 s to 3 s") != std::string::npos);
}

TEST_CASE("no notes, no motion, nothing at all") {
  MotionScore score = small_score();
  score.notes.clear();
  std::string svg = motion_score_svg(score);
  CHECK(xml_fault(svg) == "");
  CHECK(svg.find(">no notes</text>") != std::string::npos);
  score = small_score();
  score.traces.clear();
  svg = motion_score_svg(score);
  CHECK(xml_fault(svg) == "");
  CHECK(svg.find(">x</text>") == std::string::npos);
  CHECK(xml_fault(motion_score_svg({})) == "");
  score.traces.push_back({"empty", "g", 0, 50, {}});
  score.traces.push_back({"no rate", "g", 0, 0, {{1, 2, 3}}});
  CHECK(xml_fault(motion_score_svg(score)) == "");
}

TEST_CASE("ten minutes at 200 Hz, six rows and five thousand notes stay below 1 MB, peaks kept") {
  MotionScore score;
  for (int i = 0; i < 6; ++i) score.traces.push_back(waves(600, 200));
  score.traces[0].values[70001][2] =
      5000;  // one sample; it sets the scale of the unit, and touches the top margin
  for (int i = 0; i < 5000; ++i) score.notes.push_back({40 + i % 50, 1 + i % 127, i * 0.12, i * 0.12 + 0.3});
  for (int i = 0; i < 100; ++i) score.window_starts_s.push_back(6 * i);
  std::string svg = motion_score_svg(score);
  CHECK(xml_fault(svg) == "");
  CHECK(svg.size() < 1000000);
  CHECK(svg.size() > 300000);
  // The range is −101…5000 widened by 6 % on either side, on 84 units from y = 128: the peak lies at 132.5.
  CHECK(svg.find(" 132.5L") != std::string::npos);
}

TEST_CASE("text of any bytes is escaped") {
  MotionScore score = small_score();
  score.title =
      "<script>alert(\"1\")</script> & \x01\x7f \xff\xc3( \xed\xa0\x80 \xf0\x9f\x8e\xbb \xef\xbf\xbf";
  score.subtitle = std::string(1000, '&');
  score.traces[0].label =
      "<a> " + std::string(200, 'w') + " b c d e f g h i j k l m n o p q r s t u v w x y z a b c d";
  score.traces[0].unit = std::string("\0\"><", 4);
  score.axes = {"<", "\"", "\xc3"};
  std::string svg = motion_score_svg(score);
  CHECK(xml_fault(svg) == "");
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find("&lt;script&gt;") != std::string::npos);
  CHECK(svg.find("\xff") == std::string::npos);
  CHECK(svg.find("\xf0\x9f\x8e\xbb") != std::string::npos);
  CHECK(svg.find("\uFFFD(") != std::string::npos);
}

TEST_CASE("values and times that are none leave gaps, not nonsense") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  MotionScore score = small_score();
  for (std::size_t i = 50; i < 60; ++i) score.traces[0].values[i] = {nan, infinity, -infinity};
  MotionTrace gone{"gone", "g", 0, 200, std::vector<std::array<float, 3>>(20000, {nan, nan, nan})};
  score.traces.push_back(gone);
  gone.start_s = std::numeric_limits<double>::quiet_NaN();
  score.traces.push_back(gone);
  score.notes.push_back({60, 64, std::numeric_limits<double>::quiet_NaN(), 1});
  score.notes.push_back({60, 64, 0, std::numeric_limits<double>::infinity()});
  score.notes.push_back({200, 64, 0, 1});
  score.notes.push_back({-5, 64, 0, 1});
  score.window_starts_s.push_back(std::numeric_limits<double>::quiet_NaN());
  std::string svg = motion_score_svg(score);
  CHECK(xml_fault(svg) == "");
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  score = small_score();
  score.end_s = std::numeric_limits<double>::infinity();
  CHECK(motion_score_svg(score).find("inf") == std::string::npos);
  score.start_s = 5;
  score.end_s = 5;
  CHECK(xml_fault(motion_score_svg(score)) == "");
}

TEST_CASE("time axes from milliseconds to days have few ticks") {
  for (double seconds : {0.01, 0.3, 1.0, 7.0, 59.0, 599.0, 86400.0, 1e7}) {
    MotionScore score;
    score.notes = {{60, 64, 0, seconds}};
    std::string svg = motion_score_svg(score);
    std::size_t ticks = count(svg, "class=\"time\"") - 1;
    INFO(seconds, " s: ", ticks);
    CHECK(ticks >= 3);
    CHECK(ticks <= 13);
  }
}

TEST_CASE("a renderer draws it") {
  if (test::run_command("rsvg-convert --version").status != 0) {
    MESSAGE("skipped: no rsvg-convert");
    return;
  }
  test::ScratchFolder scratch;
  test::write_file(scratch / "a.svg", motion_score_svg(small_score()));
  test::CommandResult result =
      test::run_command("rsvg-convert '" + (scratch / "a.svg") + "' -o '" + (scratch / "a.png") + "'");
  CHECK(result.status == 0);
  CHECK(result.error == "");
  CHECK(test::read_file(scratch / "a.png").size() > 10000);
}
