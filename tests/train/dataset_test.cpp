#include "imu2music/train/dataset.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "imu2music/train/dataset_writer.hpp"
#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;

namespace {

std::vector<PairInfo> infos(int performers, int pieces, int takes) {
  std::vector<PairInfo> pairs;
  for (int p = 1; p <= performers; ++p)
    for (int q = 0; q < pieces; ++q)
      for (int t = 0; t < takes; ++t) {
        PairInfo info;
        info.performer = "s" + std::to_string(p);
        info.piece = "piece" + std::to_string(q);
        info.stroke = q % 2 == 0 ? "detache" : "legato";
        info.id = info.piece + "_" + info.performer + "_t" + std::to_string(t);
        info.motion_sha256 = sha256(info.id);
        info.notes_sha256 = sha256(info.piece);
        pairs.push_back(info);
      }
  return pairs;
}

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was refused";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Three performers play two pieces; one piece of music stands alone.
std::string written(const test::ScratchFolder& scratch) {
  DatasetWriter writer(scratch / "d");
  int seed = 0;
  for (const char* performer : {"s1", "s2", "s3"})
    for (const char* piece : {"a", "b"})
      writer.add(test::pair(std::string(piece) + "_" + performer, performer, piece, piece,
                            static_cast<std::uint64_t>(++seed)));
  writer.add(test::pair("alone", "", "c", "", 7, false));
  writer.drop("x.wav", "is sound");
  writer.commit();
  return scratch / "d";
}

}  // namespace

TEST_CASE("no split lets a test's performer, piece or stroke into training or validation") {
  for (const auto& [performers, pieces, takes] :
       std::vector<std::array<int, 3>>{{4, 8, 1}, {2, 2, 1}, {5, 3, 3}, {3, 20, 2}}) {
    const std::vector<PairInfo> pairs = infos(performers, pieces, takes);
    for (const std::string& name : split_names(pairs)) {
      INFO(name << " of " << pairs.size());
      const Split split = make_split(pairs, name, "d");
      CHECK(split.name == name);
      std::set<std::size_t> seen;
      for (const auto* part : {&split.train, &split.validation, &split.test}) {
        CHECK(std::is_sorted(part->begin(), part->end()));
        for (const std::size_t i : *part) CHECK(seen.insert(i).second);
      }
      CHECK(seen.size() == pairs.size());
      CHECK_FALSE(split.train.empty());
      CHECK(split.test.empty() == (name == "all"));
      const std::string kind = name.substr(0, name.find(':'));
      const std::string label = name == "all" ? "" : name.substr(kind.size() + 1);
      const auto label_of = [&](std::size_t i) {
        return kind == "performer" ? pairs[i].performer : kind == "piece" ? pairs[i].piece : pairs[i].stroke;
      };
      if (name != "all") {
        for (const std::size_t i : split.test) CHECK(label_of(i) == label);
        for (const auto* part : {&split.train, &split.validation})
          for (const std::size_t i : *part) CHECK(label_of(i) != label);
      }
      // Takes of one piece by one performer stay together.
      std::set<std::pair<std::string, std::string>> trained;
      for (const std::size_t i : split.train) trained.insert({pairs[i].performer, pairs[i].piece});
      for (const std::size_t i : split.validation)
        CHECK(trained.count({pairs[i].performer, pairs[i].piece}) == 0);
      const std::size_t rest = split.train.size() + split.validation.size();
      if (rest >= 8) {
        CHECK(8 * split.validation.size() >= rest);
        CHECK(split.validation.size() <= rest / 8 + static_cast<std::size_t>(takes) + 1);
      }
      CHECK(make_split(pairs, name, "d").validation == split.validation);
      CHECK(make_split(pairs, name, "d").hash == split.hash);
    }
  }
}

