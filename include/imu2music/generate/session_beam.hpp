// Sessions side by side as a beam's scorer: slot n is a session of its own, and hypotheses step together.
//
// A hypothesis that goes on in two ways copies its caches, so no token is computed twice. Memory: width times
// a session's caches. The results do not depend on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "imu2music/generate/beam.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/session_group.hpp"

namespace imu2music::inline v0 {

template <class T>
class SessionBeam {
 public:
  // `first`, started, is slot 0 and must outlive the beam; its context tells the number of threads.
  SessionBeam(Session<T>& first, std::int64_t width) : group_(first.model(), first.context().threads()) {
    sessions_.push_back(&first);
    for (std::int64_t n = 1; n < width; ++n) {
      owned_.push_back(std::make_unique<Session<T>>(first.model(), 1, first.memory_length()));
      sessions_.push_back(owned_.back().get());
    }
  }

  void step(std::span<const std::int64_t> which, std::span<const std::int64_t> tokens) {
    stepping_.clear();
    for (const std::int64_t slot : which) stepping_.push_back(&session(slot));
    group_.step(stepping_, tokens);
  }
  std::span<const T> logits(std::int64_t slot) { return session(slot).logits(); }
  void copy(std::int64_t from, std::int64_t to) { session(to).copy_from(session(from)); }

 private:
  Session<T>& session(std::int64_t slot) {
    detail::require(slot >= 0 && slot < static_cast<std::int64_t>(sessions_.size()), "session_beam", [&] {
      return "slot " + std::to_string(slot) + " is none of " + std::to_string(sessions_.size());
    });
    return *sessions_[static_cast<std::size_t>(slot)];
  }

  SessionGroup<T> group_;
  std::vector<std::unique_ptr<Session<T>>> owned_;
  std::vector<Session<T>*> sessions_, stepping_;
};

}  // namespace imu2music::inline v0
