// SPDX-License-Identifier: Apache-2.0
// CPU group_norm, channels-last. The sums of each sample run over blocks of 64 positions: per channel within a block,
// then the blocks, then the channels of a group, all in ascending order, however the blocks fall to threads.
#include "backends/cpu/activation.h"
#include "backends/cpu/norm_operands.h"
#include "kernels/normalize/normalize.h"

namespace tealight {
namespace {

constexpr size_t kBlock = 64;

using State = NormGroups<kBlock>;

Status Prepare(OpContext& context) {
  const schema::GroupNorm& attributes = context.attributes<schema::GroupNorm>();
  State* s = context.state<State>();
  RETURN_IF_ERROR(ReadNormGroups(context, DType::kFloat32, attributes.num_groups(), s));
  const Shape& x = context.input(0)->shape;
  RETURN_IF_ERROR(CheckNormOperands(context, x.back()));
  const schema::Activation* activation = attributes.activation();
  if (activation != nullptr && !IsFloatUnary(static_cast<UnaryOp>(activation->kind()))) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "activation %d, expected one that maps float32 to float32",
                         static_cast<int>(activation->kind()));
  }
  // Block sums, then per sample: mean, scale and bias of each channel.
  const size_t floats = s->samples * (s->blocks + 3) * s->channels;
  context.RequestScratch(floats * sizeof(float), 0);
  return context.SetOutput(0, DType::kFloat32, x);
}

// Adds the blocks' sums of a sample into those of its first block, then each group's channels; gives every channel
// the mean of its group.
void FinishSums(const State& s, float* sums, float* means) {
  for (size_t b = 1; b < s.blocks; ++b) {
    for (size_t i = 0; i < s.channels; ++i) sums[i] += sums[b * s.channels + i];
  }
  const size_t width = s.channels / s.groups;
  const float count = static_cast<float>(s.positions * width);
  for (size_t g = 0; g < s.groups; ++g) {
    float total = 0;
    for (size_t i = 0; i < width; ++i) total += sums[g * width + i];
    for (size_t i = 0; i < width; ++i) means[g * width + i] = total / count;
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const schema::GroupNorm& attributes = context.attributes<schema::GroupNorm>();
  const schema::Activation* activation = attributes.activation();
  const NormalizeKernels& kernels = *FindNormalize(context.isa());
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const float* x = context.input(0)->As<float>();
  const float* scale = context.input(1) != nullptr ? context.input(1)->As<float>() : nullptr;
  const float* bias = context.input(2) != nullptr ? context.input(2)->As<float>() : nullptr;
  float* y = context.output(0)->As<float>();
  const size_t c = s.channels, items = s.samples * s.blocks;
  const size_t grain = 8192 / (kBlock * c) + 1;
  float* sums = static_cast<float*>(context.shared_scratch());
  float* parameters = sums + items * c;  // [sample][mean, scale, bias][c]

  for (int pass = 0; pass < 2; ++pass) {  // the mean, then the variance
    context.ParallelFor(items, grain, [&](size_t, size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const size_t sample = i / s.blocks, block = i % s.blocks;
        kernels.column_sums(s.BlockRows(block), c, x + (sample * s.positions + block * kBlock) * c,
                            pass == 0 ? nullptr : parameters + sample * 3 * c, sums + i * c);
      }
    });
    for (size_t sample = 0; sample < s.samples; ++sample) {
      FinishSums(s, sums + sample * s.blocks * c, parameters + (sample * 3 + static_cast<size_t>(pass)) * c);
    }
  }
  for (size_t sample = 0; sample < s.samples; ++sample) {
    float* variance = parameters + (sample * 3 + 1) * c;
    for (size_t i = 0; i < c; ++i) {
      const float factor = 1.0f / __builtin_sqrtf(variance[i] + attributes.epsilon());
      variance[i] = scale != nullptr ? factor * scale[i] : factor;
      variance[c + i] = bias != nullptr ? bias[i] : 0.0f;
    }
  }
  context.ParallelFor(items, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t sample = i / s.blocks, block = i % s.blocks, rows = s.BlockRows(block);
      const size_t at = (sample * s.positions + block * kBlock) * c;
      const float* p = parameters + sample * 3 * c;
      kernels.affine(rows, c, x + at, p, p + c, p + 2 * c, y + at);
      if (activation != nullptr) {
        elementwise.unary(static_cast<UnaryOp>(activation->kind()), activation->alpha(), activation->beta(), rows * c,
                          y + at, y + at);
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_group_norm() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
