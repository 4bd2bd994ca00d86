#include "cpu/relative_attention.hpp"

#include <functional>
#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::RelativeAttentionArguments;
using kernels::RelativeAttentionKernels;

namespace {

const kernels::Context context;
constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// One head's operands, in the layout of the kernel, with strides wider than the rows.
template <class T>
struct Problem {
  std::int64_t queries, S, K, L, offset;  // offset: position of the first query
  bool causal, relative;
  std::int64_t q_stride, k_stride, v_stride, er_stride, out_stride;
  std::vector<T> q, k_t, v, er_t;
  std::vector<std::uint8_t> masked;
  std::vector<std::int32_t> first, last;  // of every query's keys; empty: all
  T scale;

  Problem(std::int64_t T_, std::int64_t S_, std::int64_t K_, std::int64_t L_, std::int64_t offset_,
          bool causal_, bool relative_ = true)
      : queries(T_),
        S(S_),
        K(K_),
        L(L_),
        offset(offset_),
        causal(causal_),
        relative(relative_),
        q_stride(K_ + 1),
        k_stride(S_ + 3),
        v_stride(K_ + 2),
        er_stride(L_ + 1),
        out_stride(K_ + 5),
        scale(static_cast<T>(1 / std::sqrt(double(K_)))) {
    const auto seed = static_cast<std::uint64_t>(1 + T_ + 100 * S_ + 10000 * K_);
    q = test::some_numbers<T>(queries * q_stride, seed);
    k_t = test::some_numbers<T>(K * k_stride, seed + 1);
    v = test::some_numbers<T>(S * v_stride, seed + 2);
    er_t = test::some_numbers<T>(K * er_stride, seed + 3);
    for (T& value : q) value *= 4;  // scores spread over some units
  }
  void mask_every(std::int64_t step) {
    masked.assign(at(S), 0);
    for (std::int64_t j = 0; j < S; j += step) masked[at(j)] = 1;
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
  }
  RelativeAttentionArguments<T> arguments(T* out, T* log_sum_exp) const {
    RelativeAttentionArguments<T> a;
    a.q = q.data();
    a.q_stride = q_stride;
    a.k_t = k_t.data();
    a.k_stride = k_stride;
    a.v = v.data();
    a.v_stride = v_stride;
    a.er_t = relative ? er_t.data() : nullptr;
    a.er_stride = er_stride;
    a.out = out;
    a.out_stride = out_stride;
    a.log_sum_exp = log_sum_exp;
    a.key_masked = masked.empty() ? nullptr : masked.data();
    a.key_first = first.empty() ? nullptr : first.data();
    a.key_last = last.empty() ? nullptr : last.data();
    a.S = S;
    a.L = L;
    a.K = K;
    a.query_offset = offset;
    a.causal = causal;
    a.scale = scale;
    return a;
  }
};

struct Result {
  std::vector<double> out, log_sum_exp;  // [queries, K], [queries]
};

// Softmax over each row of the full score matrix, then the weighted sum of the values.
template <class T>
Result finish(const Problem<T>& p, const std::vector<double>& scores) {
  Result result{std::vector<double>(at(p.queries * p.K), 0.0), std::vector<double>(at(p.queries), -infinity)};
  for (std::int64_t i = 0; i < p.queries; ++i) {
    auto seen = [&](std::int64_t j) {
      return !(p.causal && j > p.offset + i) && (p.masked.empty() || p.masked[at(j)] == 0) &&
             (p.first.empty() || (j >= p.first[at(i)] && j < p.last[at(i)]));
    };
    double maximum = -infinity, sum = 0;
    for (std::int64_t j = 0; j < p.S; ++j)
      if (seen(j)) maximum = std::max(maximum, scores[at(i * p.S + j)]);
    for (std::int64_t j = 0; j < p.S; ++j)
      if (seen(j)) sum += std::exp(scores[at(i * p.S + j)] - maximum);
    if (sum == 0) continue;
    result.log_sum_exp[at(i)] = maximum + std::log(sum);
    for (std::int64_t j = 0; j < p.S; ++j)
      if (seen(j))
        for (std::int64_t c = 0; c < p.K; ++c)
          result.out[at(i * p.K + c)] +=
              std::exp(scores[at(i * p.S + j)] - maximum) / sum * double(p.v[at(j * p.v_stride + c)]);
  }
  return result;
}

// The definition: for each pair the row of Er that belongs to its distance.
template <class T>
Result by_gathering(const Problem<T>& p) {
  std::vector<double> scores(at(p.queries * p.S));
  for (std::int64_t i = 0; i < p.queries; ++i)
    for (std::int64_t j = 0; j < p.S; ++j) {
      const std::int64_t distance = p.offset + i - j;
      double sum = 0;
      for (std::int64_t c = 0; c < p.K; ++c) {
        double k = double(p.k_t[at(c * p.k_stride + j)]);
        if (p.relative && distance >= 0) k += double(p.er_t.at(at(c * p.er_stride + p.L - 1 - distance)));
        sum += double(p.q[at(i * p.q_stride + c)]) * k;
      }
      scores[at(i * p.S + j)] = sum * double(p.scale);
    }
  return finish(p, scores);
}

// The textbook's skew on the full matrix, S = queries = n: Q Er^T with the last n rows of Er; entries that
// would land right of the diagonal set to 0; one column of zeros padded on the left; [n, n + 1] read as
// [n + 1, n]; the first row dropped.
template <class T>
Result by_skewing(const Problem<T>& p) {
  const std::int64_t n = p.S;
  REQUIRE(p.queries == n);
  REQUIRE(p.offset == 0);
  std::vector<double> padded(at(n * (n + 1)), 0.0);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t l = 0; l < n; ++l) {
      double sum = 0;
      for (std::int64_t c = 0; c < p.K; ++c)
        sum += double(p.q[at(i * p.q_stride + c)]) * double(p.er_t[at(c * p.er_stride + p.L - n + l)]);
      padded[at(i * (n + 1) + 1 + l)] = l >= n - 1 - i ? sum : 0;
    }
  std::vector<double> scores(at(n * n));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = padded[at((i + 1) * n + j)];
      for (std::int64_t c = 0; c < p.K; ++c)
        sum += double(p.q[at(i * p.q_stride + c)]) * double(p.k_t[at(c * p.k_stride + j)]);
      scores[at(i * n + j)] = sum * double(p.scale);
    }
  return finish(p, scores);
}

