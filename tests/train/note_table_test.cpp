#include "imu2music/train/note_table.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "imu2music/core/random.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

NoteTable parse(const std::string& text) { return read_note_table(CsvTable(text, "t.csv")); }

void check_refused(const std::string& text, const std::string& part) {
  INFO(text);
  try {
    parse(text);
    FAIL("was read");
  } catch (const InputError& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).rfind("t.csv: ", 0) == 0);
    CHECK(std::string(error.what()).find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("the three forms, columns in any order among others") {
  const std::vector<Note> wanted = {{55, 64, 0, 0.75}, {57, 64, 0.75, 1.5}};
  CHECK(parse("onset_s,offset_s,midi,string\n0.75,1.5,57,G\n0.0,0.75,55,G\n").notes == wanted);
  // The ticks of the score are not the times.
  CHECK(parse("start,end,onset,offset,pitch,velocity\n0,0.75,0,24,55,64\n0.75,1.5,24,48,57,64\n").notes ==
        wanted);
  CHECK(parse("note_id,onset,offset,note,midi_number\n0,0,0.75,G3,55\n1,0.75,1.5,A3,57\n").notes == wanted);
  CHECK(parse("midi;velocity;offset_s;onset_s\n60;100;2;1\n").notes == std::vector<Note>{{60, 100, 1, 2}});
}

TEST_CASE("what is written reads back as the same doubles") {
  test::ScratchFolder scratch;
  Philox random(3);
  std::vector<Note> notes;
  double time = 0;
  for (int i = 0; i < 500; ++i) {
    time += random.uniform() / 3;
    notes.push_back({static_cast<int>(random.below(128)), static_cast<int>(random.below(128)), time,
                     time + random.uniform()});
  }
  write_note_table(scratch / "n.csv", notes);
  CHECK(read_note_table(scratch / "n.csv").notes == notes);
  write_note_table(scratch / "none.csv", {});
  CHECK(read_note_table(scratch / "none.csv").notes.empty());
}

TEST_CASE("notes come by start and pitch, those that end before they start are counted and left out") {
  const NoteTable table = parse("onset_s,offset_s,midi\n1,2,70\n1,2,60\n0.5,0.5,50\n3,2,40\n");
  CHECK(table.notes == std::vector<Note>{{50, 64, 0.5, 0.5}, {60, 64, 1, 2}, {70, 64, 1, 2}});
  CHECK(table.reversed == 1);
}

TEST_CASE("wrong values are refused with their line") {
  check_refused("onset_s,offset_s,midi\n0,1,60\n0,1,128\n", "line 3");
  check_refused("onset_s,offset_s,midi\n0,1,60.5\n", "'60.5'");
  check_refused("onset_s,offset_s,midi\n,1,60\n", "no time");
  check_refused("onset_s,offset_s,midi\n0,x,60\n", "'x'");
  check_refused("onset_s,offset_s,midi\n0,1,\n", "line 2");
  check_refused("a,b,c\n0,1,60\n", "holds no notes");
  check_refused("onset_s,offset_s,midi,velocity\n0,1,60,-1\n", "'-1'");
}

TEST_CASE("published tables of violin music") {
  for (const char* path : {"data/violin-myo/score/5_legato.csv",
                           "data/bach-violin/telmanyi-public-domain/emil-telmanyi_bwv1004_mov1.csv",
                           "data/mosa-violin/ba1_yv10_t2_align_notetime.csv"}) {
    const std::string file = test::shared_file(path);
    if (file.empty()) continue;
    INFO(path);
    const NoteTable table = read_note_table(file);
    CHECK(table.notes.size() > 50);
    for (const Note& note : table.notes) {
      CHECK(note.pitch >= 54);
      CHECK(note.pitch <= 100);
      CHECK(note.end >= note.start);
    }
  }
}
