// SPDX-License-Identifier: Apache-2.0
// Speed of the bare kernels on the convolutions of MobileNetV2, one thread, per path: MAC per clock cycle and
// GMAC/s. Each figure is the minimum over short slices, paired with a probe of the clock, so that a busy machine
// disturbs it little. Usage: cmake --build build/host --target tealight_bench_kernels, then
// build/host/tealight_bench_kernels [isa [gemm | qgemm | dwconv]].
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/dwconv/dwconv.h"
#include "kernels/gemm/gemm.h"
#include "kernels/qdwconv/qdwconv.h"
#include "kernels/qgemm/qgemm.h"

namespace {

using tealight::GemmArgs;
using tealight::GemmKernels;
using tealight::Isa;
using tealight::QGemmArgs;
using tealight::QGemmKernels;

double Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Seconds per cycle: a chain of additions takes one cycle each.
double CycleSeconds() {
  double best = 1;
  for (int slice = 0; slice < 20; ++slice) {
    unsigned long x = 1;
    const double begin = Now();
    for (int i = 0; i < 100000; ++i) {
      __asm__ volatile("" : "+r"(x));
      x += 1;
      __asm__ volatile("" : "+r"(x));
      x += 1;
      __asm__ volatile("" : "+r"(x));
      x += 1;
      __asm__ volatile("" : "+r"(x));
      x += 1;
      __asm__ volatile("" : "+r"(x));
    }
    const double seconds = (Now() - begin) / 400000;
    if (seconds < best) best = seconds;
  }
  return best;
}

float* Floats(size_t count) {
  float* p = static_cast<float*>(aligned_alloc(64, (count * 4 + 63) / 64 * 64));
  for (size_t i = 0; i < count; ++i) p[i] = static_cast<float>(static_cast<int>(i * 2654435761u >> 16) % 1000) * 1e-3f;
  return p;
}

// The least time of one call over many.
template <typename F>
double LeastSeconds(const F& f) {
  double best = 1e9;
  for (int slice = 0; slice < 40; ++slice) {
    const double begin = Now();
    f();
    const double seconds = Now() - begin;
    if (seconds < best) best = seconds;
  }
  return best;
}

struct Problem {
  size_t m, k, n;
};

// A 3x3 depthwise convolution of stride 1 that keeps the size of its image [side, side, c].
struct Depthwise {
  ptrdiff_t side, c;
};

double MacsPerSecond(const tealight::DwconvKernels& kernels, const Depthwise& p) {
  const size_t image = static_cast<size_t>(p.side * p.side * p.c), lanes = static_cast<size_t>((p.c + 15) / 16 * 16);
  float* x = Floats(image);
  float* weight = Floats(lanes * 9);
  float* bias = Floats(lanes);
  float* y = Floats(image);
  tealight::DwconvArgs args;
  args.x = x;
  args.weight = weight;
  args.bias = bias;
  args.y = y;
  args.h = args.w = args.oh = args.ow = p.side;
  args.c = p.c;
  args.kh = args.kw = 3;
  args.top = args.left = 1;
  args.lo = 0;
  args.hi = 6;
  const double best = LeastSeconds([&] { kernels.run(args, 0, p.side, 0, p.c); });
  free(x);
  free(weight);
  free(bias);
  free(y);
  return static_cast<double>(image) * 9 / best;
}

template <typename T>
T* Filled(size_t count, T value) {
  T* p = static_cast<T*>(aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64));
  for (size_t i = 0; i < count; ++i) p[i] = value;
  return p;
}

