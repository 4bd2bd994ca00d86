#include "cpu/relative_attention_backward.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "columns.hpp"
#include "cpu/relative_attention.hpp"
#include "relative_attention_table.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::RelativeAttentionBackwardArguments;
using kernels::RelativeAttentionBackwardKernels;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// One head's operands and, by the formulas in double, the forward pass's results and the gradients.
template <class T>
struct Problem {
  std::int64_t queries, S, K, L;
  bool causal, relative;
  // Rows wider than K, every operand's by another amount.
  std::int64_t q_stride, k_stride, v_stride, dout_stride, out_stride, dq_stride, dk_stride, dv_stride;
  std::vector<T> q, k, v, er, er_t, dout, out, log_sum_exp;
  std::vector<std::uint8_t> masked;
  std::vector<std::int32_t> first, last;
  T scale;
  std::vector<double> dq, dk, dv, dEr;  // dense; expected

  Problem(std::int64_t T_, std::int64_t S_, std::int64_t K_, std::int64_t L_, bool causal_,
          bool relative_ = true, std::int64_t padding = 1)
      : queries(T_),
        S(S_),
        K(K_),
        L(L_),
        causal(causal_),
        relative(relative_),
        q_stride(K_ + padding),
        k_stride(K_ + 2 * padding),
        v_stride(K_ + 3 * padding),
        dout_stride(K_ + 4 * padding),
        out_stride(K_ + 5 * padding),
        dq_stride(K_ + 6 * padding),
        dk_stride(K_ + 7 * padding),
        dv_stride(K_ + 8 * padding),
        scale(static_cast<T>(1 / std::sqrt(double(K_)))) {
    const auto seed = static_cast<std::uint64_t>(1 + T_ + 100 * S_ + 10000 * K_);
    q = test::some_numbers<T>(queries * q_stride, seed);
    k = test::some_numbers<T>(S * k_stride, seed + 1);
    v = test::some_numbers<T>(S * v_stride, seed + 2);
    er = test::some_numbers<T>(L * K, seed + 3);
    dout = test::some_numbers<T>(queries * dout_stride, seed + 4);
    for (T& value : q) value *= 4;  // scores spread over some units
    er_t.resize(er.size());
    for (std::int64_t l = 0; l < L; ++l)
      for (std::int64_t c = 0; c < K; ++c) er_t[at(c * L + l)] = er[at(l * K + c)];
    solve();
  }

  void mask_every(std::int64_t step) {
    masked.assign(at(S), 0);
    for (std::int64_t j = 0; j < S; j += step) masked[at(j)] = 1;
    solve();
  }
  // Ranges of every kind: empty, backward, of one key, inside a tile, across some, past either end.
  void set_ranges(std::int64_t kind) {
    first.clear();
    last.clear();
    for (std::int64_t i = 0; i < queries; ++i) {
      const std::int64_t n = i + kind;
      std::int64_t begin = n * 37 % (S + 1), count = n % 4 * S / 5;
      if (n % 9 == 2) count = 1;
      if (n % 11 == 7) begin = -3;
      if (n % 13 == 5) count = -2;
      first.push_back(static_cast<std::int32_t>(begin));
      last.push_back(static_cast<std::int32_t>(begin + count));
    }
    solve();
  }

  bool sees(std::int64_t i, std::int64_t j) const {
    return !(causal && j > i) && (masked.empty() || masked[at(j)] == 0) &&
           (first.empty() || (j >= first[at(i)] && j < last[at(i)]));
  }

  // k_j + Er[L - 1 - (i - j)], element c.
  double key(std::int64_t i, std::int64_t j, std::int64_t c) const {
    const double k_jc = double(k[at(j * k_stride + c)]);
    return relative && j <= i ? k_jc + double(er.at(at((L - 1 - (i - j)) * K + c))) : k_jc;
  }

