// Windows of events decoded on a GPU, many tokens a launch: what decode_window() (generate/window.hpp) does
// over a Session, done by a DeviceSession.
//
// The ids are those of decode_window() but where rounding decides between two that are all but equally
// likely. Events are reported when their window is done. The decoder's weights are copied once, in float32
// or, where the model's are packed so, in bfloat16; several of these may share the copy.
//
// Errors: those of generate/device_session.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/generate/device_session.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/window.hpp"

namespace imu2music::inline v0 {

template <class T>
class DeviceWindows {
 public:
  // For a session on a device; null where its model is not, or DeviceSession cannot decode it. `like`: of the
  // same model, whose copy of the weights is shared.
  static std::unique_ptr<DeviceWindows> of(Session<T>& session, const SamplerOptions& sampler,
                                           const GrammarOptions& grammar,
                                           const DeviceWindows* like = nullptr) {
    if constexpr (std::is_same_v<T, float>)
      if (const Model<T>& model = session.model(); decodes_on_device(model))
        return std::unique_ptr<DeviceWindows>(new DeviceWindows(
            session, sampler, grammar,
            like != nullptr ? like->weights_
                            : std::make_shared<const DeviceWeights<T>>(model, weight_format(model))));
    return nullptr;
  }

  // Starts a sequence over the motion of a window, as Session does; undefined for a music_transformer.
  void start(const Tensor<T>& input) {
    const Model<T>& model = session_.model();
    Context& context = session_.context();
    Tensor<T> memory;
    if (model.has_memory()) {
      memory = model.encode_memory(context, model.encode_motion(context, input));
      synchronise(context);
    }
    decoder_.start(memory);
  }

  // The ids of the window that `state` has been started for, window_s long, with these notes sounding from
  // before; `stream` is the sampler's. Where the vocabulary has no SOS, the repetition penalty does not know
  // of the first id.
  template <class Vocabulary, class Report>
  ComposedWindow decode(std::uint64_t stream, std::int64_t max_tokens, std::span<const int> prime,
                        double window_s, std::span<const Note> sounding, WindowState<Vocabulary>& state,
                        const Report& report) {
    DeviceDecoding how{.sampler = sampler_, .stream = stream, .grammar = grammar_, .window_s = window_s};
    ComposedWindow window;
    std::int64_t first = Vocabulary::sos;
    state.reserve(static_cast<std::size_t>(max_tokens));
    const auto take = [&](int id) {
      window.ids.push_back(id);
      report(id, state.push(id));
    };
    std::vector<Note> begun(sounding.begin(), sounding.end());
    if (Vocabulary::sos < 0) {  // the first id is given, and taken in the place of SOS
      first = prime.front();
      take(prime.front());
      if (state.decoder().open_count() > 0) begun.push_back(state.decoder().notes().front());
    }
    decoder_.start_music(begun, state.decoder().time_s());
    how.prime = prime.subspan(window.ids.size());
    const std::int64_t left = max_tokens - static_cast<std::int64_t>(window.ids.size());
    if (!state.ended())
      for (const int id : decoder_.generate(first, left, how)) take(id);
    window.primed_events = static_cast<std::int64_t>(std::min<std::size_t>(prime.size(), window.ids.size()));
    window.out_of_tokens = !state.ended();
    return window;
  }

 private:
  DeviceWindows(Session<T>& session, const SamplerOptions& sampler, const GrammarOptions& grammar,
                std::shared_ptr<const DeviceWeights<T>> weights)
      : session_(session),
        sampler_(sampler),
        grammar_(grammar),
        weights_(std::move(weights)),
        decoder_(*weights_, session.memory_length()) {}

  Session<T>& session_;
  SamplerOptions sampler_;
  GrammarOptions grammar_;
  std::shared_ptr<const DeviceWeights<T>> weights_;
  DeviceSession<T> decoder_;
};

}  // namespace imu2music::inline v0