TEST_CASE("validation is spread over performers and pieces") {
  const std::vector<PairInfo> pairs = infos(4, 8, 1);
  const Split split = make_split(pairs, "all", "d");
  REQUIRE(split.validation.size() == 4);
  std::set<std::string> performers, pieces;
  for (const std::size_t i : split.validation) {
    performers.insert(pairs[i].performer);
    pieces.insert(pairs[i].piece);
  }
  CHECK(performers.size() == 4);
  CHECK(pieces.size() == 4);
}

TEST_CASE("of music alone, a piece that is validated on is not trained on by anybody") {
  std::vector<PairInfo> pairs = infos(5, 10, 1);
  for (PairInfo& pair : pairs) pair.has_motion = false;
  const Split split = make_split(pairs, "all", "d");
  CHECK_FALSE(split.validation.empty());
  std::set<std::string> trained;
  for (const std::size_t i : split.train) trained.insert(pairs[i].piece);
  for (const std::size_t i : split.validation) CHECK(trained.count(pairs[i].piece) == 0);
}

TEST_CASE("a list of many pieces is split in no time") {
  std::vector<PairInfo> pairs = infos(1, 60000, 1);
  for (PairInfo& pair : pairs) pair.has_motion = false;
  const Split split = make_split(pairs, "all", "d");
  CHECK(split.validation.size() == 7500);
}

// The validation of this list as it was first made: what was published with a split's name has to stay.
TEST_CASE("the units that are kept for validation stay the same") {
  std::vector<PairInfo> pairs;
  for (int i = 0; i < 90; ++i) {
    PairInfo info;
    info.performer = "s" + std::to_string(i * i % 7);
    info.piece = "piece" + std::to_string(i % 11);
    info.id = std::to_string(i);
    info.has_motion = i % 3 != 0;
    pairs.push_back(info);
  }
  CHECK(make_split(pairs, "all", "d").validation ==
        std::vector<std::size_t>{3, 4, 6, 8, 14, 36, 39, 41, 43, 59, 69, 72, 76, 85, 86});
}

TEST_CASE("a split's hash is one of the data") {
  std::vector<PairInfo> pairs = infos(3, 4, 1);
  const std::string before = make_split(pairs, "performer:s2", "d").hash;
  pairs[3].motion_sha256 = sha256("other");
  CHECK(make_split(pairs, "performer:s2", "d").hash != before);
  CHECK(make_split(pairs, "performer:s1", "d").hash != make_split(pairs, "performer:s3", "d").hash);
}

TEST_CASE("unknown splits name the known ones") {
  const std::vector<PairInfo> pairs = infos(2, 2, 1);
  for (const char* name : {"nothing", "performer:9", "stroke:", "colour:red", "performer"}) {
    const std::string message = refusal([&] { make_split(pairs, name, "d"); });
    INFO(message);
    CHECK(contains(message, "d: has no split '" + std::string(name) + "'"));
    CHECK(contains(message, "performer:s1, performer:s2"));
    CHECK(contains(message, "stroke:legato"));
  }
  CHECK(make_split(pairs, "performer:2", "d").name == "performer:s2");  // short for s2
  CHECK(contains(refusal([&] { make_split({}, "all", "d"); }), "holds no pairs"));
  const std::vector<PairInfo> one = infos(1, 3, 1);
  CHECK(contains(refusal([&] { make_split(one, "performer:s1", "d"); }), "no pair that is not of"));
  CHECK(split_names(one) == std::vector<std::string>{"all", "piece:piece0", "piece:piece1", "piece:piece2",
                                                     "stroke:detache", "stroke:legato"});
}

