// Sessions of one model that take their tokens together: every weight is read once for all of them.
//
//   SessionGroup group(model, threads)
//   group.step(sessions, tokens)       each session's logits() are then those of its token
//
// The bits are those of each session's own step(), whatever stands beside it and however many threads there
// are. Sessions may come and go from step to step, and step by themselves in between. On a device each steps
// by itself.
//
// A group belongs to one thread at a time, as the sessions do while they step. It allocates when more
// sessions step than ever before. Throws as Session::step() does, before any session has taken its token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/generate/session.hpp"

namespace imu2music::inline v0 {

template <class T = float>
class SessionGroup {
 public:
  // The model must outlive the group.
  explicit SessionGroup(const Model<T>&& model, int threads = 1) = delete;
  explicit SessionGroup(const Model<T>& model, int threads = 1) : model_(model), context_(threads) {
    for (int part = 0; part < threads; ++part) parts_.push_back(std::make_unique<Part>());
  }
  SessionGroup(const SessionGroup&) = delete;
  SessionGroup& operator=(const SessionGroup&) = delete;

  // tokens: one for each session. Throws ShapeError where that does not hold, for a session that is there
  // twice or of another model; otherwise as Session::step(). No session has then moved.
  void step(std::span<Session<T>* const> sessions, std::span<const std::int64_t> tokens) {
    detail::require(sessions.size() == tokens.size(), "session_group", [&] {
      return std::to_string(tokens.size()) + " tokens for " + std::to_string(sessions.size()) + " sessions";
    });
    if (sessions.empty()) return;
    states_.clear();
    for (std::size_t n = 0; n < sessions.size(); ++n) {
      Session<T>& session = *sessions[n];
      detail::require(&session.model_ == &model_, "session_group",
                      [] { return std::string("a session of another model cannot take part"); });
      session.check_step(tokens[n]);
      states_.push_back(&session.state_);
    }
    sorted_.assign(states_.begin(), states_.end());
    std::sort(sorted_.begin(), sorted_.end());
    detail::require(std::adjacent_find(sorted_.begin(), sorted_.end()) == sorted_.end(), "session_group",
                    [] { return std::string("a session cannot take two steps at once"); });
    if (sessions.size() == 1 || model_.device() != Device::cpu()) {
      for (std::size_t n = 0; n < sessions.size(); ++n) sessions[n]->step(tokens[n]);
      return;
    }
    // With enough of them each thread takes some through the whole step, and waits for the others once.
    constexpr std::int64_t worth_a_thread = 4;
    const auto count = static_cast<std::int64_t>(sessions.size());
    const std::int64_t parts = std::min(static_cast<std::int64_t>(parts_.size()), count / worth_a_thread);
    if (parts < 2) {
      step_part(context_, parts_.front()->arena, 0, sessions, tokens);
      return;
    }
    parallel_for(static_cast<int>(parts), parts, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t part = first; part < last; ++part) {
        const auto begin = static_cast<std::size_t>(count * part / parts),
                   size = static_cast<std::size_t>(count * (part + 1) / parts) - begin;
        Part& own = *parts_[static_cast<std::size_t>(part)];
        step_part(own.context, own.arena, begin, sessions.subspan(begin, size), tokens.subspan(begin, size));
      }
    });
  }

 private:
  struct Part {
    Context context;  // of one thread
    Arena arena;
  };

  // `begin`: the number of the first of these among all that step.
  void step_part(Context& context, Arena& arena, std::size_t begin, std::span<Session<T>* const> sessions,
                 std::span<const std::int64_t> tokens) {
    ArenaScope scope(context, arena);
    const std::span<DecodingState<T>* const> states(states_);
    const Tensor<T> logits = model_.step(context, tokens, states.subspan(begin, sessions.size()));
    for (std::size_t n = 0; n < sessions.size(); ++n) {
      Tensor<T>& own = sessions[n]->logits_;
      std::copy_n(logits.data() + static_cast<std::int64_t>(n) * own.size(), own.size(), own.data());
    }
  }

  const Model<T>& model_;
  Context context_;                           // of all threads
  std::vector<std::unique_ptr<Part>> parts_;  // one a thread
  std::vector<DecodingState<T>*> states_, sorted_;
};

}  // namespace imu2music::inline v0
