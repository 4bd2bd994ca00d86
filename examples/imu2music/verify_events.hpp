// `verify events.json`: vocabulary 1 against a file of expected encodings and decodings.
//
// The file is an object with `cases`, each with `ids` and, optionally, `notes` [[velocity, pitch, start,
// end], …], `decoded_notes` (the same form) and `pitch_histogram_first` / `_last` [12]; and optionally
// `layout` (kind → [first id, one past the last]), `time_shift_bins_s` and `velocity_bins`. Ids, velocities
// and pitches must agree exactly, times to 1e-9 s, bins to 1e-9, histograms to 1e-6. What the file lacks is
// reported as absent. Errors: InputError where the file is not such an object.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/music/event_vocabulary.hpp"

struct CheckRow {
  std::string name;
  double max_abs_error = 0;  // infinite where lengths differ
  double max_rel_error = 0;
  bool passed = true;
  std::string note;
};

namespace verify_events_detail {

using imu2music::EventVocabulary1;
using imu2music::InputError;
using imu2music::Note;
using Json = nlohmann::json;

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Collects the differences of one row over all cases.
class Comparison {
 public:
  Comparison(std::string name, double tolerance) : tolerance_(tolerance) { row_.name = std::move(name); }

  void begin_case(long index) {  // −1: the row is no matter of cases
    case_ = index;
    ++cases_;
  }
  void number(double got, double expected) {
    double absolute = std::abs(got - expected);
    if (std::isnan(absolute)) absolute = infinity;
    row_.max_abs_error = std::max(row_.max_abs_error, absolute);
    if (absolute > 0)
      row_.max_rel_error =
          std::max(row_.max_rel_error, expected != 0 ? absolute / std::abs(expected) : infinity);
    if (!(absolute <= tolerance_)) fail("got " + text(got) + ", expected " + text(expected));
  }
  // False where the lengths differ: there is nothing to compare then.
  bool length(std::size_t got, std::size_t expected, const char* what) {
    if (got == expected) return true;
    row_.max_abs_error = row_.max_rel_error = infinity;
    fail("got " + std::to_string(got) + " " + what + ", expected " + std::to_string(expected));
    return false;
  }
  void fail(const std::string& reason) {
    if (row_.passed) first_ = (case_ >= 0 ? "first in case " + std::to_string(case_) + ": " : "") + reason;
    row_.passed = false;
    if (failed_case_ != case_ || failures_ == 0) ++failures_;
    failed_case_ = case_;
  }
  CheckRow row() const {
    CheckRow row = row_;
    if (cases_ == 0)
      row.note = "absent";
    else if (case_ < 0)
      row.note = first_;
    else if (row.passed)
      row.note = std::to_string(cases_) + " cases";
    else
      row.note = std::to_string(failures_) + " of " + std::to_string(cases_) + " cases differ, " + first_;
    return row;
  }

 private:
  static std::string text(double value) {
    std::ostringstream stream;
    stream.precision(12);
    stream << value;
    return stream.str();
  }
  CheckRow row_;
  double tolerance_;
  long case_ = -1, failed_case_ = -1;
  std::size_t cases_ = 0, failures_ = 0;
  std::string first_;
};

// Reads values of the file, naming the place of what is not as it should be.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  [[noreturn]] void refuse(const std::string& place, const std::string& remedy) const {
    throw InputError(path_, place + " is malformed", remedy);
  }
  double number(const Json& value, const std::string& place) const {
    if (!value.is_number()) refuse(place, "it must be a number");
    return value.get<double>();
  }
  int integer(const Json& value, const std::string& place) const {
    double wide = number(value, place);
    if (!(std::abs(wide) <= 1e9) || wide != std::floor(wide)) refuse(place, "it must be a whole number");
    return static_cast<int>(wide);
  }
  std::vector<double> numbers(const Json& value, const std::string& place) const {
    if (!value.is_array()) refuse(place, "it must be a list of numbers");
    std::vector<double> result;
    for (const Json& item : value) result.push_back(number(item, place));
    return result;
  }
  std::vector<int> ids(const Json& value, const std::string& place) const {
    if (!value.is_array()) refuse(place, "it must be a list of ids");
    std::vector<int> result;
    for (const Json& item : value) {
      int id = integer(item, place);
      if (!EventVocabulary1::contains(id)) refuse(place, "vocabulary 1 has ids 0 to 242");
      result.push_back(id);
    }
    return result;
  }
  std::vector<Note> notes(const Json& value, const std::string& place) const {
    if (!value.is_array()) refuse(place, "it must be a list of [velocity, pitch, start, end]");
    std::vector<Note> result;
    for (const Json& item : value) {
      if (!item.is_array() || item.size() != 4) refuse(place, "a note is [velocity, pitch, start, end]");
      result.push_back(
          {integer(item[1], place), integer(item[0], place), number(item[2], place), number(item[3], place)});
    }
    return result;
  }

 private:
  std::string path_;
};

}  // namespace verify_events_detail

// The most bytes such a file may have: the tree of them takes some sixty times as much.
inline constexpr std::int64_t most_events_bytes = 16 << 20;

