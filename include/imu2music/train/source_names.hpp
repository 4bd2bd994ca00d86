// What the names and paths of a data set's sources tell: stems, labels, and whether two lead to one file.
//
// labels_of_name() knows these forms; of any other the stem is the piece:
//   <performer>_bwv1001_mov1…           piece bwv1001_mov1
//   <piece>_<performer>_t<number>       mosa
//   <book>_Op45-01_<performer>_…        piece <book>_Op45-01
#pragma once

#include <sys/stat.h>

#include <cctype>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/imu/folder.hpp"

namespace imu2music::inline v0 {

struct PieceLabels {
  std::string performer, piece, stroke;
  bool operator==(const PieceLabels&) const = default;
};

namespace sources_detail {

inline std::vector<std::string> split_text(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

inline bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// parts[first .. end) with '_' between.
inline std::string joined(const std::vector<std::string>& parts, std::size_t first, std::size_t end) {
  std::string text;
  for (std::size_t i = first; i < end; ++i) text += (i == first ? "" : "_") + parts[i];
  return text;
}

// "x.notes" → "x": what a table of notes adds to the stem of what it belongs to.
inline std::string music_stem(const std::string& path) {
  std::string stem = file_stem(path);
  for (const std::string_view suffix : {"_align_notetime", "_notes", ".notes"})
    if (stem.size() > suffix.size() && stem.ends_with(suffix)) {
      stem.resize(stem.size() - suffix.size());
      break;
    }
  return stem;
}

inline std::string name_of(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// Whether a name ends as files' names do, in a dot and what begins with a letter: "a.csv", not "take 1.5".
inline bool has_ending(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size()) return false;
  return std::isalpha(static_cast<unsigned char>(name[dot + 1])) != 0;
}

// "./a.csv" → "a.csv", "b//c/" → "b/c".
inline std::string usual_path(std::string_view path) {
  std::string usual = std::filesystem::path(path).lexically_normal().string();
  while (usual.size() > 1 && usual.back() == '/') usual.pop_back();
  return usual;
}

inline bool is_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// Which file a path leads to, whichever way: device and inode, both 0 where there is none.
using FileIdentity = std::pair<dev_t, ino_t>;

inline FileIdentity file_identity(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

// Of the folders that hold a folder, wherever a link leads to; none where that is not known.
inline std::vector<FileIdentity> folders_above(const std::string& folder) {
  std::vector<FileIdentity> above;
  char place[PATH_MAX];
  if (::realpath(folder.c_str(), place) == nullptr) return above;
  for (std::string path = place; path != "/";) {
    path = folder_of(path);
    above.push_back(file_identity(path));
  }
  return above;
}

}  // namespace sources_detail

// What a name tells of performer and piece.
inline PieceLabels labels_of_name(const std::string& stem) {
  using namespace sources_detail;
  const std::vector<std::string> parts = split_text(stem, '_');
  const std::size_t n = parts.size();
  for (std::size_t i = 1; i + 1 < n; ++i) {
    if (parts[i].starts_with("bwv") && all_digits(std::string_view(parts[i]).substr(3)) &&
        parts[i + 1].starts_with("mov") && all_digits(std::string_view(parts[i + 1]).substr(3)))
      return {joined(parts, 0, i), joined(parts, i, i + 2), ""};
    const std::size_t dash = parts[i].find('-');
    if (parts[i].starts_with("Op") && dash != std::string::npos &&
        all_digits(std::string_view(parts[i]).substr(2, dash - 2)) &&
        all_digits(std::string_view(parts[i]).substr(dash + 1)))
      return {parts[i + 1], joined(parts, 0, i + 1), ""};
  }
  if (n == 3 && parts[2].starts_with("t") && all_digits(std::string_view(parts[2]).substr(1)) &&
      !parts[0].empty())
    return {parts[1], parts[0], ""};
  return {"", stem, ""};
}

}  // namespace imu2music::inline v0
