#include "verify_events.hpp"

#include <nlohmann/json.hpp>

#include "support.hpp"

using imu2music::InputError;
using Json = nlohmann::json;

namespace {

// A small file of our own: one note of half a second, checked by hand in
// tests/music/event_vocabulary_test.cpp.
Json small_file() {
  Json file;
  file["layout"] = {
      {"note_on", {0, 88}}, {"note_off", {88, 176}}, {"velocity", {176, 208}}, {"time_shift", {208, 240}}};
  Json one;
  one["notes"] = Json::array({Json::array({21, 60, 3.0, 3.5})});
  one["ids"] = {176, 39, 232, 217, 127};
  const double end = (std::pow(1.15, 24) + std::pow(1.15, 9)) / 65;
  one["decoded_notes"] = Json::array({Json::array({21, 60, 0.0, end})});
  one["pitch_histogram_first"] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  one["pitch_histogram_last"] = std::vector<double>(12, 1.0 / 12);
  Json ids_alone;
  ids_alone["ids"] = {39};
  ids_alone["decoded_notes"] = Json::array({Json::array({64, 60, 0.0, 1.0})});
  file["cases"] = Json::array({one, ids_alone});
  return file;
}

struct Verdict {
  std::vector<CheckRow> rows;
  const CheckRow& operator[](const std::string& name) const {
    for (const CheckRow& row : rows)
      if (row.name == name) return row;
    throw std::runtime_error("no row " + name);
  }
  std::string failed() const {
    std::string names;
    for (const CheckRow& row : rows)
      if (!row.passed) names += (names.empty() ? "" : " ") + row.name;
    return names;
  }
};

Verdict verify(const Json& file) {
  test::ScratchFolder scratch;
  test::write_file(scratch / "events.json", file.dump());
  return {verify_events_file(scratch / "events.json")};
}

}  // namespace

TEST_CASE("a right file passes; what it lacks is absent") {
  Verdict verdict = verify(small_file());
  CHECK(verdict.failed() == "");
  CHECK(verdict["ids"].note == "1 cases");
  CHECK(verdict["decoded_notes"].note == "2 cases");
  CHECK(verdict["time_shift_bins_s"].note == "absent");
  CHECK(verdict["velocity_bins"].note == "absent");
  verdict = verify({{"cases", Json::array()}});
  CHECK(verdict.failed() == "");
  for (const CheckRow& row : verdict.rows) CHECK(row.note == "absent");
}

TEST_CASE("each change fails its row, with the case") {
  Json file = small_file();
  SUBCASE("an id") {
    file["cases"][0]["notes"][0][1] = 61;
    Verdict verdict = verify(file);
    CHECK(verdict.failed() == "ids");
    CHECK(verdict["ids"].note == "1 of 1 cases differ, first in case 0: got 40, expected 39");
    CHECK(verdict["ids"].max_abs_error == 1);
  }
  SUBCASE("one id too few") {
    file["cases"][0]["ids"].erase(4);
    CHECK(verify(file).failed().starts_with("ids decoded_notes"));
    CHECK(std::isinf(verify(file)["ids"].max_abs_error));
  }
  SUBCASE("a decoded time, by 2e-9") {
    file["cases"][1]["decoded_notes"][0][3] = 1.000000002;
    Verdict verdict = verify(file);
    CHECK(verdict.failed() == "decoded_notes");
    CHECK(verdict["decoded_notes"].note.find("1 of 2 cases differ, first in case 1") != std::string::npos);
    CHECK(verdict["decoded_notes"].max_abs_error == doctest::Approx(2e-9).epsilon(1e-3));
  }
  SUBCASE("a decoded velocity") {
    file["cases"][1]["decoded_notes"][0][0] = 65;
    CHECK(verify(file).failed() == "decoded_notes");
  }
  SUBCASE("a missing note") {
    file["cases"][1]["decoded_notes"] = Json::array();
    CHECK(verify(file).failed() == "decoded_notes");
  }
  SUBCASE("histograms") {
    file["cases"][0]["pitch_histogram_first"][0] = 0.999;
    CHECK(verify(file).failed() == "pitch_histogram_first");
    file = small_file();
    file["cases"][0]["pitch_histogram_last"].erase(0);
    CHECK(verify(file).failed() == "pitch_histogram_last");
  }
  SUBCASE("layout") {
    file["layout"]["velocity"][1] = 207;
    CHECK(verify(file).failed() == "layout");
    file["layout"].erase("velocity");
    CHECK(verify(file)["layout"].note.find("no velocity") != std::string::npos);
    file = small_file();
    file["layout"]["bend"] = {1, 2};
    CHECK(verify(file).failed() == "layout");
  }
  SUBCASE("bins") {
    file["velocity_bins"] = {21.0};
    file["time_shift_bins_s"] = std::vector<double>(32, 0.5);
    CHECK(verify(file).failed() == "time_shift_bins_s velocity_bins");
  }
}

