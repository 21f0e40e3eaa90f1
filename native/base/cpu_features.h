// SPDX-License-Identifier: Apache-2.0
// Which instruction sets this CPU runs, and the names of the kernel paths built for them.
#ifndef TEALIGHT_BASE_CPU_FEATURES_H_
#define TEALIGHT_BASE_CPU_FEATURES_H_

#include <stddef.h>
#include <stdint.h>

namespace tealight {

// A kernel path. Every path gives the same bits; kScalar defines them. The last three add integer dot products:
// sdot; smmla as well; vpdpbusd with the byte permutes of VBMI.
enum class Isa : uint8_t { kScalar = 0, kArmNeon, kX86Avx2, kX86Avx512, kArmNeonDot, kArmNeonI8mm, kX86Avx512Vnni };

/// "scalar", "arm_neon", "x86_avx2", "x86_avx512", "arm_neondot", "arm_neoni8mm", "x86_avx512vnni".
const char* IsaName(Isa isa);
/// The path whose kernels a family uses that has none for the integer dot products.
inline Isa BaseIsa(Isa isa) {
  if (isa == Isa::kArmNeonDot || isa == Isa::kArmNeonI8mm) return Isa::kArmNeon;
  return isa == Isa::kX86Avx512Vnni ? Isa::kX86Avx512 : isa;
}
/// The i-th path that is compiled in and that this CPU runs, best first; false past the last (scalar is the last).
bool SupportedIsa(size_t i, Isa* isa);
/// Whether the calling thread runs on a core that issues in order (Cortex-A35, A53, A55, A510, A520), where the order
/// of instructions matters; false where the system does not tell. Costs about a microsecond.
bool IssuesInOrder();

}  // namespace tealight

#endif  // TEALIGHT_BASE_CPU_FEATURES_H_
