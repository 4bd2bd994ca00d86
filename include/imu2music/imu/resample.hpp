// Resampling of signals by time, with a low-pass that keeps aliases out.
//
// With the input x[k] at f_in, the output at f_out is, at t = j / f_out and u = t · f_in,
//
//   y[j] = Σ_k x[k] h(u − k) / Σ_k h(u − k)
//   h(v) = sinc(2cv) · I₀(β √(1 − (v/W)²)) / I₀(β) for |v| < W, sinc(x) = sin(πx)/(πx)
//
//   f_N = min(f_in, f_out) / 2    the Nyquist frequency of the slower side
//   c   = 0.9 f_N / f_in          cutoff in cycles a sample: pass to 0.8 f_N, stop from f_N on
//   β   = 0.1102 (A − 8.7)        Kaiser window for A = 80 dB of attenuation
//   W   = (A − 7.95) / (2 · 14.36 · 0.2 f_N / f_in)    half the window's length, in input samples
//
// Division by the sum of the weights makes constants exact. Beyond its ends the input is continued by
// reflection through its end point, x[−k] = 2 x[0] − x[k], which keeps level and slope. Equal rates give the
// input back, bit for bit. Output sample 0 stands at the time of input sample 0; n samples become ⌈n f_out /
// f_in⌉, all that lie within the input's duration n / f_in.
//
// Of a recording, vectors are resampled axis by axis. Three angles (rotation) are unwrapped first, where they
// jump by more than π, and wrapped to (−π, π] again if they did. Quaternions are made continuous in sign (q
// and −q are one attitude), resampled by component and normalised.
//
// A sensor whose clock is not uniform, or that lacks values, is first brought to an even grid at the multiple
// of the wanted rate next above its own (interpolate.hpp): by straight lines between neighbouring samples,
// and by holding the sample before a gap of more than 2.5 usual intervals (longest_gap_of). What was held is
// told in Recording::notes. A recording is refused where the grid would have more than 32 times its samples
// (and more than 20 000): its gaps are then most of it.
//
// Cost: 2W multiply-adds an output sample and axis; where f_in/f_out is a ratio of small integers, weights
// are computed once a phase. Errors: Error for rates that are no positive numbers or give more than 2³¹
// samples, or for a reduction by more than 10⁵; InputError for a recording that is mostly gaps, holds no
// number in one of its quantities, or has less than a 32nd of the wanted rate.
// Source: A. V. Oppenheim, R. W. Schafer,
// Discrete-Time Signal Processing, 3rd ed., sections 4.6 and 7.5.3 (Kaiser).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

// ⌈n · rate_out / rate_in⌉, where a product within rounding error of an integer counts as that integer.
inline std::int64_t resampled_count(std::int64_t n, double rate_in, double rate_out) {
  if (!(rate_in > 0) || !(rate_out > 0) || !std::isfinite(rate_in) || !std::isfinite(rate_out))
    throw Error("[resample] rates are " + number_text(rate_in) + " and " + number_text(rate_out) +
                " Hz; both should be positive numbers");
  if (n <= 0) return 0;
  const double exact = static_cast<double>(n) * (rate_out / rate_in);
  if (!(exact < 2147483648.0))
    throw Error("[resample] " + std::to_string(n) + " samples at " + number_text(rate_in) +
                " Hz become too many at " + number_text(rate_out) + " Hz");
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(exact * (1.0 - 1e-12))));
}

namespace detail {

// The value, or the end of Out's range that it lies beyond: a filter overshoots its input.
template <class Out, class In>
Out within(In value) {
  constexpr auto end = std::numeric_limits<Out>::max();
  if constexpr (sizeof(Out) < sizeof(In)) return static_cast<Out>(std::clamp<In>(value, -end, end));
  return static_cast<Out>(value);
}

}  // namespace detail

