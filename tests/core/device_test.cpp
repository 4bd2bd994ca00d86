#include "imu2music/core/device.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace imu2music;
using kernels::choose_isa;
using kernels::IsaError;

TEST_CASE("the widest instruction set is taken unless one is forced") {
  CHECK(choose_isa(nullptr) == kernels::widest_isa());
  CHECK(choose_isa("") == kernels::widest_isa());
  CHECK(choose_isa("scalar") == Isa::scalar);
  for (Isa isa : {Isa::avx2, Isa::avx512}) {
    if (kernels::cpu_has(isa))
      CHECK(choose_isa(name_of(isa)) == isa);
    else
      CHECK_THROWS_AS(choose_isa(name_of(isa)), IsaError);
  }
}

TEST_CASE("an instruction set that does not exist is refused by name") {
  for (const char* name : {"sse", "AVX2", "avx512 ", "1"}) {
    try {
      choose_isa(name);
      FAIL("no error for " << name);
    } catch (const IsaError& error) {
      CHECK(std::string(error.what()).find(name) != std::string::npos);
    }
  }
}
