// The labels and figures that a manifest.csv gives the files of its folder, and of those below it: the column
// file, any of performer (or player), piece and stroke; every other column that holds numbers is a figure.
// A row names a file by its path from the manifest's folder, with or without the name's ending, or by its
// stem.
//
// Errors: InputError for a manifest that is no table, not in UTF-8, without the column file, or that says two
// things of one file.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/csv_table.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/io/utf8.hpp"
#include "imu2music/train/source_names.hpp"

namespace imu2music::inline v0 {

namespace sources_detail {

// The labels and figures that a folder's manifest gives its files.
class Manifest {
 public:
  struct Row {
    std::string file;
    PieceLabels labels;
    std::map<std::string, double> figures;
    bool operator==(const Row&) const = default;
  };

  // The file `path`; its rows are seen from `folder`.
  Manifest(const std::string& path, std::string folder) : folder_(std::move(folder)) {
    const std::string text = read_text_file(path, 1 << 28);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t length = utf8_length(rest);
      if (length == 0) throw InputError(path, "is not written in UTF-8", "save it as UTF-8");
      rest.remove_prefix(length);
    }
    const CsvTable table(text, path);
    const int file = table.require("file");
    const auto column = [&](std::string_view name) { return table.has(name) ? table.require(name) : -1; };
    const int performer = column("performer"), player = column("player"), piece = column("piece"),
              stroke = column("stroke");
    tells_takes_ = stroke >= 0 && (player >= 0 || performer >= 0);
    std::map<std::string, std::size_t> places;
    table.for_each_row([&](const std::vector<std::string_view>& fields, std::int64_t line) {
      const auto field = [&](int index) {
        return index < 0 ? std::string() : std::string(fields[static_cast<std::size_t>(index)]);
      };
      Row row;
      row.file = usual_path(field(file));
      row.labels = {field(performer), field(piece), field(stroke)};
      if (row.labels.performer.empty() && player >= 0)
        row.labels.performer = (all_digits(field(player)) ? "s" : "") + field(player);
      for (std::size_t i = 0; i < fields.size(); ++i) {
        double value = 0;
        const int index = static_cast<int>(i);
        if (index == file || index == performer || index == player || index == piece || index == stroke)
          continue;
        if (csv_detail::parse_field(fields[i], value) && std::isfinite(value))
          row.figures[table.names()[i]] = value;
      }
      const auto [first, is_new] = places.emplace(row.file, rows_.size());
      if (is_new)
        rows_.push_back(std::move(row));
      else if (row != rows_[first->second])
        throw InputError(path,
                         "line " + std::to_string(line) + " tells something else of " + in_quotes(row.file) +
                             " than a line before it",
                         "name each file once");
    });
  }

  const std::vector<Row>& rows() const { return rows_; }
  bool tells_takes() const { return tells_takes_; }  // who played them, and with which stroke
  // Of a file or folder of that path, which may be the manifest's folder itself; null: there is none.
  const Row* find(const std::string& path, const std::string& stem) const {
    const std::string start = folder_.ends_with('/') ? folder_ : folder_ + "/";
    std::string place = path.starts_with(start) ? path.substr(start.size()) : name_of(path);
    place.erase(0, place.find_first_not_of('/'));
    const auto above = [](std::string_view file) { return file.substr(0, file.rfind('/') + 1); };
    for (const Row& row : rows_)
      if (row.file == place) return &row;
    for (const Row& row : rows_)
      if (above(row.file) == above(place) && name_of(row.file) == stem) return &row;
    for (const Row& row : rows_)
      if (above(row.file) == above(place) && has_ending(row.file) && file_stem(row.file) == stem) return &row;
    for (const Row& row : rows_)
      if (row.file == stem) return &row;
    return nullptr;
  }

 private:
  std::string folder_;
  std::vector<Row> rows_;
  bool tells_takes_ = false;
};

}  // namespace sources_detail

}  // namespace imu2music::inline v0
