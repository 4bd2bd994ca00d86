#include "imu2music/music/token_times.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace imu2music;

TEST_CASE("a time_shift carries the time that it leads to, every other id the time before it") {
  using V = EventVocabulary2;
  const int shift = V::first_time_shift;
  const std::vector<std::int64_t> ids = {
      V::sos,           shift + 31,     V::note_on(60), shift,     shift + 5, V::cut, V::pad,  //
      V::continued(50), V::note_on(60), shift + 2,      shift + 2, V::eos,    V::pad, V::pad};
  const Tensor<double> times = token_times(Tensor<std::int64_t>::from(std::span(ids), {2, 7}));
  REQUIRE(times.shape() == Shape{2, 7});
  EventDecoder2 decoder;
  for (std::size_t n = 0; n < ids.size(); ++n) {
    if (n % 7 == 0) decoder.reset();
    decoder.push(static_cast<int>(ids[n]));
    CHECK(times[static_cast<std::int64_t>(n)] == decoder.time_s());
  }
  CHECK(times[0] == 0);
  CHECK(times[1] == doctest::Approx(1.1713).epsilon(1e-4));
  CHECK(times[6] == times[4]);
  CHECK(times[9] == doctest::Approx(1.3225 / 65));
  CHECK(times[13] == doctest::Approx(2 * 1.3225 / 65));
}

TEST_CASE("ids of no vocabulary move no time") {
  CHECK(token_time(1.5, -1) == 1.5);
  CHECK(token_time(1.5, 332) == 1.5);
  CHECK(token_time(1.5, (std::int64_t{1} << 32) + 208) == 1.5);
}
