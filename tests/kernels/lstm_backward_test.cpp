#include "cpu/lstm_backward.hpp"

#include <string>

#include "columns.hpp"
#include "cpu/lstm.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::LstmBackwardArguments;
using kernels::LstmBackwardKernels;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

}  // namespace

TEST_CASE("lstm backward: the scalar column is the slope of the forward one") {
  auto forward = kernels::make_table<kernels::LstmKernels<double>>(Isa::scalar);
  auto table = kernels::make_table<LstmBackwardKernels<double>>(Isa::scalar);
  const std::int64_t B = 2, H = 3;
  auto x = test::some_numbers<double>(B * 4 * H, 1), c = test::some_numbers<double>(B * H, 3);
  const auto h = test::some_numbers<double>(B * 4 * H, 2), dh = test::some_numbers<double>(B * H, 4),
             dc_out = test::some_numbers<double>(B * H, 5);
  std::vector<double> dgates(at(B * 4 * H)), dc(at(B * H)), h_out(at(B * H)), c_out(at(B * H));
  const auto loss = [&] {
    forward.step(context, x.data(), h.data(), c.data(), h_out.data(), c_out.data(), 0, B, H);
    double sum = 0;
    for (std::size_t n = 0; n < dh.size(); ++n) sum += h_out[n] * dh[n] + c_out[n] * dc_out[n];
    return sum;
  };
  LstmBackwardArguments<double> a;
  a.gates_x = x.data(), a.gates_h = h.data(), a.c = c.data(), a.dh = dh.data(), a.dc_out = dc_out.data();
  a.dgates = dgates.data(), a.dc = dc.data(), a.H = H;
  table.step(context, a, 0, B);
  for (auto [values, gradient] : {std::pair(&x, &dgates), std::pair(&c, &dc)})
    for (std::size_t n = 0; n < values->size(); ++n) {
      const double here = (*values)[n];
      (*values)[n] = here + 1e-5;
      const double above = loss();
      (*values)[n] = here - 1e-5;
      const double below = loss();
      (*values)[n] = here;
      CHECK(std::abs((*gradient)[n] - (above - below) / 2e-5) < 1e-8);
    }
}

TEST_CASE("lstm backward: every column agrees with the scalar one in double, at every width") {
  auto truth = kernels::make_table<LstmBackwardKernels<double>>(Isa::scalar);
  std::vector<std::int64_t> widths;
  for (std::int64_t H = 1; H <= 35; ++H) widths.push_back(H);
  for (std::int64_t H : {64, 127, 128}) widths.push_back(H);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LstmBackwardKernels<float>>(isa);
    for (std::int64_t H : widths)
      for (std::int64_t offset : {0, 1})
        for (int given = 0; given < 4; ++given) {  // dh, dc_out, both or none
          const std::int64_t B = 3;
          INFO(std::string(name_of(isa)) << ", H = " << H << ", offset " << offset << ", given " << given);
          test::Numbers numbers(static_cast<std::uint64_t>(H));
          test::GuardedBuffer<float> x(B * 4 * H, offset, numbers), h(B * 4 * H, offset, numbers),
              c(B * H, offset, numbers), dh(B * H, offset, numbers), dc_out(B * H, offset, numbers),
              dgates(B * 4 * H, offset), dc(B * H, offset);
          for (std::int64_t i = 0; i < B * 4 * H; ++i) x[i] *= 4;
          const auto doubled = [](const test::GuardedBuffer<float>& values) {
            return std::vector<double>(values.data(), values.data() + values.size());
          };
          const auto xd = doubled(x), hd = doubled(h), cd = doubled(c), dhd = doubled(dh),
                     dc_out_d = doubled(dc_out);
          std::vector<double> dgates_truth(at(B * 4 * H)), dc_truth(at(B * H));
          LstmBackwardArguments<double> d;
          d.gates_x = xd.data(), d.gates_h = hd.data(), d.c = cd.data(), d.H = H;
          d.dh = given & 1 ? dhd.data() : nullptr, d.dc_out = given & 2 ? dc_out_d.data() : nullptr;
          d.dgates = dgates_truth.data(), d.dc = dc_truth.data();
          truth.step(context, d, 0, B);
          LstmBackwardArguments<float> a;
          a.gates_x = x.data(), a.gates_h = h.data(), a.c = c.data(), a.H = H;
          a.dh = given & 1 ? dh.data() : nullptr, a.dc_out = given & 2 ? dc_out.data() : nullptr;
          a.dgates = dgates.data(), a.dc = dc.data();
          table.step(context, a, 0, B);
          CHECK(test::max_difference(dgates.data(), dgates_truth.data(), B * 4 * H) < 1e-6);
          CHECK(test::max_difference(dc.data(), dc_truth.data(), B * H) < 1e-6);
          CHECK(dgates.guards_intact());
          CHECK(dc.guards_intact());
          // In two parts.
          test::GuardedBuffer<float> dgates_parts(B * 4 * H, offset), dc_parts(B * H, offset);
          a.dgates = dgates_parts.data(), a.dc = dc_parts.data();
          table.step(context, a, 1, B);
          CHECK(dc_parts[H - 1] == -12345.678f);  // untouched so far
          CHECK(dgates_parts[4 * H - 1] == -12345.678f);
          table.step(context, a, 0, 1);
          CHECK(test::same_bits(dgates_parts.data(), dgates.data(), B * 4 * H));
          CHECK(test::same_bits(dc_parts.data(), dc.data(), B * H));
        }
  }
}
