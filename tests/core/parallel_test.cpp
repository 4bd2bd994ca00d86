#include "imu2music/core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

using imu2music::parallel_for;

TEST_CASE("the parts cover the range once, whatever the number of threads and the grain") {
  for (int threads : {1, 2, 3, 8})
    for (std::int64_t count : {0, 1, 2, 7, 100})
      for (std::int64_t grain : {0, 1, 3, 1000}) {
        std::vector<std::atomic<int>> hits(static_cast<std::size_t>(count));
        std::atomic<int> parts = 0;
        parallel_for(threads, count, grain, [&](std::int64_t begin, std::int64_t end) {
          ++parts;
          for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
        });
        for (auto& hit : hits) CHECK(hit == 1);
        CHECK(parts <= threads);
        if (count > 0 && grain > count) CHECK(parts == 1);
      }
}

TEST_CASE("an exception in any part reaches the caller") {
  for (int threads : {1, 4})
    CHECK_THROWS_AS(parallel_for(threads, 100, 1,
                                 [](std::int64_t begin, std::int64_t) {
                                   if (begin >= 0) throw std::runtime_error("part");
                                 }),
                    std::runtime_error);
}