TEST_CASE("what is written is what is read") {
  test::ScratchFolder scratch;
  const Dataset dataset = Dataset::open(written(scratch) + "/");
  REQUIRE(dataset.pairs().size() == 7);
  CHECK(dataset.pairs()[0].id == "a_s1");
  CHECK(dataset.pairs()[0].notes == 12);
  CHECK(dataset.pairs()[6].has_motion == false);
  REQUIRE(dataset.dropped().size() == 1);
  CHECK(dataset.dropped()[0].reason == "is sound");
  for (std::size_t i = 0; i < 6; ++i) {
    const Pair pair = dataset.load(i), wanted = test::pair("", "", "", "", i + 1);
    CHECK(pair.notes == wanted.notes);
    REQUIRE(pair.motion.sensors.size() == 2);
    CHECK(pair.motion.sensors[1].name == "right");
    CHECK(pair.motion.sensors[1].channels[2].samples == wanted.motion.sensors[1].channels[2].samples);
    CHECK(pair.info == dataset.pairs()[i]);
  }
  CHECK(dataset.load(6).motion.sensors.empty());
  CHECK(dataset.load(6).notes.size() == 12);
  CHECK_THROWS_AS(dataset.load(7), ShapeError);

  const Split split = dataset.split("performer:2");
  CHECK(split.test == std::vector<std::size_t>{2, 3});
  const auto file = nlohmann::json::parse(test::read_file(scratch / "d/splits/performer-s2.json"));
  CHECK(file["name"] == "performer:s2");
  CHECK(file["test"] == std::vector<std::string>{"a_s2", "b_s2"});
  CHECK(file["hash"] == split.hash);
  const auto list = nlohmann::json::parse(test::read_file(scratch / "d/dataset.json"));
  CHECK(list["format"] == "imu2music dataset");
  CHECK(list["pairs"][0]["motion_sha256"] == sha256_of_file(scratch / "d/pairs/a_s1.safetensors"));
}

TEST_CASE("splits of one's own, and what is wrong with them") {
  test::ScratchFolder scratch;
  const Dataset dataset(written(scratch));
  const std::string path = scratch / "mine.json";
  test::write_file(path, R"({"name": "mine", "train": ["b_s1", "a_s1"], "test": ["alone"]})");
  const Split split = dataset.split(path);
  CHECK(split.name == "mine");
  CHECK(split.train == std::vector<std::size_t>{0, 1});
  CHECK(split.validation.empty());
  CHECK(split.test == std::vector<std::size_t>{6});
  CHECK(split.hash.size() == 64);
  const auto refused = [&](const std::string& text) {
    test::write_file(path, text);
    return refusal([&] { dataset.split(path); });
  };
  CHECK(contains(refused(R"({"name": "mine", "train": ["zz"]})"), "'zz'"));
  CHECK(contains(refused(R"({"name": "mine", "train": ["a_s1"], "test": ["a_s1"]})"), "twice"));
  CHECK(contains(refused(R"({"name": "mine", "train": [1]})"), "no pair"));
  CHECK(contains(refused(R"({"train": []})"), "'name'; it should be {\"name\""));
  CHECK(contains(refused("[]"), "is no split"));
  CHECK(contains(refused(R"({"name": "mine", "train": ["a_s1"], "hash": "00"})"), "other data"));
  // One that was published with the data counts, and is noticed when it was changed.
  std::string published = test::read_file(scratch / "d/splits/performer-s1.json");
  published.replace(published.find("\"a_s1\""), 6, "\"a_s2\"");
  test::write_file(scratch / "d/splits/performer-s1.json", published);
  CHECK(contains(refusal([&] { dataset.split("performer:s1"); }), "performer-s1.json"));
}

TEST_CASE("a label may look like a path") {
  test::ScratchFolder scratch;
  DatasetWriter writer(scratch / "d");
  writer.add(test::pair("x", "AC/DC", "a.json", "", 1));
  writer.add(test::pair("y", "Ünal", "b", "", 2));
  writer.commit();
  const Dataset dataset(scratch / "d");
  CHECK(dataset.split("performer:AC/DC").test == std::vector<std::size_t>{0});
  CHECK(dataset.split("performer:Ünal").test == std::vector<std::size_t>{1});
  CHECK(dataset.split("piece:a.json").test == std::vector<std::size_t>{0});
  CHECK(contains(refusal([&] { dataset.split("none.json"); }), "none.json"));
}