TEST_CASE("a malformed file is refused with its name and place") {
  test::ScratchFolder scratch;
  std::string path = scratch / "events.json";
  auto message = [&](const std::string& text) -> std::string {
    test::write_file(path, text);
    try {
      verify_events_file(path);
    } catch (const InputError& error) {
      std::string what = error.what();
      CHECK(what.starts_with(path + ": "));
      CHECK(what.find('\n') == std::string::npos);
      return what;
    }
    return "accepted";
  };
  CHECK(message("").find("not JSON") != std::string::npos);
  CHECK(message("{\"cases\": [").find("not JSON") != std::string::npos);
  CHECK(message("[]").find("no list `cases`") != std::string::npos);
  CHECK(message("{\"cases\": 3}").find("no list `cases`") != std::string::npos);
  CHECK(message("{\"cases\": [3]}").find("case 0 is malformed") != std::string::npos);
  CHECK(message("{\"cases\": [{}]}").find("case 0 is malformed") != std::string::npos);
  for (const char* ids : {"7", "[\"a\"]", "[243]", "[-1]", "[1.5]", "[1e300]", "[null]", "{\"a\": 1}"}) {
    INFO(ids);
    CHECK(message(std::string("{\"cases\": [{\"ids\": ") + ids + "}]}").find("case 0, ids is malformed") !=
          std::string::npos);
  }
  for (const char* notes : {"7", "[7]", "[[1, 2, 3]]", "[[1, 2, 3, \"x\"]]", "[[1e30, 2, 3, 4]]"}) {
    INFO(notes);
    CHECK(message(std::string("{\"cases\": [{\"ids\": [], \"notes\": ") + notes + "}]}")
              .find("case 0, notes is malformed") != std::string::npos);
  }
  CHECK(message("{\"cases\": [{\"ids\": [], \"notes\": [[64, 60, 0, 1e200]]}]}").find("case 0") !=
        std::string::npos);
  CHECK(message("{\"cases\": [{\"ids\": [], \"pitch_histogram_first\": [1]}]}").find("without ids") !=
        std::string::npos);
  CHECK(message("{\"cases\": [], \"layout\": 3}").find("layout") != std::string::npos);
  CHECK(message("{\"cases\": [], \"velocity_bins\": [\"x\"]}").find("velocity_bins") != std::string::npos);
  CHECK_THROWS_AS(verify_events_file(scratch / "none.json"), InputError);
  CHECK_THROWS_AS(verify_events_file("/"), InputError);
}

TEST_CASE("a file of events is known by what it holds") {
  test::ScratchFolder scratch;
  std::string path = scratch / "any.safetensors";
  auto is = [&](std::string_view text) {
    test::write_file(path, text);
    return is_events_file(path);
  };
  CHECK(is(small_file().dump()));
  CHECK(is("  \n{\"cases\": []}"));
  CHECK(is("\xEF\xBB\xBF{\"cases\": []}"));
  CHECK_FALSE(is(""));
  CHECK_FALSE(is("{"));
  CHECK_FALSE(is("[{\"cases\": []}]"));
  CHECK_FALSE(is("{\"case\": []}"));
  // A safetensors header of 123 bytes, whose length begins with the byte of a brace.
  CHECK_FALSE(is(std::string("{") + std::string(7, char(0)) + "{\"__metadata__\":{}}"));
  CHECK_FALSE(is("{\"cases\": [" + std::string(17 << 20, ' ') + "]}"));  // larger than any such file
  REQUIRE(test::run_command("mkfifo '" + (scratch / "pipe") + "'").status == 0);
  CHECK_FALSE(is_events_file(scratch / "pipe"));  // and is not waited for
  CHECK_FALSE(is_events_file(scratch / "none"));
  CHECK_FALSE(is_events_file("/"));
  std::string path_of_expected = test::shared_file("golden/events.json");
  if (!path_of_expected.empty()) CHECK(is_events_file(path_of_expected));
}