// The int8 form of it, of any square window and stride.
double MacsPerSecond(const tealight::QDwconvKernels& kernels, const Depthwise& p, int k, int stride) {
  const ptrdiff_t out = (p.side + stride - 1) / stride;
  const size_t lanes = static_cast<size_t>((p.c + 31) / 32 * 32), outputs = static_cast<size_t>(out * out * p.c);
  tealight::QDwconvArgs args;
  args.h = args.w = p.side;
  args.oh = args.ow = out;
  args.c = p.c;
  args.kh = args.kw = k;
  args.sh = args.sw = stride;
  args.top = args.left = k / 2;
  args.requantization.lo = -100;
  int8_t* x = Filled<int8_t>(static_cast<size_t>(p.side * p.side * p.c), 3);
  int8_t* weight = Filled<int8_t>(static_cast<size_t>(tealight::QDwconvPanelBytes(k, k)) * lanes / 16, 1);
  int32_t* bias = Filled<int32_t>(lanes, 10);
  float* scale = Filled<float>(lanes, 0.01f);
  int8_t* outside = Filled<int8_t>(tealight::QDwconvOutsideBytes(p.side, p.c), 0);
  int8_t* y = Filled<int8_t>(outputs, 0);
  args.x = x;
  args.weight = weight;
  args.bias = bias;
  args.scale = scale;
  args.outside = outside;
  args.y = y;
  const double best = LeastSeconds([&] { kernels.run(args, 0, out, 0, p.c); });
  free(x);
  free(weight);
  free(bias);
  free(scale);
  free(outside);
  free(y);
  return static_cast<double>(outputs) * k * k / best;
}

// Multiplies all of m x k by k x n as the ops do: row tiles outside, columns inside.
void Multiply(const GemmKernels& kernels, const Problem& p, const float* lhs, const float* rhs, const float* bias,
              float* dst) {
  GemmArgs args;
  args.run = p.k;
  args.rhs = rhs;
  args.rhs_k_stride = tealight::kGemmPanel;
  args.rhs_panel_stride = tealight::kGemmPanel * p.k;
  args.n = p.n;
  args.bias = bias;
  args.dst_stride = p.n;
  args.lo = 0;
  args.hi = 6;
  const size_t tiles = (p.m + kernels.max_rows - 1) / kernels.max_rows;
  for (size_t t = 0; t < tiles; ++t) {
    const size_t begin = p.m * t / tiles, end = p.m * (t + 1) / tiles;
    const float* rows[16];
    for (size_t i = begin; i < end; ++i) rows[i - begin] = lhs + i * p.k;
    args.dst = dst + begin * p.n;
    kernels.tile(rows, end - begin, args);
  }
}

double MacsPerSecond(const GemmKernels& kernels, const Problem& p) {
  float* lhs = Floats(p.m * p.k);
  float* rhs = Floats((p.n + 15) / 16 * 16 * p.k);
  float* bias = Floats(p.n);
  float* dst = Floats(p.m * p.n);
  const double best = LeastSeconds([&] { Multiply(kernels, p, lhs, rhs, bias, dst); });
  free(lhs);
  free(rhs);
  free(bias);
  free(dst);
  return static_cast<double>(p.m * p.k * p.n) / best;
}

// The int8 product of a quantized layer: requantized, rows of a multiple of 4 bytes.
double MacsPerSecond(const QGemmKernels& kernels, const Problem& p) {
  const size_t run = (p.k + 3) / 4 * 4, panels = (p.n + 31) / 32;
  int8_t* lhs = reinterpret_cast<int8_t*>(Floats(p.m * run / 4 + 1));
  int8_t* rhs = reinterpret_cast<int8_t*>(Floats(panels * tealight::QGemmPanelBytes(run) / 4));
  int32_t* bias = reinterpret_cast<int32_t*>(Floats(panels * 32));
  float* scale = Floats(panels * 32);
  int8_t* dst = reinterpret_cast<int8_t*>(Floats(p.m * p.n / 4 + 1));
  QGemmArgs args;
  args.run = run;
  args.rhs = rhs;
  args.rhs_panel_stride = tealight::QGemmPanelBytes(run);
  args.n = p.n;
  args.bias = bias;
  args.scale = scale;
  args.dst_stride = p.n;
  args.requantization = {3, -128, 127, false};
  const double best = LeastSeconds([&] {
    const size_t tiles = (p.m + kernels.max_rows - 1) / kernels.max_rows;
    for (size_t t = 0; t < tiles; ++t) {
      const size_t begin = p.m * t / tiles, end = p.m * (t + 1) / tiles;
      const int8_t* rows[tealight::kQGemmMaxRows];
      for (size_t i = begin; i < end; ++i) rows[i - begin] = lhs + i * run;
      args.dst = dst + begin * p.n;
      kernels.tile(rows, end - begin, args);
    }
  });
  free(lhs);
  free(rhs);
  free(bias);
  free(scale);
  free(dst);
  return static_cast<double>(p.m * p.k * p.n) / best;
}

