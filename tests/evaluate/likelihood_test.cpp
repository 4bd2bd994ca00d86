#include "imu2music/evaluate/likelihood.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace imu2music;
using V1 = EventVocabulary1;
using V2 = EventVocabulary2;

TEST_CASE("sums pool tokens, and tell kinds apart") {
  LikelihoodSums one, other;
  one.add(V1::note_on(60), 2);
  one.add(V1::note_on(61), 4);
  one.add(V1::eos, 1);
  one.seconds = 6;
  other.add(V2::cut, 3);
  other.seconds = 2;
  CHECK(one.nll() == doctest::Approx(7.0 / 3));
  CHECK(one.nll(EventKind::note_on) == 3);
  CHECK(std::isnan(one.nll(EventKind::cut)));
  CHECK(one.bits_per_second() == doctest::Approx(7 / std::log(2.0) / 6));
  LikelihoodSums all = one;
  all.add(other);
  CHECK(all.nll() == 2.5);  // not the mean of 7/3 and 3
  CHECK(all.nll(EventKind::cut) == 3);
  CHECK(all.seconds == 8);
  LikelihoodSums weighted;
  weighted.add(one, 0);
  weighted.add(other, 2);
  CHECK(weighted.nll() == 3);
  CHECK(weighted.all_tokens() == 2);
  CHECK(std::isnan(LikelihoodSums().nll()));
  CHECK(std::isnan(LikelihoodSums().bits_per_second()));
}

TEST_CASE("kinds have names, and continued notes are of vocabulary 2") {
  CHECK(to_string(event_kind(V1::note_off(60))) == "note_off");
  CHECK(to_string(event_kind(V1::first_time_shift)) == "time_shift");
  CHECK(to_string(event_kind(V2::continued(60))) == "continued");
  CHECK(to_string(event_kind(V2::cut)) == "cut");
  CHECK_THROWS_AS(event_kind(V2::size), InputError);
}

TEST_CASE("a unigram knows how often an id came, one more for each") {
  Unigram unigram(5);
  CHECK(unigram.negative_log_p(3) == doctest::Approx(std::log(5.0)));
  for (int id : {3, 3, 3, 1, 0}) unigram.count(id);
  CHECK(unigram.negative_log_p(3) == doctest::Approx(-std::log(4.0 / 10)));
  CHECK(unigram.negative_log_p(2) == doctest::Approx(-std::log(1.0 / 10)));
  CHECK(unigram.all() == 5);
  double total = 0;
  for (int id = 0; id < 5; ++id) total += std::exp(-unigram.negative_log_p(id));
  CHECK(total == doctest::Approx(1));
  CHECK_THROWS_AS(unigram.count(5), ShapeError);
}