// Runs a column and holds it against an expected result.
template <class T>
void compare(Isa isa, const Problem<T>& p, const Result& expected, double tolerance) {
  auto table = kernels::make_table<RelativeAttentionKernels<T>>(isa);
  for (std::int64_t offset : {0, 1}) {
    test::GuardedBuffer<T> out(p.queries * p.out_stride, offset), log_sum_exp(p.queries, offset);
    for (std::int64_t i = 0; i < out.size(); ++i) out[i] = 77;
    table.forward(context, p.arguments(out.data(), log_sum_exp.data()), 0, p.queries);
    double worst = 0, worst_log = 0;
    bool between_rows_intact = true;
    for (std::int64_t i = 0; i < p.queries; ++i) {
      for (std::int64_t c = 0; c < p.K; ++c) {
        const double difference = std::abs(double(out[i * p.out_stride + c]) - expected.out[at(i * p.K + c)]);
        if (!(difference <= worst)) worst = difference;
      }
      for (std::int64_t c = p.K; c < p.out_stride; ++c)
        between_rows_intact = between_rows_intact && out[i * p.out_stride + c] == 77;
      const double wanted = expected.log_sum_exp[at(i)];
      if (wanted == -infinity) {
        CHECK(double(log_sum_exp[i]) == -infinity);
      } else {
        const double difference = std::abs(double(log_sum_exp[i]) - wanted) / (1 + std::abs(wanted));
        if (!(difference <= worst_log)) worst_log = difference;
      }
    }
    INFO(name_of(isa) << ", T = " << p.queries << ", S = " << p.S << ", K = " << p.K << ", L = " << p.L
                      << ", offset " << p.offset << ", causal " << p.causal << ", relative " << p.relative
                      << ", masked " << !p.masked.empty() << ", ranges " << !p.first.empty());
    CHECK(worst < tolerance);
    CHECK(worst_log < tolerance);
    CHECK(between_rows_intact);
    CHECK(out.guards_intact());
    CHECK(log_sum_exp.guards_intact());
  }
}

const std::vector<std::int64_t> head_widths = {1, 3, 4, 8, 15, 16, 17, 31, 32, 33, 64, 100, 256};

}  // namespace

