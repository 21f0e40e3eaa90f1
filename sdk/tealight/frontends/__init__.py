# SPDX-License-Identifier: Apache-2.0
"""Foreign models to ir.Graph, one folder per source."""
