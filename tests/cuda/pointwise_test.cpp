// Columns that take elements, rows or planes one by one, beside the CPU: add, activations' gradients,
// embedding, batch norm, cross entropy, dropout, Adam, layer norm's gradients, permuted and joined axes.
#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/adam.hpp"
#include "imu2music/ops/add.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/concatenate.hpp"
#include "imu2music/ops/cross_entropy_backward.hpp"
#include "imu2music/ops/dropout.hpp"
#include "imu2music/ops/embedding.hpp"
#include "imu2music/ops/embedding_backward.hpp"
#include "imu2music/ops/layer_norm_backward.hpp"
#include "imu2music/ops/permute.hpp"

using namespace imu2music;
using test::check_close;
using test::numbers;

namespace {

const std::vector<std::int64_t> sizes = {1, 31, 32, 33, 127, 256, 257, 700};

}  // namespace

TEST_CASE("add, activations' gradients and dropout on the device") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto there = [&](const Tensor<float>& x) { return on_device_of(*context, x); };
  for (const std::int64_t n : sizes)
    for (const Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      INFO("n " << n);
      const auto a = numbers({n}, 1), b = numbers({n}, 2);
      check_close(*context, add(*context, there(a), there(b), activation, 0.1),
                  add(cpu, a, b, activation, 0.1), 0);
      if (activation != Activation::none)
        check_close(*context, activation_backward(*context, there(a), there(b), activation, 0.1),
                    activation_backward(cpu, a, b, activation, 0.1), 0);
      check_close(*context, dropout(*context, there(a), 0.3, 12345678901ull, 5),
                  dropout(cpu, a, 0.3, 12345678901ull, 5), 0);
    }
}

TEST_CASE("embedding and its gradient on the device, ids repeated often and never") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t D : {1, 33, 130})
    for (const std::int64_t length : {1, 7, 140}) {
      INFO("D " << D << ", length " << length);
      const std::int64_t V = 50;
      const auto table = numbers({V, D}, 1), positions = numbers({length + 3, D}, 2),
                 dy = numbers({2, length, D}, 3), before = numbers({V, D}, 4);
      Tensor<std::int64_t> ids({2, length});
      for (std::int64_t n = 0; n < ids.size(); ++n) ids[n] = n % 3 == 0 ? 7 : n * n % V;
      const auto table_there = on_device_of(*context, table);
      check_close(*context, embedding(*context, ids, table_there, on_device_of(*context, positions), 3),
                  embedding(cpu, ids, table, positions, 3), 0);
      check_close(*context, embedding(*context, ids, table_there, Tensor<float>()),
                  embedding(cpu, ids, table, Tensor<float>()), 0);
      Tensor<float> dtable = before.clone(), dtable_there = on_device_of(*context, before);
      embedding_backward(cpu, dy, ids, dtable);
      embedding_backward(*context, on_device_of(*context, dy), ids, dtable_there);
      check_close(*context, dtable_there, dtable, 0);
    }
}

TEST_CASE("batch norm, permuted and joined axes on the device") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto there = [&](const Tensor<float>& x) { return on_device_of(*context, x); };
  for (const std::int64_t I : {1, 33, 100}) {
    const auto x = numbers({3, 5, I}, 1), scale = numbers({5}, 2), shift = numbers({5}, 3),
               y = numbers({3, 2, I}, 4);
    check_close(*context, batch_norm(*context, there(x), there(scale), there(shift), Activation::relu),
                batch_norm(cpu, x, scale, shift, Activation::relu));
    for (const auto& order : {std::vector<int>{0, 1, 2}, {0, 2, 1}, {2, 1, 0}, {1, 2, 0}})
      check_close(*context, permute(*context, there(x), order), permute(cpu, x, order), 0);
    const std::vector<Tensor<float>> parts = {x, y}, parts_there = {there(x), there(y)};
    check_close(*context, concatenate(*context, std::span<const Tensor<float>>(parts_there), 1),
                concatenate(cpu, std::span<const Tensor<float>>(parts), 1), 0);
  }
}

TEST_CASE("cross entropy's gradient on the device, smoothed and not, padding among the targets") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t V : {1, 31, 32, 33, 243})
    for (const double smoothing : {0.0, 0.2}) {
      INFO("V " << V << ", smoothing " << smoothing);
      const std::int64_t rows = 19;
      const auto logits = numbers({rows, V}, 1);
      Tensor<std::int64_t> targets({rows});
      for (std::int64_t n = 0; n < rows; ++n) targets[n] = n % 4 == 1 ? 1000 : n % V;
      Tensor<float> d(logits.shape()), d_there = context->allocate<float>(logits.shape());
      const auto wanted = cross_entropy_backward(cpu, logits, targets, 1000, smoothing, 0.25, d);
      const auto got = cross_entropy_backward(*context, on_device_of(*context, logits), targets, 1000,
                                              smoothing, 0.25, d_there);
      CHECK(got.nll == doctest::Approx(wanted.nll));
      CHECK(got.loss == doctest::Approx(wanted.loss));
      CHECK(got.count == wanted.count);
      check_close(*context, d_there, d);
    }
}

TEST_CASE("Adam and the sum of squares on the device") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t n : {1, 33, 4095, 4096, 4097, 9000}) {
    INFO("n " << n);
    auto p = numbers({n}, 1), m = numbers({n}, 3), v = numbers({n}, 4);
    const auto g = numbers({n}, 2);
    for (float& x : v.values()) x *= x;
    auto p_there = on_device_of(*context, p), m_there = on_device_of(*context, m),
         v_there = on_device_of(*context, v);
    const auto g_there = on_device_of(*context, g);
    CHECK(sum_of_squares(*context, g_there) == doctest::Approx(sum_of_squares(cpu, g)).epsilon(1e-12));
    const AdamOptions options{.learning_rate = 0.01, .weight_decay = 0.1, .decoupled = true};
    adam_step(cpu, p, g, m, v, 2, 0.5, options);
    adam_step(*context, p_there, g_there, m_there, v_there, 2, 0.5, options);
    check_close(*context, p_there, p);
    check_close(*context, m_there, m);
    check_close(*context, v_there, v);
  }
}

TEST_CASE("layer norm's gradients on the device") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto there = [&](const Tensor<float>& x) { return on_device_of(*context, x); };
  for (const std::int64_t D : {2, 31, 32, 33, 130})
    for (const std::int64_t rows : {1, 9, 40})
      for (const bool with_residual : {false, true}) {
        INFO("D " << D << ", rows " << rows << ", residual " << with_residual);
        const auto x = numbers({rows, D}, 1), dy = numbers({rows, D}, 2), gamma = numbers({D}, 3);
        const auto r = with_residual ? numbers({rows, D}, 4) : Tensor<float>();
        auto dgamma = numbers({D}, 5), dbeta = numbers({D}, 6);
        auto dgamma_there = there(dgamma), dbeta_there = there(dbeta);
        const auto wanted = layer_norm_backward(cpu, dy, x, r, gamma, 1e-5f, dgamma, dbeta);
        check_close(*context,
                    layer_norm_backward(*context, there(dy), there(x), there(r), there(gamma), 1e-5f,
                                        dgamma_there, dbeta_there),
                    wanted, D == 2 ? 1e-3 : 5e-5);
        check_close(*context, dgamma_there, dgamma, 5e-5);
        check_close(*context, dbeta_there, dbeta, 5e-5);
      }
}