  void solve() {
    dq.assign(at(queries * K), 0.0);
    dk.assign(at(S * K), 0.0);
    dv.assign(at(S * K), 0.0);
    dEr.assign(at(L * K), 0.0);
    out.assign(at(queries * out_stride), T(55));
    log_sum_exp.assign(at(queries), T(0));
    std::vector<double> p(at(S));
    for (std::int64_t i = 0; i < queries; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < S; ++j) {
        double score = 0;
        for (std::int64_t c = 0; c < K; ++c) score += double(q[at(i * q_stride + c)]) * key(i, j, c);
        sum += p[at(j)] = sees(i, j) ? std::exp(score * double(scale)) : 0;
      }
      log_sum_exp[at(i)] = static_cast<T>(std::log(sum));
      double delta = 0;
      for (std::int64_t c = 0; c < K; ++c) {
        double value = 0;
        for (std::int64_t j = 0; j < S && sum > 0; ++j)
          value += p[at(j)] / sum * double(v[at(j * v_stride + c)]);
        out[at(i * out_stride + c)] = static_cast<T>(value);
        delta += value * double(dout[at(i * dout_stride + c)]);
      }
      for (std::int64_t j = 0; j < S; ++j) {
        if (!sees(i, j)) continue;
        const double weight = p[at(j)] / sum;
        double dp = 0;
        for (std::int64_t c = 0; c < K; ++c)
          dp += double(dout[at(i * dout_stride + c)]) * double(v[at(j * v_stride + c)]);
        const double ds = weight * (dp - delta) * double(scale);
        for (std::int64_t c = 0; c < K; ++c) {
          dq[at(i * K + c)] += ds * key(i, j, c);
          dk[at(j * K + c)] += ds * double(q[at(i * q_stride + c)]);
          dv[at(j * K + c)] += weight * double(dout[at(i * dout_stride + c)]);
          if (relative && j <= i) dEr[at((L - 1 - (i - j)) * K + c)] += ds * double(q[at(i * q_stride + c)]);
        }
      }
    }
  }

  RelativeAttentionBackwardArguments<T> arguments() const {
    RelativeAttentionBackwardArguments<T> a;
    a.q = q.data(), a.q_stride = q_stride;
    a.k = k.data(), a.k_stride = k_stride;
    a.v = v.data(), a.v_stride = v_stride;
    if (relative) a.er = er.data(), a.er_t = er_t.data();
    a.dout = dout.data(), a.dout_stride = dout_stride;
    a.out = out.data(), a.out_stride = out_stride;
    a.log_sum_exp = log_sum_exp.data();
    a.dq_stride = dq_stride, a.dk_stride = dk_stride, a.dv_stride = dv_stride;
    a.key_masked = masked.empty() ? nullptr : masked.data();
    a.key_first = first.empty() ? nullptr : first.data();
    a.key_last = last.empty() ? nullptr : last.data();
    a.queries = queries, a.S = S, a.L = L, a.K = K;
    a.causal = causal, a.scale = scale;
    return a;
  }
};

// The largest difference of rows of K numbers from what is expected, and whether what stands between the rows
// still is `background`.
template <class T>
double worst_of(const test::GuardedBuffer<T>& rows, std::int64_t count, std::int64_t stride, std::int64_t K,
                const std::vector<double>& expected, double background, bool& intact) {
  double worst = 0;
  for (std::int64_t n = 0; n < count; ++n) {
    worst = std::max(worst, test::max_difference(rows.data() + n * stride, expected.data() + n * K, K));
    for (std::int64_t c = K; c < stride; ++c)
      intact = intact && double(rows.data()[n * stride + c]) == background;
  }
  return worst;
}