TEST_CASE("changed, damaged and missing data are refused by name") {
  test::ScratchFolder scratch;
  const std::string folder = written(scratch);
  const Dataset dataset(folder);
  std::string notes = test::read_file(folder + "/pairs/a_s1.notes.csv");
  notes.back() = '0';
  test::write_file(folder + "/pairs/a_s1.notes.csv", notes);
  CHECK(contains(refusal([&] { dataset.load(0); }), "a_s1.notes.csv: was changed"));
  std::filesystem::remove(folder + "/pairs/b_s1.safetensors");
  CHECK(contains(refusal([&] { dataset.load(1); }), "b_s1.safetensors"));

  CHECK(contains(refusal([&] { Dataset(scratch / "none"); }), "is no folder"));
  CHECK(contains(refusal([&] { Dataset(scratch.path().string()); }), "holds no dataset.json"));
  std::filesystem::create_directory(scratch / "e");
  const auto refused = [&](const std::string& list) {
    test::write_file(scratch / "e/dataset.json", list);
    return refusal([&] { Dataset(scratch / "e"); });
  };
  CHECK(contains(refused("{"), "is no JSON"));
  CHECK(contains(refused(R"({"format": "other"})"), "no list of a data set"));
  CHECK(contains(refused(R"({"format": "imu2music dataset", "version": 2})"), "version 2"));
  CHECK(contains(refused(R"({"format": "imu2music dataset", "version": 1, "pairs": []})"), "no pairs"));
  CHECK(contains(refused(R"({"format": "imu2music dataset", "version": 1, "pairs": [{}]})"), "'id'"));
  std::string many = test::read_file(folder + "/dataset.json");
  many.replace(many.find("\"notes\": 12"), 11, "\"notes\": 1e99");
  CHECK(contains(refused(many), "without a usual name, or without notes"));
  many = test::read_file(folder + "/dataset.json");
  many.replace(many.find("\"b_s1\""), 6, "\"b_s1\\u001b[2J\"");
  test::write_file(scratch / "e/dataset.json", many);
  CHECK(Dataset(scratch / "e").pairs()[1].id == "b_s1 [2J");  // what a terminal would obey is a blank
  const std::string list = test::read_file(folder + "/dataset.json");
  for (const char* seconds : {"0", "-1", "1e7", "1e300", "1e999"}) {
    INFO(seconds);
    std::string wrong = list;
    wrong.replace(wrong.find("\"seconds\": 4"), 12, std::string("\"seconds\": ") + seconds);
    const std::string message = refused(wrong);
    INFO(message);
    CHECK(contains(message, scratch / "e/dataset.json"));
    if (std::string(seconds) != "1e999") CHECK(contains(message, "the pair 'a_s1' lasts "));
  }
  std::string outside = test::read_file(folder + "/dataset.json");
  outside.replace(outside.find("pairs/a_s1.notes.csv"), 20, "../../../etc/passwd!");
  CHECK(contains(refused(outside), "outside the data set"));
  std::string lengthy = list;
  lengthy.replace(lengthy.find("pairs/a_s1.notes.csv"), 20, std::string(30000, 'n'));
  const std::string message = refused(lengthy);
  CHECK(contains(message, "names a file by 30000 characters: 'nnn"));
  CHECK(message.size() < 1000);
}

TEST_CASE("files of a data set may have dots in their names, and lie nowhere else") {
  test::ScratchFolder scratch;
  const std::string folder = written(scratch), list = folder + "/dataset.json";
  const std::string text = test::read_file(list), file = "pairs/alone.notes.csv";
  const auto with = [&](const std::string& name) {
    std::string changed = text;
    changed.replace(changed.find(file), file.size(), name);
    test::write_file(list, changed);
    return refusal([&] { Dataset(folder).load_notes(6); });
  };
  std::filesystem::rename(folder + "/" + file, folder + "/pairs/Op. 1 No. 2...notes.csv");
  CHECK(with("pairs/Op. 1 No. 2...notes.csv") == "nothing was refused");
  for (const char* outside : {"..", "../x", "pairs/../../x", "pairs/..", "/x"}) {
    INFO(outside);
    CHECK(contains(with(outside), "names a file outside the data set"));
  }
}
