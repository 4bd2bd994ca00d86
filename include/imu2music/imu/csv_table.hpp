// Tables of numbers as text, and recordings from their columns: what all CSV readers share.
//
// A table is lines of fields: an optional block of comment lines ("//" or "#"), a header that names the
// columns, or a last comment with as many fields as the row of numbers under it, then one row a line. Fields
// are separated by commas, semicolons or tabs: that of a first line "sep=;" as Excel has it, or else
// whichever the header has most of, outside quotes. Where the first line begins with "DeviceTag:", the lines
// before one with a PacketCounter are comments (xsens_reader.hpp). A field may stand in double quotes, with
// "" for a quote inside (RFC 4180), but may not hold a line break. Lines end in LF or CRLF; empty lines, and
// at the end or beside a clock those of separators alone, are passed over; a UTF-8 byte order mark is removed
// by read_text_file. Numbers are those of the C locale, a decimal point in them.
//
// read_csv_recording(table, clock, tracks) reads the columns that are asked for and no others. An empty field
// and NA, nan, inf in whatever case are values that are not finite: kept as NaN, for diagnose() to report.
// Rows out of order are sorted by their time and rows that came in bunches are spread, as make_clock() finds
// them; Recording::notes says how many. Of sensors whose rows stand in turn,
// with empty fields for the others, each has the clock of its own rows; so has each quantity of one sensor,
// which are then brought to the times of one of them (merge_sensors.hpp).
//
// Cost: one pass over the text; 4 bytes a value kept, 8 a time stamp, and 16 more where sensors have clocks
// of their own. Errors: InputError with line and column for a row with more or fewer fields than the header,
// text in place of a number, decimal commas, an unended quote, a time that is not finite; for a column that
// is missing or there twice; and as make_clock().
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/merge_sensors.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

namespace csv_detail {

inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

// A number that fills `text`; an empty field, NA, nan and inf are NaN.
inline bool parse_field(std::string_view text, double& value) {
  constexpr double missing = std::numeric_limits<double>::quiet_NaN();
  if (text.empty() || (text.size() == 2 && (text[0] | 32) == 'n' && (text[1] | 32) == 'a')) {
    value = missing;
    return true;
  }
  if (text.front() == '+') {
    text.remove_prefix(1);
    if (text.empty() || text.front() == '-') return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return false;
  if (error == std::errc::result_out_of_range) {  // 1e999, or 1e-999, which is 0 for every purpose here
    value =
        text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos ? 0 : missing;
    return true;
  }
  if (error != std::errc{}) return false;
  if (!std::isfinite(value)) value = missing;
  return true;
}

}  // namespace csv_detail

// The header of a table and where its rows begin. Holds views of the text, which must outlive it.
class CsvTable {
 public:
  static constexpr std::size_t most_columns = 4096;
  static constexpr std::size_t most_comments = 1024;  // that are kept; a file of nothing else is no table

