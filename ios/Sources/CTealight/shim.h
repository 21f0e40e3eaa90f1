/* SPDX-License-Identifier: Apache-2.0 */
/* All that Swift sees of the runtime: beside this file in a release, in native/ in the source tree. */
#if __has_include("tealight.h")
#include "tealight.h"
#else
#include "../../../native/include/tealight.h"
#endif
