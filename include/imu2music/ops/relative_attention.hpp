// Multi-head attention with relative positions, without or with a cache, and plain cross-attention: all on
// one fused kernel that never forms a [T, S] matrix (formula and sources:
// kernels/relative_attention_table.hpp).
//
// Head h owns columns h K .. h K + K - 1 of each D = H K wide row. Queries are scaled by K^(-1/2) inside.
#pragma once

#include <algorithm>
#include <cmath>
#include <cpu/relative_attention.hpp>
#include <cpu/strided_copy.hpp>
#include <memory>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// Which keys a query may see: query i of batch b the keys first[b][i]..last[b][i] - 1 of its batch, none
// where first >= last. Both [B, T], or both undefined: every key.
struct KeyRanges {
  Tensor<std::int32_t> first, last;
};

namespace detail {

constexpr std::int64_t query_block = 32;  // queries that one task of attention takes

// Numbers from one row of turned keys to the next: no power of two, of which processors' caches hold few.
inline std::int64_t turned_row(std::int64_t keys) { return keys + 16; }

// out[c][r] = in[r][c] for a block of `rows` x `columns`. A cache line of each of out's rows is filled at
// once: their distance may be a power of two, of which caches hold few.
template <class T>
void transpose(const T* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns, T* out,
               std::int64_t out_stride) {
  constexpr std::int64_t line = 64 / sizeof(T);
  for (std::int64_t first = 0; first < rows; first += line) {
    const std::int64_t last = std::min(first + line, rows);
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t r = first; r < last; ++r) out[c * out_stride + r] = in[r * in_stride + c];
  }
}

template <class T>
Tensor<T> transposed(Context& context, const Tensor<T>& matrix) {
  Tensor<T> result = context.allocate<T>({matrix.dim(1), matrix.dim(0)});
  transpose(matrix.data(), matrix.dim(1), matrix.dim(0), matrix.dim(1), result.data(), matrix.dim(0));
  return result;
}

inline void require_heads(const char* operation, std::int64_t D, std::int64_t heads) {
  require(heads >= 1 && D % heads == 0 && D / heads <= kernels::max_head_width, operation, [&] {
    return std::to_string(heads) + " heads do not divide the width " + std::to_string(D) +
           " into heads of at most " + std::to_string(kernels::max_head_width);
  });
}

template <class T>
void require_self_attention(const char* operation, const Tensor<T>& qkv, const Tensor<T>& Er,
                            std::int64_t heads, const Tensor<std::uint8_t>& key_masked) {
  require(qkv.rank() == 3 && qkv.dim(2) % 3 == 0, operation, [&] {
    return "queries, keys and values must come side by side as (B, T, 3 D), not " + qkv.shape().to_string();
  });
  const std::int64_t B = qkv.dim(0), length = qkv.dim(1), D = qkv.dim(2) / 3;
  require_heads(operation, D, heads);
  require(Er.rank() == 2 && Er.dim(1) == D / heads && Er.dim(0) >= length, operation, [&] {
    return "Er " + Er.shape().to_string() + " must hold at least " + std::to_string(length) +
           " positions of width " + std::to_string(D / heads);
  });
  require(!key_masked.defined() || key_masked.shape() == Shape{B, length}, operation, [&] {
    return "key mask " + key_masked.shape().to_string() + " must be (" + std::to_string(B) + ", " +
           std::to_string(length) + ")";
  });
}

template <class T>
void require_cross_attention(const char* operation, const Tensor<T>& q, const Tensor<T>& kv,
                             std::int64_t heads, const KeyRanges& ranges) {
  require(
      q.rank() == 3 && kv.rank() == 3 && kv.dim(0) == q.dim(0) && kv.dim(2) == 2 * q.dim(2), operation, [&] {
        return "queries " + q.shape().to_string() + " do not fit keys and values " + kv.shape().to_string();
      });
  require_heads(operation, q.dim(2), heads);
  const Shape wanted{q.dim(0), q.dim(1)};
  require(ranges.first.defined() == ranges.last.defined() &&
              (!ranges.first.defined() || (ranges.first.shape() == wanted && ranges.last.shape() == wanted)),
          operation, [&] {
            return "key ranges " + ranges.first.shape().to_string() + " to " +
                   ranges.last.shape().to_string() + " must both be " + wanted.to_string();
          });
}

