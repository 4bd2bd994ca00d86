// A data set on disk: recordings of motion with the notes that were played to them, or notes alone, in the
// one form that training and evaluation read. `prepare` makes it (train/prepare.hpp); docs/datasets.md tells
// from what.
//
//   dataset.json               {"format": "imu2music dataset", "version": 1, "pairs": […], "dropped": […],
//                               "splits": […]}
//   pairs/<id>.safetensors     the motion (train/recording_file.hpp)
//   pairs/<id>.notes.csv       onset_s,offset_s,midi,velocity (train/note_table.hpp)
//   splits/<name>.json         {"name", "train": [ids], "validation": [ids], "test": [ids], "hash"}
//
// Both halves of a pair share one time axis in seconds that begins at 0; every sensor has samples from 0 to
// PairInfo::seconds. A note may sound beyond that, none starts there or before 0.
//
// Splits. "performer:s1", "piece:…" and "stroke:…" keep every pair of that performer, piece or stroke for the
// test, so that what is tested on was never trained on; "all" tests on none. Of the rest, one eighth (by
// number of pairs, those with motion and those of music alone apart) is kept for validation, in whole units:
// all recordings of one piece by one performer; of music alone, all recordings of one piece. Units are taken
// whose performer and piece were taken least, among equals in the order of SHA-256(split, unit). Where there
// is one unit only, nothing is kept for validation. So a split is a pure function of the list of pairs, and
// its hash one of the data: SHA-256 over the ids of its three parts and the digests of their files.
//
// Loading checks the digests: a file that was changed is refused. Cost: a list of n pairs O(n log n), a split
// of them as much and one look at every performer for each unit that is kept for validation; a pair its
// files. Errors: InputError with file, fault and remedy.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/file_bytes.hpp"
#include "imu2music/io/json_value.hpp"
#include "imu2music/io/sha256.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/train/note_table.hpp"
#include "imu2music/train/recording_file.hpp"

namespace imu2music::inline v0 {

struct PairInfo {
  std::string id;         // a file name
  std::string performer;  // empty where unknown
  std::string piece;
  std::string stroke;  // of the bow; empty where unknown or many
  std::string source;  // where it was read from, seen from the folder that was named
  double seconds = 0;
  bool has_motion = true;
  std::int64_t notes = 0;
  std::string motion_file, notes_file;  // within the data set; no motion_file for music alone
  std::string motion_sha256, notes_sha256;
  std::string layout;                     // what it was read as: "violin-myo", "MIDI", …
  bool goes_on = false;                   // the music had not ended where the pair does
  std::map<std::string, double> quality;  // figures by name, as far as known
  std::vector<std::string> remarks;       // what was seen, one sentence each

