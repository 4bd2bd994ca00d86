// Inputs of some megabytes each that make much of little, where ten times the input is far beyond any
// constant: the harness ends the program where one of them takes more.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "../io/checkpoint_builder.hpp"
#include "target.hpp"

namespace {

constexpr std::size_t megabyte = std::size_t{1} << 20;
constexpr std::size_t size = 5 * megabyte;
// What a reader's byte budget leaves to small files (io/byte_budget.hpp), and what it does not count.
constexpr std::size_t constant = 24 * megabyte;

std::string repeated(std::string_view part, std::size_t bytes = size) {
  std::string text;
  text.reserve(bytes + part.size());
  while (text.size() < bytes) text += part;
  return text;
}

std::string big_endian(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(number >> (8 * i));
  return text;
}

std::string midi_header(int tracks) {
  return "MThd" + big_endian(6, 4) + big_endian(1, 2) + big_endian(std::uint64_t(tracks), 2) +
         big_endian(96, 2);
}
std::string midi_track(const std::string& events) { return "MTrk" + big_endian(events.size(), 4) + events; }

std::string safetensors(const std::string& header) {
  const std::string length = big_endian(header.size(), 8);
  return std::string(length.rbegin(), length.rend()) + header;
}

// {"a0":VALUE,"a1":VALUE,…}
std::string object(std::string_view value, std::size_t bytes = size) {
  std::string text = "{";
  for (int i = 0; text.size() < bytes; ++i)
    text += (i == 0 ? "\"a" : ",\"a") + std::to_string(i) + "\":" + std::string(value);
  return text + "}";
}

std::string columns(int count) {
  std::string text = "time_s";
  for (int i = 0; i < count; ++i)
    for (const char* axis : {"x", "y", "z"}) text += ",s" + std::to_string(i) + "_acc_" + axis + "_g";
  return text + "\n";
}

// A recording file of `sensors` sensors, the first of which has one sample.
std::string recording_file(int sensors, const std::string& resets) {
  std::string header = R"({"__metadata__":{"imu2music.recording":"1","source":"s","format":"f","notes":"0",)"
                       R"("sensors":")" +
                       std::to_string(sensors) + "\"";
  for (int i = 0; i < sensors; ++i) {
    const std::string key = ",\"sensor" + std::to_string(i) + "/";
    header += key + "name\":\"\"" + key + "start_s\":\"0\"" + key + "rate_hz\":\"1\"" + key + "resets\":\"" +
              (i == 0 ? resets : "") + "\"" + key + "channels\":\"" + (i == 0 ? "1" : "0") + "\"";
  }
  return safetensors(header +
                     R"(,"sensor0/channel0":"acceleration"},"sensor0/channel0":{"dtype":"F32","shape":[3,1],)"
                     R"("data_offsets":[0,12]}})") +
         std::string(12, '\0');
}

// A data set's list of music alone, or of performers that play a piece each.
std::string list_of_pairs(bool motion) {
  std::string text = R"({"format":"imu2music dataset","version":1,"pairs":[)";
  for (int i = 0; text.size() < size; ++i) {
    const std::string number = std::to_string(i);
    text += (i == 0 ? "" : ",") + (R"({"id":")" + number) + R"(","performer":")" + number + R"(","piece":")" +
            number + R"(","stroke":"","source":"","seconds":1,"notes":0,"notes_file":"n","notes_sha256":"")" +
            (motion ? R"(,"motion_file":"m"})" : "}");
  }
  return text + "]}";
}

int wrong = 0;

enum class Wanted { read, refused };

void check(const char* loader, const char* what, const std::string& bytes, Wanted wanted,
           std::size_t its_constant = constant) {
  const fuzz::Target* target = fuzz::find(loader);
  fuzz::require(target != nullptr, loader);
  std::fprintf(stderr, "%s: %s\n", loader, what);
  if (fuzz::accepts(*target, bytes, its_constant) == (wanted == Wanted::read)) return;
  std::fprintf(stderr, "%s: %s is %s\n", loader, what, wanted == Wanted::read ? "refused" : "read");
  ++wrong;
}

}  // namespace

