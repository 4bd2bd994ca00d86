// generate: a recording goes in, or, for weights that write music without motion, notes to begin with; MIDI,
// sound and a picture come out.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <vector>

#include "command.hpp"
#include "imu2music/generate/compose.hpp"
#include "imu2music/generate/compose_alone.hpp"
#include "imu2music/imu/skeleton_keypoints.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/midi_file.hpp"
#include "imu2music/train/motion_windows.hpp"
#include "motion_score_svg.hpp"
#include "recording_options.hpp"
#include "sound.hpp"

namespace {

using namespace imu2music;

constexpr std::string_view wrists[] = {"RWrist",    "LWrist",     "WristRight",
                                       "WristLeft", "left_hand0", "right_hand0"};

struct GenerateOptions {
  CommonOptions common;
  Device device = Device::cpu();
  WeightFormat precision = WeightFormat::plain;
  RecordingOptions recording_options;
  std::string recording, output, weights, wav, svg;
  std::uint64_t seed = 0;
  double temperature = 1;
  bool greedy = false;
  std::int64_t top_k = 0;
  double top_p = 1, min_p = 0, repetition_penalty = 1;
  std::int64_t repetition_window = SamplerOptions{}.repetition_window;
  std::int64_t beam = 0;  // 0: draw
  double length_penalty = BeamOptions{}.length_penalty;
  std::int64_t n_best = 1;
  std::string prime, control;
  double hop_s = 0;        // 0: a window
  std::int64_t batch = 0;  // 0: usual_batch or more
  std::int64_t max_tokens = 0;
  int instrument = 40;
  double start_s = 0, duration_s = 0;
};

SamplerOptions sampler_options(const GenerateOptions& options) {
  SamplerOptions sampler;
  sampler.greedy = options.greedy;
  sampler.temperature = options.temperature;
  sampler.seed = options.seed;
  sampler.top_k = options.top_k;
  sampler.top_p = options.top_p;
  sampler.min_p = options.min_p;
  sampler.repetition_penalty = options.repetition_penalty;
  sampler.repetition_window = options.repetition_window;
  return sampler;
}

// How the events were chosen, in words.
std::string choice(const GenerateOptions& options) {
  if (options.beam > 0) return "beam " + std::to_string(options.beam);
  return options.greedy ? "greedy" : "seed " + std::to_string(options.seed);
}

// A histogram of pitch classes, from C to B, as shares.
Tensor<float> parse_control(const std::string& text) {
  std::vector<double> numbers;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    double value = -1;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
    if (read.ec != std::errc() || read.ptr != part.data() + part.size() || !(value >= 0 && value <= 1e6))
      throw InputError("--control has " + in_quotes(part) + "; it should be 12 numbers, each from 0 to 1e6");
    numbers.push_back(value);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  const double sum = std::accumulate(numbers.begin(), numbers.end(), 0.0);
  if (numbers.size() != 12)
    throw InputError("--control has " + std::to_string(numbers.size()) +
                     (numbers.size() == 1 ? " number" : " numbers") +
                     "; it should have 12 with commas between them, how much of C, C#, D … B");
  if (!(sum > 0)) throw InputError("--control is 0 for every pitch class; one at least should be above 0");
  Tensor<float> histogram({12});
  for (std::int64_t c = 0; c < 12; ++c)
    histogram[c] = static_cast<float>(numbers[static_cast<std::size_t>(c)] / sum);
  return histogram;
}

// Where the music of a rank goes: OUT.mid, OUT.2.mid, OUT.3.mid.
std::string ranked_path(const std::string& path, std::int64_t rank) {
  if (rank == 1) return path;
  const std::filesystem::path name(path);
  std::filesystem::path ranked = name.stem();
  ranked += "." + std::to_string(rank);
  ranked += name.extension();
  return (name.parent_path() / ranked).string();
}

// The notes that the music begins with.
std::vector<Note> read_prime(const std::string& path) {
  if (path.empty()) return {};
  const MidiFile file = read_midi_file(path);
  std::vector<Note> notes = file.pitched_notes();
  if (notes.empty())
    throw InputError(path, file.all_notes().empty() ? "has no notes" : "holds no note but percussion",
                     "music begins with notes, or without --prime");
  return notes;
}

// Whether a picture shows a channel: motion sensors, or of a body's keypoints the wrists.
bool is_shown(const Recording& recording, const SensorTrack& sensor, const Channel& channel) {
  if (!sensor.clock.is_uniform()) return false;
  if (channel.quantity != Quantity::position && channel.quantity != Quantity::image_position)
    return axis_count(channel.quantity) == 3;
  if (recording.sensors.size() <= 4) return true;
  return std::any_of(std::begin(wrists), std::end(wrists),
                     [&](std::string_view name) { return name == sensor.name; });
}

// The motion above the music, both on the recording's time axis.
std::string picture(const Recording& recording, const Composition& music, const GenerateOptions& options,
                    bool untrained) {
  MotionScore score;
  std::filesystem::path source = recording.source;
  if (source.filename().empty()) source = source.parent_path();  // FOLDER/
  if (source.filename() == "." || source.filename() == "..") source = destination(source.string());
  score.title = (recording.sensors.empty() ? "Music: " : "Music from motion: ") + source.filename().string();
  score.subtitle =
      std::to_string(music.notes.size()) + (music.notes.size() == 1 ? " note, " : " notes, ") +
      choice(options) +
      (options.greedy || options.beam > 0 ? "" : ", temperature " + number_text(options.temperature)) +
      (untrained ? "; untrained weights: the music does not follow the motion" : "");
  for (const SensorTrack& sensor : recording.sensors)
    for (const Channel& channel : sensor.channels) {
      if (!is_shown(recording, sensor, channel)) continue;
      MotionTrace trace;
      trace.label = sensor.name + ", " + std::string(to_string(channel.quantity));
      trace.unit = std::string(unit_of(channel.quantity));
      trace.rate_hz = sensor.clock.rate_hz;
      const double begin = std::max(0.0, std::floor((music.start_s - sensor.clock.start_s) * trace.rate_hz));
      const auto first = std::min(static_cast<std::int64_t>(begin), channel.sample_count());
      const auto wanted = static_cast<std::int64_t>(std::ceil(music.duration_s * trace.rate_hz)) + 1;
      const std::int64_t last = std::min(channel.sample_count(), first + wanted);
      trace.start_s = sensor.clock.time_s(first);
      for (std::int64_t i = first; i < last; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const float third =
            axis_count(channel.quantity) == 3 ? channel.axis(2)[at] : std::numeric_limits<float>::quiet_NaN();
        trace.values.push_back({channel.axis(0)[at], channel.axis(1)[at], third});
      }
      score.traces.push_back(std::move(trace));
    }
  score.notes = music.notes;
  for (Note& note : score.notes) {
    note.start += music.start_s;
    note.end += music.start_s;
  }
  for (const ComposedWindow& window : music.windows) score.window_starts_s.push_back(window.start_s);
  score.start_s = music.start_s;
  score.end_s = music.start_s + music.duration_s;
  return motion_score_svg(score);
}

// What has no meaning without motion is refused.
void check_alone(const GenerateOptions& options, const ModelConfig& config) {
  if (!options.recording.empty())
    throw InputError(options.weights, "writes music without motion", "leave the recording out");
  const RecordingOptions& recording = options.recording_options;
  if (options.start_s != 0 || options.hop_s != 0 || options.batch != 0 || !recording.sensors.empty() ||
      !recording.units.empty() || recording.rate_hz != 0)
    throw InputError(options.weights, "writes music without motion",
                     "leave --start, --hop, --batch, --sensors, --units and --rate out");
  if (config.vocabulary == PerformanceVocabulary::size && options.prime.empty())
    throw InputError(options.weights, "goes on from music that it is given", "name a MIDI file with --prime");
}

Recording open_motion(const GenerateOptions& options, const ModelConfig& config) {
  if (config.encoder == "none") {
    Recording none;
    none.source = options.prime.empty() ? "nothing" : options.prime;
    return none;
  }
  if (config.encoder == "pose") return open_keypoints(options.recording, options.recording_options, config);
  if (config.encoder == "temporal") return open_sensors(options.recording, options.recording_options, config);
  return open_armbands(options.recording, options.recording_options);
}

void run_generate(const GenerateOptions& options) {
  std::vector<std::string> outputs;
  for (std::int64_t rank = 1; rank <= options.n_best; ++rank)
    outputs.push_back(ranked_path(options.output, rank));
  for (const std::string& path : {options.wav, options.svg})
    if (!path.empty()) outputs.push_back(path);
  check_sampler_options(sampler_options(options));
  BeamOptions beam{options.beam, options.length_penalty, options.n_best};
  if (options.beam > 0) check_beam_options(beam);
  const Tensor<float> control = options.control.empty() ? Tensor<float>() : parse_control(options.control);
  check_outputs(outputs, {options.weights, options.recording, options.prime});
  SoundOptions sound;
  sound.program = options.instrument;
  if (!options.wav.empty()) check_outputs(outputs, {check_sound(sound)});
  check_ending(options.output, "MIDI");
  check_ending(options.wav, "WAV");
  check_ending(options.svg, "SVG");
  ComposeOptions compose_options;
  compose_options.prime = read_prime(options.prime);
  compose_options.prime_source = options.prime;
  Model<float> model = load_model<float>(options.weights, options.precision);
  to_device(model, options.device, options.precision);
  const bool alone = model.config.model == "music_transformer";
  if (const std::string obstacle =
          alone ? composing_alone_obstacle(model.config) : composing_obstacle(model.config);
      !obstacle.empty())
    throw InputError(options.weights, obstacle,
                     "generate needs weights that write vocabulary 1 or 2, or 390 ids without motion");
  if (alone) check_alone(options, model.config);
  if (!alone && options.recording.empty())
    throw InputError(options.weights, "writes music for motion", "name a RECORDING");
  if (model.config.vocabulary != PerformanceVocabulary::size) check_prime(compose_options);
  if (control.defined() && !model.config.control)
    throw InputError(options.weights, "takes no control",
                     "leave --control out, or use weights whose config has \"control\": true");
  if (options.hop_s != 0 && model.config.vocabulary != EventVocabulary2::size)
    throw InputError(options.weights, "writes vocabulary 1, whose windows do not overlap",
                     "leave --hop out, or use weights of vocabulary 2");
  if (!alone && options.hop_s > window_seconds(model.config))
    throw InputError(options.weights, "has windows of " + number_text(window_seconds(model.config)) + " s",
                     "--hop may be up to that, not " + number_text(options.hop_s) + " s");
  if (options.max_tokens > model.config.max_sequence)
    std::fprintf(stderr, "imu2music: %s: has %lld positions: --max-tokens %lld was not used\n",
                 options.weights.c_str(), static_cast<long long>(model.config.max_sequence),
                 static_cast<long long>(options.max_tokens));
  if (options.batch > 1 && model.config.vocabulary == EventVocabulary2::size)
    std::fprintf(stderr, "imu2music: %s: its windows follow one another: --batch %lld was not used\n",
                 options.weights.c_str(), static_cast<long long>(options.batch));
  const Recording recording = open_motion(options, model.config);
  const bool untrained = model.config.untrained;

  compose_options.sampler = sampler_options(options);
  if (options.beam > 0) compose_options.beam = beam;
  compose_options.hop_s = options.hop_s;
  constexpr int usual_batch = 8;
  compose_options.batch =
      options.batch > 0 ? options.batch : std::clamp(thread_count(options.common), usual_batch, 1024);
  compose_options.max_tokens = options.max_tokens;
  compose_options.fill_windows = untrained;
  compose_options.start_s = options.start_s;
  compose_options.duration_s = options.duration_s;
  Progress progress("window");
  compose_options.on_window = [&](std::int64_t done, std::int64_t of) { progress.update(done, of); };
  Session<float> session(model, thread_count(options.common));
  session.set_control(control);
  const auto composed = [&](std::int64_t rank) {
    compose_options.beam_rank = rank;
    try {
      return alone ? compose_alone(session, compose_options) : compose(session, recording, compose_options);
    } catch (const Error& error) {
      if (typeid(error) != typeid(Error)) throw;  // the others say whose fault it is
      throw InputError(options.weights, std::string("its results are no numbers (") + error.what() + ")",
                       "the weights are damaged or were never fit to use");
    }
  };
  const Composition music = composed(1);
  if (untrained)
    std::fprintf(stderr,
                 alone ? "imu2music: %s holds untrained weights: the music means nothing\n"
                       : "imu2music: %s holds untrained weights: the music does not follow the motion; each "
                         "window is filled to its end\n",
                 options.weights.c_str());

  MidiWriteOptions midi;
  midi.program = options.instrument;
  // Everything is written before anything appears under its name.
  std::deque<AtomicFile> files;
  for (std::int64_t rank = 1; rank <= options.n_best; ++rank) {
    AtomicFile& file = files.emplace_back(ranked_path(options.output, rank));
    file.write(midi_bytes(rank == 1 ? music.notes : composed(rank).notes, midi));
    file.flush();
  }
  if (!options.svg.empty()) {
    AtomicFile& file = files.emplace_back(options.svg);
    file.write(picture(recording, music, options, untrained));
    file.flush();
  }
  if (!options.wav.empty()) {
    sound.min_length_s = music.duration_s;
    render_wav(files.emplace_back(options.wav), music.notes, sound);
  }
  commit_all(files);

  std::int64_t tokens = 0, out_of_tokens = 0;
  for (const ComposedWindow& window : music.windows) {
    tokens += static_cast<std::int64_t>(window.ids.size());
    out_of_tokens += window.out_of_tokens;
  }
  if (options.common.json) {
    nlohmann::ordered_json windows = nlohmann::ordered_json::array();
    for (const ComposedWindow& window : music.windows) {
      windows.push_back({{"start_s", window.start_s},
                         {"tokens", window.ids.size()},
                         {"primed_tokens", window.primed_events},
                         {"notes", window.notes},
                         {"out_of_tokens", window.out_of_tokens}});
      if (options.beam > 0) {
        windows.back()["log_probability"] = window.log_probability;
        windows.back()["score"] = window.score;
      }
    }
    print_json({{"recording", options.recording},
                {"weights", options.weights},
                {"untrained", untrained},
                {"seed", options.seed},
                {"greedy", options.greedy},
                {"temperature", options.temperature},
                {"top_k", options.top_k},
                {"top_p", options.top_p},
                {"min_p", options.min_p},
                {"repetition_penalty", options.repetition_penalty},
                {"repetition_window", options.repetition_window},
                {"beam", options.beam},
                {"length_penalty", options.length_penalty},
                {"n_best", options.n_best},
                {"control", control.defined() ? nlohmann::ordered_json(std::vector<float>(
                                                    control.data(), control.data() + control.size()))
                                              : nlohmann::ordered_json(nullptr)},
                {"start_s", music.start_s},
                {"duration_s", music.duration_s},
                {"held_frames", music.held_frames},
                {"tokens", tokens},
                {"notes", music.notes.size()},
                {"windows", windows},
                {"outputs", outputs}});
    return;
  }
  std::string text;
  for (const std::string& path : outputs) text += (text.empty() ? "" : ", ") + path;
  text += ": " + std::to_string(music.notes.size()) + (music.notes.size() == 1 ? " note " : " notes ");
  text += alone ? "in " + figure(music.duration_s) + " s of music"
                : "from " + figure(music.duration_s) + " s of motion in " +
                      std::to_string(music.windows.size()) +
                      (music.windows.size() == 1 ? " window" : " windows");
  text += ", " + std::to_string(tokens) + " tokens, " + choice(options) + "\n";
  if (alone && out_of_tokens > 0) text += "the model used all its tokens before the music was over\n";
  if (!alone && out_of_tokens > 0)
    text +=
        std::to_string(out_of_tokens) + " of the windows used all their tokens before their time was over\n";
  if (music.held_frames > 0)
    text += "the last window is " + std::to_string(music.held_frames) + " frames longer than the " +
            (options.duration_s > 0 ? "part of the recording" : "recording") + ": its last frame was held\n";
  print_text(text);
}

void tell_unused_drawing(const CLI::App& command, bool greedy) {
  if (!greedy) return;
  std::string unused;
  int count = 0;
  for (const char* drawing : {"--temperature", "--seed", "--top-k", "--top-p", "--min-p"})
    if (command.count(drawing) > 0) unused += (count++ == 0 ? "" : ", ") + std::string(drawing);
  if (count > 0)
    std::fprintf(stderr, "imu2music: --greedy draws nothing: %s %s not used\n", unused.c_str(),
                 count == 1 ? "was" : "were");
}

}  // namespace