// Runs a column and holds it against the formulas.
template <class T>
void compare(Isa isa, const Problem<T>& p, double tolerance) {
  auto table = kernels::make_table<RelativeAttentionBackwardKernels<T>>(isa);
  INFO(std::string(name_of(isa)) << ", T = " << p.queries << ", S = " << p.S << ", K = " << p.K
                                 << ", L = " << p.L << ", causal " << p.causal << ", relative " << p.relative
                                 << ", masked " << !p.masked.empty() << ", ranges " << !p.first.empty());
  for (std::int64_t offset : {0, 1}) {
    test::GuardedBuffer<T> dq(p.queries * p.dq_stride, offset), dk(p.S * p.dk_stride, offset),
        dv(p.S * p.dv_stride, offset), dEr(p.L * p.K, offset), delta(p.queries, offset);
    for (auto* buffer : {&dq, &dk, &dv})
      for (std::int64_t n = 0; n < buffer->size(); ++n) (*buffer)[n] = 77;
    for (std::int64_t n = 0; n < dEr.size(); ++n) dEr[n] = 2;
    RelativeAttentionBackwardArguments<T> a = p.arguments();
    a.dq = dq.data(), a.dk = dk.data(), a.dv = dv.data(), a.delta = delta.data();
    a.dEr = p.relative ? dEr.data() : nullptr;
    table.backward(context, a);
    bool intact = true;
    CHECK(worst_of(dq, p.queries, p.dq_stride, p.K, p.dq, 77, intact) < tolerance);
    CHECK(worst_of(dk, p.S, p.dk_stride, p.K, p.dk, 77, intact) < tolerance);
    CHECK(worst_of(dv, p.S, p.dv_stride, p.K, p.dv, 77, intact) < tolerance);
    double worst = 0;
    for (std::int64_t n = 0; n < p.L * p.K; ++n) {
      const double wanted = p.dEr[at(n)] + 2,
                   difference = std::abs(double(dEr[n]) - wanted) / (1 + std::abs(wanted));
      if (!(difference <= worst)) worst = difference;
      if (n / p.K < p.L - p.queries) intact = intact && dEr[n] == 2;  // distances that do not occur
    }
    CHECK(worst < tolerance);
    CHECK(intact);
    for (auto* buffer : {&dq, &dk, &dv, &dEr, &delta}) CHECK(buffer->guards_intact());
    // The others are the same where dEr is not wanted.
    test::GuardedBuffer<T> dq_alone(p.queries * p.dq_stride, offset), dk_alone(p.S * p.dk_stride, offset),
        dv_alone(p.S * p.dv_stride, offset);
    for (auto* buffer : {&dq_alone, &dk_alone, &dv_alone})
      for (std::int64_t n = 0; n < buffer->size(); ++n) (*buffer)[n] = 77;
    a.dq = dq_alone.data(), a.dk = dk_alone.data(), a.dv = dv_alone.data(), a.dEr = nullptr;
    table.backward(context, a);
    CHECK(test::same_bits(dq_alone.data(), dq.data(), dq.size()));
    CHECK(test::same_bits(dk_alone.data(), dk.data(), dk.size()));
    CHECK(test::same_bits(dv_alone.data(), dv.data(), dv.size()));
  }
}

constexpr double float_tolerance = 1e-5;
const std::vector<std::int64_t> head_widths = {1, 3, 4, 8, 15, 16, 17, 31, 32, 33, 48, 64, 100, 256};

}  // namespace

TEST_CASE("relative attention backward: hand-computed") {
  // K = 1, two positions. Query 1 weighs values 3 and 9 by 2/3 and 1/3: out = 5, so with dout = 1 the scores'
  // gradients are 2/3 (3 - 5) and 1/3 (9 - 5). Query 0 sees itself alone, and its score has no gradient.
  const double ln2 = std::log(2.0);
  const double q[] = {1, 2}, k[] = {ln2 / 2 - 5, -7}, v[] = {3, 9}, er[] = {5, 7}, dout[] = {10, 1},
               out[] = {3, 5};
  const double log_sum_exp[] = {ln2 / 2 + 2, std::log(3.0)};
  double dq[2], dk[2], dv[2], dEr[] = {100, 200}, delta[2];
  RelativeAttentionBackwardArguments<double> a;
  a.q = q, a.k = k, a.v = v, a.er = a.er_t = er, a.dout = dout, a.out = out, a.log_sum_exp = log_sum_exp;
  a.dq = dq, a.dk = dk, a.dv = dv, a.dEr = dEr, a.delta = delta;
  a.q_stride = a.k_stride = a.v_stride = a.dout_stride = a.out_stride = 1;
  a.dq_stride = a.dk_stride = a.dv_stride = 1;
  a.queries = a.S = a.L = 2;
  a.K = 1;
  a.causal = true;
  kernels::make_table<RelativeAttentionBackwardKernels<double>>(Isa::scalar).backward(context, a);
  CHECK(std::abs(dq[0]) < 1e-13);
  CHECK(dq[1] == doctest::Approx(-4.0 / 3 * ln2 / 2));
  CHECK(dk[0] == doctest::Approx(-8.0 / 3));
  CHECK(dk[1] == doctest::Approx(8.0 / 3));
  CHECK(dv[0] == doctest::Approx(10 + 2.0 / 3));
  CHECK(dv[1] == doctest::Approx(1.0 / 3));
  CHECK(dEr[0] == doctest::Approx(100 - 8.0 / 3));  // distance 1
  CHECK(dEr[1] == doctest::Approx(200 + 8.0 / 3));  // distance 0
}

TEST_CASE("relative attention backward: the scalar column in double, every kind of head") {
  for (std::int64_t S : {1, 2, 31, 32, 33, 65})
    for (bool causal : {false, true})
      for (bool relative : {false, true})
        for (std::int64_t mask : {0, 1, 2, 3}) {
          Problem<double> p(S + 4, S, 5, S + 9, causal, relative);
          if (mask > 0) p.mask_every(mask);
          compare(Isa::scalar, p, 1e-12);
          if (mask > 1) p.set_ranges(S);
          compare(Isa::scalar, p, 1e-12);
        }
}