// `shared` holds what is alike in every head and batch; q, k, v are [B, T, D], [B, S, D], [B, S, D] with row
// strides.
template <class T>
Tensor<T> attention(Context& context, kernels::RelativeAttentionArguments<T> shared, const T* q, const T* k,
                    std::int64_t k_stride, const T* v, const std::uint8_t* key_masked,
                    const KeyRanges& ranges, std::int64_t B, std::int64_t H, std::int64_t queries,
                    Tensor<T>* log_sum_exp) {
  const std::int64_t K = shared.K, D = H * K, S = shared.S;
  Tensor<T> out = context.allocate<T>({B, queries, D});
  shared.out_stride = D;
  shared.scale = T(1) / std::sqrt(static_cast<T>(K));
  const std::int64_t row = turned_row(S);
  Tensor<T> k_t = context.allocate<T>({B, H, K, row});
  shared.k_stride = row;
  parallel_for(context.threads(), B * H, grain_for(S * K), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      transpose(k + n / H * S * k_stride + n % H * K, k_stride, S, K, k_t.data() + n * K * row, row);
  });
  if (log_sum_exp != nullptr) *log_sum_exp = context.allocate<T>({B, H, queries});
  const std::int64_t blocks = (queries + query_block - 1) / query_block;
  const auto& table = context.table<kernels::RelativeAttentionKernels<T>>();
  parallel_for(context.threads(), B * H * blocks, grain_for(3 * query_block * S * K),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t n = task / blocks, b = n / H, h = n % H,
                                      first = task % blocks * query_block;
                   kernels::RelativeAttentionArguments<T> arguments = shared;
                   arguments.q = q + b * queries * shared.q_stride + h * K;
                   arguments.k_t = k_t.data() + n * K * row;
                   arguments.v = v + b * S * shared.v_stride + h * K;
                   arguments.out = out.data() + b * queries * D + h * K;
                   arguments.key_masked = key_masked == nullptr ? nullptr : key_masked + b * S;
                   if (ranges.first.defined()) {
                     arguments.key_first = ranges.first.data() + b * queries;
                     arguments.key_last = ranges.last.data() + b * queries;
                   }
                   if (log_sum_exp != nullptr) arguments.log_sum_exp = log_sum_exp->data() + n * queries;
                   table.forward(context.kernel(), arguments, first, std::min(first + query_block, queries));
                 }
               });
  return out;
}

}  // namespace detail

namespace detail {

// On a device: all heads in one launch. `batch` has what differs between the two kinds of attention.
template <class T>
Tensor<T> attention_on_device(Context& context, kernels::RelativeAttentionBatch<T> batch,
                              const Tensor<std::uint8_t>& key_masked, const KeyRanges& ranges,
                              Tensor<T>* log_sum_exp) {
  const Tensor<std::uint8_t> masked = on_device_of(context, key_masked);
  const Tensor<std::int32_t> first = on_device_of(context, ranges.first),
                             last = on_device_of(context, ranges.last);
  const std::int64_t D = batch.H * batch.K;
  Tensor<T> out = context.allocate<T>({batch.B, batch.queries, D});
  if (log_sum_exp != nullptr) *log_sum_exp = context.allocate<T>({batch.B, batch.H, batch.queries});
  batch.out = out.data();
  batch.out_stride = D;
  batch.log_sum_exp = log_sum_exp == nullptr ? nullptr : log_sum_exp->data();
  batch.key_masked = masked.data();
  batch.key_first = first.data();
  batch.key_last = last.data();
  batch.scale = T(1) / std::sqrt(static_cast<T>(batch.K));
  context.table<kernels::RelativeAttentionKernels<T>>().forward_batch(context.kernel(), batch);
  return out;
}

}  // namespace detail