TEST_CASE(
    "relative attention: gathering and the textbook's skew are the same, and the scalar column is both") {
  for (std::int64_t n : {1, 2, 3, 5, 8, 31, 32, 33, 70})
    for (bool causal : {false, true})
      for (std::int64_t extra : {0, 1, 9}) {
        const Problem<double> p(n, n, 6, n + extra, 0, causal);
        const Result gathered = by_gathering(p), skewed = by_skewing(p);
        CHECK(test::max_difference(gathered.out.data(), skewed.out.data(), n * p.K) < 1e-13);
        CHECK(test::max_difference(gathered.log_sum_exp.data(), skewed.log_sum_exp.data(), n) < 1e-13);
        compare(Isa::scalar, p, skewed, 1e-12);
      }
}

TEST_CASE("relative attention: hand-computed") {
  // K = 1, two positions: scores of query 1 are q (k_0 + Er[0]) = ln 2 and q (k_1 + Er[1]) = 0, so the
  // weights are 2/3, 1/3.
  const double ln2 = std::log(2.0);
  const double q[] = {1, 1}, k_t[] = {ln2 - 5, -7}, er_t[] = {5, 7}, v[] = {3, 9};
  double out[2], log_sum_exp[2];
  RelativeAttentionArguments<double> a;
  a.q = q;
  a.q_stride = 1;
  a.k_t = k_t;
  a.k_stride = 2;
  a.v = v;
  a.v_stride = 1;
  a.er_t = er_t;
  a.er_stride = 2;
  a.out = out;
  a.out_stride = 1;
  a.log_sum_exp = log_sum_exp;
  a.S = a.L = 2;
  a.K = 1;
  a.causal = true;
  kernels::make_table<RelativeAttentionKernels<double>>(Isa::scalar).forward(context, a, 0, 2);
  CHECK(out[0] == doctest::Approx(3));  // the first query sees itself alone
  CHECK(log_sum_exp[0] == doctest::Approx(ln2 - 5 + 7));
  CHECK(out[1] == doctest::Approx(5));
  CHECK(log_sum_exp[1] == doctest::Approx(std::log(3.0)));
}

TEST_CASE("relative attention: the scalar column in double, every kind of head") {
  for (std::int64_t S : {1, 2, 31, 32, 33, 65})
    for (bool causal : {false, true})
      for (bool relative : {false, true})
        for (std::int64_t mask : {0, 1, 2, 3}) {
          Problem<double> p(S + 4, S, 5, 2 * S + 8, 0, causal, relative);
          if (mask > 0) p.mask_every(mask);
          compare(Isa::scalar, p, by_gathering(p), 1e-12);
          Problem<double> later(3, S, 5, 2 * S + 8, S - 1, causal, relative);
          if (mask > 0) later.mask_every(mask);
          compare(Isa::scalar, later, by_gathering(later), 1e-12);
        }
}

TEST_CASE("relative attention: every column at every number of keys and head width around the vectors'") {
  for (Isa isa : test::all_columns()) {
    for (std::int64_t S = 1; S <= 70; ++S)
      for (bool causal : {false, true}) {
        const Problem<float> p(S, S, head_widths[at(S % 9)], S, 0, causal);
        compare(isa, p, by_gathering(p), 1e-5);
      }
    for (std::int64_t K : head_widths)
      for (std::int64_t S : {1, 17, 40, 130})
        for (bool causal : {false, true}) {
          const Problem<float> p(S, S, K, S + 11, 0, causal);
          compare(isa, p, by_gathering(p), 1e-5);
        }
    for (std::int64_t S : {128, 150, 300})
      for (std::int64_t K : {16, 64}) {
        const Problem<float> p(S, S, K, S, 0, true);
        compare(isa, p, by_skewing(p), 1e-5);
      }
    // A decoding step against a long cache.
    for (std::int64_t S : {511, 512, 513, 1300})
      for (std::int64_t K : {5, 64}) {
        const Problem<float> step(1, S, K, S, S - 1, true);
        compare(isa, step, by_gathering(step), 1e-5);
        const Problem<float> memory(2, S, K, 1, 0, false, false);
        compare(isa, memory, by_gathering(memory), 1e-5);
      }
    const Problem<float> encoder(150, 150, 16, 150, 0, false);
    compare(isa, encoder, by_skewing(encoder), 1e-5);
  }
}