TEST_CASE("relative attention backward: every column at every length and head width around the vectors'") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t S = 1; S <= 70; ++S)
      for (bool causal : {false, true})
        compare(isa, Problem<float>(S, S, head_widths[at(S % 9)], S, causal), float_tolerance);
    for (std::int64_t K : head_widths)
      for (std::int64_t S : {1, 17, 40, 130})
        for (bool causal : {false, true}) {
          compare(isa, Problem<float>(S, S, K, S + 11, causal), float_tolerance);
          compare(isa, Problem<float>(S, S, K, S + 11, causal, true, 0), float_tolerance);
        }
    for (std::int64_t S : {128, 150, 300})
      for (std::int64_t K : {16, 64}) compare(isa, Problem<float>(S, S, K, S, true), float_tolerance);
    compare(isa, Problem<float>(150, 150, 16, 150, false), float_tolerance);
  }
}

TEST_CASE("relative attention backward: every column with masks and ranges, and as many keys as it may be") {
  for (Isa isa : test::all_columns())
    for (std::int64_t S : {1, 7, 8, 16, 33, 64, 65, 100, 129})
      for (std::int64_t T : {1, 2, 3, 4, 5, 9, 31, 34, 70})
        for (bool causal : {false, true})
          for (bool relative : {false, true}) {
            Problem<float> p(T, S, 9, T + T % 4, causal, relative);
            compare(isa, p, float_tolerance);
            p.mask_every(T % 2 == 0 ? 2 : 5);
            compare(isa, p, float_tolerance);
            p.set_ranges(T);
            compare(isa, p, float_tolerance);
            p.masked.clear();
            p.set_ranges(S);
            compare(isa, p, float_tolerance);
          }
  // Windows that slide, as of a melody over a motion.
  for (Isa isa : test::all_columns())
    for (std::int64_t K : {16, 64}) {
      Problem<float> p(130, 530, K, 1, false, false);
      for (std::int32_t i = 0; i < 130; ++i) {
        p.first.push_back(4 * i - 40);
        p.last.push_back(4 * i + 10);
      }
      p.solve();
      compare(isa, p, float_tolerance);
    }
}

TEST_CASE("relative attention backward: a query that sees no key, and a key that nobody sees, have none") {
  for (Isa isa : test::all_columns())
    for (std::int64_t T : {1, 3, 40})
      for (std::int64_t S : {0, 1, 40, 150})
        for (bool causal : {false, true}) {
          Problem<float> p(T, S, 17, T, causal);
          if (S > 0) p.mask_every(1);
          compare(isa, p, 1e-30);
          if (S < 150) continue;
          p.masked.assign(at(S), 1);
          p.masked[at(S - 1)] = 0;
          p.solve();
          compare(isa, p, float_tolerance);
        }
}

TEST_CASE(
    "relative attention backward: NaN in the gradient shows in its own query and the keys, no further") {
  for (Isa isa : test::all_columns()) {
    Problem<float> p(70, 70, 16, 70, true);
    p.dout[at(40 * p.dout_stride + 3)] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> dq(at(70 * p.dq_stride)), dk(at(70 * p.dk_stride)), dv(at(70 * p.dv_stride)),
        delta(70);
    RelativeAttentionBackwardArguments<float> a = p.arguments();
    a.dq = dq.data(), a.dk = dk.data(), a.dv = dv.data(), a.delta = delta.data();
    kernels::make_table<RelativeAttentionBackwardKernels<float>>(isa).backward(context, a);
    for (std::int64_t i = 0; i < 70; ++i) CHECK(std::isnan(dq[at(i * p.dq_stride)]) == (i == 40));
    CHECK(std::isnan(dk[0]));
    CHECK(std::isnan(dk[at(40 * p.dk_stride)]));
    CHECK(std::isnan(dv[3]));
    CHECK(!std::isnan(dv[2]));
  }
}

