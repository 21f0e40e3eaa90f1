// SPDX-License-Identifier: Apache-2.0
// AVX-512 VNNI int8 gemm: vpdpbusd multiplies unsigned by signed bytes, so lhs is read as x + 128. Tiles of 6 rows x 64
// columns or 12 x 32: 24 sums. Where the last vector has at most 8 columns, several groups of 4 k share it.
#define TL_ISA x86_avx512vnni
#define TL_LHS_OFFSET 128
#include "base/simd/vec.h"
#include "kernels/qgemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE __m512i Unsigned(__m512i x) { return _mm512_xor_si512(x, _mm512_set1_epi8(-128)); }

TL_INLINE __m512i SplatLhs(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return Unsigned(_mm512_set1_epi32(four));
}

template <int MR, int NV>
struct DotLoop {
  TL_LOOP void Finish(I32 (&)[MR][NV]) {}
  TL_LOOP void Run(I32 (&acc)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    for (size_t k = 0; k < run; k += 4) {
      __m512i w[NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) w[j] = _mm512_loadu_si512(rhs.Vector(j));
      rhs.Advance(1);
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        const __m512i x = SplatLhs(p[i] + k);
        TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j].v = _mm512_dpbusd_epi32(acc[i][j].v, x, w[j]);
      }
    }
  }
};

// 16 / GROUPS columns at most: a vector holds them for GROUPS groups of 4 k side by side, whose sums are added at the
// end.
template <int MR, int GROUPS>
struct SharedLoop {
  __m512i sums[MR];

  TL_LOOP SharedLoop() { TL_UNROLL for (int i = 0; i < MR; ++i) sums[i] = _mm512_setzero_si512(); }

  // The columns of `count` groups; zeros for the others.
  static TL_LOOP __m512i LoadColumns(const int8_t* weights, size_t count) {
    const __mmask8 own = GROUPS == 4 ? 0x3 : 0xf;  // quadwords of one group
    __m512i w = _mm512_setzero_si512();
    TL_UNROLL for (int g = 0; g < GROUPS; ++g) {
      if (static_cast<size_t>(g) < count) {
        // The group's bytes at its place of the vector: the load begins that much before them.
        const int8_t* from = weights + g * static_cast<int>(4 * kQGemmPanel);
        const __mmask8 place = static_cast<__mmask8>(own << (g * 8 / GROUPS));
        w = _mm512_mask_loadu_epi64(w, place, from - g * 64 / GROUPS);
      }
    }
    return w;
  }

  TL_LOOP void Run(I32 (&)[MR][1], const int8_t* const (&p)[MR], Rhs<1>& rhs, size_t run) {
    const __m512i order = GROUPS == 4 ? _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
                                      : _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    for (size_t k = 0; k < run; k += 4 * GROUPS) {
      const size_t left = (run - k) / 4, count = left < GROUPS ? left : GROUPS;
      const __m512i w = LoadColumns(rhs.Vector(0), count);
      const __mmask8 lanes = static_cast<__mmask8>((1u << count) - 1);
      rhs.Advance(count);
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        const __m128i four = _mm_maskz_loadu_epi32(lanes, p[i] + k);
        const __m512i x = Unsigned(_mm512_permutexvar_epi32(order, _mm512_castsi128_si512(four)));
        sums[i] = _mm512_dpbusd_epi32(sums[i], x, w);
      }
    }
  }

  TL_LOOP void Finish(I32 (&acc)[MR][1]) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      __m512i sum = _mm512_add_epi32(sums[i], _mm512_shuffle_i64x2(sums[i], sums[i], 0x4e));
      if (GROUPS == 4) sum = _mm512_add_epi32(sum, _mm512_shuffle_i64x2(sum, sum, 0xb1));
      acc[i][0].v = _mm512_add_epi32(acc[i][0].v, sum);
    }
  }
};
template <int MR, int NV>
struct TwoGroupLoop : SharedLoop<MR, 2> {};
template <int MR, int NV>
struct FourGroupLoop : SharedLoop<MR, 4> {};

void SweepRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  size_t vector = 0;
  vector = Sweep<4, DotLoop, 6, 5, 4, 2, 1>(rows, m, args, vector);
  vector = Sweep<2, DotLoop, 12, 10, 8, 4, 1>(rows, m, args, vector);
  const size_t left = args.n - (vector * kLanes < args.n ? vector * kLanes : args.n);
  if (left > 8 || args.taps * args.run < 96) {  // sharing pays where there are many groups
    Sweep<1, DotLoop, 12, 8, 4, 1>(rows, m, args, vector);
  } else if (left > 4) {
    Sweep<1, TwoGroupLoop, 12, 4, 1>(rows, m, args, vector);
  } else {
    Sweep<1, FourGroupLoop, 12, 4, 1>(rows, m, args, vector);
  }
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) { SweepRows(rows, m, plain); });
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_x86_avx512vnni() {
  static constexpr QGemmKernels kKernels = {12, x86_avx512vnni::TileRows};
  return &kKernels;
}

}  // namespace tealight