  friend bool operator==(const PairInfo&, const PairInfo&) = default;
};

struct Pair {
  PairInfo info;
  Recording motion;         // without sensors for music alone
  std::vector<Note> notes;  // seconds on the motion's axis, by start
};

struct DroppedSource {
  std::string source, reason;
};

struct Split {
  std::string name;
  std::vector<std::size_t> train, validation, test;  // indices of pairs, rising
  std::string hash;
};

inline constexpr std::string_view dataset_format = "imu2music dataset";
inline constexpr int dataset_version = 1;
inline constexpr std::string_view dataset_list = "dataset.json";
// Windows and frames are counted from a pair's length, so one that cannot be right must not get so far.
inline constexpr double longest_pair_s = 1e6;

namespace dataset_detail {

inline constexpr std::string_view kinds[] = {"performer", "piece", "stroke"};

inline const std::string& label(const PairInfo& pair, std::string_view kind) {
  return kind == "performer" ? pair.performer : kind == "piece" ? pair.piece : pair.stroke;
}

// The labels of one kind, each once, sorted; pairs without one do not count.
inline std::vector<std::string> labels(std::span<const PairInfo> pairs, std::string_view kind) {
  std::set<std::string> found;
  for (const PairInfo& pair : pairs)
    if (!label(pair, kind).empty()) found.insert(label(pair, kind));
  return {found.begin(), found.end()};
}

// "performer:s4" → "performer-s4": for file names. Letters, digits and ._- stay; of several dots in a row one
// does, and none at the beginning or the end.
inline std::string file_name_of(std::string_view text) {
  std::string name;
  for (const char c : text) {
    if (c == '.' && (name.empty() || name.back() == '.')) continue;
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '.' || c == '_' || c == '-';
    if (plain)
      name += c;
    else if (name.empty() || name.back() != '-')
      name += '-';
  }
  name = name.substr(0, 120);
  if (name.ends_with('.')) name.pop_back();
  return name.empty() ? "unnamed" : name;
}

inline std::string text_of(const JsonValue& object, std::string_view name, const std::string& path,
                           bool required = true, const char* remedy = "prepare the data set again") {
  const JsonValue* value = object.find(name);
  if (value == nullptr && !required) return {};
  if (value == nullptr || value->kind != JsonValue::Kind::text)
    throw InputError(path, "lacks the text " + in_quotes(name), remedy);
  return one_line(value->text);
}
inline double number_of(const JsonValue& object, std::string_view name, const std::string& path) {
  const JsonValue* value = object.find(name);
  if (value == nullptr || value->kind != JsonValue::Kind::number)
    throw InputError(path, "lacks the number " + in_quotes(name), "prepare the data set again");
  return value->number;
}
inline const std::vector<JsonValue>& list_of(const JsonValue& object, std::string_view name,
                                             const std::string& path) {
  const JsonValue* value = object.find(name);
  if (value == nullptr || value->kind != JsonValue::Kind::list)
    throw InputError(path, "lacks the list " + in_quotes(name), "write it again");
  return value->items;
}

inline void require_object(const JsonValue& value, const std::string& path, const std::string& what) {
  if (value.kind != JsonValue::Kind::object)
    throw InputError(path, what + " is no object", "prepare the data set again");
}

inline constexpr std::size_t longest_name = 255;   // of a file
inline constexpr std::size_t longest_path = 1024;  // of a file within the data set

// Whether a path from a folder on leads to what lies in it, whatever is there.
inline bool stays_below(std::string_view path) {
  if (path.starts_with('/')) return false;
  while (true) {
    const std::size_t end = path.find('/');
    if (path.substr(0, end) == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

// A file of the data set, which may lie nowhere else.
inline std::string file_of(const JsonValue& object, std::string_view name, const std::string& path) {
  const std::string file = text_of(object, name, path, false);
  if (!stays_below(file))
    throw InputError(path, "names a file outside the data set: " + in_quotes(file),
                     "prepare the data set again");
  if (file.size() > longest_path)
    throw InputError(path,
                     "names a file by " + std::to_string(file.size()) + " characters: " + in_quotes(file),
                     "at most " + std::to_string(longest_path) + " are usual: prepare the data set again");
  return file;
}

inline bool is_length(double seconds) { return seconds > 0 && seconds <= longest_pair_s; }

inline PairInfo pair_of(const JsonValue& value, const std::string& path) {
  require_object(value, path, "a pair");
  PairInfo info;
  info.id = text_of(value, "id", path);
  info.performer = text_of(value, "performer", path);
  info.piece = text_of(value, "piece", path);
  info.stroke = text_of(value, "stroke", path);
  info.source = text_of(value, "source", path);
  info.layout = text_of(value, "layout", path, false);
  info.seconds = number_of(value, "seconds", path);
  const double notes = number_of(value, "notes", path);
  info.notes = notes >= 0 && notes < 1e15 ? static_cast<std::int64_t>(notes) : -1;
  info.motion_file = file_of(value, "motion_file", path);
  info.notes_file = file_of(value, "notes_file", path);
  info.motion_sha256 = text_of(value, "motion_sha256", path, false);
  info.notes_sha256 = text_of(value, "notes_sha256", path);
  info.has_motion = !info.motion_file.empty();
  if (const JsonValue* goes_on = value.find("goes_on")) info.goes_on = goes_on->boolean;
  if (info.id.empty() || info.id.size() > longest_name || info.notes_file.empty() || info.notes < 0)
    throw InputError(path, "has a pair " + in_quotes(info.id) + " without a usual name, or without notes",
                     "prepare the data set again");
  if (!is_length(info.seconds))
    throw InputError(
        path, "says that the pair " + in_quotes(info.id) + " lasts " + number_text(info.seconds) + " s",
        "more than 0 and at most " + number_text(longest_pair_s) +
            " s can be right: prepare the data set again");
  if (const JsonValue* quality = value.find("quality"))
    for (std::size_t i = 0; i < quality->names.size(); ++i)
      info.quality[quality->names[i]] = quality->items[i].number;
  if (const JsonValue* remarks = value.find("remarks"))
    for (const JsonValue& remark : remarks->items) info.remarks.push_back(one_line(remark.text));
  return info;
}

// The whole units, some of `rest`, whose recordings are kept for validation.
inline void choose_validation(std::span<const PairInfo> pairs, const std::string& split,
                              std::vector<std::size_t>& rest, std::vector<std::size_t>& validation) {
  for (const bool motion : {true, false}) {
    struct Unit {
      std::string performer, piece, order;
      std::size_t performer_number = 0, piece_number = 0;
      std::vector<std::size_t> members;
    };
    std::map<std::pair<std::string, std::string>, Unit> by_name;
    std::size_t count = 0;
    for (const std::size_t i : rest) {
      if (pairs[i].has_motion != motion) continue;
      const std::string performer = motion ? pairs[i].performer : std::string();
      Unit& unit = by_name[{performer, pairs[i].piece}];
      unit.performer = performer;
      unit.piece = pairs[i].piece;
      unit.members.push_back(i);
      ++count;
    }
    std::vector<Unit> units;
    for (auto& [name, unit] : by_name) {
      unit.order = sha256(split + "\n" + unit.performer + "\n" + unit.piece);
      units.push_back(std::move(unit));
    }
    std::sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.order < b.order; });
    std::map<std::string, std::size_t> performer_numbers, piece_numbers;
    for (Unit& unit : units) {
      unit.performer_number =
          performer_numbers.emplace(unit.performer, performer_numbers.size()).first->second;
      unit.piece_number = piece_numbers.emplace(unit.piece, piece_numbers.size()).first->second;
    }
    // One queue a performer, the unit whose piece was taken least in front. A piece's count only grows, so a
    // unit that is queued under an older one comes too early, never too late, and is queued again.
    using Queued = std::pair<std::size_t, std::size_t>;  // the piece's count, the unit
    struct Performer {
      std::size_t taken = 0;
      std::priority_queue<Queued, std::vector<Queued>, std::greater<>> left;
    };
    std::vector<Performer> performers(performer_numbers.size());
    std::vector<std::size_t> pieces(piece_numbers.size());
    for (std::size_t u = 0; u < units.size(); ++u) performers[units[u].performer_number].left.push({0, u});
    std::size_t kept = 0, left = units.size();
    for (; 8 * kept < count && left > 1; --left) {
      Performer* least = nullptr;
      Queued front;
      for (Performer& performer : performers) {
        if (performer.left.empty()) continue;
        Queued first = performer.left.top();
        while (first.first != pieces[units[first.second].piece_number]) {
          performer.left.pop();
          performer.left.push({pieces[units[first.second].piece_number], first.second});
          first = performer.left.top();
        }
        first.first += performer.taken;
        if (least == nullptr || first < front) {
          least = &performer;
          front = first;
        }
      }
      const Unit& unit = units[front.second];
      least->left.pop();
      ++least->taken;
      ++pieces[unit.piece_number];
      kept += unit.members.size();
      validation.insert(validation.end(), unit.members.begin(), unit.members.end());
    }
  }
  std::sort(validation.begin(), validation.end());
  std::erase_if(rest,
                [&](std::size_t i) { return std::binary_search(validation.begin(), validation.end(), i); });
}

}  // namespace dataset_detail

// What identifies the data that a split's parts are: ids and digests of their files, in the parts' order.
inline std::string split_hash(std::span<const PairInfo> pairs, const Split& split) {
  Sha256 sum;
  const auto add = [&](std::string_view part, const std::vector<std::size_t>& indices) {
    sum.add(part).add("\n");
    for (const std::size_t i : indices)
      sum.add(pairs[i].id).add(" ").add(pairs[i].motion_sha256).add(" ").add(pairs[i].notes_sha256).add("\n");
  };
  add("train", split.train);
  add("validation", split.validation);
  add("test", split.test);
  return sum.hex();
}

// "all" and, for each kind of label of which there are two or more, one name a label.
inline std::vector<std::string> split_names(std::span<const PairInfo> pairs) {
  std::vector<std::string> names = {"all"};
  for (const std::string_view kind : dataset_detail::kinds) {
    const std::vector<std::string> labels = dataset_detail::labels(pairs, kind);
    if (labels.size() < 2) continue;
    for (const std::string& label : labels) names.push_back(std::string(kind) + ":" + label);
  }
  return names;
}

// The split of that name: "all" or <kind>:<label>. A performer s4 may be called 4. `path` serves messages.
inline Split make_split(std::span<const PairInfo> pairs, const std::string& name, const std::string& path) {
  using namespace dataset_detail;
  if (pairs.empty()) throw InputError(path, "holds no pairs", "prepare it from recordings with music");
  Split split;
  split.name = name;
  std::vector<std::size_t> rest(pairs.size());
  std::iota(rest.begin(), rest.end(), std::size_t{0});
  if (name != "all") {
    const auto fail = [&] {
      std::string known;
      const std::vector<std::string> names = split_names(pairs);
      for (std::size_t i = 0; i < names.size() && i < 40; ++i)
        known += (i == 0 ? "" : ", ") + (names[i].size() <= 80 ? names[i] : printable(names[i]));
      if (names.size() > 40) known += ", and " + std::to_string(names.size() - 40) + " more";
      throw InputError(path, "has no split " + in_quotes(name),
                       "there are: " + known + "; or name a split's file");
    };
    const std::size_t colon = name.find(':');
    if (colon == std::string::npos) fail();
    const std::string kind = name.substr(0, colon);
    std::string label = name.substr(colon + 1);
    if (std::find(std::begin(kinds), std::end(kinds), kind) == std::end(kinds)) fail();
    const std::vector<std::string> known = labels(pairs, kind);
    const auto is_known = [&](const std::string& text) {
      return std::binary_search(known.begin(), known.end(), text);
    };
    if (!is_known(label) && is_known("s" + label)) label = "s" + label;
    if (!is_known(label)) fail();
    split.name = kind + ":" + label;
    std::erase_if(rest, [&](std::size_t i) {
      if (dataset_detail::label(pairs[i], kind) != label) return false;
      split.test.push_back(i);
      return true;
    });
    if (rest.empty())
      throw InputError(path, "has no pair that is not of " + kind + " " + in_quotes(label),
                       "a test needs others to train on");
  }
  choose_validation(pairs, split.name, rest, split.validation);
  split.train = std::move(rest);
  split.hash = split_hash(pairs, split);
  return split;
}

inline std::string split_json(std::span<const PairInfo> pairs, const Split& split) {
  std::string text = "{\n  \"name\": " + json_text(split.name);
  const auto add = [&](const char* part, const std::vector<std::size_t>& indices) {
    text += std::string(",\n  \"") + part + "\": [";
    for (std::size_t i = 0; i < indices.size(); ++i)
      text += (i == 0 ? "" : ", ") + json_text(pairs[indices[i]].id);
    text += "]";
  };
  add("train", split.train);
  add("validation", split.validation);
  add("test", split.test);
  return text + ",\n  \"hash\": " + json_text(split.hash) + "\n}\n";
}

// The split that a file holds. Where the file has a hash, the data must be those that it was made for.
inline Split read_split(std::span<const PairInfo> pairs, const std::string& path) {
  using namespace dataset_detail;
  const JsonValue root = parse_json(read_text_file(path, 1 << 28), path);
  constexpr const char* remedy = R"(it should be {"name": …, "train": [ids], "test": [ids]})";
  if (root.kind != JsonValue::Kind::object) throw InputError(path, "is no split", remedy);
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t i = 0; i < pairs.size(); ++i) index[pairs[i].id] = i;
  Split split;
  split.name = text_of(root, "name", path, true, remedy);
  std::set<std::size_t> seen;
  const auto take = [&](const char* part, std::vector<std::size_t>& indices, bool required) {
    if (!required && root.find(part) == nullptr) return;
    for (const JsonValue& item : list_of(root, part, path)) {
      const auto found = item.kind == JsonValue::Kind::text ? index.find(item.text) : index.end();
      if (found == index.end())
        throw InputError(path, std::string(part) + " names " + in_quotes(item.text) + ", which is no pair",
                         "its ids should be those of " + std::string(dataset_list));
      if (!seen.insert(found->second).second)
        throw InputError(path, "names " + in_quotes(item.text) + " twice",
                         "a pair should be in one of train, validation and test");
      indices.push_back(found->second);
    }
    std::sort(indices.begin(), indices.end());
  };
  take("train", split.train, true);
  take("validation", split.validation, false);
  take("test", split.test, false);
  split.hash = split_hash(pairs, split);
  const std::string written = text_of(root, "hash", path, false, remedy);
  if (!written.empty() && written != split.hash)
    throw InputError(path, "was made for other data: its hash is " + in_quotes(written),
                     "make the split again, or leave its hash out");
  return split;
}

class Dataset {
 public:
  explicit Dataset(std::string folder) : folder_(std::move(folder)) {
    using namespace dataset_detail;
    while (folder_.size() > 1 && folder_.back() == '/') folder_.pop_back();
    if (!is_folder(folder_))
      throw InputError(folder_, "is no folder", "name a data set that imu2music prepare has made");
    path_ = join_path(folder_, std::string(dataset_list));
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0)
      throw InputError(folder_, "holds no " + std::string(dataset_list),
                       "name a data set that imu2music prepare has made");
    const JsonValue root = parse_json(read_text_file(path_, 1 << 28), path_);
    require_object(root, path_, "the list");
    if (text_of(root, "format", path_) != dataset_format)
      throw InputError(path_, "is no list of a data set", "prepare it with imu2music prepare");
    if (number_of(root, "version", path_) != dataset_version)
      throw InputError(path_, "is of version " + number_text(number_of(root, "version", path_)),
                       "version " + std::to_string(dataset_version) + " can be read: prepare it again");
    std::set<std::string> ids;
    for (const JsonValue& value : list_of(root, "pairs", path_)) {
      pairs_.push_back(pair_of(value, path_));
      if (!ids.insert(pairs_.back().id).second)
        throw InputError(path_, "has two pairs " + in_quotes(pairs_.back().id), "prepare it again");
    }
    if (root.find("dropped") != nullptr)
      for (const JsonValue& value : list_of(root, "dropped", path_))
        dropped_.push_back({text_of(value, "source", path_), text_of(value, "reason", path_)});
    if (pairs_.empty()) throw InputError(path_, "holds no pairs", "prepare it from recordings with music");
  }
  static Dataset open(const std::string& folder) { return Dataset(folder); }

