// Writes a data set (train/dataset.hpp), whole or not at all.
//
//   DatasetWriter writer("violin");
//   writer.add(pair);              // writes its files; the pair's id is made unique
//   writer.drop("x.csv", "has no music");
//   writer.commit();               // the folder appears; without it nothing does
//
// Files go to a folder beside the target, which commit() renames. A data set that stands there is replaced in
// one step; an empty folder is used; a folder that holds anything else, or cannot be renamed, is refused, in
// the constructor already. A symbolic link is followed: what it leads to is replaced, and not the link.
// Splits are written for "all" and for every performer, piece and stroke where there are two or more, up to
// 64 labels of a kind: beyond that, leaving one out is not a test that anybody makes of each, and
// Dataset::split() makes any of them when asked.
//
// The same pairs in the same order give the same bytes. Errors: InputError for a folder that cannot be
// written (a full disk too) or a pair without a length, SystemError for failures of the machine.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/json_value.hpp"
#include "imu2music/io/sha256.hpp"
#include "imu2music/train/dataset.hpp"
#include "imu2music/train/note_table.hpp"
#include "imu2music/train/recording_file.hpp"

namespace imu2music::inline v0 {

namespace dataset_detail {

// Throws InputError for a pair that could not be read back.
inline void check_length(const PairInfo& info) {
  if (!is_length(info.seconds))
    throw InputError("pair " + info.id, "lasts " + number_text(info.seconds) + " s",
                     "more than 0 and at most " + number_text(longest_pair_s) + " s can be used");
}

// Where the symbolic links at the end of a path lead, whether anything is there or not.
inline std::string without_links(std::string path) {
  char link[PATH_MAX];
  for (int depth = 0; depth < 40; ++depth) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    const ssize_t length = ::readlink(path.c_str(), link, sizeof link);
    if (length < 0) return path;
    const std::string next(link, static_cast<std::size_t>(length));
    const std::size_t slash = path.rfind('/');
    path = next.starts_with('/') || slash == std::string::npos ? next : path.substr(0, slash + 1) + next;
  }
  return path;
}

// Throws InputError for a folder that no other can be put in the place of. `folder` is its name in messages.
inline void check_replaceable(const std::string& target, const std::string& folder) {
  const std::string name = std::filesystem::path(target).filename().string();
  if (name.empty() || name == "." || name == "..")
    throw InputError(folder, "names no folder of its own", "name a new folder in it");
  struct stat status {};
  struct stat above {};
  if (::stat(target.c_str(), &status) == 0 && ::stat((target + "/..").c_str(), &above) == 0 &&
      status.st_dev != above.st_dev)
    throw InputError(folder, "is a mount point, which cannot be replaced", "name a folder in it");
}

// A folder that is written beside its target, and the folders above both that had to be made. What is still
// here at the end is removed; folders above that somebody else uses meanwhile stay.
struct UnfinishedFolder {
  std::string path;
  std::vector<std::string> above;  // the outermost first

  UnfinishedFolder() = default;
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;
  ~UnfinishedFolder() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
    for (auto folder = above.rbegin(); folder != above.rend(); ++folder) ::rmdir(folder->c_str());
  }
};

}  // namespace dataset_detail

namespace dataset_detail {

// What a folder to be removed holds. Throws InputError where it cannot be emptied.
inline std::vector<std::filesystem::directory_entry> entries_to_remove(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code fault;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator at(folder, fault), end; !fault && at != end; at.increment(fault))
    entries.push_back(*at);
  if (fault) throw InputError(folder, "cannot be read (" + fault.message() + ")", "name a new folder");
  if (!entries.empty() && ::access(folder.c_str(), W_OK | X_OK) != 0)
    throw InputError(folder, std::string("cannot be replaced (") + std::strerror(errno) + ")",
                     "allow writing to it, or name a new folder");
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The files that the list of a data set names; nothing where it is none.
inline std::optional<std::set<std::string>> files_listed(const std::string& list) {
  std::set<std::string> files;
  try {
    const JsonValue root = parse_json(read_text_file(list, 1 << 28), list);
    const JsonValue* format = root.find("format");
    if (format == nullptr || format->text != dataset_format) return std::nullopt;
    for (const char* part : {"pairs", "splits"})
      if (const JsonValue* entries = root.find(part); entries != nullptr)
        for (const JsonValue& entry : entries->items)
          for (const char* name : {"motion_file", "notes_file", "file"})
            if (const JsonValue* file = entry.find(name); file != nullptr) files.insert(file->text);
  } catch (const InputError&) {
    return std::nullopt;
  }
  return files;
}

}  // namespace dataset_detail

