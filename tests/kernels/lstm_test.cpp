#include "cpu/lstm.hpp"

#include <limits>
#include <string>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::LstmKernels;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

double logistic(double z) { return 1 / (1 + std::exp(-z)); }

// The largest |a - b| / |b|.
double relative_difference(const float* a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t n = 0; n < b.size(); ++n) {
    const double difference = std::abs(double(a[n]) - b[n]) / std::abs(b[n]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

}  // namespace

TEST_CASE("lstm: the scalar column is the definition") {
  auto table = kernels::make_table<LstmKernels<double>>(Isa::scalar);
  const std::int64_t B = 2, H = 3;
  const auto x = test::some_numbers<double>(B * 4 * H, 1), h = test::some_numbers<double>(B * 4 * H, 2),
             c = test::some_numbers<double>(B * H, 3);
  std::vector<double> h_out(at(B * H)), c_out(at(B * H));
  table.step(context, x.data(), h.data(), c.data(), h_out.data(), c_out.data(), 0, B, H);
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t n = 0; n < H; ++n) {
      double gate[4];
      for (std::int64_t g = 0; g < 4; ++g)
        gate[g] = x[at(b * 4 * H + g * H + n)] + h[at(b * 4 * H + g * H + n)];
      const double cell = logistic(gate[1]) * c[at(b * H + n)] + logistic(gate[0]) * std::tanh(gate[2]);
      CHECK(c_out[at(b * H + n)] == doctest::Approx(cell).epsilon(1e-14));
      CHECK(h_out[at(b * H + n)] == doctest::Approx(logistic(gate[3]) * std::tanh(cell)).epsilon(1e-14));
    }
}

TEST_CASE("lstm: every column agrees with the scalar one in double, at every width around the vectors'") {
  auto truth = kernels::make_table<LstmKernels<double>>(Isa::scalar);
  std::vector<std::int64_t> widths;
  for (std::int64_t H = 1; H <= 35; ++H) widths.push_back(H);
  for (std::int64_t H : {64, 127, 128}) widths.push_back(H);
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<LstmKernels<float>>(isa);
    for (std::int64_t H : widths)
      for (std::int64_t offset : {0, 1}) {
        const std::int64_t B = 3;
        INFO(std::string(name_of(isa)) << ", H = " << H << ", offset " << offset);
        test::Numbers numbers(static_cast<std::uint64_t>(H));
        test::GuardedBuffer<float> x(B * 4 * H, offset, numbers), h(B * 4 * H, offset, numbers),
            c(B * H, offset, numbers), h_out(B * H, offset), c_out(B * H, offset);
        for (std::int64_t i = 0; i < B * 4 * H; ++i) x[i] *= 4;
        const std::vector<double> xd(x.data(), x.data() + x.size()), hd(h.data(), h.data() + h.size()),
            cd(c.data(), c.data() + c.size());
        std::vector<double> h_truth(at(B * H)), c_truth(at(B * H));
        truth.step(context, xd.data(), hd.data(), cd.data(), h_truth.data(), c_truth.data(), 0, B, H);
        table.step(context, x.data(), h.data(), c.data(), h_out.data(), c_out.data(), 0, B, H);
        CHECK(test::max_difference(h_out.data(), h_truth.data(), B * H) < 1e-6);
        CHECK(test::max_difference(c_out.data(), c_truth.data(), B * H) < 1e-6);
        CHECK(h_out.guards_intact());
        CHECK(c_out.guards_intact());
        // In two parts, in place: the same bits, and rows outside the range stay.
        test::GuardedBuffer<float> cell(B * H, offset), output(B * H, offset);
        for (std::int64_t i = 0; i < B * H; ++i) cell[i] = c[i], output[i] = 99;
        table.step(context, x.data(), h.data(), cell.data(), output.data(), cell.data(), 1, B, H);
        CHECK(test::same_bits(cell.data(), c.data(), H));
        CHECK(output[H - 1] == 99);
        table.step(context, x.data(), h.data(), cell.data(), output.data(), cell.data(), 0, 1, H);
        CHECK(test::same_bits(cell.data(), c_out.data(), B * H));
        CHECK(test::same_bits(output.data(), h_out.data(), B * H));
      }
  }
}

