// Which split weights were trained with, kept in their metadata, so that those who evaluate them need not be
// told what was kept for the test.
//
//   imu2music.split        the split's name
//   imu2music.split_hash   its hash (train/dataset.hpp)
//   imu2music.begun_with   names and hashes of the splits that the weights which the training began with had
//                          learnt from, a line each: what those learnt, these know. Two empty lines are
//                          weights that learnt and do not say from what
//
// A name alone would not do: "performer:s4" of data that were prepared otherwise is another split.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/folder.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/train/dataset.hpp"

namespace imu2music::inline v0 {

struct WeightsSplit {
  std::string name, hash;

  friend bool operator==(const WeightsSplit&, const WeightsSplit&) = default;
};

inline constexpr const char* split_metadata_key = "imu2music.split";
inline constexpr const char* split_hash_metadata_key = "imu2music.split_hash";
inline constexpr const char* begun_with_metadata_key = "imu2music.begun_with";

// What save_model() is to write. No split for data that are none of a data set, which have no name.
inline std::map<std::string, std::string> split_metadata(const WeightsSplit& split,
                                                         std::span<const WeightsSplit> begun_with = {}) {
  std::map<std::string, std::string> metadata;
  if (!split.name.empty())
    metadata = {{split_metadata_key, split.name}, {split_hash_metadata_key, split.hash}};
  for (const WeightsSplit& one : begun_with)
    metadata[begun_with_metadata_key] += one_line(one.name) + "\n" + one.hash + "\n";
  return metadata;
}

// Without value: the file does not say.
inline std::optional<WeightsSplit> split_of(const TensorFile& weights) {
  const auto name = weights.metadata.find(split_metadata_key),
             hash = weights.metadata.find(split_hash_metadata_key);
  if (name == weights.metadata.end() || hash == weights.metadata.end()) return std::nullopt;
  return WeightsSplit{name->second, hash->second};
}

// What the weights learnt from before their own training, the latest first; of more than 64 the first 64.
inline std::vector<WeightsSplit> begun_with(const TensorFile& weights) {
  std::vector<WeightsSplit> splits;
  const auto found = weights.metadata.find(begun_with_metadata_key);
  if (found == weights.metadata.end()) return splits;
  const std::string& text = found->second;
  for (std::size_t at = 0; at < text.size() && splits.size() < 64;) {
    const std::size_t name_end = text.find('\n', at);
    const std::size_t end = name_end == std::string::npos ? name_end : text.find('\n', name_end + 1);
    if (end == std::string::npos) break;
    splits.push_back({text.substr(at, name_end - at), text.substr(name_end + 1, end - name_end - 1)});
    at = end + 1;
  }
  return splits;
}

// That split of the data set: one that it can make, or that a file in its splits/ holds. Without value where
// no split of the name has the hash: the data are others.
inline std::optional<Split> find_split(const Dataset& dataset, const WeightsSplit& wanted) {
  const auto unless_refused = [&](const auto& make) -> std::optional<Split> {
    try {
      Split split = make();
      if (split.name == wanted.name && split.hash == wanted.hash) return split;
    } catch (const InputError&) {  // no split of this data, so not the one that is looked for
    }
    return std::nullopt;
  };
  // Not Dataset::split(): the name comes from a file, and must not be taken for a path.
  if (auto split = unless_refused([&] { return make_split(dataset.pairs(), wanted.name, dataset.folder()); }))
    return split;
  const std::string folder = join_path(dataset.folder(), "splits");
  if (!is_folder(folder)) return std::nullopt;
  for (const std::string& name : list_entries(folder).files)
    if (auto split = unless_refused([&] { return read_split(dataset.pairs(), join_path(folder, name)); }))
      return split;
  return std::nullopt;
}

}  // namespace imu2music::inline v0