// Throws InputError unless a data set may be written to that folder: it is missing, empty, or holds a data
// set and nothing else, no links either, and another may be put in its place and all of it removed.
inline void check_dataset_target(const std::string& folder) {
  if (folder.empty() || folder.find('\0') != std::string::npos)
    throw InputError("''", "an empty folder name", "name the folder to write");
  dataset_detail::check_replaceable(dataset_detail::without_links(folder), folder);
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw InputError(folder, std::string("cannot be made (") + std::strerror(errno) + ")",
                     "choose another place");
  }
  if (!S_ISDIR(status.st_mode)) throw InputError(folder, "is a file", "name a new folder");
  namespace fs = std::filesystem;
  const std::vector<fs::directory_entry> entries = dataset_detail::entries_to_remove(folder);
  if (entries.empty()) return;
  const std::string list = join_path(folder, std::string(dataset_list));
  std::optional<std::set<std::string>> listed;
  if (::lstat(list.c_str(), &status) == 0 && S_ISREG(status.st_mode))
    listed = dataset_detail::files_listed(list);
  if (!listed) throw InputError(folder, "holds files and is no data set", "choose a new or empty folder");
  const auto check = [&](const std::string& name, const fs::directory_entry& entry, fs::file_type wanted) {
    std::error_code fault;
    if (const fs::file_type is = entry.symlink_status(fault).type(); !fault && is == wanted) return;
    throw InputError(folder,
                     "holds " + in_quotes(name) +
                         (wanted == fs::file_type::regular ? ", which is no file of its own"
                                                           : ", which is no part of a data set"),
                     "move it elsewhere, or choose a new folder");
  };
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (name == dataset_list) continue;
    check(name, entry, name == "pairs" || name == "splits" ? fs::file_type::directory : fs::file_type::none);
    for (const fs::directory_entry& file : dataset_detail::entries_to_remove(join_path(folder, name))) {
      const std::string inside = name + "/" + file.path().filename().string();
      check(inside, file, listed->count(inside) > 0 ? fs::file_type::regular : fs::file_type::none);
    }
  }
}

