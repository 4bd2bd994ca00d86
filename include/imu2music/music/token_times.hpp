// Musical time along a sequence of ids of vocabulary 2: the window's time after each of them.
//
//   t_n = Σ_{m ≤ n} shift(ids[m]),  shift = 1.15^k / 65 s for time_shift k, 0 for every other id
//
// so a time_shift carries the time that it leads to, and SOS the window's beginning, 0. Summed in double from
// the first id on: taking the ids one by one gives the same bits. CUT leads to the window's end, but nothing
// follows it; its time is that of the id before.
//
// ids: [B, T]; result: [B, T], s. Cost O(B T). Nothing throws.
#pragma once

#include <cstdint>

#include "imu2music/core/tensor.hpp"
#include "imu2music/music/event_vocabulary2.hpp"

namespace imu2music::inline v0 {

// Where an id leads from `time_s`.
inline double token_time(double time_s, std::int64_t id) {
  return id >= 0 && id < EventVocabulary2::size ? time_s + EventVocabulary2::shift_s(static_cast<int>(id))
                                                : time_s;
}

inline Tensor<double> token_times(const Tensor<std::int64_t>& ids) {
  Tensor<double> times = Tensor<double>::uninitialised(ids.shape());
  const std::int64_t B = ids.dim(0), length = ids.dim(1);
  for (std::int64_t b = 0; b < B; ++b) {
    double time_s = 0;
    for (std::int64_t n = b * length; n < (b + 1) * length; ++n)
      times[n] = time_s = token_time(time_s, ids[n]);
  }
  return times;
}

}  // namespace imu2music::inline v0
