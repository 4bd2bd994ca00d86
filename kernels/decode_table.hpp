// Decoding one sequence with a transformer on a device: all layers, the choice of the next id and its feeding
// back, for many tokens in one launch.
//
// A token at position p goes the way of nn/transformer.hpp:
//
//   x = E[token] + position(p)
//   of each layer (post-norm; attention as in relative_attention_table.hpp, over the tokens so far):
//     x = norm_0(x + out(self-attention(qkv(x))))
//     x = norm_1(x + cross_out(attention(cross_q(x), memory)))    where there is a memory
//     x = norm_2(x + ff2(relu(ff1(x))))
//   logits = W final_norm(x) + b
//
// and the next one is chosen from the logits as generate/sampler.hpp says, step by step and with its random
// stream: draw number n of stream s is word n mod 4 of Philox block (n / 4, s) under the seed, its upper 24
// bits the number in [0, 1).
//
// Layout. A matrix is [outputs, stride] row-major, stride = inputs rounded up to decode_padding with zeros
// between, in float32 or bfloat16. Er, keys and values have rows of Kp = K rounded up to 4, zeros between:
// Er [L, Kp], keys and values [layer][H, L, Kp], those of the memory [layer][H, S_most, Kp]. Everything
// pointed to lies on the device. Norms, biases, embedding, caches and sums are float32.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

constexpr int decode_padding = 8;  // of a matrix's rows: 16 bytes in bfloat16
constexpr int decode_tile = 128;   // keys of one head that one block takes at a time
constexpr int decode_most_head_width = 128;
constexpr int decode_pitches = 128;  // notes that the grammar keeps apart

constexpr std::int64_t decode_padded(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

struct DecodeMatrix {
  const void* weight = nullptr;
  const float* bias = nullptr;
  std::int32_t outputs = 0, stride = 0;
};

struct DecodeNorm {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float eps = 0;
};

// Which product of a layer; `logits` is the model's last.
enum DecodeProduct : std::int32_t {
  decode_qkv,
  decode_out,
  decode_cross_q,
  decode_cross_out,
  decode_ff1,
  decode_ff2,
  decode_logits
};

struct DecodeLayer {
  DecodeMatrix products[6];  // by DecodeProduct
  DecodeMatrix cross_kv;     // what makes keys and values, [2 D], of the memory
  DecodeNorm norms[3];       // after self-attention, cross-attention and feed-forward
  const float* Er = nullptr;
};

// What an id does to what may follow; the grammar and its terms: generate/event_grammar.hpp.
enum DecodeIdKind : std::uint8_t {
  decode_passed_over,  // SOS, PAD
  decode_note_on,
  decode_note_off,
  decode_velocity,
  decode_time_shift,
  decode_continued,
  decode_end
};

struct DecodeModel {
  bool bf16 = false;  // the matrices' format
  bool has_memory = false;
  std::int32_t layers = 0, D = 0, H = 0, F = 0, V = 0, L = 0;
  const DecodeLayer* layer = nullptr;  // [layers]
  DecodeNorm final_norm;
  DecodeMatrix logits;
  const float* embedding = nullptr;  // [V, D]
  // Positions by index, [L, D], or null and by musical time t: sin and cos of (token_rate t) rates[i], [(D +
  // 1) / 2], by turns.
  const float* positions = nullptr;
  const double* rates = nullptr;
  std::int32_t pad = -1;  // the id that is no key for what follows; -1: none
  // A token at time t sees the memory from t - lookback to t + lookahead, s, at token_rate tokens a second.
  bool bounded_sight = false;
  double token_rate = 0, lookback_s = 0, lookahead_s = 0;
  // Of every id: what it does, the pitch, 0..127, that it does it to, and the time that passes with it, s.
  const std::uint8_t* kind = nullptr;   // [V] of DecodeIdKind
  const std::uint8_t* pitch = nullptr;  // [V]
  const double* shift_s = nullptr;      // [V]
};

// Where a sequence stands. A launch takes it up and leaves it behind.
struct DecodeCarry {
  std::int32_t position = 0;  // tokens taken
  std::int32_t token = 0;     // what is taken next
  std::int32_t count = 0;     // ids chosen since the random stream began
  std::int32_t ended = 0;     // 1: an end has come, or the time is used up; 2: no id could be chosen
  std::uint64_t draws = 0;    // of the random stream
  double token_time_s = 0;    // musical time of the last token taken
  double music_time_s = 0;    // after the last id chosen
  std::uint32_t sounding[decode_pitches / 32] = {};  // bit sets of pitches
  std::uint32_t awaited[decode_pitches / 32] = {};   // those that sound from before and may be continued
  std::int32_t at_start = 1;                         // no event has come yet but continued notes
};

struct DecodeState {
  DecodeCarry* carry = nullptr;
  std::int32_t* chosen = nullptr;       // [L], the ids chosen since the random stream began
  std::int32_t* occurrences = nullptr;  // [V], of each id among the last ones (repetition penalty)
  float* keys = nullptr;
  float* values = nullptr;
  std::uint8_t* masked = nullptr;  // [L], nonzero at padding
  float* memory_keys = nullptr;
  float* memory_values = nullptr;
  std::int32_t S = 0, S_most = 0;
  // What one block tells the others.
  float* q = nullptr;        // [H, Kp]
  float* partial = nullptr;  // [H, tiles of the longest of L and S_most, Kp + 4]
  float* sum = nullptr;      // [D]
  float* hidden = nullptr;   // [F]
  float* logits = nullptr;   // [V]
};

struct DecodeOptions {
  bool choose = true;             // false: one token, up to its logits
  std::int32_t first_token = -1;  // taken first, in place of the one carried
  bool greedy = false;
  float temperature = 1;
  std::int64_t top_k = 0;
  double top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  std::int64_t repetition_window = 32;
  std::uint64_t seed = 0, stream = 0;
  const std::uint8_t* allowed = nullptr;  // [V], nonzero where an id may ever be chosen, or null: all
  bool note_off_needs_note_on = false;    // no note_off of a pitch that does not sound
  bool checks_continued = false;          // continued notes where the grammar has them only
  bool may_begin_continued = true;        // also of a pitch that is not known to sound
  double most_s = 0;                      // over when the music's time comes to it
  // The first ids are not chosen but these, [forced_count].
  const std::int32_t* forced = nullptr;
  std::int32_t forced_count = 0;
};

struct DecodeKernels {
  // Up to `tokens` more tokens, at least one; fewer where the sequence ends or L is reached.
  void (*run)(const Context& context, const DecodeModel& model, const DecodeState& state,
              const DecodeOptions& options, std::int32_t tokens) = nullptr;
  // Keys and values of the memory, [S, D] float32, for all layers.
  void (*remember)(const Context& context, const DecodeModel& model, const DecodeState& state,
                   const float* memory, std::int32_t S) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