// The weights between one pair of rates, for signals of any length.
class Resampler {
 public:
  Resampler(double rate_in, double rate_out) : rate_in_(rate_in), rate_out_(rate_out) {
    resampled_count(1, rate_in, rate_out);
    if (rate_in > most_reduction * rate_out)
      throw Error("[resample] " + number_text(rate_in) + " Hz to " + number_text(rate_out) +
                  " Hz is a reduction by more than " + number_text(most_reduction));
    step_ = rate_in / rate_out;
    const double nyquist = 0.5 * std::min(1.0, rate_out / rate_in);  // cycles an input sample
    cutoff_ = 0.9 * nyquist;
    half_width_ = (attenuation_db - 7.95) / (2 * 14.36 * 0.2 * nyquist);
    // The smallest number of outputs after which the same phase comes again.
    for (int period = 1; period <= 256 && period_ == 0; ++period) {
      const double advance = period * step_;
      if (advance < 1e15 && std::abs(advance - std::round(advance)) < 1e-10 * period) {
        period_ = period;
        advance_ = static_cast<std::int64_t>(std::round(advance));
        if (advance_ == 0) period_ = 0;
      }
    }
    if (period_ > 0 && half_width_ * static_cast<double>(period_) < 1e6) {
      for (int phase = 0; phase < period_; ++phase)
        phases_.push_back(kernel_at(static_cast<double>(phase) * step_));
    }
  }

  double half_width() const { return half_width_; }  // W, input samples

  // Fills `out`, of resampled_count(in.size(), …) samples.
  template <class In, class Out>
  void apply(std::span<const In> in, std::span<Out> out) const {
    const auto n = static_cast<std::int64_t>(in.size());
    const auto n_out = resampled_count(n, rate_in_, rate_out_);
    if (static_cast<std::int64_t>(out.size()) != n_out)
      throw ShapeError("[resample] output has " + std::to_string(out.size()) + " samples, " +
                       std::to_string(n) + " samples become " + std::to_string(n_out));
    if (rate_in_ == rate_out_) {
      std::transform(in.begin(), in.end(), out.begin(), [](In value) { return detail::within<Out>(value); });
      return;
    }
    Kernel fresh;
    for (std::int64_t j = 0; j < n_out; ++j) {
      const Kernel* kernel = &fresh;
      std::int64_t base = 0;
      if (!phases_.empty()) {
        kernel = &phases_[static_cast<std::size_t>(j % period_)];
        base = j / period_ * advance_;
      } else {
        // The whole samples apart, so that the phase keeps its precision late in a long recording.
        const double position = static_cast<double>(j) * step_;
        const double whole = std::floor(position);
        fresh = kernel_at(position - whole);
        base = static_cast<std::int64_t>(whole);
      }
      double sum = 0;
      const std::int64_t first = base + kernel->first;
      const auto taps = static_cast<std::int64_t>(kernel->weights.size());
      if (first >= 0 && first + taps <= n) {
        const In* samples = in.data() + first;
        for (std::int64_t k = 0; k < taps; ++k)
          sum += kernel->weights[static_cast<std::size_t>(k)] * static_cast<double>(samples[k]);
      } else {
        for (std::int64_t k = 0; k < taps; ++k)
          sum += kernel->weights[static_cast<std::size_t>(k)] * continued(in, first + k);
      }
      out[static_cast<std::size_t>(j)] = detail::within<Out>(sum);
    }
  }

 private:
  static constexpr double attenuation_db = 80.0;
  static constexpr double most_reduction = 1e5;  // bounds the window's length

  struct Kernel {
    std::int64_t first = 0;       // of the input sample that weights[0] multiplies
    std::vector<double> weights;  // their sum is 1
  };

  // I₀ by its power series Σ ((x/2)^k / k!)²; x ≤ β here, so it converges within a few dozen terms.
  static double bessel_i0(double x) {
    double sum = 1;
    double term = 1;
    for (int k = 1; term > 1e-17 * sum; ++k) {
      term *= (x / (2 * k)) * (x / (2 * k));
      sum += term;
    }
    return sum;
  }

  Kernel kernel_at(double position) const {
    constexpr double beta = 0.1102 * (attenuation_db - 8.7);
    Kernel kernel;
    kernel.first = static_cast<std::int64_t>(std::ceil(position - half_width_));
    const auto last = static_cast<std::int64_t>(std::floor(position + half_width_));
    double sum = 0;
    for (std::int64_t k = kernel.first; k <= last; ++k) {
      const double v = position - static_cast<double>(k);
      const double angle = 2 * std::numbers::pi * cutoff_ * v;
      const double sinc = std::abs(angle) < 1e-8 ? 1.0 : std::sin(angle) / angle;
      const double edge = v / half_width_;
      kernel.weights.push_back(sinc * bessel_i0(beta * std::sqrt(std::max(0.0, 1.0 - edge * edge))));
      sum += kernel.weights.back();
    }
    for (double& weight : kernel.weights) weight /= sum;
    return kernel;
  }

