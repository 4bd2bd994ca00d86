// A data set's list, or the file of a split, the other files being right. The first byte tells which.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "folder_input.hpp"
#include "imu2music/train/dataset.hpp"
#include "small_dataset.hpp"

namespace {

using namespace imu2music;

void check_split(const Split& split, std::size_t pairs) {
  std::vector<std::size_t> all;
  for (const auto* part : {&split.train, &split.validation, &split.test}) {
    fuzz::require(std::is_sorted(part->begin(), part->end()), "the order of a part");
    all.insert(all.end(), part->begin(), part->end());
  }
  std::sort(all.begin(), all.end());
  fuzz::require(std::adjacent_find(all.begin(), all.end()) == all.end(), "a pair in two parts");
  fuzz::require(all.empty() || all.back() < pairs, "a pair");
}

void read(std::string_view bytes) {
  static const fuzz::Folder lists, splits;
  static const Dataset right = [] {
    fuzz::write_small_dataset(lists.path() + "/d");
    fuzz::write_small_dataset(splits.path() + "/d");
    return Dataset(splits.path() + "/d");
  }();
  if (bytes.empty()) throw InputError(fuzz::name, "is empty", "a byte should tell which file it is");
  if (static_cast<unsigned char>(bytes.front()) % 2 == 1) {
    fuzz::named(splits.path());
    splits.write("d/split.json", bytes.substr(1));
    return check_split(right.split(splits.path() + "/d/split.json"), right.pairs().size());
  }
  fuzz::named(lists.path());
  lists.write("d/dataset.json", bytes.substr(1));
  const Dataset dataset(lists.path() + "/d");
  const std::size_t pairs = dataset.pairs().size();
  fuzz::require(pairs > 0, "the pairs");
  const std::vector<std::string> names = dataset.split_names();
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 8); ++i) {
    const Split split = make_split(dataset.pairs(), names[i], lists.path());
    fuzz::require(split.train.size() + split.validation.size() + split.test.size() == pairs, "a split");
    check_split(split, pairs);
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(pairs, 4); ++i) {
    const Pair pair = dataset.load(i);
    fuzz::require(pair.info.has_motion == !pair.motion.sensors.empty(), "a pair's motion");
  }
  dataset.split("all");
}

// A JSON tree of small values takes some hundred bytes for each byte.
const fuzz::Target target("dataset", read, std::size_t{32} << 20);

}  // namespace
