// Writes the seeds of the fuzz targets: make_seeds tests/fuzz/seeds. All are made here or are texts of the
// tests; what libFuzzer found and was mended is added by hand, under the name that tells the fault.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../imu/openpose_texts.hpp"
#include "../imu/recording_texts.hpp"
#include "../io/checkpoint_builder.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/midi_file.hpp"
#include "small_dataset.hpp"
#include "small_run.hpp"

namespace {

using namespace imu2music;
using test::little_endian;

std::filesystem::path root;

void seed(const std::string& loader, const std::string& name, std::string_view bytes) {
  std::filesystem::create_directories(root / loader);
  std::ofstream stream(root / loader / name, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string file_bytes(const std::filesystem::path& path) {
  std::string bytes = read_binary_file(path.string());
  std::filesystem::remove(path);
  return bytes;
}

std::string weights_of(const char* config, bool with_config) {
  auto model = init_model<float>(parse_model_config(config, "config"), 1);
  fuzz::set_small_values(model);
  const auto path = root / "weights.tmp";
  save_model(model, path.string());
  if (!with_config) {
    const TensorFile file = read_safetensors(path.string());
    write_safetensors((root / "bare.tmp").string(), file.entries());
    std::filesystem::remove(path);
    return file_bytes(root / "bare.tmp");
  }
  return file_bytes(path);
}

void safetensors_seeds() {
  const std::vector<float> values = {0.5f, -1, 2, 3e8f, 0, 1};
  const auto* data = reinterpret_cast<const std::byte*>(values.data());
  const std::vector<TensorEntry> two = {{"a.weight", Dtype::f32, {2, 2}, data, 16},
                                        {"a.bias", Dtype::f16, {2}, data, 4},
                                        {"count", Dtype::i64, {}, data, 8},
                                        {"empty", Dtype::u8, {0, 3}, data, 0}};
  const auto path = root / "tensors.tmp";
  write_safetensors(path.string(), two, {{"format", "pt"}, {"note", "a \"text\"\n"}});
  seed("safetensors", "two_and_metadata", file_bytes(path));
  write_safetensors(path.string(), {});
  seed("safetensors", "nothing", file_bytes(path));
  const std::string overlap = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                              R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})";
  seed("safetensors", "refused_overlap", little_endian(overlap.size(), 8) + overlap + std::string(12, '\0'));
  seed("safetensors", "refused_riff", "RIFF");
}

void checkpoint_seeds() {
  using namespace test::pickle;
  const std::string storage_bytes = test::raw_bytes(std::vector<float>(24, 1.5f));
  const Bytes weight = tensor(storage("0", 24), 0, {2, 3}, {3, 1});
  const Bytes turned = tensor(storage("0", 24), 4, {3, 2}, {1, 3});
  const Bytes third = call(global("torch._utils", "_rebuild_tensor_v3"),
                           {storage("0", 96, "UntypedStorage"), integer(0), sizes({4}), sizes({1}),
                            boolean(false), ordered_dict({}), global("torch", "float32")});
  const Bytes parameter =
      call(global("torch._utils", "_rebuild_parameter"), {weight, boolean(true), ordered_dict({})});
  const Bytes training =
      dict({{"epoch", integer(3)},
            {"loss", real(0.25)},
            {"name", text("a model")},
            {"none", none()},
            {"optimizer", dict({{"state", list({integer(70000), integer(-1)})}})},
            {"model_state_dict", ordered_dict({{"module.w", weight}, {"module.v", turned}})}});
  const std::vector<std::pair<const char*, Bytes>> values = {
      {"plain", ordered_dict({{"w", weight}})},
      {"parameter", ordered_dict({{"w", parameter}, {"v", third}})},
      {"training", training}};
  for (const auto& [name, value] : values) {
    test::CheckpointBuilder checkpoint;
    checkpoint.value = value;
    checkpoint.storages["0"] = storage_bytes;
    seed("pickle", name, whole(value));
    seed("torch_checkpoint", name, checkpoint.bytes());
    checkpoint.deflate = true;
    checkpoint.zip64 = std::string_view(name) == "training";
    seed("torch_checkpoint", std::string(name) + "_deflated", checkpoint.bytes());
  }
  const Bytes fourth =
      framed(stack_global("collections", "OrderedDict") + ")R\x94(" + short_text("w") + weight + "u");
  seed("pickle", "protocol_4", whole(fourth, 4));
  seed("pickle", "refused_call", whole(call(global("posix", "system"), {text("true")})));
}

void config_seeds() {
  int count = 0;
  for (const char* text :
       {R"({})",
        R"({"d_model":64,"heads":4,"encoder_layers":1,"decoder_layers":3,"max_sequence":32,"control":true})",
        R"({"encoder":"fully_connected","feed_forward":100,"untrained":false})",
        R"({"encoder":"frequency","memory_positions":27})",
        R"({"encoder":"conv_transformer","rows":3,"vocabulary":243})",
        R"({"encoder":"pose","layout":"body65","pose_layers":3})",
        R"({"model":"lstm_seq2seq","encoder_layers":2,"decoder_layers":2})",
        R"({"model":"music_transformer","d_model":16,"heads":2})",
        R"({"encoder":"temporal","sensors":2,"quantities":"acceleration","width":8,"kernel":3,"blocks":2,)"
        R"("rate_hz":100,"window_ms":4000,"vocabulary":374,"lookback_ms":2000,"time_positions":true})"}) {
    // Whichever of these keys a vocabulary asks for: what is refused is a seed, too.
    bool good = true;
    try {
      parse_model_config(text, "config");
    } catch (const InputError&) {
      good = false;
    }
    seed("model_config", (good ? "config" : "refused") + std::to_string(++count), text);
  }
}

void weights_seeds() {
  const char* alone =
      R"({"model":"music_transformer","d_model":2,"heads":1,"decoder_layers":1,"max_sequence":2,)"
      R"("feed_forward":1,"vocabulary":3})";
  const char* temporal =
      R"({"encoder":"temporal","d_model":2,"heads":1,"encoder_layers":1,"decoder_layers":1,"feed_forward":1,)"
      R"("max_sequence":2,"vocabulary":3,"quantities":"acceleration","width":1,"kernel":1,"blocks":1,"rate_hz":25,)"
      R"("window_ms":1000})";
  seed("weights", "music_transformer", weights_of(alone, true));
  seed("weights", "music_transformer_inferred", weights_of(alone, false));
  seed("weights", "temporal", weights_of(temporal, true));
  seed("weights", "temporal_inferred", weights_of(temporal, false));
}

std::string chunk(const std::string& type, const std::string& bytes) {
  const std::string size = little_endian(bytes.size(), 4);
  return type + std::string(size.rbegin(), size.rend()) + bytes;
}

void midi_seeds() {
  using namespace std::string_literals;
  const std::vector<Note> notes = {{60, 64, 0, 0.5}, {64, 70, 0.25, 1}, {60, 90, 0.5, 0.75}};
  MidiWriteOptions options;
  options.track_name = "violin";
  options.text = "three notes";
  seed("midi", "written", midi_bytes(notes, options));
  const std::string first = "\0\xFF\x03\x04"s + "Test" + "\0\xFF\x51\x03\x07\xA1\x20"s +
                            "\x64\xFF\x51\x03\x0F\x42\x40"s + "\0\xFF\x2F\0"s;
  const std::string second =
      "\0\xC1\x28\0\x91\x3C\x40\x10\x40\x50\0\xF0\x03\x7E\x7F\xF7\x20\xB1\x40\x7F\x10\x91\x3C\0\x05\x40\0"s +
      "\x08\xE1\0\x50\x81\0\xB1\x40\0\0\xA1\x3C\x10\0\xD1\x11\0\x81\x3C\0"s + "\x05\xB1\x7B\0\0\xFF\x2F\0"s;
  seed("midi", "two_tracks",
       chunk("MThd", "\0\1\0\2\0\x64"s) + chunk("MTrk", first) + chunk("XFIH", "what") +
           chunk("MTrk", second));
  seed("midi", "frames",
       chunk("MThd", "\0\0\0\1\xE7\x28"s) + chunk("MTrk", "\0\x90\x3C\x40\x64\x3C\0\0\xFF\x2F\0"s));
  seed("midi", "refused_division", chunk("MThd", "\0\0\0\1\0\0"s) + chunk("MTrk", "\0\xFF\x2F\0"s));
}

void recording_seeds() {
  constexpr const char* names[] = {"myo.csv",     "wand.csv",           "android.csv", "myo.json",
                                   "kinect.csv",  "kinect_picture.csv", "phyphox.csv", "xsens.txt",
                                   "generic.csv", "xsens_dot.csv",      "in_turn.csv"};
  static_assert(std::size(names) == std::size(test::recording_texts));
  for (std::size_t i = 0; i < std::size(names); ++i) seed("recording", names[i], test::recording_texts[i]);
  seed("repovizz", "plain", "repovizz,framerate=50.0,minval=-1.5,maxval=2\n1.5,-2,0,31.861100,\n");
  seed("repovizz", "crlf", "repovizz, framerate=50\r\n1e-3, 2 ,3,4\r\n\r\n");
  seed("repovizz", "refused_rate", "repovizz,framerate=0\n1,2,3,4\n");
  const std::string logger = "time,seconds_elapsed,z,y,x\n1,0.00,9.5,0,1\n2,0.02,9.5,0,1\n3,0.04,9.5,0,2\n";
  seed("recording_folder", "logger_gyroscope", std::string(1, '\0') + logger);
  seed("recording_folder", "logger_acceleration", std::string(1, '\1') + logger);
  seed("recording_folder", "logger_orientation",
       "\2time,seconds_elapsed,yaw,qx,qz,roll,qw,qy,pitch\n1,0,0.1,0,0,0.2,1,0,0.3\n2,0.02,0.1,0,0,0.2,1,0,0."
       "3\n"
       "3,0.04,0.1,0,0,0.2,1,0,0.3\n");
  seed("recording_folder", "logger_metadata", "\3version,platform,standardisation\n3,ios,false\n");
  seed("recording_folder", "phyphox", std::string("\4") + test::phyphox_csv);
  seed("recording_folder", "xsens", std::string("\5") + test::xsens_txt);
  seed("recording_folder", "openpose", "\6" + test::openpose_frame(test::openpose_person(0)));
  seed(
      "recording_folder", "openpose_two_people",
      "\7" + test::openpose_frame(test::openpose_person(1) + "," + test::openpose_person(1, 600, 10, false)));
  seed("recording_folder", "refused_openpose",
       "\6" + test::openpose_frame("{\"pose_keypoints_2d\":[1,2,3]}"));
}

void json_seeds() {
  seed(
      "events", "all",
      R"({"layout":{"note_on":[0,88],"note_off":[88,176],"velocity":[176,208],"time_shift":[208,240]},)"
      R"("time_shift_bins_s":[0.01,0.02],"velocity_bins":[4,8],"cases":[{"ids":[190,39,220,127],)"
      R"("notes":[[64,60,0,0.5]],"decoded_notes":[[64,60,0,0.5]],"pitch_histogram_first":[1,0,0,0,0,0,0,0,0,0,0,0],)"
      R"("pitch_histogram_last":[1,0,0,0,0,0,0,0,0,0,0,0]},{"ids":[]}]})");
  seed("events", "refused_ids", R"({"cases":[{"ids":[243]}]})");
  seed("json_value", "object", R"({"a":[1,-2.5e3,true,null],"b":{"c":"\u00e4\ud834\udd1e","d":{}},"e":""})");
  seed("json_value", "number", "0");
  seed("json_value", "refused_twice", R"({"a":1,"a":2})");
}

void wav_seeds() {
  const auto wav = [](int coding, int bits, int channels, const std::string& more, const std::string& data) {
    const std::string format =
        little_endian(std::uint64_t(coding), 2) + little_endian(std::uint64_t(channels), 2) +
        little_endian(8000, 4) + little_endian(std::uint64_t(8000 * channels * bits / 8), 4) +
        little_endian(std::uint64_t(channels * bits / 8), 2) + little_endian(std::uint64_t(bits), 2) + more;
    const std::string body = "WAVEfmt " + little_endian(format.size(), 4) + format + "odd " +
                             little_endian(1, 4) + std::string("x\0", 2) + "data" +
                             little_endian(data.size(), 4) + data;
    return "RIFF" + little_endian(body.size(), 4) + body;
  };
  seed("wav", "pcm16", wav(1, 16, 2, "", std::string("\1\2\3\4\5\6\7\x88", 8)));
  seed("wav", "pcm24", wav(1, 24, 1, "", "abcdef"));
  seed("wav", "float32", wav(3, 32, 1, little_endian(0, 2), test::raw_bytes(std::vector<float>{0.5f, -1})));
  seed("wav", "refused_bits", wav(1, 12, 1, "", "abcd"));
}

void training_seeds() {
  seed("training_config", "model_alone", R"({"model":{"encoder":"frequency"}})");
  seed(
      "training_config", "all",
      R"({"training":{"steps":2000,"batch":16,"accumulate":2,"optimizer":"adamw","learning_rate":1e-3,)"
      R"("schedule":"cosine","warmup_steps":100,"last_learning_rate":1e-5,"beta1":0.9,"beta2":0.98,"eps":1e-9,)"
      R"("weight_decay":0.01,"clip_norm":1,"label_smoothing":0.1,"dropout":0.1,"encoder_dropout":0,)"
      R"("validate_every":100,"checkpoint_every":50,"log_every":1,"patience":3,"precision":"bfloat16","seed":7,)"
      R"("rotation_degrees":20,"gain":0.1,"noise":0.05,"note_jitter_s":0.01,"transpose_semitones":2,)"
      R"("transpose_with_motion":true,"control_dropout":0.25},)"
      R"("model":{"encoder":"temporal","control":true,"d_model":64,"heads":4}})");
  seed("training_config", "refused_warmup", R"({"training":{"schedule":"inverse_square_root"}})");
  seed("training_config", "refused_twice", R"({"training":{"steps":1,"steps":2}})");

  const auto path = root / "state.tmp";
  fuzz::write_small_state(path.string());
  std::string state = file_bytes(path);
  seed("training_run", "state", std::string(1, '\0') + state);
  state.replace(state.find("step 2"), 6, "step-2");
  seed("training_run", "refused_state", std::string(1, '\0') + state);
  seed("training_run", "log", std::string("\1") + fuzz::small_log);

  const std::string log = fuzz::small_log;
  seed("training_log", "run", log.substr(0, log.rfind('\n') + 1));
  seed("training_log", "validation", R"({"step":10,"validation_nll":3,"more":{"step":[1]}})");
  seed("training_log", "level", "{\"nll\":1e6,\"step\":1}\n{\"nll\":1e6,\"step\":2}\n");
  seed("training_log", "cut", log);
  seed("training_log", "refused_amid", log.substr(0, 9) + "\n" + log.substr(0, log.rfind('\n') + 1));
}

void dataset_seeds() {
  seed("note_table", "written",
       note_table_text(std::vector<Note>{{60, 64, 0, 0.5}, {64, 70, 0.25, 1}, {60, 90, 1.0 / 3, 0.75}}));
  seed("note_table", "ticks",
       "start,end,onset,offset,pitch\r\n0.75,1.5,24,48,57\r\n0.0,0.75,0,24,55\r\n2,1,48,24,55\r\n");
  seed("note_table", "names", "note_id;onset;offset;note;midi_number\n0;0;0.75;\"G3\";55\n\n1;1;1;;56\n");
  seed("note_table", "refused_pitch", "onset_s,offset_s,midi\n0,1,128\n");

  const auto path = root / "recording.tmp";
  write_recording_file(fuzz::small_recording(), path.string());
  std::string recording = file_bytes(path);
  seed("recording_file", "two_sensors", recording);
  write_recording_file(Recording(), path.string());
  seed("recording_file", "nothing", file_bytes(path));
  recording.replace(recording.find("4:0.125"), 7, "5:0.125");
  seed("recording_file", "refused_reset", recording);

  const auto folder = root / "dataset.tmp";
  fuzz::write_small_dataset(folder.string());
  seed("dataset", "list", std::string(1, '\0') + read_binary_file((folder / "dataset.json").string()));
  seed("dataset", "split", "\1" + read_binary_file((folder / "splits/performer-s1.json").string()));
  seed("dataset", "split_by_hand", "\1{\"name\":\"mine\",\"train\":[\"a_s1\"],\"test\":[\"c_\"]}");
  seed("dataset", "refused_split", "\1{\"name\":\"mine\",\"train\":[\"a_s1\",\"a_s1\"]}");
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("make_seeds FOLDER\n", stderr);
    return 2;
  }
  root = argv[1];
  std::filesystem::create_directories(root);
  safetensors_seeds();
  checkpoint_seeds();
  config_seeds();
  weights_seeds();
  midi_seeds();
  recording_seeds();
  json_seeds();
  wav_seeds();
  training_seeds();
  dataset_seeds();
  return 0;
}