// Self-attention. qkv: [B, T, 3 D], queries, keys and values side by side; Er: [L, K] shared by the heads, L
// >= T; key_masked: [B, T], nonzero where no query may look (padding), or undefined; result: [B, T, D].
// log_sum_exp, where wanted, becomes the softmax's normaliser, [B, H, T], for the gradient.
template <class T>
Tensor<T> relative_self_attention(Context& context, const Tensor<T>& qkv, const Tensor<T>& Er,
                                  std::int64_t heads, bool causal,
                                  const Tensor<std::uint8_t>& key_masked = {},
                                  Tensor<T>* log_sum_exp = nullptr) {
  detail::require_self_attention("relative_self_attention", qkv, Er, heads, key_masked);
  const std::int64_t B = qkv.dim(0), length = qkv.dim(1), D = qkv.dim(2) / 3, K = D / heads;
  if (context.on_device()) {
    kernels::RelativeAttentionBatch<T> batch;
    batch.q = qkv.data(), batch.k = qkv.data() + D, batch.v = qkv.data() + 2 * D, batch.er = Er.data();
    batch.q_stride = batch.k_stride = batch.v_stride = 3 * D;
    batch.B = B, batch.H = heads, batch.queries = batch.S = length, batch.L = Er.dim(0), batch.K = K;
    batch.causal = causal;
    return detail::attention_on_device(context, batch, key_masked, {}, log_sum_exp);
  }
  Tensor<T> er_t = detail::transposed(context, Er);
  kernels::RelativeAttentionArguments<T> shared;
  shared.q_stride = shared.v_stride = 3 * D;
  shared.er_t = er_t.data();
  shared.er_stride = shared.L = Er.dim(0);
  shared.S = length;
  shared.K = K;
  shared.causal = causal;
  return detail::attention(context, shared, qkv.data(), qkv.data() + D, 3 * D, qkv.data() + 2 * D,
                           key_masked.defined() ? key_masked.data() : nullptr, {}, B, heads, length,
                           log_sum_exp);
}

// Attention to another sequence, without positions. q: [B, T, D]; kv: [B, S, 2 D], keys and values side by
// side; result: [B, T, D]; log_sum_exp as above.
template <class T>
Tensor<T> cross_attention(Context& context, const Tensor<T>& q, const Tensor<T>& kv, std::int64_t heads,
                          const KeyRanges& ranges = {}, Tensor<T>* log_sum_exp = nullptr) {
  detail::require_cross_attention("cross_attention", q, kv, heads, ranges);
  const std::int64_t B = q.dim(0), queries = q.dim(1), D = q.dim(2), S = kv.dim(1);
  if (context.on_device()) {
    kernels::RelativeAttentionBatch<T> batch;
    batch.q = q.data(), batch.k = kv.data(), batch.v = kv.data() + D;
    batch.q_stride = D, batch.k_stride = batch.v_stride = 2 * D;
    batch.B = B, batch.H = heads, batch.queries = queries, batch.S = S, batch.K = D / heads;
    return detail::attention_on_device(context, batch, {}, ranges, log_sum_exp);
  }
  kernels::RelativeAttentionArguments<T> shared;
  shared.q_stride = D;
  shared.v_stride = 2 * D;
  shared.S = S;
  shared.K = D / heads;
  return detail::attention(context, shared, q.data(), kv.data(), 2 * D, kv.data() + D, nullptr, ranges, B,
                           heads, queries, log_sum_exp);
}

// Er, [L, K], as decoding on the CPU reads it: [K, row].
template <class T>
Tensor<T> relative_columns(Context& context, const Tensor<T>& Er) {
  const std::int64_t L = Er.dim(0), K = Er.dim(1), row = detail::turned_row(L);
  Tensor<T> columns = context.allocate_lasting<T>({K, row});
  std::fill_n(columns.data(), columns.size(), T(0));
  detail::transpose(Er.data(), K, L, K, columns.data(), row);
  return columns;
}

// The keys and values of one attention layer for one sequence that grows token by token, in the order that
// the kernel wants: on the CPU keys transposed, on a device rows as they come. Made once, on the CPU of the
// context's lasting memory; there append() and the attention over it never allocate.
template <class T>
class KeyValueCache {
 public:
  KeyValueCache() = default;
  // Copies would share what append() writes: copy_from() makes a cache like another.
  KeyValueCache(KeyValueCache&&) noexcept = default;
  KeyValueCache& operator=(KeyValueCache&&) noexcept = default;

  // For self-attention, where the context computes; Er, with room for L = Er.dim(0) tokens, must be there
  // too. Er_columns: what relative_columns() made of it on the CPU, shared by many caches; undefined: made
  // here.
  KeyValueCache(Context& context, std::int64_t heads, const Tensor<T>& Er, const Tensor<T>& Er_columns = {})
      : KeyValueCache(context, heads, Er.dim(1), Er.dim(0)) {
    if (context.on_device())
      er_ = Er;
    else
      er_t_ = Er_columns.defined() ? Er_columns : relative_columns(context, Er);
  }

