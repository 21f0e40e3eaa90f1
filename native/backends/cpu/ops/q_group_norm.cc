// SPDX-License-Identifier: Apache-2.0
// CPU q_group_norm, channels-last: integer sums of each channel over blocks of positions, then one multiply-add an
// element.
#include "backends/cpu/quantized_norm.h"

namespace tealight {
namespace {

constexpr size_t kBlock = 256;

struct State : NormGroups<kBlock> {
  QLayerNormArgs args;
};

Status Prepare(OpContext& context) {
  const schema::QGroupNorm& attributes = context.attributes<schema::QGroupNorm>();
  State* s = context.state<State>();
  RETURN_IF_ERROR(ReadNormGroups<kBlock>(context, DType::kInt8, attributes.num_groups(), s));
  const Shape& x = context.input(0)->shape;
  const int64_t together = x.Product(1, x.rank) / attributes.num_groups();
  RETURN_IF_ERROR(ReadNorm(context, attributes, false, together, x.back(), &s->args));
  // Sums and squares of each block; then a factor and an offset of each channel, for each sample.
  context.RequestScratch(s->samples * (s->blocks + 1) * 2 * s->channels * sizeof(int32_t), 0);
  return context.SetOutput(0, DType::kInt8, x);
}

// The factor and the offset [c] each of a sample from the sums and squares [blocks][2][c].
void FinishSums(const State& s, const int32_t* sums, const float* scale, const float* bias, float* factors) {
  const size_t width = s.channels / s.groups;
  for (size_t g = 0; g < s.groups; ++g) {
    int64_t sum = 0, squares = 0;
    for (size_t b = 0; b < s.blocks; ++b) {
      const int32_t* block = sums + b * 2 * s.channels + g * width;
      for (size_t i = 0; i < width; ++i) sum += block[i], squares += block[s.channels + i];
    }
    const NormFactor norm = NormFactorOf(s.args, static_cast<int64_t>(s.positions * width), sum, squares);
    for (size_t i = g * width; i < (g + 1) * width; ++i) {
      const double factor = scale != nullptr ? norm.r * static_cast<double>(scale[i]) : norm.r;
      const double zero = (bias != nullptr ? static_cast<double>(bias[i]) : 0.0) + s.args.zero_point;
      factors[i] = static_cast<float>(factor);
      factors[s.channels + i] = static_cast<float>(zero - (norm.mean + s.args.x_zero_point) * factor);
    }
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QNormalizeKernels& kernels = *FindQNormalize(context.isa());
  const int8_t* x = context.input(0)->As<int8_t>();
  const float* scale = context.input(1) != nullptr ? context.input(1)->As<float>() : nullptr;
  const float* bias = context.input(2) != nullptr ? context.input(2)->As<float>() : nullptr;
  int8_t* y = context.output(0)->As<int8_t>();
  const size_t c = s.channels, items = s.samples * s.blocks;
  int32_t* sums = static_cast<int32_t*>(context.shared_scratch());
  float* factors = reinterpret_cast<float*>(sums + items * 2 * c);
  const size_t grain = 16384 / (kBlock * c) + 1;
  context.ParallelFor(items, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t sample = i / s.blocks, block = i % s.blocks;
      const int8_t* from = x + (sample * s.positions + block * kBlock) * c;
      kernels.column_sums(s.BlockRows(block), c, from, sums + i * 2 * c, sums + (i * 2 + 1) * c);
    }
  });
  for (size_t sample = 0; sample < s.samples; ++sample) {
    FinishSums(s, sums + sample * s.blocks * 2 * c, scale, bias, factors + sample * 2 * c);
  }
  context.ParallelFor(items, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t sample = i / s.blocks, block = i % s.blocks;
      const size_t at = (sample * s.positions + block * kBlock) * c;
      const float* f = factors + sample * 2 * c;
      kernels.affine(s.BlockRows(block), c, x + at, f, f + c, s.args.lo, s.args.hi, y + at);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_group_norm() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
