#include "imu2music/train/weights_split.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "imu2music/train/dataset_writer.hpp"
#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;

namespace {

std::string written(const test::ScratchFolder& scratch, const std::string& name, std::uint64_t seed) {
  DatasetWriter writer(scratch / name);
  writer.add(test::pair("a_s1", "s1", "a", "", seed));
  writer.add(test::pair("b_s1", "s1", "b", "", seed + 1));
  writer.add(test::pair("a_s2", "s2", "a", "", seed + 2));
  writer.commit();
  return scratch / name;
}

}  // namespace

TEST_CASE("a split is found again in the data that it was made of, and in no other") {
  test::ScratchFolder scratch;
  const Dataset dataset(written(scratch, "d", 1)), other(written(scratch, "e", 5));
  const Split made = dataset.split("performer:s2");
  const std::optional<Split> found = find_split(dataset, {made.name, made.hash});
  REQUIRE(found.has_value());
  CHECK(found->test == made.test);
  CHECK(found->train == made.train);
  CHECK_FALSE(find_split(other, {made.name, made.hash}).has_value());
  CHECK_FALSE(find_split(dataset, {"performer:s1", made.hash}).has_value());
  CHECK_FALSE(find_split(dataset, {"", ""}).has_value());

  // One of one's own, where its file lies with the data; a name is never a path.
  const std::string text = R"({"name": "mine", "train": ["a_s1", "b_s1"], "test": ["a_s2"]})";
  test::write_file(scratch / "mine.json", text);
  const Split mine = dataset.split(scratch / "mine.json");
  CHECK_FALSE(find_split(dataset, {"mine", mine.hash}).has_value());
  CHECK_FALSE(find_split(dataset, {scratch / "mine.json", mine.hash}).has_value());
  test::write_file(scratch / "d/splits/mine.json", text);
  REQUIRE(find_split(dataset, {"mine", mine.hash}).has_value());
  CHECK(find_split(dataset, {"mine", mine.hash})->test == mine.test);
}

TEST_CASE("what weights say of their split, and what they do not") {
  TensorFile file;
  CHECK_FALSE(split_of(file).has_value());
  file.metadata = split_metadata({"all", "12"});
  CHECK(split_of(file) == WeightsSplit{"all", "12"});
  file.metadata.erase(split_hash_metadata_key);
  CHECK_FALSE(split_of(file).has_value());
  CHECK(split_metadata({"", "12"}).empty());
  CHECK(begun_with(file).empty());
  const std::vector<WeightsSplit> before = {{"all", "34"}, {"performer:s1", "56"}};
  file.metadata = split_metadata({"piece:air", "12"}, before);
  CHECK(split_of(file) == WeightsSplit{"piece:air", "12"});
  CHECK(begun_with(file) == before);
  file.metadata = split_metadata({"", ""}, before);
  CHECK_FALSE(split_of(file).has_value());
  CHECK(begun_with(file) == before);
  file.metadata[begun_with_metadata_key] = "all\n34\nperformer:s1";  // cut off
  CHECK(begun_with(file) == std::vector<WeightsSplit>{{"all", "34"}});
}