  // For cross-attention: room for `capacity` memory tokens.
  KeyValueCache(Context& context, std::int64_t heads, std::int64_t K, std::int64_t capacity)
      : heads_(heads), K_(K), capacity_(capacity), row_(detail::turned_row(capacity)) {
    detail::require_heads("key_value_cache", heads * K, heads);
    masked_ = Tensor<std::uint8_t>({capacity});
    if (context.on_device()) {
      queue_ = context.queue();
      k_ = context.allocate<T>({capacity, heads * K});
      v_ = context.allocate<T>({capacity, heads * K});
      return;
    }
    k_t_ = context.allocate_lasting<T>({heads, K, row_});
    v_ = context.allocate_lasting<T>({heads, capacity, K});
    std::fill_n(k_t_.data(), k_t_.size(), T(0));
    std::fill_n(v_.data(), v_.size(), T(0));
  }

  std::int64_t length() const { return length_; }
  std::int64_t capacity() const { return capacity_; }
  std::int64_t width() const { return heads_ * K_; }
  void clear() {
    length_ = 0;
    any_masked_ = false;
  }

  // Takes what another cache of the same layer holds, in place of its own; both go on by themselves. Throws
  // ShapeError where that does not fit.
  void copy_from(const KeyValueCache& other) {
    detail::require(
        heads_ == other.heads_ && K_ == other.K_ && other.length_ <= capacity_, "key_value_cache", [&] {
          return std::to_string(other.length_) + " tokens of " + std::to_string(other.heads_) + " heads of " +
                 std::to_string(other.K_) + " do not fit " + std::to_string(capacity_) + " of " +
                 std::to_string(heads_) + " heads of " + std::to_string(K_);
        });
    std::copy_n(other.masked_.data(), other.length_, masked_.data());
    length_ = other.length_;
    any_masked_ = other.any_masked_;
    if (queue_ != nullptr) {
      copy_rows(other.k_.data(), width(), k_.data(), length_);
      copy_rows(other.v_.data(), width(), v_.data(), length_);
      return;
    }
    for (std::int64_t c = 0; c < width(); ++c)
      std::copy_n(other.k_t_.data() + c * other.row_, other.length_, k_t_.data() + c * row_);
    for (std::int64_t h = 0; h < heads_; ++h)
      std::copy_n(other.v_.data() + h * other.capacity_ * K_, other.length_ * K_,
                  v_.data() + h * capacity_ * K_);
  }

  // Takes `count` rows of keys and of values, D wide each, with row stride `stride`; `masked`: they are
  // padding, at which no query may look. Throws ShapeError where they do not fit.
  void append(const T* k, const T* v, std::int64_t stride, std::int64_t count, bool masked = false) {
    detail::require(length_ + count <= capacity_, "key_value_cache", [&] {
      return std::to_string(length_ + count) + " tokens do not fit the capacity of " +
             std::to_string(capacity_);
    });
    if (queue_ != nullptr) {
      copy_rows(k, stride, k_.data() + length_ * width(), count);
      copy_rows(v, stride, v_.data() + length_ * width(), count);
    }
    for (std::int64_t h = 0; h < heads_ && queue_ == nullptr; ++h) {
      detail::transpose(k + h * K_, stride, count, K_, k_t_.data() + h * K_ * row_ + length_, row_);
      for (std::int64_t t = 0; t < count; ++t)
        std::copy_n(v + t * stride + h * K_, K_, v_.data() + (h * capacity_ + length_ + t) * K_);
    }
    std::fill_n(masked_.data() + length_, count, static_cast<std::uint8_t>(masked));
    length_ += count;
    any_masked_ = any_masked_ || masked;
  }

  // Attention of one query row at the newest position over the tokens key_first..key_last - 1 held,
  // key_last = -1: to the newest.
  struct Query {
    const KeyValueCache* cache = nullptr;
    const T* q = nullptr;  // [D]
    T* out = nullptr;      // [D]
    std::int32_t key_first = 0, key_last = -1;
  };

  void attend(Context& context, const T* q, T* out, std::int32_t key_first = 0,
              std::int32_t key_last = -1) const {
    attend(context, 1, [&](std::int64_t) { return Query{this, q, out, key_first, key_last}; });
  }

