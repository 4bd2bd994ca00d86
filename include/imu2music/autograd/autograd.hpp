// Every differentiable operation, for training. The loss is not one of them: its gradient
// (ops/cross_entropy_backward.hpp) is what Tape::backward begins with.
#pragma once

#include "imu2music/autograd/add.hpp"
#include "imu2music/autograd/batch_norm.hpp"
#include "imu2music/autograd/concatenate.hpp"
#include "imu2music/autograd/conv1d.hpp"
#include "imu2music/autograd/conv2d.hpp"
#include "imu2music/autograd/dropout.hpp"
#include "imu2music/autograd/embedding.hpp"
#include "imu2music/autograd/graph_conv.hpp"
#include "imu2music/autograd/layer_norm.hpp"
#include "imu2music/autograd/linear.hpp"
#include "imu2music/autograd/lstm.hpp"
#include "imu2music/autograd/mean.hpp"
#include "imu2music/autograd/multiply.hpp"
#include "imu2music/autograd/permute.hpp"
#include "imu2music/autograd/relative_attention.hpp"
#include "imu2music/autograd/softmax_pool.hpp"
#include "imu2music/autograd/tape.hpp"
