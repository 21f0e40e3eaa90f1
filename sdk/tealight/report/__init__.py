# SPDX-License-Identifier: Apache-2.0
"""Terminal tables and the HTML report."""