  // query(0)..query(count - 1), each of a cache of its own but of one shape.
  template <class Queries>
  static void attend(Context& context, std::int64_t count, const Queries& query) {
    if (count <= 0) return;
    const KeyValueCache& first = *query(0).cache;
    if (first.queue_ != nullptr) {
      for (std::int64_t n = 0; n < count; ++n) query(n).cache->attend_on_device(context, query(n));
      return;
    }
    std::int64_t longest = 0;
    for (std::int64_t n = 0; n < count; ++n) longest = std::max(longest, query(n).cache->length_);
    parallel_for(context.threads(), count * first.heads_, detail::grain_for(3 * longest * first.K_),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t task = begin; task < end; ++task) {
                     const Query one = query(task / first.heads_);
                     one.cache->attend_head(context, one, task % first.heads_);
                   }
                 });
  }

 private:
  void attend_head(Context& context, const Query& query, std::int64_t h) const {
    kernels::RelativeAttentionArguments<T> arguments;
    arguments.q_stride = arguments.out_stride = width();
    arguments.k_stride = row_;
    arguments.v_stride = K_;
    arguments.S = length_;
    arguments.K = K_;
    arguments.scale = T(1) / std::sqrt(static_cast<T>(K_));
    if (any_masked_) arguments.key_masked = masked_.data();
    if (er_t_.defined()) {
      arguments.er_t = er_t_.data();
      arguments.er_stride = row_;
      arguments.L = capacity_;
      arguments.causal = true;
      arguments.query_offset = length_ - 1;
    }
    const std::int32_t last = query.key_last < 0 ? static_cast<std::int32_t>(length_) : query.key_last;
    if (query.key_first > 0 || query.key_last >= 0) {
      arguments.key_first = &query.key_first;
      arguments.key_last = &last;
    }
    arguments.q = query.q + h * K_;
    arguments.k_t = k_t_.data() + h * K_ * row_;
    arguments.v = v_.data() + h * capacity_ * K_;
    arguments.out = query.out + h * K_;
    context.table<kernels::RelativeAttentionKernels<T>>().forward(context.kernel(), arguments, 0, 1);
  }

  // Rows [count, H K] with a stride into dense ones, on the device.
  void copy_rows(const T* from, std::int64_t stride, T* to, std::int64_t count) const {
    kernels::StridedCopyArguments<T> arguments;
    arguments.x = from, arguments.y = to, arguments.rank = 2;
    arguments.size[0] = count, arguments.size[1] = width();
    arguments.x_stride[0] = stride, arguments.x_stride[1] = 1;
    arguments.y_stride[0] = width(), arguments.y_stride[1] = 1;
    kernels::cuda_column<kernels::StridedCopyKernels<T>>->copy(queue_->kernel(), arguments);
  }

  void attend_on_device(Context& context, const Query& query) const {
    kernels::RelativeAttentionBatch<T> batch;
    batch.q = query.q, batch.k = k_.data(), batch.v = v_.data(), batch.out = query.out;
    batch.q_stride = batch.k_stride = batch.v_stride = batch.out_stride = width();
    batch.B = 1, batch.H = heads_, batch.queries = 1, batch.S = length_, batch.K = K_;
    batch.scale = T(1) / std::sqrt(static_cast<T>(K_));
    if (er_.defined()) {
      batch.er = er_.data(), batch.L = capacity_;
      batch.causal = true;
      batch.query_offset = length_ - 1;
    }
    Tensor<std::uint8_t> masked;
    if (any_masked_) masked = on_device_of(context, masked_.slice(0, length_));
    batch.key_masked = masked.data();
    Tensor<std::int32_t> first, last;
    if (query.key_first > 0 || query.key_last >= 0) {
      std::int32_t key_first = query.key_first,
                   key_last = query.key_last < 0 ? static_cast<std::int32_t>(length_) : query.key_last;
      first = on_device_of(context, Tensor<std::int32_t>::view(&key_first, {1}));
      last = on_device_of(context, Tensor<std::int32_t>::view(&key_last, {1}));
      batch.key_first = first.data();
      batch.key_last = last.data();
    }
    context.table<kernels::RelativeAttentionKernels<T>>().forward_batch(context.kernel(), batch);
  }

  Tensor<T> k_t_;                       // [H, K, row]
  Tensor<T> v_;                         // [H, capacity, K]; on a device [capacity, H K]
  Tensor<T> k_, er_;                    // on a device: [capacity, H K]; the layer's own [L, K]
  std::shared_ptr<DeviceQueue> queue_;  // null on the CPU
  Tensor<T> er_t_;                      // [K, row]; undefined for cross-attention
  Tensor<std::uint8_t> masked_;         // [capacity]: padding
  std::int64_t heads_ = 0, K_ = 0, capacity_ = 0, length_ = 0;
  std::int64_t row_ = 0;
  bool any_masked_ = false;
};

}  // namespace imu2music::inline v0
