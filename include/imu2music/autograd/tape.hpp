// Reverse-mode differentiation: a Tape records what is computed with Variables and plays it backwards.
//
//   Tape<float> tape(context);
//   tape.watch(parameter.value, gradient);          // gradient: as the value, kept by the caller, added to
//   const Variable<float> y = ...;                  // forward passes of modules, with V = Variable
//   tape.backward(y, dy);                           // every watched gradient += dL/dparameter
//
// A Variable is a handle: a value, and the node that its gradient is gathered in (none for constants). Views
// (reshape, slice) share their node, so they cost nothing forwards or backwards. Parameters are found by the
// address of their elements, so a module's Parameter needs no second life as a Variable, and a slice of one
// is a slice of its gradient.
//
// backward() visits the nodes in reverse order and lets go of each, with everything it saved, as it is done
// with; the order of all sums is that of the tape, whatever the number of threads.
//
// Source: Griewank and Walther, Evaluating Derivatives (2008), chapter 3 (reverse accumulation).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "imu2music/autograd/mode.hpp"
#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/add.hpp"
#include "imu2music/ops/check.hpp"
#include "imu2music/ops/moving_average.hpp"

namespace imu2music::inline v0 {

namespace detail {
inline std::atomic<std::uint64_t> next_recording{1};
}

template <class T>
class Variable {
 public:
  using value_type = T;

  Variable() = default;
  // A constant: no gradient flows to it.
  explicit Variable(Tensor<T> value) : value_(std::move(value)) {}

  const Tensor<T>& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  int rank() const { return value_.rank(); }
  std::int64_t dim(int axis) const { return value_.dim(axis); }
  std::int64_t size() const { return value_.size(); }
  bool defined() const { return value_.defined(); }
  bool is_constant() const { return node_ < 0; }

  Variable reshape(const Shape& shape) const {
    return Variable(value_.reshape(shape), node_, offset_, recording_);
  }
  // Elements first..first + count of the outermost axis.
  Variable slice(std::int64_t first, std::int64_t count) const {
    Tensor<T> part = value_.slice(first, count);
    const std::int64_t skipped = part.data() - value_.data();
    return Variable(std::move(part), node_, offset_ + skipped, recording_);
  }

 private:
  friend class Tape<T>;
  Variable(Tensor<T> value, std::int64_t node, std::int64_t offset, std::uint64_t recording)
      : value_(std::move(value)), node_(node), offset_(offset), recording_(recording) {}

  Tensor<T> value_;
  std::int64_t node_ = -1;       // on the tape; -1: constant
  std::int64_t offset_ = 0;      // of the first element in the node's gradient
  std::uint64_t recording_ = 0;  // which recording, of all tapes, the node belongs to
};

template <class T>
inline constexpr bool records<Variable<T>> = true;

// The share of activations that dropout leaves out, by DropoutPlace; and the random bits' origin. Element n
// of call c in step s is decided by the counter (seed, s, c, n), so a step can be repeated exactly.
struct DropoutRates {
  double transformer = 0, encoder = 0;
  std::uint64_t seed = 0, step = 0;
};

template <class T>
class Tape {
 public:
  // What a node does with the gradient of its value.
  using Backward = std::function<void(Tape& tape, const Tensor<T>& gradient)>;

  // Records everything computed with `context` until it is destroyed. The context must outlive it.
  explicit Tape(Context& context) : context_(context), outer_(context.tape()) { context.set_tape(this); }
  ~Tape() { context_.set_tape(outer_); }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  static Tape& of(const Context& context) {
    if (context.tape() == nullptr) throw Error("[autograd] there is no tape to record on");
    return *static_cast<Tape*>(context.tape());
  }

  Context& context() { return context_; }
  DropoutRates& dropout_rates() { return dropout_; }
  // The stream of the next dropout's bits in this step.
  std::uint64_t next_dropout_stream() { return (dropout_.step << 16) + dropouts_++; }