  template <class In>
  static double continued(std::span<const In> in, std::int64_t k) {
    const auto last = static_cast<std::int64_t>(in.size()) - 1;
    const auto at = [&](std::int64_t i) { return static_cast<double>(in[static_cast<std::size_t>(i)]); };
    if (k < 0) return 2 * at(0) - at(std::min(-k, last));
    if (k > last) return 2 * at(last) - at(std::max<std::int64_t>(last - (k - last), 0));
    return at(k);
  }

  double rate_in_;
  double rate_out_;
  double step_ = 1;  // input samples an output sample
  double cutoff_ = 0;
  double half_width_ = 0;
  std::int64_t period_ = 0;
  std::int64_t advance_ = 0;
  std::vector<Kernel> phases_;
};

inline std::vector<float> resample(std::span<const float> samples, double rate_in, double rate_out) {
  std::vector<float> out(static_cast<std::size_t>(
      resampled_count(static_cast<std::int64_t>(samples.size()), rate_in, rate_out)));
  Resampler(rate_in, rate_out).apply(samples, std::span<float>(out));
  return out;
}

namespace resample_detail {

// Removes jumps of more than π by whole turns; tells whether there were any.
inline bool unwrap(std::span<double> angles) {
  constexpr double turn = 2 * std::numbers::pi;
  double offset = 0;
  bool wrapped = false;
  for (std::size_t i = 1; i < angles.size(); ++i) {
    const double jump = angles[i] + offset - angles[i - 1];
    if (std::abs(jump) > std::numbers::pi) {
      offset -= turn * std::round(jump / turn);
      wrapped = true;
    }
    angles[i] += offset;
  }
  return wrapped;
}

inline Channel resample_channel(const Channel& channel, const Resampler& resampler, std::int64_t n_out) {
  const int axes = axis_count(channel.quantity);
  const auto n = static_cast<std::size_t>(channel.sample_count());
  std::vector<double> in(channel.samples.begin(), channel.samples.end());
  std::vector<double> out(static_cast<std::size_t>(axes * n_out));
  const auto in_axis = [&](int a) {
    return std::span<double>(in).subspan(static_cast<std::size_t>(a) * n, n);
  };
  const auto out_axis = [&](int a) {
    return std::span<double>(out).subspan(static_cast<std::size_t>(a * n_out),
                                          static_cast<std::size_t>(n_out));
  };

  if (channel.quantity == Quantity::orientation) {
    for (std::size_t i = 1; i < n; ++i) {
      double dot = 0;
      for (int a = 0; a < 4; ++a) dot += in_axis(a)[i] * in_axis(a)[i - 1];
      if (dot < 0)
        for (int a = 0; a < 4; ++a) in_axis(a)[i] = -in_axis(a)[i];
    }
  }
  for (int a = 0; a < axes; ++a) {
    const bool wrapped = channel.quantity == Quantity::rotation && unwrap(in_axis(a));
    resampler.apply(std::span<const double>(in_axis(a)), out_axis(a));
    if (wrapped) {
      constexpr double turn = 2 * std::numbers::pi;
      for (double& angle : out_axis(a)) angle -= turn * std::ceil((angle - std::numbers::pi) / turn);
    }
  }
  if (channel.quantity == Quantity::orientation) {
    std::array<double, 4> last = {0, 0, 0, 1};
    for (std::size_t j = 0; j < static_cast<std::size_t>(n_out); ++j) {
      double squares = 0;
      for (int a = 0; a < 4; ++a) squares += out_axis(a)[j] * out_axis(a)[j];
      // Opposite attitudes can cancel: there is no direction left to keep, so the one before stays.
      const double scale = squares > 1e-12 ? 1 / std::sqrt(squares) : 0;
      for (int a = 0; a < 4; ++a) {
        double& place = last[static_cast<std::size_t>(a)];
        if (scale > 0) place = out_axis(a)[j] * scale;
        out_axis(a)[j] = place;
      }
    }
  }
  Channel result(channel.quantity, n_out);
  std::transform(out.begin(), out.end(), result.samples.begin(),
                 [](double v) { return detail::within<float>(v); });
  return result;
}

inline bool is_finite(const SensorTrack& sensor) {
  for (const Channel& channel : sensor.channels)
    for (const float value : channel.samples)
      if (!std::isfinite(value)) return false;
  return true;
}

// A recording slower than this many times below the wanted rate has nothing to tell at it.
inline constexpr double most_rise = 32;

// The sensor on an even grid, at a multiple of `rate_hz` that its own rate does not exceed. What is held is
// told in `notes`.
inline SensorTrack on_even_grid(const SensorTrack& sensor, double rate_hz, const std::string& source,
                                std::vector<std::string>& notes) {
  const std::vector<double> times = sample_times(sensor);
  const double native = native_rate_hz(sensor.clock);
  const double usual = sensor.clock.is_uniform() ? 1 / native : usual_interval(times);
  if (!(native > 0) || !(usual > 0))
    throw InputError(source, "sensor " + sensor.name + " has no rate", "its time stamps should rise");
  SensorTrack even;
  even.name = sensor.name;
  even.clock.start_s = times.front();
  even.clock.rate_hz = rate_hz * std::max(1.0, std::ceil(native / rate_hz * (1 - 1e-9)));
  const double count = std::floor((times.back() - times.front()) * even.clock.rate_hz + 1e-6) + 1;
  const double n = static_cast<double>(times.size());
  if (!(count <= std::max(most_rise * n, 2e4)))
    throw InputError(
        source,
        "sensor " + sensor.name + " lasts " + number_text(std::round(times.back() - times.front())) +
            " s with its gaps, but has samples for " + number_text(std::round(n / native)) + " s",
        "cut the recording at its gaps");
  std::vector<double> grid(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < grid.size(); ++i)
    grid[i] = even.clock.start_s + static_cast<double>(i) / even.clock.rate_hz;

  for (const Channel& channel : sensor.channels) {
    const double longest = longest_gap_of(channel, times, usual);
    even.channels.push_back(interpolate_channel(channel, times, grid, longest, source + ", " + sensor.name));
    std::int64_t gaps = 0;
    double held = 0, before = times.front();
    const auto known_again = [&](double time) {
      if (time - before > longest) {
        ++gaps;
        held += time - before;
      }
      before = time;
    };
    for (std::size_t i = 0; i < times.size(); ++i)
      if (is_finite_sample(channel, i)) known_again(times[i]);
    known_again(times.back());  // the last sample is held to the end
    if (gaps > 0)
      notes.push_back("sensor " + sensor.name + ": its " + std::string(to_string(channel.quantity)) +
                      " was held through " + std::to_string(gaps) + (gaps == 1 ? " gap, " : " gaps, ") +
                      number_text(std::round(held * 1000) / 1000) + " s in all");
  }
  return even;
}

}  // namespace resample_detail