TEST_CASE("lstm: sigmoid and tanh keep their relative accuracy from the smallest to the largest gates") {
  // With an empty cell c' = sigmoid(i) tanh(g) and h' = sigmoid(o) tanh(c').
  auto truth = kernels::make_table<LstmKernels<double>>(Isa::scalar);
  std::vector<double> values;
  for (int i = -2000; i <= 2000; ++i) values.push_back(double(float(i * 0.01)) + 1e-4);
  for (double v = 1e-30; v < 1; v *= 1.7) values.push_back(v), values.push_back(-v);
  for (double v = 20; v < 86; v *= 1.01) values.push_back(v), values.push_back(-v);
  const auto H = static_cast<std::int64_t>(values.size());
  for (Isa isa : test::all_columns()) {
    INFO(std::string(name_of(isa)));
    auto table = kernels::make_table<LstmKernels<float>>(isa);
    const std::vector<float> zero(at(4 * H));
    for (const bool gates : {false, true}) {  // the candidate through all values, then the other gates
      std::vector<float> x(at(4 * H), 3.0f), h_out(at(H)), c_out(at(H));
      for (std::int64_t n = 0; n < H; ++n) {
        const auto value = static_cast<float>(values[at(n)]);
        if (gates)
          x[at(n)] = x[at(3 * H + n)] = value;
        else
          x[at(2 * H + n)] = value;
      }
      const std::vector<double> xd(x.begin(), x.end()), zero_d(zero.begin(), zero.end());
      std::vector<double> h_truth(at(H)), c_truth(at(H));
      truth.step(context, xd.data(), zero_d.data(), zero_d.data(), h_truth.data(), c_truth.data(), 0, 1, H);
      table.step(context, x.data(), zero.data(), zero.data(), h_out.data(), c_out.data(), 0, 1, H);
      CHECK(relative_difference(c_out.data(), c_truth) < 1e-6);
      if (gates)  // both factors shrink: below the least normal number there is no relative accuracy
        for (std::int64_t n = 0; n < H; ++n)
          CHECK(std::abs(h_out[at(n)] - h_truth[at(n)]) < 2e-6 * h_truth[at(n)] + 1e-38);
      else
        CHECK(relative_difference(h_out.data(), h_truth) < 2e-6);
    }
  }
}

TEST_CASE("lstm: infinite gates saturate and NaN shows") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr std::int64_t H = 19;
  for (Isa isa : test::all_columns()) {
    INFO(std::string(name_of(isa)));
    auto table = kernels::make_table<LstmKernels<float>>(isa);
    std::vector<float> x(4 * H, infinity), zero(4 * H), h_out(H), c_out(H), c(H, 2.0f);
    table.step(context, x.data(), zero.data(), c.data(), h_out.data(), c_out.data(), 0, 1, H);
    for (const float cell : c_out) CHECK(cell == 3.0f);
    x.assign(4 * H, -infinity);
    table.step(context, x.data(), zero.data(), c.data(), h_out.data(), c_out.data(), 0, 1, H);
    for (const float output : h_out) CHECK(std::abs(output) < 1e-30f);
    for (std::int64_t gate = 0; gate < 4; ++gate) {
      x.assign(4 * H, 1.0f);
      x[at(gate * H + 18)] = std::numeric_limits<float>::quiet_NaN();
      table.step(context, x.data(), zero.data(), c.data(), h_out.data(), c_out.data(), 0, 1, H);
      CHECK(std::isnan(h_out[18]));
      CHECK(!std::isnan(h_out[17]));
    }
  }
}