TEST_CASE(
    "relative attention: every column with key masks, offsets, and keys of another number than queries") {
  for (Isa isa : test::all_columns())
    for (std::int64_t S : {1, 7, 16, 33, 64, 65, 100, 129})
      for (std::int64_t T : {1, 2, 3, 4, 5, 9, 34})
        for (bool causal : {false, true})
          for (bool relative : {false, true}) {
            const std::int64_t offset = std::max<std::int64_t>(0, S - T / 2);
            for (std::int64_t first : {std::int64_t{0}, offset}) {
              Problem<float> p(T, S, 9, S + T + 3, first, causal, relative);
              compare(isa, p, by_gathering(p), 1e-5);
              p.mask_every(T % 2 == 0 ? 2 : 5);
              compare(isa, p, by_gathering(p), 1e-5);
            }
          }
}

TEST_CASE("relative attention: every column with a range of keys for every query") {
  for (Isa isa : test::all_columns())
    for (std::int64_t S : {1, 7, 8, 16, 31, 33, 64, 65, 100, 129, 300})
      for (std::int64_t T : {1, 2, 3, 4, 5, 9, 34, 70})
        for (bool causal : {false, true})
          for (bool relative : {false, true}) {
            Problem<float> p(T, S, 9, S + T + 3, std::max<std::int64_t>(0, S - T / 2), causal, relative);
            for (std::int64_t kind : {0, 1, 5}) {
              p.masked.clear();
              p.set_ranges(kind);
              compare(isa, p, by_gathering(p), 1e-5);
              p.mask_every(3);
              compare(isa, p, by_gathering(p), 1e-5);
            }
          }
  // Windows that slide, as of a melody over a motion.
  for (Isa isa : test::all_columns()) {
    Problem<float> p(130, 530, 16, 1, 0, false, false);
    for (std::int32_t i = 0; i < 130; ++i) {
      p.first.push_back(4 * i - 40);
      p.last.push_back(4 * i + 10);
    }
    compare(isa, p, by_gathering(p), 1e-5);
  }
  Problem<double> p(40, 70, 5, 120, 3, true);
  p.set_ranges(2);
  compare(Isa::scalar, p, by_gathering(p), 1e-12);
}

TEST_CASE("relative attention: a query that may see no key gives zeros") {
  for (Isa isa : test::all_columns())
    for (std::int64_t T : {1, 3, 40})
      for (std::int64_t S : {0, 1, 40, 150})
        for (bool causal : {false, true}) {
          Problem<float> p(T, S, 17, std::max(T, S), 0, causal);
          if (S > 0) p.mask_every(1);
          compare(isa, p, by_gathering(p), 1e-30);
          // The first tiles left out as a whole, the last keys seen.
          if (S < 150) continue;
          p.masked.assign(at(S), 1);
          p.masked[at(S - 1)] = 0;
          compare(isa, p, by_gathering(p), 1e-5);
        }
}

TEST_CASE("relative attention: scores of any size give no NaN, and NaN in the operands shows") {
  for (Isa isa : test::all_columns())
    for (std::int64_t T : {1, 33}) {
      Problem<float> p(T, 100, 16, 140, 0, false);
      p.scale = 1e4f;
      const Result expected = by_gathering(p);
      compare(isa, p, expected, 1.0);  // nearly hard choices: close scores may swap, so the values bound it
      p.scale = -3e30f;
      compare(isa, p, by_gathering(p), 2.1);
      p.scale = 1e-30f;
      compare(isa, p, by_gathering(p), 1e-5);
      p.scale = 0.25f;
      p.q[at((T - 1) * p.q_stride + 3)] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> out(at(T * p.out_stride)), log_sum_exp(at(T));
      kernels::make_table<RelativeAttentionKernels<float>>(isa).forward(
          context, p.arguments(out.data(), log_sum_exp.data()), 0, T);
      CHECK(std::isnan(out[at((T - 1) * p.out_stride)]));
      CHECK(std::isnan(log_sum_exp[at(T - 1)]));
      if (T > 1) CHECK(!std::isnan(out[0]));
    }
}