  const std::string& folder() const { return folder_; }
  const std::vector<PairInfo>& pairs() const { return pairs_; }
  const std::vector<DroppedSource>& dropped() const { return dropped_; }

  // The splits that there are for these pairs; one of splits/ that somebody added is known by its file only.
  std::vector<std::string> split_names() const { return v0::split_names(pairs_); }

  // "all", "performer:4", "stroke:detache", "piece:…", or the path of a split's file.
  Split split(const std::string& name) const {
    const std::string_view kind = std::string_view(name).substr(0, name.find(':'));
    const bool labelled = kind.size() < name.size() &&
                          std::find(std::begin(dataset_detail::kinds), std::end(dataset_detail::kinds),
                                    kind) != std::end(dataset_detail::kinds);
    if (!labelled && (name.ends_with(".json") || name.find('/') != std::string::npos))
      return read_split(pairs_, name);
    Split made = make_split(pairs_, name, folder_);
    // The file is what results are published with, so it has the last word.
    const std::string file =
        join_path(folder_, "splits/" + dataset_detail::file_name_of(made.name) + ".json");
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return made;
    Split written = read_split(pairs_, file);
    return written.name == made.name ? written : made;
  }

  // The pair, its motion left on disk.
  Pair load_notes(std::size_t i) const {
    if (i >= pairs_.size())
      throw ShapeError("[dataset] pair " + std::to_string(i) + " of " + std::to_string(pairs_.size()));
    Pair pair;
    pair.info = pairs_[i];
    const std::string notes = checked(pair.info.notes_file, pair.info.notes_sha256);
    pair.notes = read_note_table(notes).notes;
    return pair;
  }

  Pair load(std::size_t i) const {
    Pair pair = load_notes(i);
    if (pair.info.has_motion)
      pair.motion = read_recording_file(checked(pair.info.motion_file, pair.info.motion_sha256));
    return pair;
  }

 private:
  // The path of a file whose content is as it was when the data set was made.
  std::string checked(const std::string& file, const std::string& digest) const {
    const std::string path = join_path(folder_, file);
    if (sha256_of_file(path) != digest)
      throw InputError(path, "was changed after the data set was prepared", "prepare it again");
    return path;
  }

  std::string folder_, path_;
  std::vector<PairInfo> pairs_;
  std::vector<DroppedSource> dropped_;
};

}  // namespace imu2music::inline v0