// Prints one figure.
void Print(const char* isa, const char* family, const Problem& p, double rate, double cycle) {
  printf("%-14s  %-5s %6zu x %5zu x %5zu  %6.2f MAC/cycle  %6.2f GMAC/s\n", isa, family, p.m, p.k, p.n, rate * cycle,
         rate * 1e-9);
}

}  // namespace

int main(int argc, char** argv) {
  const Problem products[] = {{12544, 32, 16}, {12544, 16, 96},  {3136, 96, 24},   {3136, 24, 144}, {3136, 144, 24},
                              {784, 192, 32},  {784, 32, 192},   {196, 64, 384},   {196, 384, 64},  {196, 96, 576},
                              {196, 576, 96},  {49, 960, 160},   {49, 160, 960},   {49, 320, 1280}, {12544, 27, 32},
                              {3136, 576, 64}, {784, 1152, 128}, {196, 2304, 256}, {49, 4608, 512}, {128, 256, 1024},
                              {1, 1280, 1000}, {4, 512, 512},    {4096, 147, 3}};
  const Depthwise depthwise[] = {{112, 32}, {56, 144}, {28, 192}, {14, 384}, {14, 576}, {7, 960}};
  const auto wanted = [&](const char* family) { return argc < 3 || strcmp(family, argv[2]) == 0; };
  const double cycle = CycleSeconds();
  printf("clock %.3f GHz\n", 1e-9 / cycle);
  Isa isa = Isa::kScalar;
  for (size_t i = 0; tealight::SupportedIsa(i, &isa); ++i) {
    const char* name = tealight::IsaName(isa);
    if (argc > 1 && strcmp(name, argv[1]) != 0) continue;
    for (const Problem& p : products) {
      if (isa == Isa::kScalar && p.m * p.k * p.n > 10000000) continue;
      if (wanted("gemm")) Print(name, "gemm", p, MacsPerSecond(*tealight::FindGemm(isa, p.n), p), cycle);
      if (wanted("qgemm")) Print(name, "qgemm", p, MacsPerSecond(*tealight::FindQGemm(isa, p.n), p), cycle);
    }
    for (int form = 0; form < 4 && wanted("qdwconv"); ++form) {
      const int k = form < 2 ? 3 : 5, stride = 1 + form % 2;
      for (const Depthwise& p : depthwise) {
        const double rate = MacsPerSecond(*tealight::FindQDwconv(isa), p, k, stride);
        printf("%-14s  qdwconv %dx%d/%d %4td x %4td x %4td  %6.2f MAC/cycle  %6.2f GMAC/s\n", name, k, k, stride,
               p.side, p.side, p.c, rate * cycle, rate * 1e-9);
      }
    }
    for (const Depthwise& p : depthwise) {
      if (!wanted("dwconv")) break;
      const double rate = MacsPerSecond(*tealight::FindDwconv(isa), p);
      printf("%-14s  dwconv 3x3 %4td x %4td x %4td  %6.2f MAC/cycle  %6.2f GMAC/s\n", name, p.side, p.side, p.c,
             rate * cycle, rate * 1e-9);
    }
  }
  return 0;
}