  // A parameter whose gradient is wanted: backward() adds to `gradient`, which has the value's shape. All
  // must be watched before anything is recorded.
  void watch(const Tensor<T>& value, const Tensor<T>& gradient) {
    detail::require(value.shape() == gradient.shape() && leaves_.size() == nodes_.size(), "autograd",
                    [&] { return "the gradient of " + value.shape().to_string() + " cannot be watched"; });
    leaves_.push_back({value.data(), value.size(), leaves_.size()});
    used_.push_back(false);
    nodes_.push_back({{}, gradient, gradient.shape(), gradient.size(), true});
    sorted_ = false;
  }

  // The Variable of a parameter or of a part of one; a constant where it is not watched.
  Variable<T> parameter(const Tensor<T>& value) {
    if (!value.defined()) return {};
    if (!sorted_) {
      std::sort(leaves_.begin(), leaves_.end(),
                [](const Leaf& a, const Leaf& b) { return a.first < b.first; });
      sorted_ = true;
    }
    auto leaf = std::upper_bound(leaves_.begin(), leaves_.end(), value.data(),
                                 [](const T* address, const Leaf& l) { return address < l.first; });
    if (leaf == leaves_.begin()) return Variable<T>(value);
    --leaf;
    const std::int64_t offset = value.data() - leaf->first;
    if (offset + value.size() > leaf->size) return Variable<T>(value);
    used_[leaf->node] = true;
    return Variable<T>(value, static_cast<std::int64_t>(leaf->node), offset, parameters_);
  }

  // Whether the n-th watched parameter has been computed with since forget_use(): one that has not has no
  // gradient, rather than one of zeros.
  bool used(std::size_t n) const { return used_[n]; }
  void forget_use() { std::fill(used_.begin(), used_.end(), false); }
  // All of it, to be restored where what was recorded since came to nothing.
  const std::vector<bool>& use() const { return used_; }
  void restore_use(const std::vector<bool>& use) { used_ = use; }

  // Throws Error for a Variable of another tape, or of a recording that is over, whose node may be another
  // one's by now. Parameters stay.
  void check_recorded(const Variable<T>& x) const {
    if (x.is_constant() || x.recording_ == recording_) return;
    if (x.recording_ != parameters_)
      throw Error("[autograd] a " + x.shape().to_string() +
                  " was recorded by another tape, or before the last backward pass, which forgot it: compute "
                  "it again");
  }

  // A new node; `inputs`: what it was computed from. Where all are constants so is the result. Throws Error
  // for one whose recording is over.
  Variable<T> record(Tensor<T> value, std::initializer_list<const Variable<T>*> inputs, Backward backward) {
    if (std::all_of(inputs.begin(), inputs.end(), [](const Variable<T>* x) { return x->is_constant(); }))
      return Variable<T>(std::move(value));
    for (const Variable<T>* x : inputs) check_recorded(*x);
    nodes_.push_back({std::move(backward), {}, value.shape(), value.size(), false});
    return Variable<T>(std::move(value), static_cast<std::int64_t>(nodes_.size()) - 1, 0, recording_);
  }

  // A node with two results; its gradient is flat, that of `second` after that of `first`.
  std::pair<Variable<T>, Variable<T>> record_pair(Tensor<T> first, Tensor<T> second,
                                                  std::initializer_list<const Variable<T>*> inputs,
                                                  Backward backward) {
    const std::int64_t size = first.size();
    Variable<T> a = record(std::move(first), inputs, std::move(backward));
    if (a.is_constant()) return {std::move(a), Variable<T>(std::move(second))};
    nodes_.back().size += second.size();
    nodes_.back().shape = {nodes_.back().size};
    Variable<T> b(std::move(second), a.node_, size, recording_);
    return {std::move(a), std::move(b)};
  }

  // gradient of x += `gradient`, which may be kept and must not change afterwards.
  void accumulate(const Variable<T>& x, const Tensor<T>& gradient) {
    if (x.is_constant()) return;
    Node& node = nodes_[static_cast<std::size_t>(x.node_)];
    if (x.size() == node.size && !node.owned) {
      if (!node.gradient.defined())
        node.gradient = gradient;
      else
        node.gradient = add(context_, node.gradient.reshape(gradient.shape()), gradient);
      return;
    }
    Tensor<T> sum = gradient_sum(x);
    if (context_.on_device())
      context_.template table<kernels::AddKernels<T>>().forward(context_.kernel(), sum.data(),
                                                                gradient.data(), sum.data(), 0, sum.size(),
                                                                kernels::Activation::none, T(0));
    else
      for (std::int64_t i = 0; i < sum.size(); ++i) sum[i] += gradient[i];
  }