  // With has_header false all lines are rows, and columns have no names.
  CsvTable(std::string_view text, std::string path, bool has_header = true) : path_(std::move(path)) {
    std::size_t begin = 0;
    const char told_separator = told_separator_of(text.substr(0, text.find('\n')));
    if (told_separator != '\0') {
      begin = std::min(text.find('\n'), text.size() - 1) + 1;
      ++line_;
    }
    const bool dot = text.substr(begin).starts_with("DeviceTag:");
    std::string_view before;  // the last line that is not empty
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = csv_detail::trimmed(text.substr(begin, end - begin));
      ++line_;
      const bool comment = line.starts_with("//") || line.starts_with("#") ||
                           (dot && line.find("PacketCounter") == std::string_view::npos);
      if (!line.empty() && !comment) {
        // A tab at an end separates an empty field there, so the separator is sought in the line as it is.
        const std::string_view whole = text.substr(begin, end - begin);
        separator_ = told_separator != '\0' ? told_separator : separator_of(whole);
        split(whole, fields_, line_);
        if (fields_.size() > most_columns)
          throw InputError(path_, "has more than " + std::to_string(most_columns) + " columns",
                           "check that it is the file you mean");
        columns_ = fields_.size();
        if (has_header && told_in_comment(before)) {
          --line_;  // this one is a row
        } else if (has_header) {
          for (const std::string_view field : fields_) names_.push_back(unquoted(field));
          begin = std::min(end + 1, text.size());
        } else {
          --line_;
        }
        rows_ = text.substr(begin);
        cut_blank_end();
        return;
      }
      if (comment && comments_.size() < most_comments) comments_.push_back(line);
      if (!line.empty()) before = line;
      begin = end + 1;
    }
    throw InputError(path_, "holds no table", "it should have a line of column names and lines of numbers");
  }

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string_view>& comments() const { return comments_; }
  std::size_t column_count() const { return columns_; }
  // The rows that there may be, at most: a row ends in a line break and has a separator between two columns,
  // and as many bytes more as there are fields that may not be empty.
  std::size_t row_limit(std::size_t filled = 0) const {
    return std::min(static_cast<std::size_t>(std::count(rows_.begin(), rows_.end(), '\n')) + 1,
                    (rows_.size() + 1) / (columns_ + filled));
  }

  // Whether there are at least `count` rows, well formed or not.
  bool has_rows(std::size_t count) const {
    std::size_t begin = 0;
    while (count > 0 && begin < rows_.size()) {
      const std::size_t end = std::min(rows_.find('\n', begin), rows_.size());
      if (!is_empty(rows_.substr(begin, end - begin))) --count;
      begin = end + 1;
    }
    return count == 0;
  }

  bool has(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }
  bool has_all(std::initializer_list<std::string_view> names) const {
    return std::all_of(names.begin(), names.end(), [&](std::string_view name) { return has(name); });
  }

