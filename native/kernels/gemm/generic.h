// SPDX-License-Identifier: Apache-2.0
// The body of the float32 gemm kernels over the SIMD wrapper (gemm.h has the formula). A tile is MR rows by NV
// vectors of columns held in registers; its k loop loads NV vectors of rhs and broadcasts MR elements of lhs.
// A path picks the largest tile of its register file; arm64 replaces the k loop (see arm_neon.cc).
#ifndef TEALIGHT_KERNELS_GEMM_GENERIC_H_
#define TEALIGHT_KERNELS_GEMM_GENERIC_H_

#include "base/simd/vec.h"
#include "kernels/gemm/gemm.h"

namespace tealight {
namespace TL_ISA {
namespace {

#define TL_UNROLL _Pragma("GCC unroll 32")

// Vectors of one panel.
constexpr size_t kPanelVectors = kGemmPanel / kLanes;

// Offset of vector j of a tile in rhs: vectors run through the panels.
TL_INLINE size_t RhsOffset(const GemmArgs& args, size_t vector) {
  return vector / kPanelVectors * args.rhs_panel_stride + vector % kPanelVectors * kLanes;
}

// The k loop over one tap: acc[i][j] += p[i][k] * b[j][k * stride] for k < run.
template <int MR, int NV, bool kPartial>
struct BroadcastLoop {
  TL_INLINE void Run(F32 (&acc)[MR][NV], const float* const* p, const float* (&b)[NV], size_t stride, size_t run,
                     size_t columns) {
    const float* x[MR];
    TL_UNROLL for (int i = 0; i < MR; ++i) x[i] = p[i];
    for (size_t k = 0; k < run; ++k) {
      F32 rhs[NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        rhs[j] = kPartial && j == NV - 1 ? LoadPartial(b[j], columns) : Load(b[j]);
        b[j] += stride;
      }
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        const F32 lhs = Splat(x[i][k]);
        TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j] = Fma(lhs, rhs[j], acc[i][j]);
      }
    }
  }
};

#ifndef TL_GEMM_LOOP
#define TL_GEMM_LOOP BroadcastLoop
#endif

// One tile: columns [0, columns) of args, columns in ((NV - 1) * kLanes, NV * kLanes]. kPartial: the last vector of
// rhs must not be read past its columns.
template <int MR, int NV, bool kPartial, template <int, int, bool> class Loop>
__attribute__((noinline)) void Tile(const float* const* rows, const GemmArgs& args, size_t vector, size_t columns) {
  const size_t column = vector * kLanes;
  const size_t last = columns - (NV - 1) * kLanes;  // columns of the last vector
  F32 acc[MR][NV];
  TL_UNROLL for (int j = 0; j < NV; ++j) {
    F32 start = Zero();
    if (args.bias != nullptr) {
      const float* bias = args.bias + column + static_cast<size_t>(j) * kLanes;
      start = j == NV - 1 && last < kLanes ? LoadPartial(bias, last) : Load(bias);
    }
    TL_UNROLL for (int i = 0; i < MR; ++i) acc[i][j] = start;
  }
  // Where k is small, time goes into waiting for the lines of dst: ask for them before the sums are done.
  TL_UNROLL for (int i = 0; i < MR; ++i) {
    const float* dst = args.dst + static_cast<size_t>(i) * args.dst_stride + column;
    TL_UNROLL for (size_t j = 0; j < NV * kLanes; j += 16) __builtin_prefetch(dst + j, 1);
  }
  const float* b[NV];
  TL_UNROLL for (int j = 0; j < NV; ++j) b[j] = args.rhs + RhsOffset(args, vector + static_cast<size_t>(j));
  for (size_t t = 0; t < args.taps; ++t) {
    Loop<MR, NV, kPartial>::Run(acc, rows + t * MR, b, args.rhs_k_stride, args.run, last);
  }
  if (args.residual != nullptr) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      const float* residual = args.residual + static_cast<size_t>(i) * args.residual_stride + column;
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const float* r = residual + static_cast<size_t>(j) * kLanes;
        acc[i][j] = Add(acc[i][j], j == NV - 1 && last < kLanes ? LoadPartial(r, last) : Load(r));
      }
    }
  }
  const F32 lo = Splat(args.lo), hi = Splat(args.hi);
  TL_UNROLL for (int i = 0; i < MR; ++i) {
    float* dst = args.dst + static_cast<size_t>(i) * args.dst_stride + column;
    TL_UNROLL for (int j = 0; j < NV; ++j) {
      const F32 y = ClampMax(ClampMin(acc[i][j], lo), hi);
      float* d = dst + static_cast<size_t>(j) * kLanes;
      if (j == NV - 1 && last < kLanes) {
        StorePartial(d, y, last);
      } else {
        Store(d, y);
      }
    }
  }
}

// Tiles of NV vectors from `vector` on while they are needed; returns the vectors done.
template <int MR, int NV, template <int, int, bool> class Loop>
TL_INLINE size_t Sweep(const float* const* rows, const GemmArgs& args, size_t vector) {
  // The last vector of an unpadded rhs is left to the partial tile.
  const size_t whole = args.rhs_padded ? (args.n + kLanes - 1) / kLanes : args.n / kLanes;
  for (; vector + NV <= whole; vector += NV) {
    const size_t left = args.n - vector * kLanes;
    Tile<MR, NV, false, Loop>(rows, args, vector, left < NV * kLanes ? left : NV * kLanes);
  }
  return vector;
}

// All columns for MR rows: tiles of WIDE vectors, then of NARROW, then single ones.
template <int MR, int WIDE, int NARROW, template <int, int, bool> class Loop = TL_GEMM_LOOP>
void Rows(const float* const* rows, const GemmArgs& args) {
  size_t vector = Sweep<MR, WIDE, Loop>(rows, args, 0);
  if (NARROW < WIDE) vector = Sweep<MR, NARROW, TL_GEMM_LOOP>(rows, args, vector);
  if (NARROW > 1) vector = Sweep<MR, 1, TL_GEMM_LOOP>(rows, args, vector);
  if (vector * kLanes < args.n) Tile<MR, 1, true, TL_GEMM_LOOP>(rows, args, vector, args.n - vector * kLanes);
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_GEMM_GENERIC_H_
