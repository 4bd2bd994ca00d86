// The files of a folder, for the readers of recordings that are folders.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/io/file_descriptor.hpp"

namespace imu2music::inline v0 {

struct FolderEntries {
  struct Unreadable {
    std::string name, reason;
  };
  std::vector<std::string> files, folders;  // names, sorted; hidden ones and what is neither are left out
  std::vector<Unreadable> unreadable;       // of which nobody can tell what it is, such as links to nothing
};

inline bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

inline std::string join_path(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}

// The last part of a path without what follows its last dot: "takes/27.csv" → "27".
inline std::string file_stem(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (const std::size_t slash = path.rfind('/'); slash != std::string_view::npos)
    path.remove_prefix(slash + 1);
  if (const std::size_t dot = path.rfind('.'); dot != std::string_view::npos && dot > 0)
    path = path.substr(0, dot);
  return std::string(path);
}

// Throws InputError for a folder that cannot be read.
inline FolderEntries list_entries(const std::string& folder) {
  struct Directory {
    DIR* handle;
    ~Directory() {
      if (handle != nullptr) ::closedir(handle);
    }
  } directory{::opendir(folder.c_str())};
  if (directory.handle == nullptr) throw_unreadable(folder, "opendir", errno);
  FolderEntries entries;
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.handle);
    if (entry == nullptr && errno != 0) throw_unreadable(folder, "readdir", errno);
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name.front() == '.') continue;
    const std::string path = join_path(folder, name);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
      const int code = errno;
      const bool is_there = ::lstat(path.c_str(), &status) == 0;
      if (!is_there && errno == ENOENT) continue;  // it was removed meanwhile
      const char* what =
          is_there && S_ISLNK(status.st_mode) ? "is a link that cannot be followed" : "cannot be reached";
      entries.unreadable.push_back({name, std::string(what) + " (" + std::strerror(code) + ")"});
      continue;
    }
    if (S_ISDIR(status.st_mode)) entries.folders.push_back(name);
    if (S_ISREG(status.st_mode)) entries.files.push_back(name);
  }
  std::sort(entries.files.begin(), entries.files.end());
  std::sort(entries.folders.begin(), entries.folders.end());
  std::sort(entries.unreadable.begin(), entries.unreadable.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

}  // namespace imu2music::inline v0
