// ops/relative_attention.hpp with its gradient: probabilities are computed again from the softmax's
// normaliser, so no [T, S] matrix is kept or formed (Dao et al. 2022, arXiv:2205.14135, section 3.1).
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/relative_attention.hpp"
#include "imu2music/ops/relative_attention_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> relative_self_attention(Context& context, const Variable<T>& qkv, const Variable<T>& Er,
                                    std::int64_t heads, bool causal,
                                    const Tensor<std::uint8_t>& key_masked = {}) {
  Tensor<T> log_sum_exp;
  Tensor<T> out =
      relative_self_attention(context, qkv.value(), Er.value(), heads, causal, key_masked, &log_sum_exp);
  return Tape<T>::of(context).record(out, {&qkv, &Er}, [=](Tape<T>& tape, const Tensor<T>& dout) {
    Tensor<T> dEr = tape.gradient_sum(Er);
    tape.accumulate(qkv, relative_self_attention_backward(tape.context(), dout, qkv.value(), Er.value(), out,
                                                          log_sum_exp, heads, causal, key_masked, dEr));
  });
}

template <class T>
Variable<T> cross_attention(Context& context, const Variable<T>& q, const Variable<T>& kv, std::int64_t heads,
                            const KeyRanges& ranges = {}) {
  Tensor<T> log_sum_exp;
  Tensor<T> out = cross_attention(context, q.value(), kv.value(), heads, ranges, &log_sum_exp);
  return Tape<T>::of(context).record(out, {&q, &kv}, [=](Tape<T>& tape, const Tensor<T>& dout) {
    const CrossAttentionGradients<T> gradients = cross_attention_backward(
        tape.context(), dout, q.value(), kv.value(), out, log_sum_exp, heads, ranges);
    tape.accumulate(q, gradients.dq);
    tape.accumulate(kv, gradients.dkv);
  });
}

}  // namespace imu2music::inline v0