class DatasetWriter {
 public:
  explicit DatasetWriter(std::string folder) : folder_(std::move(folder)) {
    while (folder_.size() > 1 && folder_.back() == '/') folder_.pop_back();
    check_dataset_target(folder_);
    target_ = dataset_detail::without_links(folder_);
    namespace fs = std::filesystem;
    std::error_code fault;
    const fs::path parent = fs::absolute(target_, fault).parent_path();
    fs::path above;
    int obstacle = 0;
    for (const fs::path& part : parent) {
      above /= part;
      if (::mkdir(above.c_str(), 0777) == 0)
        unfinished_.above.push_back(above.string());
      else if (errno != EEXIST && obstacle == 0)
        obstacle = errno;
    }
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 1000 && unfinished_.path.empty(); ++attempt) {
      const std::string name = (parent / (".imu2music-" + std::to_string(::getpid()) + "-" +
                                          std::to_string(counter.fetch_add(1)) + ".tmp"))
                                   .string();
      if (::mkdir(name.c_str(), 0777) == 0)
        unfinished_.path = name;
      else if (errno != EEXIST)
        throw_unmakeable(errno == ENOENT && obstacle != 0 ? obstacle : errno);
    }
    for (const char* part : {"pairs", "splits"})
      if (::mkdir(path(part).c_str(), 0777) != 0) throw_unmakeable(errno);
  }
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;

  // Writes the pair and returns its description as it will be listed. Its info says performer, piece, stroke,
  // source and seconds; an id is wanted, not required to be unique or a file name.
  const PairInfo& add(const Pair& pair) {
    PairInfo info = pair.info;
    dataset_detail::check_length(info);
    info.id = unique_id(info.id);
    info.has_motion = !pair.motion.sensors.empty();
    info.notes = static_cast<std::int64_t>(pair.notes.size());
    info.notes_file = "pairs/" + info.id + ".notes.csv";
    info.motion_file.clear();
    info.motion_sha256.clear();
    if (info.has_motion) info.motion_file = "pairs/" + info.id + ".safetensors";
    told_of_folder([&] {
      write_note_table(path(info.notes_file), pair.notes);
      info.notes_sha256 = sha256_of_file(path(info.notes_file));
      if (!info.has_motion) return;
      write_recording_file(pair.motion, path(info.motion_file));
      info.motion_sha256 = sha256_of_file(path(info.motion_file));
    });
    pairs_.push_back(std::move(info));
    return pairs_.back();
  }

  void drop(std::string source, std::string reason) {
    dropped_.push_back({std::move(source), std::move(reason)});
  }

  const std::string& folder() const { return folder_; }
  const std::vector<PairInfo>& pairs() const { return pairs_; }
  const std::vector<DroppedSource>& dropped() const { return dropped_; }
  // The names of the splits that were written; after commit().
  const std::vector<std::string>& splits() const { return splits_; }

  // `each` is called split by split, and once more just before the folder appears; one that throws leaves all
  // as it was.
  void commit(const std::function<void()>& each = {}) {
    if (pairs_.empty())
      throw InputError(folder_, "would hold no pairs", "name sources with music that can be read");
    std::string splits;
    std::set<std::string> files;
    for (const std::string& name : written_splits()) {
      const std::string file = "splits/" + dataset_detail::file_name_of(name) + ".json";
      if (!files.insert(file).second) continue;  // two labels alike but for signs; made when asked for
      if (each) each();
      const Split split = make_split(pairs_, name, folder_);
      write(file, split_json(pairs_, split));
      splits += (splits.empty() ? "" : ",") + ("\n    {\"name\": " + json_text(name)) +
                ", \"file\": " + json_text(file) + ", \"train\": " + std::to_string(split.train.size()) +
                ", \"validation\": " + std::to_string(split.validation.size()) +
                ", \"test\": " + std::to_string(split.test.size()) + ", \"hash\": " + json_text(split.hash) +
                "}";
      splits_.push_back(name);
    }
    write(std::string(dataset_list), list_text(splits));
    if (each) each();
    put_in_place();
    unfinished_.above.clear();
  }

 private:
  static constexpr std::size_t most_labels = 64;

  [[noreturn]] void throw_unmakeable(int code) const {
    throw InputError(folder_, std::string("cannot be made (") + std::strerror(code) + ")",
                     "choose a writable place");
  }

  std::string path(const std::string& file) const { return unfinished_.path + "/" + file; }
  void write(const std::string& file, const std::string& text) const {
    told_of_folder([&] {
      AtomicFile target(path(file));
      target.write(text);
      target.commit();
    });
  }

  // Does work whose faults name files in the unfinished folder; they are told of the one that was asked for.
  template <class Work>
  void told_of_folder(const Work& work) const {
    try {
      work();
    } catch (const InputError& error) {
      std::string message = error.what();
      for (std::size_t at = message.find(unfinished_.path); at != std::string::npos;
           at = message.find(unfinished_.path, at + folder_.size()))
        message.replace(at, unfinished_.path.size(), folder_);
      throw InputError(message);
    } catch (const SystemError& error) {
      throw SystemError("write", folder_, error.code());
    }
  }

  // Ids differ in more than case, for file systems that do not tell cases apart.
  std::string unique_id(const std::string& wanted) {
    const std::string base = dataset_detail::file_name_of(wanted);
    std::string id = base;
    for (int i = 2; !ids_.insert(csv_detail::lower_case(id)).second; ++i) id = base + "-" + std::to_string(i);
    return id;
  }

  std::vector<std::string> written_splits() const {
    std::vector<std::string> names;
    std::map<std::string, bool, std::less<>> is_written = {{"all", true}};  // by kind
    for (const std::string_view kind : dataset_detail::kinds)
      is_written.emplace(kind, dataset_detail::labels(pairs_, kind).size() <= most_labels);
    for (const std::string& name : split_names(pairs_))
      if (is_written.at(name.substr(0, name.find(':')))) names.push_back(name);
    return names;
  }

  std::string list_text(const std::string& splits) const {
    std::string text = "{\n  \"format\": " + json_text(dataset_format) +
                       ",\n  \"version\": " + std::to_string(dataset_version) + ",\n  \"pairs\": [";
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const PairInfo& pair = pairs_[i];
      text += (i == 0 ? "" : ",") + ("\n    {\"id\": " + json_text(pair.id)) +
              ", \"performer\": " + json_text(pair.performer) + ", \"piece\": " + json_text(pair.piece) +
              ", \"stroke\": " + json_text(pair.stroke) + ",\n     \"source\": " + json_text(pair.source) +
              ", \"layout\": " + json_text(pair.layout) +
              ",\n     \"seconds\": " + number_text(pair.seconds) +
              ", \"has_motion\": " + (pair.has_motion ? "true" : "false") +
              ", \"notes\": " + std::to_string(pair.notes) +
              ", \"goes_on\": " + (pair.goes_on ? "true" : "false");
      if (pair.has_motion)
        text += ",\n     \"motion_file\": " + json_text(pair.motion_file) +
                ", \"motion_sha256\": " + json_text(pair.motion_sha256);
      text += ",\n     \"notes_file\": " + json_text(pair.notes_file) +
              ", \"notes_sha256\": " + json_text(pair.notes_sha256);
      const char* separator = "";
      if (!pair.quality.empty()) {
        text += ",\n     \"quality\": {";
        for (const auto& [name, value] : pair.quality) {
          if (!std::isfinite(value)) continue;
          text += separator + json_text(name) + ": " + number_text(value);
          separator = ", ";
        }
        text += "}";
      }
      separator = "";
      if (!pair.remarks.empty()) {
        text += ",\n     \"remarks\": [";
        for (const std::string& remark : pair.remarks) {
          text += separator + json_text(remark);
          separator = ", ";
        }
        text += "]";
      }
      text += "}";
    }
    text += "\n  ],\n  \"dropped\": [";
    for (std::size_t i = 0; i < dropped_.size(); ++i)
      text += (i == 0 ? "" : ",") + ("\n    {\"source\": " + json_text(dropped_[i].source)) +
              ", \"reason\": " + json_text(dropped_[i].reason) + "}";
    return text + (dropped_.empty() ? "" : "\n  ") + "],\n  \"splits\": [" + splits + "\n  ]\n}\n";
  }

  void put_in_place() {
    namespace fs = std::filesystem;
    check_dataset_target(target_);  // somebody may have written there meanwhile
    const char* unfinished = unfinished_.path.c_str();
    std::error_code fault;
    const bool replaces = fs::exists(target_, fault) && !fs::is_empty(target_, fault);
    if (!replaces) {
      if (::rename(unfinished, target_.c_str()) != 0) throw_unmakeable(errno);
      unfinished_.path.clear();
      return;
    }
    // Old and new change places in one step; the destructor then removes the old one.
    if (::renameat2(AT_FDCWD, unfinished, AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) return;
    // A file system that cannot exchange needs two.
    const std::string old = unfinished_.path + ".old";
    const bool moved = ::rename(target_.c_str(), old.c_str()) == 0;
    if (!moved || ::rename(unfinished, target_.c_str()) != 0) {
      const int code = errno;
      if (moved) ::rename(old.c_str(), target_.c_str());
      throw InputError(folder_, std::string("cannot be replaced (") + std::strerror(code) + ")",
                       "choose a new folder");
    }
    unfinished_.path = old;
  }

  std::string folder_;                           // as the caller named it
  std::string target_;                           // after symbolic links
  dataset_detail::UnfinishedFolder unfinished_;  // of an older data set that was replaced, that one
  std::vector<PairInfo> pairs_;
  std::vector<DroppedSource> dropped_;
  std::vector<std::string> splits_;
  std::set<std::string> ids_;
};

}  // namespace imu2music::inline v0
