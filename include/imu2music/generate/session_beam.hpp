// Sessions side by side as a beam's scorer: slot n is a session of its own, and hypotheses step in parallel.
//
// A hypothesis that goes on in two ways copies its caches, so no token is computed twice. Memory: width times
// a session's caches. The results do not depend on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "imu2music/core/parallel.hpp"
#include "imu2music/generate/beam.hpp"
#include "imu2music/generate/session.hpp"

namespace imu2music::inline v0 {

template <class T>
class SessionBeam {
 public:
  // `first`, started, is slot 0 and must outlive the beam; its context tells the number of threads.
  SessionBeam(Session<T>& first, std::int64_t width) : threads_(first.context().threads()) {
    sessions_.push_back(&first);
    for (std::int64_t n = 1; n < width; ++n) {
      owned_.push_back(std::make_unique<Session<T>>(first.model(), 1, first.memory_length()));
      sessions_.push_back(owned_.back().get());
    }
  }

  void step(std::span<const std::int64_t> slots, std::span<const std::int64_t> tokens) {
    parallel_for(threads_, static_cast<std::int64_t>(slots.size()), 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t n = begin; n < end; ++n)
                     session(slots[static_cast<std::size_t>(n)]).step(tokens[static_cast<std::size_t>(n)]);
                 });
  }
  std::span<const T> logits(std::int64_t slot) { return session(slot).logits(); }
  void copy(std::int64_t from, std::int64_t to) { session(to).copy_from(session(from)); }

 private:
  Session<T>& session(std::int64_t slot) { return *sessions_[static_cast<std::size_t>(slot)]; }

  int threads_;
  std::vector<std::unique_ptr<Session<T>>> owned_;
  std::vector<Session<T>*> sessions_;
};

}  // namespace imu2music::inline v0