namespace {

// The values' gradient after a column's own forward pass, with scores of hundreds.
template <class T>
std::vector<double> gradient_of_saturated(Isa isa, std::int64_t K, bool causal, bool relative) {
  constexpr std::int64_t S = 150;
  Problem<T> p(S, S, K, S, causal, relative, 0);
  for (auto* operand : {&p.q, &p.k, &p.er, &p.er_t})
    for (T& value : *operand) value *= 12;
  std::vector<T> k_t(p.k.size()), dq(p.q.size()), dk(p.k.size()), dv(p.v.size()), delta(at(S));
  for (std::int64_t j = 0; j < S; ++j)
    for (std::int64_t c = 0; c < K; ++c) k_t[at(c * S + j)] = p.k[at(j * K + c)];
  kernels::RelativeAttentionArguments<T> forward;
  forward.q = p.q.data(), forward.k_t = k_t.data(), forward.v = p.v.data();
  forward.q_stride = forward.v_stride = forward.out_stride = K;
  forward.k_stride = forward.er_stride = forward.S = forward.L = S;
  if (relative) forward.er_t = p.er_t.data();
  forward.out = p.out.data(), forward.log_sum_exp = p.log_sum_exp.data();
  forward.K = K, forward.causal = causal, forward.scale = p.scale;
  kernels::make_table<kernels::RelativeAttentionKernels<T>>(isa).forward(context, forward, 0, S);
  RelativeAttentionBackwardArguments<T> a = p.arguments();
  a.dq = dq.data(), a.dk = dk.data(), a.dv = dv.data(), a.delta = delta.data();
  kernels::make_table<RelativeAttentionBackwardKernels<T>>(isa).backward(context, a);
  return {dv.begin(), dv.end()};
}

}  // namespace

TEST_CASE("relative attention backward: scores of hundreds, after the column's own forward pass") {
  // A float's rounding of such a score is 1e-5, and the sum's some times that: only where both passes sum it
  // alike do the probabilities stay near.
  for (std::int64_t K : {8, 16, 33, 64})
    for (bool causal : {false, true})
      for (bool relative : {false, true}) {
        const std::vector<double> expected = gradient_of_saturated<double>(Isa::scalar, K, causal, relative);
        for (Isa isa : test::all_columns()) {
          const std::vector<double> dv = gradient_of_saturated<float>(isa, K, causal, relative);
          double error = 0, size = 0;
          for (std::size_t n = 0; n < dv.size(); ++n) {
            error += (dv[n] - expected[n]) * (dv[n] - expected[n]);
            size += expected[n] * expected[n];
          }
          INFO(std::string(name_of(isa))
               << ", K = " << K << ", causal " << causal << ", relative " << relative);
          CHECK(size > 1);
          CHECK(std::sqrt(error / size) < 2e-5);
        }
      }
}

TEST_CASE("relative attention backward: nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<RelativeAttentionBackwardKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t S : {1, 7, 8, 17, 31, 40, 63, 64, 65, 70, 130})
        for (std::int64_t K : {1, 5, 8, 16, 19, 64})
          for (bool causal : {false, true})
            for (std::int64_t T : {std::int64_t{1}, S, S + 2}) {
              Problem<float> p(T, S, K, T, causal, true,
                               0);  // dense rows, L the largest distance and no more
              p.mask_every(4);
              if (T > S) p.set_ranges(S);
              test::EdgeBuffer<float> q(p.q, edge), k(p.k, edge), v(p.v, edge), er(p.er, edge),
                  er_t(p.er_t, edge), dout(p.dout, edge), out(p.out, edge), log_sum_exp(p.log_sum_exp, edge);
              test::EdgeBuffer<float> dq(T * K, edge), dk(S * K, edge), dv(S * K, edge), dEr(T * K, edge),
                  delta(T, edge);
              test::EdgeBuffer<std::uint8_t> masked(p.masked, edge);
              test::EdgeBuffer<std::int32_t> first(p.first, edge), last(p.last, edge);
              RelativeAttentionBackwardArguments<float> a = p.arguments();
              a.q = q.data(), a.k = k.data(), a.v = v.data(), a.er = er.data(), a.er_t = er_t.data();
              a.dout = dout.data(), a.out = out.data(), a.log_sum_exp = log_sum_exp.data();
              a.dq = dq.data(), a.dk = dk.data(), a.dv = dv.data(), a.dEr = dEr.data(),
              a.delta = delta.data();
              a.key_masked = masked.data();
              if (T > S) a.key_first = first.data(), a.key_last = last.data();
              table.backward(context, a);
              INFO(std::string(name_of(isa))
                   << ", S = " << S << ", K = " << K << ", T = " << T << ", causal " << causal);
              CHECK(test::max_difference(dq.data(), p.dq.data(), T * K) < float_tolerance);
              CHECK(test::max_difference(dk.data(), p.dk.data(), S * K) < float_tolerance);
              CHECK(test::max_difference(dv.data(), p.dv.data(), S * K) < float_tolerance);
              CHECK(test::max_difference(dEr.data(), p.dEr.data(), T * K) < float_tolerance);
            }
  }
}
