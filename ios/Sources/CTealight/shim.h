/* SPDX-License-Identifier: Apache-2.0 */
/* All that Swift sees of the runtime. */
#include "../../../native/include/tealight.h"
