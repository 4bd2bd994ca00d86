// Inference behind a header that compiles fast: weights in, music out, nothing else of the library included.
//
//   Engine         the weights of one model; const once made, shared by any number of threads; cheap to copy
//   EngineSession  one sequence being written, step by step; belongs to one thread at a time
//
// What these classes do stands in engine_implementation.hpp, which one source file of a program includes,
// and no more than one. source/engine.cpp is such a file; CMake's target imu2music::engine is it, compiled. A
// program that has none does not link, Engine::Engine being undefined, and neither does one that has two.
// Files that include this header and files that include imu2music.hpp go together in one program.
//
// What an id means is told by music/event_vocabulary.hpp (243 ids), event_vocabulary2.hpp (332) and
// performance_vocabulary.hpp (390). A sequence is over with EOS, 241, or CUT, 331; of 390 ids with END, 388.
//
// A frame is what the sensors read at one time: for each part that EngineDescription::frame lists, in this
// order, its axes, in SI units. Frames are given one after another, [n, frame_size].
//
// Errors: those of core/error.hpp. InputError for weights, recordings and options that are wrong; ShapeError
// for frames and shapes that do not fit and for ids of a step that are none.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/generate/sampler_options.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct FramePart {
  std::string sensor;  // "myo1"; "1", "2" … where the weights take sensors of any name; "RWrist", a keypoint
  std::string quantity;  // "acceleration", "angular velocity", "rotation", "orientation"; "image position",
                         // "confidence"
  std::string unit;      // "m/s²", "rad/s", "rad"; "1" for a unit quaternion x y z w
  int axes = 3;
};

// How the weights of dense layers are kept: bfloat16 and int8 take a half and a quarter of the memory (of a
// float32 file; others are kept converted, too) and of the time that reading them takes, and change the
// music's likelihood a little (docs/performance.md).
enum class WeightPrecision { float32, bfloat16, int8 };

struct EngineDescription {
  std::string model, encoder;      // as docs/models.md names them
  std::string config;              // all of the model's config, JSON
  bool untrained = false;          // the weights are as initialised: their music will not follow the motion
  bool control = false;            // takes MusicOptions::control
  std::int64_t vocabulary = 0;     // V
  int sos = -1;                    // the id that begins a sequence; -1: the vocabulary has none
  std::int64_t max_tokens = 0;     // L, a window
  std::vector<FramePart> frame;    // empty for weights that take no recordings
  std::int64_t frame_size = 0;     // values a frame
  double rate_hz = 0;              // frames a second
  std::int64_t window_frames = 0;  // the most of one window
  std::string input;               // in words, the shape that EngineSession::start_from_input() takes
};

struct MusicOptions {
  SamplerOptions sampler = {};
  std::int64_t max_tokens = 0;   // a window; 0: as many as the model has
  bool fill_windows = false;     // do not let a window end before its time is used up
  double start_s = 0;            // where in the recording to begin
  double duration_s = 0;         // how much of it to use; 0: to its end
  std::int64_t beam = 0;         // above 0: search with a beam so wide instead of drawing
  double length_penalty = 0.6;   // of the beam: above 0 favours longer sequences
  double hop_s = 0;              // vocabulary 2: from window to window; 0: a window
  std::vector<Note> prime = {};  // notes that open the music
  std::vector<float> control =
      {};                    // how much of each pitch class from C on, 12 shares of any sum; empty: none
  std::string sensors = {};  // which motion sensor stands for which: "myo1=left,myo2=right"
  int threads = 1;           // the music is the same for any number
};

struct Music {
  std::vector<Note> notes;               // seconds from start_s
  double start_s = 0, duration_s = 0;    // on the recording's time axis
  std::int64_t windows = 0, tokens = 0;  // how many
  std::vector<std::string> remarks;      // what was wrong with the recording and how it was mended, sentences
};

class Engine {
 public:
  // From safetensors or a PyTorch checkpoint.
  explicit Engine(const std::string& weights, WeightPrecision precision = WeightPrecision::float32);

  const EngineDescription& description() const;

  // Music for a recording of any kind that docs/formats.md lists.
  Music generate(const std::string& recording, const MusicOptions& options = {}) const;
  // Music for frames, rate_hz of them a second; 0: as many as the model takes. A value that is not finite is
  // one that is missing.
  Music generate(std::span<const float> frames, double rate_hz, const MusicOptions& options = {}) const;

  // Music without motion, for weights of a music_transformer: options.prime, and how they go on from it;
  // those of 390 ids need a note to begin with. duration_s is how much to write; 0: until they end it.
  Music continue_music(const MusicOptions& options) const;

  // The notes that the ids of one window stand for, seconds from its beginning. InputError for an id outside
  // the vocabulary.
  std::vector<Note> notes(std::span<const int> ids) const;

 private:
  friend class EngineSession;
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

class EngineSession {
 public:
  explicit EngineSession(const Engine& engine, const SamplerOptions& sampler = {}, int threads = 1);
  ~EngineSession();
  EngineSession(EngineSession&&) noexcept;
  EngineSession& operator=(EngineSession&&) noexcept;

  // Starts a sequence over one window of motion: frames at the model's own rate, at most window_frames. A
  // model of armbands holds the last frame where fewer are given; one of keypoints takes place and size of
  // the body from the frames given; one of orientations takes q or −q, which turn alike, with w at least 0 in
  // the first of them; weights without motion take none. `stream` (the window's number, say)
  // chooses the random stream of what follows.
  void start(std::span<const float> frames, std::uint64_t stream = 0);
  // The same from what the encoder itself takes, in the shape that EngineDescription::input tells, batch 1.
  void start_from_input(std::span<const float> input, std::span<const std::int64_t> shape,
                        std::uint64_t stream = 0);

  // Takes the next id; the logits, [V], stay valid until the next call. Allocates nothing.
  std::span<const float> step(int id);
  // An id drawn from the logits of the last step. allowed: [V], nonzero where an id may be chosen; empty:
  // all. Allocates nothing.
  int choose(std::span<const std::uint8_t> allowed = {});

  std::int64_t position() const;  // ids taken so far, of at most max_tokens

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A MIDI file, in a General MIDI instrument, 0 to 127.
void write_music(const std::string& path, const Music& music, int instrument = 40);

}  // namespace imu2music::inline v0
