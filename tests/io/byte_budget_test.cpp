#include "imu2music/io/byte_budget.hpp"

#include "support.hpp"

using namespace imu2music;

TEST_CASE("ten times the file and 16 MiB, to the byte") {
  ByteBudget budget("f", 1000);
  budget.take(std::uint64_t{16} << 20);
  budget.take(9999);
  budget.take(0);
  CHECK_THROWS_AS(budget.take(2), InputError);
  budget.take(1);
  CHECK_THROWS_AS(budget.take(1), InputError);
  CHECK_THROWS_AS(ByteBudget("f", 0).take(UINT64_MAX), InputError);
}

TEST_CASE("a reader may allow itself more") {
  ByteBudget budget("f", 7, 100);
  budget.take(170);
  CHECK_THROWS_AS(budget.take(1), InputError);
}
