// The one translation unit that nvcc sees: every CUDA column, put into its place before main() begins.
#include "activation_backward.cuh"
#include "adam.cuh"
#include "add.cuh"
#include "batch_norm.cuh"
#include "batch_norm_backward.cuh"
#include "batch_norm_map.cuh"
#include "conv1d_layout.cuh"
#include "conv2d.cuh"
#include "conv2d_backward.cuh"
#include "cross_entropy.cuh"
#include "cross_entropy_backward.cuh"
#include "decode.cuh"
#include "dropout.cuh"
#include "embedding.cuh"
#include "embedding_backward.cuh"
#include "graph_conv.cuh"
#include "graph_conv_backward.cuh"
#include "layer_norm.cuh"
#include "layer_norm_backward.cuh"
#include "linear.cuh"
#include "linear_backward.cuh"
#include "lstm.cuh"
#include "lstm_backward.cuh"
#include "mean.cuh"
#include "mean_backward.cuh"
#include "moving_average.cuh"
#include "multiply.cuh"
#include "relative_attention.cuh"
#include "relative_attention_backward.cuh"
#include "runtime.cuh"
#include "sampling.cuh"
#include "sinusoids.cuh"
#include "softmax_pool.cuh"
#include "softmax_pool_backward.cuh"
#include "spectrum.cuh"
#include "strided_copy.cuh"
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
    put<ActivationBackwardKernels<float>>(),
    put<AdamKernels<float>>(),
    put<AddKernels<float>>(),
    put<BatchNormBackwardKernels<float>>(),
    put<BatchNormKernels<float>>(),
    put<BatchNormMapKernels<float>>(),
    put<Conv1dLayoutKernels<float>>(),
    put<Conv2dBackwardKernels<float>>(),
    put<Conv2dKernels<float>>(),
    put<CrossEntropyBackwardKernels<float>>(),
    put<CrossEntropyKernels<float>>(),
    put<DecodeKernels>(),
    put<DropoutKernels<float>>(),
    put<EmbeddingBackwardKernels<float>>(),
    put<EmbeddingKernels<float>>(),
    put<GraphConvBackwardKernels<float>>(),
    put<GraphConvKernels<float>>(),
    put<LayerNormBackwardKernels<float>>(),
    put<LayerNormKernels<float>>(),
    put<LinearBackwardKernels<float>>(),
    put<LinearKernels<float>>(),
    put<LstmBackwardKernels<float>>(),
    put<LstmKernels<float>>(),
    put<MeanBackwardKernels<float>>(),
    put<MeanKernels<float>>(),
    put<MovingAverageKernels<float>>(),
    put<MultiplyKernels<float>>(),
    put<RelativeAttentionBackwardKernels<float>>(),
    put<RelativeAttentionKernels<float>>(),
    put<SamplingKernels<float>>(),
    put<SinusoidsKernels<float>>(),
    put<SoftmaxPoolBackwardKernels<float>>(),
    put<SoftmaxPoolKernels<float>>(),
    put<SpectrumKernels<float>>(),
    put<StridedCopyKernels<float>>(),
};

}  // namespace
}  // namespace imu2music::inline v0::kernels::cuda