  // The column of that name. Throws InputError where there is none or several.
  int require(std::string_view name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end())
      throw InputError(path_, "has no column " + in_quotes(name), "its columns are: " + list_of_names());
    if (std::find(found + 1, names_.end(), name) != names_.end())
      throw InputError(path_, "has two columns " + in_quotes(name),
                       "each column should have a name of its own");
    return static_cast<int>(found - names_.begin());
  }

  std::string name_of(int column) const {
    const auto i = static_cast<std::size_t>(column);
    return i < names_.size() ? in_quotes(names_[i]) : std::to_string(column + 1);
  }

  std::string list_of_names() const {
    std::string text;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i == 20) return text + ", ...";
      const std::string quoted = in_quotes(names_[i]);
      text += (i == 0 ? "" : ", ") + quoted.substr(1, quoted.size() - 2);
    }
    return text;
  }

  // Calls row(fields, line) for each row: fields as they stand, trimmed, without quotes.
  template <class Row>
  void for_each_row(Row row) const {
    std::vector<std::string_view> fields;
    std::int64_t line_number = line_;
    std::size_t begin = 0;
    while (begin < rows_.size()) {
      const std::size_t end = std::min(rows_.find('\n', begin), rows_.size());
      const std::string_view line = rows_.substr(begin, end - begin);
      begin = end + 1;
      ++line_number;
      if (is_empty(line)) continue;
      split(line, fields, line_number);
      if (fields.size() != columns_)
        throw InputError(path_,
                         "line " + std::to_string(line_number) + " has " + std::to_string(fields.size()) +
                             (fields.size() == 1 ? " field, " : " fields, ") +
                             (names_.empty() ? "the first line " : "the header ") + std::to_string(columns_),
                         "each row should have a value for each column");
      row(static_cast<const std::vector<std::string_view>&>(fields), line_number);
    }
  }

  double number(std::string_view field, int column, std::int64_t line) const {
    double value = 0;
    if (csv_detail::parse_field(field, value)) return value;
    std::string with_point(field);
    const bool decimal_comma = std::count(field.begin(), field.end(), ',') == 1 && [&] {
      *std::find(with_point.begin(), with_point.end(), ',') = '.';
      return csv_detail::parse_field(with_point, value);
    }();
    throw InputError(path_,
                     "line " + std::to_string(line) + ", column " + name_of(column) + ": " +
                         in_quotes(field) +
                         (decimal_comma ? " is written with a decimal comma" : " is no number"),
                     decimal_comma ? "export it with decimal points" : "every value should be a number");
  }

 private:
  // Whether a line is no row. Tabs alone are one where they separate as many fields as a row has.
  bool is_empty(std::string_view line) const {
    if (!csv_detail::trimmed(line).empty()) return false;
    return separator_ != '\t' ||
           static_cast<std::size_t>(std::count(line.begin(), line.end(), '\t')) + 1 != columns_ ||
           columns_ == 1;
  }

  // Lines without a value at the end of a spreadsheet are no rows.
  void cut_blank_end() {
    while (!rows_.empty()) {
      const std::size_t line_break = rows_.substr(0, rows_.size() - 1).rfind('\n');
      const std::size_t begin = line_break == std::string_view::npos ? 0 : line_break + 1;
      const char blank[] = {' ', '\t', '\r', '\n', separator_};
      if (rows_.find_first_not_of(std::string_view(blank, sizeof blank), begin) != std::string_view::npos)
        return;
      rows_ = rows_.substr(0, begin);
    }
  }

  // Takes the names from the comment just above a first line of numbers, as numpy's savetxt writes them.
  bool told_in_comment(std::string_view comment) {
    double value = 0;
    if (!(comment.starts_with('#') || comment.starts_with("//")) || fields_.front().empty() ||
        !std::all_of(fields_.begin(), fields_.end(),
                     [&](std::string_view field) { return csv_detail::parse_field(field, value); }))
      return false;
    const std::size_t first = comment.find_first_not_of("#/ ");
    if (first == std::string_view::npos) return false;
    std::vector<std::string_view> named;
    try {
      split(comment.substr(first), named, line_);
    } catch (const InputError&) {
      return false;  // a lone quote, as that of inches
    }
    if (named.size() != columns_) return false;
    for (const std::string_view field : named) names_.push_back(unquoted(field));
    return true;
  }

  // Of a line "sep=;"; 0 of any other.
  static char told_separator_of(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
    if (line.size() != 5 || !line.starts_with("sep=")) return '\0';
    return line[4] == ',' || line[4] == ';' || line[4] == '\t' ? line[4] : '\0';
  }

  // A comma inside quotes separates nothing, and a decimal comma must not win over the semicolons.
  static char separator_of(std::string_view line) {
    std::size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (quoted) continue;
      commas += c == ',';
      semicolons += c == ';';
      tabs += c == '\t';
    }
    if (tabs > 0 && tabs >= semicolons && tabs >= commas) return '\t';
    return semicolons > 0 && semicolons >= commas ? ';' : ',';
  }

  void split(std::string_view line, std::vector<std::string_view>& fields, std::int64_t line_number) const {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto cut = [](std::string_view text) {
      while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
      while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
      return text;
    };
    fields.clear();
    std::size_t begin = 0;
    while (true) {
      std::size_t at = begin;
      while (at < line.size() && line[at] == ' ') ++at;
      std::size_t end = 0;
      if (at < line.size() && line[at] == '"') {
        std::size_t close = at + 1;
        while (close < line.size() &&
               (line[close] != '"' || (close + 1 < line.size() && line[close + 1] == '"')))
          close += line[close] == '"' ? 2 : 1;
        if (close >= line.size())
          throw InputError(path_, "line " + std::to_string(line_number) + " has a quote that does not end",
                           "a quoted field should end in its line");
        end = std::min(line.find(separator_, close + 1), line.size());
        if (!cut(line.substr(close + 1, end - close - 1)).empty())
          throw InputError(path_, "line " + std::to_string(line_number) + " goes on after a quoted field",
                           "a separator should follow the quote");
        fields.push_back(cut(line.substr(at + 1, close - at - 1)));
      } else {
        end = std::min(line.find(separator_, begin), line.size());
        fields.push_back(cut(line.substr(begin, end - begin)));
      }
      if (end == line.size() || fields.size() > most_columns) return;
      begin = end + 1;
    }
  }

  static std::string unquoted(std::string_view field) {
    std::string text;
    for (std::size_t i = 0; i < field.size(); ++i) {
      text += field[i];
      if (field[i] == '"' && i + 1 < field.size() && field[i + 1] == '"') ++i;
    }
    return std::string(csv_detail::trimmed(text));
  }

  std::string path_;
  std::vector<std::string> names_;
  std::vector<std::string_view> comments_, fields_;
  std::string_view rows_;
  std::size_t columns_ = 0;
  std::int64_t line_ = 0;  // the last line before the rows
  char separator_ = ',';
};