TEST_CASE("relative attention: a query has the same bits alone against a cache as among all the others") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<RelativeAttentionKernels<float>>(isa);
    for (std::int64_t K : {4, 16, 17, 64})
      for (std::int64_t T : {1, 5, 31, 64, 150, 530})
        for (std::int64_t mask : {0, 3, 5}) {  // 5: with ranges
          if (T > 500 && K > 4) continue;
          Problem<float> p(T, T, K, T + 2, 0, true);
          if (mask > 0) p.mask_every(mask);
          if (mask == 5) p.set_ranges(T);
          std::vector<float> whole(at(T * p.out_stride), 0.0f), whole_log(at(T), 0.0f);
          table.forward(context, p.arguments(whole.data(), whole_log.data()), 0, T);
          INFO(name_of(isa) << ", K = " << K << ", T = " << T << ", mask " << mask);

          std::vector<float> alone(at(T * p.out_stride), 0.0f), alone_log(at(T), 0.0f);
          for (std::int64_t i = 0; i < T; ++i) {
            auto a = p.arguments(alone.data() + i * p.out_stride, alone_log.data() + i);
            a.q += i * p.q_stride;
            a.S = i + 1;
            a.query_offset = i;
            if (a.key_first != nullptr) {
              a.key_first += i;
              a.key_last += i;
            }
            table.forward(context, a, 0, 1);
          }
          CHECK(test::same_bits(whole.data(), alone.data(), T * p.out_stride));
          CHECK(test::same_bits(whole_log.data(), alone_log.data(), T));

          for (bool causal : {true, false}) {
            p.causal = causal;
            table.forward(context, p.arguments(whole.data(), whole_log.data()), 0, T);
            for (std::int64_t step : {1, 3, 4, 7, 33}) {
              std::vector<float> split(at(T * p.out_stride), 0.0f), split_log(at(T), 0.0f);
              for (std::int64_t i = 0; i < T; i += step)
                table.forward(context, p.arguments(split.data(), split_log.data()), i, std::min(T, i + step));
              CHECK(test::same_bits(whole.data(), split.data(), T * p.out_stride));
              CHECK(test::same_bits(whole_log.data(), split_log.data(), T));
            }
          }
        }
  }
}

TEST_CASE("relative attention: nothing outside the operands is read") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<RelativeAttentionKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t S : {1, 2, 7, 8, 15, 16, 17, 31, 40, 63, 64, 65, 70, 130, 515})
        for (std::int64_t K : {1, 5, 8, 16, 19})
          for (bool causal : {false, true})
            for (std::int64_t T : {std::int64_t{1}, S, S + 2}) {
              if (S > 200 && T > 1) continue;
              // Dense rows, no padding, L the largest distance and no more.
              const std::int64_t offset = T == 1 ? S - 1 : 0, L = offset + T;
              Problem<float> p(T, S, K, L, offset, causal);
              p.q_stride = p.v_stride = p.out_stride = K;
              p.k_stride = S;
              p.er_stride = L;
              p.q.resize(at(T * K));
              p.k_t.resize(at(K * S));
              p.v.resize(at(S * K));
              p.er_t.resize(at(K * L));
              p.mask_every(4);
              if (T > S) p.set_ranges(S);
              test::EdgeBuffer<float> q(p.q, edge), k_t(p.k_t, edge), v(p.v, edge), er_t(p.er_t, edge);
              test::EdgeBuffer<float> out(T * K, edge), log_sum_exp(T, edge);
              test::EdgeBuffer<std::uint8_t> masked(p.masked, edge);
              test::EdgeBuffer<std::int32_t> first(p.first, edge), last(p.last, edge);
              auto a = p.arguments(out.data(), log_sum_exp.data());
              a.q = q.data();
              a.k_t = k_t.data();
              a.v = v.data();
              a.er_t = er_t.data();
              a.key_masked = masked.data();
              if (T > S) {
                a.key_first = first.data();
                a.key_last = last.data();
              }
              table.forward(context, a, 0, T);
              INFO(name_of(isa) << ", S = " << S << ", K = " << K << ", T = " << T << ", causal " << causal);
              CHECK(test::max_difference(out.data(), by_gathering(p).out.data(), T * K) < 1e-5);
            }
  }
}

TEST_CASE("relative attention: no log-sum-exp is written where none is wanted, no query outside the range") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<RelativeAttentionKernels<float>>(isa);
    const Problem<float> p(40, 40, 8, 40, 0, true);
    std::vector<float> out(at(40 * p.out_stride), 77.0f);
    table.forward(context, p.arguments(out.data(), nullptr), 3, 38);
    for (std::int64_t c = 0; c < p.K; ++c) {
      CHECK(out[at(2 * p.out_stride + c)] == 77);
      CHECK(out[at(38 * p.out_stride + c)] == 77);
      CHECK(out[at(3 * p.out_stride + c)] != 77);
      CHECK(out[at(37 * p.out_stride + c)] != 77);
    }
  }
}