// The recording with every sensor at `rate_hz`; sensors that have it already are left as they are.
inline Recording at_rate(const Recording& recording, double rate_hz) {
  check_recording(recording);
  resampled_count(1, rate_hz, rate_hz);
  Recording result = recording;
  for (SensorTrack& sensor : result.sensors) {
    const double native = native_rate_hz(sensor.clock);
    if (sensor.sample_count() > 0 &&
        !(native * resample_detail::most_rise >= rate_hz && native <= 1e5 * rate_hz))
      throw InputError(
          recording.source,
          "sensor " + sensor.name + " has " + number_text(native) + " samples a second, " +
              number_text(rate_hz) + " are wanted",
          "from a 32nd to 100000 times the wanted rate can be resampled; check the unit of its time column");
    if (sensor.sample_count() > 0 && (!sensor.clock.is_uniform() || !resample_detail::is_finite(sensor)))
      sensor = resample_detail::on_even_grid(sensor, rate_hz, recording.source, result.notes);
    if (sensor.clock.rate_hz == rate_hz) continue;
    const Resampler resampler(sensor.clock.rate_hz, rate_hz);
    const std::int64_t n_out = resampled_count(sensor.sample_count(), sensor.clock.rate_hz, rate_hz);
    for (Channel& channel : sensor.channels)
      channel = resample_detail::resample_channel(channel, resampler, n_out);
    sensor.clock.rate_hz = rate_hz;
  }
  return result;
}

}  // namespace imu2music::inline v0
