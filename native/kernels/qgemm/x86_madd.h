// SPDX-License-Identifier: Apache-2.0
// The loop over k of the x86 paths without vpdpbusd: bytes are widened to 16 bits, the even and the odd ones apart, and
// vpmaddwd adds two exact products. vpmaddubsw would need fewer steps but saturates.
#ifndef TEALIGHT_KERNELS_QGEMM_X86_MADD_H_
#define TEALIGHT_KERNELS_QGEMM_X86_MADD_H_

#include "base/simd/vec.h"
#include "kernels/qgemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

// The even bytes of each group of four, and the odd ones, as 16-bit integers.
struct Halves {
  I32 even, odd;
};

#if TL_SIMD == TL_SIMD_x86_avx512
TL_INLINE I32 LoadBytes(const int8_t* p) { return {_mm512_loadu_si512(p)}; }
TL_INLINE Halves Widen(I32 x) {
  return {{_mm512_srai_epi16(_mm512_slli_epi16(x.v, 8), 8)}, {_mm512_srai_epi16(x.v, 8)}};
}
TL_INLINE I32 Madd(I32 a, I32 b) { return {_mm512_madd_epi16(a.v, b.v)}; }
#else
TL_INLINE I32 LoadBytes(const int8_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
TL_INLINE Halves Widen(I32 x) {
  return {{_mm256_srai_epi16(_mm256_slli_epi16(x.v, 8), 8)}, {_mm256_srai_epi16(x.v, 8)}};
}
TL_INLINE I32 Madd(I32 a, I32 b) { return {_mm256_madd_epi16(a.v, b.v)}; }
#endif

template <int MR, int NV>
struct MaddLoop {
  TL_LOOP void Finish(I32 (&)[MR][NV]) {}
  TL_LOOP void Run(I32 (&acc)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    for (size_t k = 0; k < run; k += 4) {
      Halves w[NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) w[j] = Widen(LoadBytes(rhs.Vector(j)));
      rhs.Advance(1);
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        int32_t four;
        memcpy(&four, p[i] + k, 4);
        const Halves x = Widen(SplatI32(four));
        TL_UNROLL for (int j = 0; j < NV; ++j) {
          acc[i][j] = Add(acc[i][j], Add(Madd(w[j].even, x.even), Madd(w[j].odd, x.odd)));
        }
      }
    }
  }
};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_X86_MADD_H_