int fuzz::run_large_inputs() {
  using namespace std::string_literals;
  const std::string end = "\0\xFF\x2F\0"s;
  check("midi", "notes of six bytes",
        midi_header(1) +
            midi_track("\0\xB0\x40\x7F\0\x90"s + repeated("\x3C\x40\1\x3C\0\1"s) + "\x3C\0"s + end),
        Wanted::read);
  check("midi", "notes of three bytes that never end",
        midi_header(1) + midi_track("\0\xB0\x40\x7F\0\x90"s + repeated("\x3C\x40\1"s) + "\x3C\0"s + end),
        Wanted::refused);
  check("midi", "the pedal up and down",
        midi_header(1) + midi_track("\0\xB0"s + repeated("\x40\x7F\1\x40\0\1"s) + "\x40\0"s + end),
        Wanted::read);
  check("midi", "all sound off",
        midi_header(1) + midi_track("\0\xB0"s + repeated("\x78\0\1"s) + "\x78\0"s + end), Wanted::read);
  check("midi", "notes, each ended with all of its channel",
        midi_header(1) + midi_track(repeated("\0\x90\x3C\x40\1\xB0\x78\0"s) + end), Wanted::read);
  check("midi", "tempo changes", midi_header(1) + midi_track(repeated("\1\xFF\x51\3\7\xA1\x20"s) + end),
        Wanted::read);
  std::string tracks = midi_header(65535);
  for (int i = 0; i < 1000000; ++i) tracks += midi_track("");
  check("midi", "a million tracks, 65535 of which can be claimed", tracks, Wanted::read);

  check("safetensors", "tensors of no bytes",
        safetensors(object(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})")), Wanted::refused);
  check("safetensors", "texts", safetensors("{\"__metadata__\":" + object("\"\"") + "}"), Wanted::refused);
  check("safetensors", "a long name",
        safetensors("{\"" + repeated("n") + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
        Wanted::read);
  check("safetensors", "lists in lists", safetensors("{\"a\":" + repeated("[")), Wanted::refused);
  check(
      "weights", "a layer of a high number",
      safetensors(
          R"({"embedding.weight":{"dtype":"U8","shape":[0,0],"data_offsets":[0,0]},)"
          R"("transformer.encoder.layers.99999.self_attn.Er":{"dtype":"U8","shape":[0,0],"data_offsets":[0,0]}})"),
      Wanted::refused);

  // Within the budget as they are read; the search and the count of values must be within it too.
  test::CheckpointBuilder checkpoint;
  const std::string half = "(" + repeated("]", megabyte / 2) + "e";  // a stack holds 2^20 values
  checkpoint.value =
      "}(" + test::pickle::text("k") + "]" + half + half + half + half + half +
      test::pickle::text("state_dict") +
      test::pickle::dict({{"w", test::pickle::tensor(test::pickle::storage("0", 2), 0, {2}, {1})}}) + "u";
  checkpoint.storages["0"] = std::string(8, '\0');
  checkpoint.storages["padding"] = std::string(18 * megabyte, '\0');
  check("torch_checkpoint", "empty lists beside a state dict", checkpoint.bytes(), Wanted::read);

  check("pickle", "nothing again and again", "\x80\2" + repeated("N") + ".", Wanted::refused);
  check("pickle", "marks", "\x80\2" + repeated("(") + ".", Wanted::refused);
  check("pickle", "lists in lists", "\x80\2" + repeated("](") + ".", Wanted::refused);
  check("pickle", "one list, put into itself", "\x80\2]q\0"s + repeated("h\0a"s) + ".", Wanted::refused);
  check("pickle", "a memo of all", "\x80\4N" + repeated("\x94") + ".", Wanted::refused);
  check("pickle", "tuples of what is there", "\x80\2NNN" + repeated("\x87NN") + ".", Wanted::refused);

  check("recording", "rows that are empty, under many columns", columns(300) + repeated("\n"),
        Wanted::refused);
  check("recording", "comments alone", repeated("#\n"), Wanted::refused);
  check(
      "recording", "values of no length",
      columns(300) +
          [] {
            std::string rows;
            for (int i = 0; rows.size() < size; ++i) rows += std::to_string(i) + std::string(900, ',') + "\n";
            return rows;
          }(),
      Wanted::read);
  check(
      "recording", "values of one digit",
      columns(1) +
          [] {
            std::string rows;
            for (int i = 0; rows.size() < size; ++i) rows += std::to_string(i) + ",0,0,1\n";
            return rows;
          }(),
      Wanted::read);
  check(
      "recording", "sensors whose rows stand in turn",
      columns(100) +
          [] {
            std::string rows;
            for (int i = 0; rows.size() < size; ++i) {
              std::string row(300, ',');
              for (int axis = 3; axis > 0; --axis)
                row.insert(static_cast<std::size_t>(3 * (i % 90) + axis), "1");
              rows += std::to_string(i) + row + "\n";
            }
            return rows;
          }(),
      Wanted::read);
  check("recording", "one line", repeated("a,"), Wanted::refused);
  check(
      "recording", "joints",
      [] {
        std::string text;
        for (int i = 0; i < 1000; ++i) {
          const std::string joint = "j" + std::to_string(i);
          text += joint + ".x," + joint + ".y," + joint + ".z,state,";
        }
        text.back() = '\n';
        return text + repeated("0" + std::string(3999, ',') + "\n");
      }(),
      Wanted::read);
  check("recording", "Myo values",
        "{\"imu\":{\"frequency\":50,\"data\":[{\"gyroscope\":[" + repeated("0,") + "0]}]}}", Wanted::refused);
  check("recording", "Myo levels", repeated("{\"imu\":"), Wanted::refused);
  check("repovizz", "values", "repovizz,framerate=50\n" + repeated("0,") + "\n", Wanted::refused);
  check("repovizz", "header fields", "repovizz" + repeated(",framerate=50") + "\n1,2,3,4\n", Wanted::read);
  check("recording_folder", "rows", "\1" + std::string("time,seconds_elapsed,x,y,z\n") + repeated("0,,,,\n"),
        Wanted::refused);

  check("model_config", "a long key", "{\"" + repeated("k") + "\":1}", Wanted::refused);
  check("model_config", "a long number", "{\"d_model\":" + repeated("1") + "}", Wanted::refused);
  check("model_config", "lists in lists", repeated("["), Wanted::refused);
  check("json_value", "numbers", "[" + repeated("0,") + "0]", Wanted::refused, 260 * megabyte);
  check("json_value", "names", object("0", 2 * megabyte), Wanted::read, 260 * megabyte);
  check("json_value", "one text", "\"" + repeated("t") + "\"", Wanted::read);
  check("note_table", "notes of three digits", "onset_s,offset_s,midi\n" + repeated("0,0,0\n"), Wanted::read,
        megabyte);
  check("note_table", "rows that are empty", "onset_s,offset_s,midi\n" + repeated("\n"), Wanted::read,
        megabyte);
  check("recording_file", "resets of a clock", recording_file(1, repeated("0:0 ")), Wanted::read);
  check("recording_file", "sensors without channels", recording_file(40000, ""), Wanted::refused);
  check("dataset", "performers with a piece each", '\0' + list_of_pairs(true), Wanted::refused,
        260 * megabyte);
  check("dataset", "music of as many pieces", '\0' + list_of_pairs(false), Wanted::refused, 260 * megabyte);
  check("training_config", "a long key", "{\"training\":" + object("1") + "}", Wanted::refused, megabyte);
  check("training_log", "entries", repeated("{\"step\":1,\"nll\":2}\n"), Wanted::read, megabyte);
  check("training_log", "lists in lists", repeated("["), Wanted::refused, megabyte);
  check("training_run", "entries of a log", "\1" + repeated("{\"step\":1}\n"), Wanted::read, megabyte);
  check("events", "more than there may be", "{\"cases\":[" + repeated("[],", 17 * megabyte) + "[]]}",
        Wanted::refused);
  return wrong;
}