  // The gradient of x itself, for kernels that add to it; undefined where none is wanted.
  Tensor<T> gradient_sum(const Variable<T>& x) {
    if (x.is_constant()) return {};
    Node& node = nodes_[static_cast<std::size_t>(x.node_)];
    if (!node.owned) {
      Tensor<T> own = context_.allocate<T>({node.size});
      if (node.gradient.defined())
        copy(context_, node.gradient, own);
      else
        zero(context_, own);
      node.gradient = own;
      node.owned = true;
    }
    return Tensor<T>::view(node.gradient.data() + x.offset_, x.shape(), nullptr, node.gradient.device());
  }

  // Adds dL/dp to every watched gradient, given dL/dy, and forgets everything recorded: what is computed with
  // its Variables afterwards, those of parameters apart, is an Error, as is a second backward pass.
  // Throws ShapeError for a gradient of another shape than y's. A pass that throws on its way forgets what
  // was recorded too; what it has added to gradients stays.
  void backward(const Variable<T>& y, const Tensor<T>& dy) {
    check_recorded(y);
    detail::require(dy.shape() == y.shape(), "autograd", [&] {
      return "a gradient " + dy.shape().to_string() + " for a result " + y.shape().to_string();
    });
    try {
      accumulate(y, dy);
      for (std::size_t n = nodes_.size(); n-- > leaves_.size();) {
        // Taken off the tape first, so that nothing it holds outlives its turn.
        const Node node = std::move(nodes_.back());
        nodes_.pop_back();
        if (node.gradient.defined()) node.backward(*this, node.gradient.reshape(node.shape));
      }
    } catch (...) {
      clear();
      throw;
    }
    recording_ = detail::next_recording++;
    dropouts_ = 0;
  }

  // Forgets everything recorded.
  void clear() {
    nodes_.resize(leaves_.size());
    recording_ = detail::next_recording++;
    statistics_.clear();
    dropouts_ = 0;
  }

  // What a batch norm met: running = (1 - momentum) running + momentum batch, once update_statistics() is
  // called.
  struct Statistics {
    Tensor<T> running_mean, running_variance, mean, variance;  // variance with divisor n
    std::int64_t count = 0;                                    // n
    const void* counter = nullptr;                             // the norm's count of batches
    double momentum = 0.1;
  };
  void note_statistics(Statistics statistics) { statistics_.push_back(std::move(statistics)); }

  // Brings the running statistics up to date, their variances with divisor n - 1; counted(counter) for each.
  template <class Counted>
  void update_statistics(const Counted& counted) {
    for (Statistics& s : statistics_) {
      const double unbiased = s.count > 1 ? double(s.count) / double(s.count - 1) : 1;
      moving_average(context_, s.mean, s.running_mean, 1 - s.momentum, s.momentum);
      moving_average(context_, s.variance, s.running_variance, 1 - s.momentum, s.momentum * unbiased);
      counted(s.counter);
    }
    statistics_.clear();
  }

  std::size_t recorded() const { return nodes_.size() - leaves_.size(); }

 private:
  struct Node {
    Backward backward;
    Tensor<T> gradient;
    Shape shape;  // of the value
    std::int64_t size = 0;
    bool owned = false;  // the gradient belongs to this node alone and can be added to in place
  };
  struct Leaf {
    const T* first = nullptr;
    std::int64_t size = 0;
    std::size_t node = 0;
  };

  Context& context_;
  void* outer_;
  std::vector<Node> nodes_;  // the leaves first
  // Which recording is made, and what marks the parameters' Variables; no two tapes share a number.
  std::uint64_t parameters_ = detail::next_recording++, recording_ = detail::next_recording++;
  std::vector<Leaf> leaves_;
  bool sorted_ = true;
  std::vector<bool> used_;  // by node
  std::vector<Statistics> statistics_;
  DropoutRates dropout_;
  std::uint64_t dropouts_ = 0;
};

}  // namespace imu2music::inline v0
