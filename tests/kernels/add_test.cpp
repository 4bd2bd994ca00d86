#include "cpu/add.hpp"

#include <limits>
#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::AddKernels;
using kernels::Isa;

namespace {
const kernels::Context context;
}

TEST_CASE("add: every column is the definition, to the bit, at every count around the vectors'") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<AddKernels<float>>(isa);
    for (std::int64_t count = 1; count <= 50; ++count)
      for (std::int64_t offset : {0, 1})
        for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
          INFO(std::string(name_of(isa)) << ", count = " << count << ", offset " << offset);
          test::Numbers numbers(static_cast<std::uint64_t>(count));
          test::GuardedBuffer<float> a(count, offset, numbers), b(count, offset, numbers), y(count, offset);
          table.forward(context, a.data(), b.data(), y.data(), 0, count, activation, 0.25f);
          for (std::int64_t n = 0; n < count; ++n) {
            const float sum = a[n] + b[n];
            CHECK(y[n] == (activation == Activation::none || sum > 0 ? sum
                           : activation == Activation::relu          ? 0
                                                                     : 0.25f * sum));
          }
          CHECK(y.guards_intact());
          // In two parts, in place.
          const std::int64_t split = count / 3;
          const float before = a[0];
          table.forward(context, a.data(), b.data(), a.data(), split, count, activation, 0.25f);
          if (split > 0) CHECK(a[0] == before);
          table.forward(context, a.data(), b.data(), a.data(), 0, split, activation, 0.25f);
          CHECK(test::same_bits(a.data(), y.data(), count));
        }
    std::vector<float> nan(37, std::numeric_limits<float>::quiet_NaN()), one(37, 1.0f), y(37);
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      table.forward(context, nan.data(), one.data(), y.data(), 0, 37, activation, 0.5f);
      for (const float value : y) CHECK(std::isnan(value));
    }
  }
}
