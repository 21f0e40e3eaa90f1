# SPDX-License-Identifier: Apache-2.0
"""Reading, writing and checking .tea files."""
