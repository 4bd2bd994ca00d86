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

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/generate/session.hpp"

namespace imu2music::inline v0 {

template <class T = float>
class SessionGroup {
 public:
  // The model must outlive the group.
  explicit SessionGroup(const Model<T>& model, int threads = 1) : model_(model), context_(threads) {}
  SessionGroup(const SessionGroup&) = delete;
  SessionGroup& operator=(const SessionGroup&) = delete;

  // tokens: one for each session; no session twice.
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
    if (sessions.size() == 1 || model_.device() != Device::cpu()) {
      for (std::size_t n = 0; n < sessions.size(); ++n) sessions[n]->step(tokens[n]);
      return;
    }
    ArenaScope scope(context_, arena_);
    const Tensor<T> logits = model_.step(context_, tokens, std::span<DecodingState<T>* const>(states_));
    for (std::size_t n = 0; n < sessions.size(); ++n) {
      Tensor<T>& own = sessions[n]->logits_;
      std::copy_n(logits.data() + static_cast<std::int64_t>(n) * own.size(), own.size(), own.data());
    }
  }

 private:
  const Model<T>& model_;
  Context context_;
  Arena arena_;
  std::vector<DecodingState<T>*> states_;
};

}  // namespace imu2music::inline v0