// The table that begins a text; none where that holds none, as a README does.
inline std::optional<CsvTable> table_in(std::string_view text, const std::string& path) {
  try {
    return CsvTable(text, path);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

// Where a recording's clock comes from.
struct CsvClock {
  int column = -1;                      // of the time stamps; −1: there are none, and rate_hz holds
  double to_seconds = 1;                // a stamp times this is seconds
  double rate_hz = 0;                   // of a file without stamps
  double wrap = 0;                      // above 0: stamps are counts that begin at 0 again after this many
  std::optional<double> origin_s = {};  // the stamp, in seconds, that is time 0; otherwise the first one
};

struct CsvChannel {
  Quantity quantity = Quantity::acceleration;
  std::vector<int> columns;  // one an axis; quaternions x y z w
  double scale = 1;          // to SI
};

struct CsvTrack {
  std::string name;
  std::vector<CsvChannel> channels;
};

namespace csv_detail {

struct Column {
  int index;
  double scale;
  std::vector<float> values;
};

inline std::size_t column_count(const CsvTrack& track) {
  std::size_t count = 0;
  for (const CsvChannel& channel : track.channels) count += channel.columns.size();
  return count;
}

// The rows that have a value in one of the columns.
inline std::vector<std::size_t> rows_with_values(std::span<const Column> columns, std::size_t rows) {
  const auto has_value = [&](std::size_t row) {
    return std::any_of(columns.begin(), columns.end(),
                       [row](const Column& column) { return !std::isnan(column.values[row]); });
  };
  std::size_t count = 0;
  for (std::size_t row = 0; row < rows; ++row) count += has_value(row);
  std::vector<std::size_t> found;
  found.reserve(count);
  for (std::size_t row = 0; row < rows; ++row)
    if (has_value(row)) found.push_back(row);
  return found;
}

// Which rows of a table are a track's.
enum class TrackRows {
  all,
  own,      // those that have values of its columns
  in_turn,  // of each quantity those that have values of its columns
};

// How often the clock that stamps tell is put back; rows out of order are allowed. Nothing where they tell
// none.
inline std::optional<std::size_t> resets_of(std::span<const double> times, const std::string& path) {
  try {
    StampReport report;
    return make_clock({times.begin(), times.end()}, path, std::nullopt, &report).resets.size();
  } catch (const InputError&) {
    return std::nullopt;
  }
}

// In a table of several sensors that are written as they come, most rows have values of one of them. Where
// more than a tenth has values of other tracks only, from a track's first row with values to its last, or in
// all, if half of its own rows have values of no other, a track's rows are those that have values of its own,
// if their stamps differ: a sensor that fell silent beside others lacks values. Its quantities stand in turn
// where more than a tenth of its rows has values in other columns than the one before, and each has whole
// samples from the first twentieth of them to the last. Where a track's rows tell no clock, or one that is
// put back, all have one clock, so that it is put back for all, unless that would be more often.
inline std::vector<TrackRows> rows_of_tracks(std::span<const Column> columns,
                                             std::span<const CsvTrack> tracks, std::span<const double> times,
                                             const std::string& path) {
  const std::size_t rows = times.size();
  const auto mark = [rows](std::span<const Column> of, std::vector<std::uint8_t>& marks) {
    marks.assign(rows, 0);
    for (const Column& column : of)
      for (std::size_t row = 0; row < rows; ++row)
        if (!std::isnan(column.values[row])) marks[row] = 1;
  };
  std::vector<std::uint8_t> has;
  std::vector<std::uint16_t> filled(rows);  // tracks with values in a row
  for (std::size_t t = 0, begin = 0; t < tracks.size(); begin += column_count(tracks[t]), ++t) {
    mark(columns.subspan(begin, column_count(tracks[t])), has);
    for (std::size_t row = 0; row < rows; ++row)
      filled[row] = static_cast<std::uint16_t>(filled[row] + has[row]);
  }
  std::vector<TrackRows> result(tracks.size(), TrackRows::all);
  const auto moves = [](std::span<const double> of) {
    return std::any_of(of.begin(), of.end(), [&](double time) { return time != of.front(); });
  };
  std::size_t resets = 0;
  bool untold = false;
  const auto see = [&](std::span<const double> of) {
    const std::optional<std::size_t> told = resets_of(of, path);
    untold = untold || !told;
    resets += told.value_or(0);
  };
  std::size_t begin = 0;
  for (std::size_t t = 0; t < tracks.size(); ++t) {
    const std::span<const Column> own = columns.subspan(begin, column_count(tracks[t]));
    begin += own.size();
    mark(own, has);
    std::size_t of_others = 0, between = 0;  // rows of others; those between own ones
    std::size_t of_own = 0, alone = 0, turns = 0;
    std::size_t before = rows, of_others_before = 0;  // the last row with values
    std::vector<double> own_times;
    for (std::size_t row = 0; row < rows; ++row) {
      of_others += filled[row] != 0 && has[row] == 0;
      if (has[row] == 0) continue;
      if (before < rows) between += of_others - of_others_before;
      of_others_before = of_others;
      ++of_own;
      alone += filled[row] == 1;
      own_times.push_back(times[row]);
      turns += before < rows && std::none_of(own.begin(), own.end(), [&](const Column& column) {
                 return !std::isnan(column.values[row]) && !std::isnan(column.values[before]);
               });
      before = row;
    }
    const bool in_part = between > (of_own + between) / 10 || (of_others > rows / 10 && alone > of_own / 2);
    bool in_turn = turns > of_own / 10;
    std::span<const Column> rest = own;
    for (const CsvChannel& channel : tracks[t].channels) {
      if (!in_turn) break;
      const std::span<const Column> axes = rest.first(channel.columns.size());
      rest = rest.subspan(axes.size());
      std::size_t seen = 0, first = of_own, last = 0;  // rows of the track
      std::vector<double> its;
      for (std::size_t row = 0; row < rows; ++row) {
        if (has[row] == 0) continue;
        ++seen;
        if (std::any_of(axes.begin(), axes.end(),
                        [row](const Column& column) { return std::isnan(column.values[row]); }))
          continue;
        first = std::min(first, seen);
        last = seen;
        its.push_back(times[row]);
      }
      in_turn = moves(its) && first <= 1 + of_own / 20 && last + of_own / 20 >= of_own;
      if (in_turn) see(its);
    }
    if (in_turn) {
      result[t] = TrackRows::in_turn;
    } else if (in_part && moves(own_times)) {
      see(own_times);
      result[t] = TrackRows::own;
    }
  }
  const auto is_all = [](TrackRows one) { return one == TrackRows::all; };
  if (std::all_of(result.begin(), result.end(), is_all)) return result;
  begin = 0;
  for (std::size_t t = 0; t < tracks.size(); begin += column_count(tracks[t]), ++t) {
    if (!is_all(result[t])) continue;
    std::vector<double> its;
    for (const std::size_t row : rows_with_values(columns.subspan(begin, column_count(tracks[t])), rows))
      its.push_back(times[row]);
    if (!its.empty() && moves(its)) see(its);
  }
  if (!untold && resets == 0) return result;
  const std::optional<std::size_t> of_table = resets_of(times, path);
  if (of_table && *of_table <= resets) std::fill(result.begin(), result.end(), TrackRows::all);
  return result;
}

// The sensor of a track whose quantities stand in turn: each has the clock of its own rows, and all are
// brought to the times of one (merge_sensors.hpp). Takes the values of `columns`, its own; tell(stamps) is
// called for each.
template <class Tell>
SensorTrack track_in_turn(std::span<Column> columns, const CsvTrack& track, std::span<const double> times,
                          std::optional<double> origin_s, const std::string& path, const Tell& tell) {
  std::vector<SensorTrack> parts;
  for (const CsvChannel& channel : track.channels) {
    const std::size_t axes = channel.columns.size();
    const std::vector<std::size_t> rows = rows_with_values(columns.first(axes), times.size());
    std::vector<double> own(rows.size());
    std::transform(rows.begin(), rows.end(), own.begin(), [&](std::size_t row) { return times[row]; });
    StampReport stamps;
    SensorTrack part;
    part.name = one_line(track.name);
    part.clock = make_clock(std::move(own), path, origin_s, &stamps);
    tell(stamps);
    Channel values(channel.quantity, static_cast<std::int64_t>(rows.size()));
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const std::span<float> out = values.axis(static_cast<int>(axis));
      for (std::size_t sample = 0; sample < rows.size(); ++sample)
        out[sample] = columns[axis].values[rows[stamps.order.empty() ? sample : stamps.order[sample]]];
    }
    for (std::size_t axis = 0; axis < axes; ++axis) columns[axis].values = {};
    part.channels.push_back(std::move(values));
    parts.push_back(std::move(part));
    columns = columns.subspan(axes);
  }
  return merge_sensors(parts, parts.front().name, path);
}

}  // namespace csv_detail

// A recording with one sensor a track. They have one clock, except where their rows stand in turn: then each
// has that of its rows.
inline Recording read_csv_recording(const CsvTable& table, const CsvClock& csv_clock,
                                    const std::vector<CsvTrack>& tracks) {
  using csv_detail::Column;
  std::vector<Column> columns;
  for (const CsvTrack& track : tracks)
    for (const CsvChannel& channel : track.channels)
      for (const int index : channel.columns) columns.push_back({index, channel.scale, {}});
  const std::size_t limit = table.row_limit();
  for (Column& column : columns) column.values.reserve(limit);
  std::vector<double> times;
  if (csv_clock.column >= 0) times.reserve(limit);

  double turns = 0, count_before = 0;
  std::int64_t rows = 0;
  table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t line) {
    if (csv_clock.column >= 0) {
      // As spreadsheets leave them; without a clock it is a row that lacks its values.
      if (std::all_of(fields.begin(), fields.end(), [](std::string_view field) { return field.empty(); }))
        return;
      const std::string_view field = fields[static_cast<std::size_t>(csv_clock.column)];
      double stamp = table.number(field, csv_clock.column, line);
      if (!std::isfinite(stamp))
        throw InputError(
            table.path(),
            "line " + std::to_string(line) + ", column " + table.name_of(csv_clock.column) + ": " +
                (field.empty() ? std::string("there is no time") : in_quotes(field) + " is no time"),
            "every row should have a time");
      if (csv_clock.wrap > 0) {
        constexpr double few = 1e-3;  // of a turn: a packet that came late, just after the count began again
        if (rows > 0 && stamp < count_before - csv_clock.wrap / 2)
          turns += csv_clock.wrap;
        else if (rows > 0 && csv_clock.wrap + count_before - stamp < few * csv_clock.wrap)
          turns -= csv_clock.wrap;
        count_before = stamp;
        stamp += turns;
      }
      times.push_back(stamp * csv_clock.to_seconds);
    }
    for (Column& column : columns) {
      const double value = table.number(fields[static_cast<std::size_t>(column.index)], column.index, line);
      column.values.push_back(static_cast<float>(std::clamp(value * column.scale, -3e38, 3e38)));
    }
    ++rows;
  });

  if (csv_clock.column < 0 && rows == 0)
    throw InputError(table.path(), "holds no samples", "a recording needs one sample or more");
  std::vector<csv_detail::TrackRows> rows_of(tracks.size(), csv_detail::TrackRows::all);
  if (csv_clock.column >= 0) rows_of = csv_detail::rows_of_tracks(columns, tracks, times, table.path());
  const bool one_clock = std::all_of(rows_of.begin(), rows_of.end(), [](csv_detail::TrackRows one) {
    return one == csv_detail::TrackRows::all;
  });
  const std::optional<double> origin_s = csv_clock.origin_s || one_clock ? csv_clock.origin_s : times.front();

  Recording recording;
  recording.source = table.path();
  const auto tell = [&](const StampReport& stamps, const std::string& whose) {
    if (stamps.out_of_order > 0)
      recording.notes.push_back(whose + "out of order: " + std::to_string(stamps.out_of_order) +
                                (stamps.out_of_order == 1 ? " row, which was" : " rows, which were") +
                                " sorted by time");
    if (stamps.bunches > 0)
      recording.notes.push_back(whose + "time stamps come in bunches: " + std::to_string(stamps.bunched) +
                                " rows in " + std::to_string(stamps.bunches) +
                                ", which were spread evenly up to the next");
  };
  Clock clock;
  StampReport stamps;
  if (csv_clock.column < 0) {
    clock.rate_hz = csv_clock.rate_hz;
  } else if (one_clock) {
    clock = make_clock(std::move(times), table.path(), origin_s, &stamps);
    tell(stamps, "");
  }
  auto column = columns.begin();
  for (std::size_t t = 0; t < tracks.size(); ++t) {
    const auto axes = static_cast<std::ptrdiff_t>(csv_detail::column_count(tracks[t]));
    const std::span<Column> own_columns(column, column + axes);
    const auto tell_sensor = [&](const StampReport& of) {
      tell(of, "sensor " + one_line(tracks[t].name) + ": ");
    };
    if (rows_of[t] == csv_detail::TrackRows::in_turn) {
      recording.sensors.push_back(
          csv_detail::track_in_turn(own_columns, tracks[t], times, origin_s, table.path(), tell_sensor));
      column += axes;
      continue;
    }
    SensorTrack sensor;
    sensor.name = one_line(tracks[t].name);
    std::vector<std::size_t> own;  // empty: all
    if (rows_of[t] == csv_detail::TrackRows::own)
      own = csv_detail::rows_with_values(own_columns, times.size());
    const std::size_t count = own.empty() ? static_cast<std::size_t>(rows) : own.size();
    if (!one_clock) {
      std::vector<double> own_times(count);
      for (std::size_t row = 0; row < count; ++row) own_times[row] = times[own.empty() ? row : own[row]];
      clock = make_clock(std::move(own_times), table.path(), origin_s, &stamps);
      tell_sensor(stamps);
    }
    sensor.clock = clock;
    const auto row_of = [&](std::size_t sample) {
      const std::size_t place = stamps.order.empty() ? sample : stamps.order[sample];
      return own.empty() ? place : own[place];
    };
    for (const CsvChannel& wanted : tracks[t].channels) {
      Channel channel(wanted.quantity, static_cast<std::int64_t>(count));
      for (int axis = 0; axis < axis_count(wanted.quantity); ++axis, ++column) {
        const std::span<float> out = channel.axis(axis);
        for (std::size_t sample = 0; sample < count; ++sample) out[sample] = column->values[row_of(sample)];
        column->values = {};
      }
      sensor.channels.push_back(std::move(channel));
    }
    recording.sensors.push_back(std::move(sensor));
  }
  if (!one_clock && !csv_clock.origin_s) start_at_zero(recording);
  check_recording(recording);
  return recording;
}

}  // namespace imu2music::inline v0
