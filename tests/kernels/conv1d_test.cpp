#include "cpu/conv1d.hpp"

#include <vector>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::Conv1dArguments;
using kernels::Conv1dKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

struct Sizes {
  std::int64_t B, C, L, O, kernel, stride, dilation, pad_left;
  std::int64_t out() const { return (L + pad_left - (kernel - 1) * dilation - 1) / stride + 1; }
};

template <class T>
Conv1dArguments<T> arguments(const Sizes& s, const T* x, const T* w, const T* bias, T* y,
                             Activation activation) {
  Conv1dArguments<T> a;
  a.x = x, a.w = w, a.bias = bias, a.y = y;
  a.C = s.C, a.L = s.L, a.O = s.O, a.kernel = s.kernel;
  a.stride = s.stride, a.dilation = s.dilation, a.pad_left = s.pad_left, a.out = s.out();
  a.activation = activation;
  a.slope = T(0.125);
  return a;
}

std::vector<double> by_definition(const Sizes& s, const std::vector<float>& x, const std::vector<float>& w,
                                  const std::vector<float>& bias, Activation activation) {
  std::vector<double> y;
  for (std::int64_t b = 0; b < s.B; ++b)
    for (std::int64_t o = 0; o < s.O; ++o)
      for (std::int64_t j = 0; j < s.out(); ++j) {
        double sum = bias[static_cast<std::size_t>(o)];
        for (std::int64_t c = 0; c < s.C; ++c)
          for (std::int64_t u = 0; u < s.kernel; ++u) {
            const std::int64_t i = j * s.stride + u * s.dilation - s.pad_left;
            if (i >= 0 && i < s.L)
              sum += double(w[static_cast<std::size_t>((o * s.C + c) * s.kernel + u)]) *
                     double(x[static_cast<std::size_t>((b * s.C + c) * s.L + i)]);
          }
        if (activation != Activation::none && sum < 0) sum *= activation == Activation::relu ? 0 : 0.125;
        y.push_back(sum);
      }
  return y;
}

std::vector<Sizes> problems() {
  std::vector<Sizes> all;
  for (std::int64_t out = 1; out <= 35; ++out) all.push_back({1, 2, out, 3, 3, 1, 1, 2});
  for (const std::int64_t O : {1, 2, 3, 4, 5, 9}) all.push_back({2, 3, 21, O, 5, 1, 2, 8});
  for (const std::int64_t stride : {1, 2, 3})
    for (const std::int64_t dilation : {1, 3, 8})
      for (const std::int64_t L : {33, 50}) all.push_back({2, 3, L, 5, 4, stride, dilation, 3 * dilation});
  all.push_back({2, 3, 40, 4, 5, 1, 1, 0});
  all.push_back({1, 1, 1, 1, 1, 1, 1, 0});
  all.push_back({1, 4, 20, 4, 5, 2, 1, 9});
  all.push_back({3, 16, 130, 12, 1, 1, 1, 0});
  return all;
}

}  // namespace

TEST_CASE("every column computes the definition, at every size, unaligned, within its bounds") {
  for (const Isa isa : test::all_columns()) {
    INFO(kernels::name_of(isa));
    const auto table = kernels::make_table<Conv1dKernels<float>>(isa);
    std::int64_t offset = 0;
    for (const Sizes& s : problems())
      for (const Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
        INFO("L ", s.L, " O ", s.O, " kernel ", s.kernel, " stride ", s.stride, " dilation ", s.dilation);
        offset = (offset + 1) % 16;
        const auto x = test::some_numbers<float>(s.B * s.C * s.L, 1),
                   w = test::some_numbers<float>(s.O * s.C * s.kernel, 2),
                   bias = test::some_numbers<float>(s.O, 3);
        test::EdgeBuffer<float> edged(x, offset % 2 == 0 ? test::Edge::after : test::Edge::before);
        test::GuardedBuffer<float> y(s.B * s.O * s.out(), offset);
        table.forward(context, arguments(s, edged.data(), w.data(), bias.data(), y.data(), activation), 0,
                      s.B * s.O);
        const std::vector<double> expected = by_definition(s, x, w, bias, activation);
        CHECK(test::max_difference(y.data(), expected.data(), y.size()) < 2e-6);
        CHECK(y.guards_intact());
      }
  }
}

TEST_CASE("bits do not depend on the range of planes") {
  const Sizes s{3, 5, 41, 7, 3, 2, 2, 4};
  const auto x = test::some_numbers<float>(s.B * s.C * s.L, 1),
             w = test::some_numbers<float>(s.O * s.C * s.kernel, 2);
  for (const Isa isa : test::all_columns()) {
    const auto table = kernels::make_table<Conv1dKernels<float>>(isa);
    std::vector<float> whole(static_cast<std::size_t>(s.B * s.O * s.out())), parts(whole.size());
    table.forward(context, arguments<float>(s, x.data(), w.data(), nullptr, whole.data(), Activation::relu),
                  0, s.B * s.O);
    for (std::int64_t split = 0; split <= s.B * s.O; ++split) {
      const auto a = arguments<float>(s, x.data(), w.data(), nullptr, parts.data(), Activation::relu);
      table.forward(context, a, 0, split);
      table.forward(context, a, split, s.B * s.O);
      CHECK(test::same_bits(whole.data(), parts.data(), static_cast<std::int64_t>(whole.size())));
    }
  }
}

TEST_CASE("a frame computed by itself has the bits that it has among others") {
  for (const std::int64_t dilation : {1, 4})
    for (const std::int64_t stride : {1, 2}) {
      const Sizes s{1, 6, 60, 9, 5, stride, dilation, 4 * dilation};
      const auto x = test::some_numbers<float>(s.C * s.L, 1),
                 w = test::some_numbers<float>(s.O * s.C * s.kernel, 2),
                 bias = test::some_numbers<float>(s.O, 3);
      const std::int64_t reach = s.pad_left + 1;
      for (const Isa isa : test::all_columns()) {
        INFO(kernels::name_of(isa), " dilation ", dilation, " stride ", stride);
        const auto table = kernels::make_table<Conv1dKernels<float>>(isa);
        std::vector<float> all(static_cast<std::size_t>(s.O * s.out()));
        table.forward(context, arguments(s, x.data(), w.data(), bias.data(), all.data(), Activation::relu), 0,
                      s.O);
        for (std::int64_t j = 0; j < s.out(); ++j) {
          std::vector<float> past(static_cast<std::size_t>(s.C * reach)), one(static_cast<std::size_t>(s.O));
          for (std::int64_t c = 0; c < s.C; ++c)
            for (std::int64_t n = 0; n < reach; ++n) {
              const std::int64_t i = j * stride - s.pad_left + n;
              if (i >= 0)
                past[static_cast<std::size_t>(c * reach + n)] = x[static_cast<std::size_t>(c * s.L + i)];
            }
          const Sizes alone{1, s.C, reach, s.O, s.kernel, stride, dilation, 0};
          table.forward(context,
                        arguments(alone, past.data(), w.data(), bias.data(), one.data(), Activation::relu), 0,
                        s.O);
          for (std::int64_t o = 0; o < s.O; ++o)
            CHECK(test::same_bits(&one[static_cast<std::size_t>(o)],
                                  &all[static_cast<std::size_t>(o * s.out() + j)], 1));
        }
      }
    }
}
