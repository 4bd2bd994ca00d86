// The one translation unit that nvcc sees: every CUDA column, put into its place before main() begins.
#include "batch_norm_map.cuh"
#include "conv1d_layout.cuh"
#include "conv2d.cuh"
#include "conv2d_backward.cuh"
#include "decode.cuh"
#include "graph_conv.cuh"
#include "graph_conv_backward.cuh"
#include "layer_norm.cuh"
#include "linear.cuh"
#include "linear_backward.cuh"
#include "lstm.cuh"
#include "lstm_backward.cuh"
#include "mean.cuh"
#include "mean_backward.cuh"
#include "moving_average.cuh"
#include "multiply.cuh"
#include "runtime.cuh"
#include "sampling.cuh"
#include "sinusoids.cuh"
#include "softmax_pool.cuh"
#include "softmax_pool_backward.cuh"
#include "spectrum.cuh"
#include "register.cuh"  // last: it calls the install() of all that stand before it

namespace imu2music::inline v0::kernels::cuda {
namespace {

bool put_runtime() {
  static const DeviceRuntime runtime = [] {
    DeviceRuntime r{};
    install(r);
    return r;
  }();
  cuda_runtime = &runtime;
  return true;
}

[[maybe_unused]] const bool registered[] = {
    put_runtime(),
    put<BatchNormMapKernels<float>>(),
    put<Conv1dLayoutKernels<float>>(),
    put<Conv2dBackwardKernels<float>>(),
    put<Conv2dKernels<float>>(),
    put<DecodeKernels>(),
    put<GraphConvBackwardKernels<float>>(),
    put<GraphConvKernels<float>>(),
    put<LayerNormKernels<float>>(),
    put<LinearBackwardKernels<float>>(),
    put<LinearKernels<float>>(),
    put<LstmBackwardKernels<float>>(),
    put<LstmKernels<float>>(),
    put<MeanBackwardKernels<float>>(),
    put<MeanKernels<float>>(),
    put<MovingAverageKernels<float>>(),
    put<MultiplyKernels<float>>(),
    put<SamplingKernels<float>>(),
    put<SinusoidsKernels<float>>(),
    put<SoftmaxPoolBackwardKernels<float>>(),
    put<SoftmaxPoolKernels<float>>(),
    put<SpectrumKernels<float>>(),
};

}  // namespace
}  // namespace imu2music::inline v0::kernels::cuda
