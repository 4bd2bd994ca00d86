#include "cpu/dropout.hpp"

#include "columns.hpp"
#include "imu2music/core/random.hpp"

using namespace imu2music;
using kernels::DropoutArguments;
using kernels::DropoutKernels;
using kernels::Isa;

namespace {

const kernels::Context context;
constexpr std::uint64_t seed = 0x9e3779b97f4a7c15u, stream = 0xf39cc0605cedc834u;

template <class T>
DropoutArguments<T> arguments(const T* x, T* y, std::uint32_t threshold) {
  DropoutArguments<T> a;
  a.x = x;
  a.y = y;
  a.seed = seed;
  a.stream = stream;
  a.threshold = threshold;
  a.scale = T(1.25);
  return a;
}

// Element n of the result, from the generator itself.
template <class T>
T expected(T x, std::int64_t n, std::uint32_t threshold) {
  const auto block = static_cast<std::uint64_t>(n) / 4;
  const auto words = philox4x32_10(
      {std::uint32_t(block), std::uint32_t(block >> 32), std::uint32_t(stream), std::uint32_t(stream >> 32)},
      {std::uint32_t(seed), std::uint32_t(seed >> 32)});
  return words[static_cast<std::size_t>(n % 4)] >= threshold ? x * T(1.25) : T(0);
}

template <class T>
void against_the_generator(Isa isa, std::int64_t begin, std::int64_t end, std::uint32_t threshold) {
  auto table = kernels::make_table<DropoutKernels<T>>(isa);
  test::Numbers numbers(1);
  test::GuardedBuffer<T> x(end, 1, numbers), y(end, 2);
  for (std::int64_t n = 0; n < end; ++n) y[n] = 77;
  table.forward(context, arguments<T>(x.data(), y.data(), threshold), begin, end);
  bool equal = true;
  for (std::int64_t n = 0; n < end; ++n)
    equal = equal && y[n] == (n < begin ? T(77) : expected(x[n], n, threshold));
  INFO(name_of(isa) << ", " << begin << " to " << end << ", threshold " << threshold);
  CHECK(equal);
  CHECK(y.guards_intact());
}

}  // namespace

TEST_CASE("dropout: every column keeps what the generator says, wherever the range begins and ends") {
  for (Isa isa : test::all_columns())
    for (std::int64_t begin : {0, 1, 2, 3, 4, 5, 31, 63, 100})
      for (std::int64_t length = 0; length <= 140; length += length < 40 ? 1 : 7)
        against_the_generator<float>(isa, begin, begin + length, 0x80000000u);
  for (std::int64_t length = 0; length <= 20; ++length)
    against_the_generator<double>(Isa::scalar, 3, 3 + length, 0x33333333u);
}

TEST_CASE("dropout: thresholds are compared without a sign, to the last bit") {
  // The words of the first elements themselves: at the threshold one is kept, one above it is dropped.
  Philox random(seed, stream);
  for (std::int64_t n = 0; n < 70; ++n) {
    const std::uint32_t word = random.uint32();
    for (Isa isa : test::all_columns()) {
      against_the_generator<float>(isa, n, n + 1, word);
      against_the_generator<float>(isa, n, n + 1, word + 1);
    }
  }
  for (Isa isa : test::all_columns())
    for (std::uint32_t threshold : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu})
      against_the_generator<float>(isa, 0, 300, threshold);
}

TEST_CASE("dropout: blocks are counted in 64 bits") {
  // Elements 2^34 - 2^6 and on, where the block's number passes 2^32, in a window moved to a small buffer.
  const std::int64_t first = (std::int64_t{1} << 34) - 64;
  const auto x = test::some_numbers<float>(128, 1);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<DropoutKernels<float>>(isa);
    std::vector<float> y(128);
    const auto move = [&](const float* data) {
      return reinterpret_cast<std::uintptr_t>(data) - static_cast<std::uintptr_t>(first) * sizeof(float);
    };
    auto a = arguments<float>(reinterpret_cast<const float*>(move(x.data())),
                              reinterpret_cast<float*>(move(y.data())), 0x40000000u);
    table.forward(context, a, first, first + 128);
    bool equal = true;
    for (std::int64_t n = 0; n < 128; ++n)
      equal = equal && y[static_cast<std::size_t>(n)] ==
                           expected(x[static_cast<std::size_t>(n)], first + n, 0x40000000u);
    INFO(name_of(isa));
    CHECK(equal);
  }
}

TEST_CASE("dropout: y may be x, and nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<DropoutKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t count = 1; count <= 80; ++count) {
        const auto x = test::some_numbers<float>(count, 1);
        test::EdgeBuffer<float> y(x, edge);
        table.forward(context, arguments<float>(y.data(), y.data(), 0x40000000u), 0, count);
        CHECK(y[count - 1] == expected(x.back(), count - 1, 0x40000000u));
      }
  }
}