void add_generate_command(CLI::App& program) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = program.add_subcommand("generate", "Make music from a recording of motion");
  command
      ->add_option("RECORDING", options->recording,
                   "A recording of motion: a file or folder; none for weights of music alone")
      ->check(given());
  command->add_option("-o,--output", options->output, "MIDI file to write")->required()->check(given());
  command->add_option("--weights", options->weights, "Weights (safetensors) or a PyTorch checkpoint")
      ->required()
      ->check(given());
  command->add_option("--wav", options->wav, "Also write the sound, 16-bit PCM WAV")->check(given());
  command->add_option("--svg", options->svg, "Also draw the motion above a piano roll, SVG")->check(given());
  command->add_option("--seed", options->seed, "Seed of the sampling (default 0)")->transform(seed_number());
  command->add_option("--temperature", options->temperature, "Sampling temperature, above 0 (default 1)")
      ->check(positive_number());
  command->add_flag("--greedy", options->greedy, "Always take the likeliest event instead of drawing");
  command->add_option("--top-k", options->top_k, "Draw from the K likeliest events only (default: all)")
      ->transform(whole_number(1));
  command
      ->add_option(
          "--top-p", options->top_p,
          "Draw from the fewest events that together have the probability P, 0 < P <= 1 (default 1: all)")
      ->check(positive_number());
  command
      ->add_option("--min-p", options->min_p,
                   "Draw from events at least P times as likely as the likeliest, 0 to 1 (default 0: all)")
      ->check(non_negative_number());
  CLI::Option* penalty =
      command
          ->add_option("--repetition-penalty", options->repetition_penalty,
                       "Above 1: make each of the last 32 events less likely, 0.001 to 1000 (default 1: off)")
          ->check(positive_number());
  command
      ->add_option("--repetition-window", options->repetition_window,
                   "How many of the last events --repetition-penalty knows (default 32)")
      ->transform(whole_number(1, std::int64_t{1} << 20))
      ->needs(penalty);
  CLI::Option* beam =
      command->add_option("--beam", options->beam, "Search with a beam so wide instead of drawing, 1 to 1024")
          ->transform(whole_number(1, 1024));
  for (const char* drawing : {"--greedy", "--temperature", "--seed", "--top-k", "--top-p", "--min-p",
                              "--repetition-penalty", "--repetition-window"})
    beam->excludes(drawing);
  command
      ->add_option("--length-penalty", options->length_penalty,
                   "With --beam: above 0, favour longer sequences, 0 to 10 (default 0.6)")
      ->check(non_negative_number())
      ->needs(beam);
  command
      ->add_option(
          "--n-best", options->n_best,
          "With --beam: write the N best to OUT.mid, OUT.2.mid, ...; sound and picture are the best's")
      ->transform(whole_number(1, 100))
      ->needs(beam);
  command
      ->add_option("--control", options->control,
                   "How much of each pitch class, from C to B: 12 numbers with commas between them")
      ->check(given());
  command
      ->add_option("--prime", options->prime,
                   "MIDI file whose notes open the first window, or that music without motion goes on from")
      ->check(given());
  command
      ->add_option("--batch", options->batch,
                   "Windows decoded side by side, 1 to 1024 (default: 8, or one a thread where that is "
                   "more); the music is the same (vocabulary 1)")
      ->transform(whole_number(1, 1024));
  command
      ->add_option("--max-tokens", options->max_tokens,
                   "At most so many events a window (default: the model's positions)")
      ->transform(whole_number(1));
  command
      ->add_option("--instrument", options->instrument, "General MIDI program, 0 to 127 (default 40: violin)")
      ->transform(whole_number(0, 127));
  command->add_option("--start", options->start_s, "Where in the recording to begin, s (default 0)")
      ->check(non_negative_number());
  command
      ->add_option(
          "--duration", options->duration_s,
          "How much of the recording to use, s (default: to its end); without one, how much to write")
      ->check(positive_number());
  command
      ->add_option("--hop", options->hop_s,
                   "From one window's beginning to the next's, s; below a window's length they overlap "
                   "(default: a window; vocabulary 2)")
      ->check(positive_number());
  command->add_option("--sensors", options->recording_options.sensors, sensors_help)->check(given());
  add_recording_options(*command, options->recording_options);
  add_precision_option(*command, options->precision);
  add_device_option(*command, options->device);
  add_common_options(*command, options->common);
  command->callback([options, command] {
    tell_unused_drawing(*command, options->greedy);
    run_generate(*options);
  });
}