// Whether `path` holds such a file: a JSON object with a list `cases`. False where it cannot be read.
inline bool is_events_file(const std::string& path) {
  try {
    struct stat status {};
    const imu2music::FileDescriptor file = imu2music::open_to_read(path, status, false);
    if (!S_ISREG(status.st_mode) || status.st_size < 2 || status.st_size > most_events_bytes) return false;
    unsigned char first = 0;  // weights may be large: they are told by their first byte
    if (::read(file.number(), &first, 1) != 1) return false;
    if (first != '{' && first != 0xEF && std::isspace(first) == 0) return false;
    const nlohmann::json json =
        nlohmann::json::parse(imu2music::read_text_file(path, most_events_bytes), nullptr,
                              /*allow_exceptions=*/false);
    return json.is_object() && json.contains("cases") && json["cases"].is_array();
  } catch (const imu2music::Error&) {
    return false;
  }
}

// One row each for layout, time_shift_bins_s, velocity_bins, ids, decoded_notes, pitch_histogram_first and
// _last.
inline std::vector<CheckRow> verify_events_file(const std::string& path) {
  using namespace verify_events_detail;
  Json json =
      Json::parse(imu2music::read_text_file(path, most_events_bytes), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    throw InputError(path, "is not JSON", "a file of expected events is a JSON object");
  if (!json.is_object() || !json.contains("cases") || !json["cases"].is_array())
    throw InputError(path, "has no list `cases`", "a file of expected events is an object with one");
  Reader reader(path);

  Comparison layout("layout", 0);
  if (json.contains("layout")) {
    layout.begin_case(-1);
    if (!json["layout"].is_object())
      reader.refuse("layout", "it must map kinds to [first, one past the last]");
    using V = EventVocabulary1;
    const std::array<std::pair<const char*, std::array<int, 2>>, 4> ours{
        {{"note_on", {V::first_note_on, V::first_note_off}},
         {"note_off", {V::first_note_off, V::first_velocity}},
         {"velocity", {V::first_velocity, V::first_time_shift}},
         {"time_shift", {V::first_time_shift, V::sos}}}};
    for (const auto& [kind, range] : ours) {
      if (!json["layout"].contains(kind)) {
        layout.fail(std::string("no ") + kind);
        continue;
      }
      std::vector<double> expected = reader.numbers(json["layout"][kind], "layout");
      if (layout.length(2, expected.size(), "bounds"))
        for (std::size_t i = 0; i < 2; ++i) layout.number(range[i], expected[i]);
    }
    layout.length(ours.size(), json["layout"].size(), "kinds");
  }

  auto bins = [&](const char* name, const auto& ours) {
    Comparison comparison(name, 1e-9);
    if (json.contains(name)) {
      comparison.begin_case(-1);
      std::vector<double> expected = reader.numbers(json[name], name);
      if (comparison.length(ours.size(), expected.size(), "bins"))
        for (std::size_t i = 0; i < ours.size(); ++i) comparison.number(ours[i], expected[i]);
    }
    return comparison.row();
  };

  Comparison ids("ids", 0), decoded("decoded_notes", 1e-9);
  Comparison first("pitch_histogram_first", 1e-6), last("pitch_histogram_last", 1e-6);
  long index = 0;
  for (const Json& item : json["cases"]) {
    std::string place = "case " + std::to_string(index);
    if (!item.is_object() || !item.contains("ids")) reader.refuse(place, "a case is an object with `ids`");
    std::vector<int> expected_ids = reader.ids(item["ids"], place + ", ids");
    if (item.contains("notes")) {
      ids.begin_case(index);
      std::vector<Note> notes = reader.notes(item["notes"], place + ", notes");
      std::vector<int> got;
      try {
        got = EventVocabulary1::encode(notes);
      } catch (const InputError& error) {
        throw InputError(path, place + ": " + error.what(),
                         "notes are [velocity, pitch, start, end] in seconds");
      }
      std::size_t common = std::min(got.size(), expected_ids.size());
      for (std::size_t i = 0; i < common; ++i) ids.number(got[i], expected_ids[i]);
      ids.length(got.size(), expected_ids.size(), "ids");
    }
    if (item.contains("decoded_notes")) {
      decoded.begin_case(index);
      std::vector<Note> expected = reader.notes(item["decoded_notes"], place + ", decoded_notes");
      std::vector<Note> got = EventVocabulary1::decode(expected_ids);
      if (decoded.length(got.size(), expected.size(), "notes"))
        for (std::size_t i = 0; i < got.size(); ++i) {
          decoded.number(got[i].velocity, expected[i].velocity);
          decoded.number(got[i].pitch, expected[i].pitch);
          decoded.number(got[i].start, expected[i].start);
          decoded.number(got[i].end, expected[i].end);
        }
    }
    auto histogram = [&](Comparison& comparison, const char* name, bool at_last) {
      if (!item.contains(name)) return;
      comparison.begin_case(index);
      std::vector<double> expected = reader.numbers(item[name], place + ", " + name);
      if (expected_ids.empty()) reader.refuse(place + ", " + name, "a case without ids has no histogram");
      auto got = imu2music::pitch_histogram(expected_ids, at_last ? expected_ids.size() - 1 : 0);
      if (comparison.length(got.size(), expected.size(), "pitch classes"))
        for (std::size_t i = 0; i < got.size(); ++i) comparison.number(got[i], expected[i]);
    };
    histogram(first, "pitch_histogram_first", false);
    histogram(last, "pitch_histogram_last", true);
    ++index;
  }
  return {layout.row(),
          bins("time_shift_bins_s", EventVocabulary1::time_shift_bins_s()),
          bins("velocity_bins", EventVocabulary1::velocity_bins()),
          ids.row(),
          decoded.row(),
          first.row(),
          last.row()};
}
