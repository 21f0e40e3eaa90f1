# SPDX-License-Identifier: Apache-2.0
"""python -m tealight.cli."""

import sys

from tealight.cli import main

sys.exit(main())
