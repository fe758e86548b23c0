"""Checks of the workbook's exercises, one module a topic: they run a learner's function and name the likely mistake.

from motif_lib.checks import rounds as checks
checks.check_my_think(my_think)  # prints `not yet: ...`, `ok: ...` or `not quite: ...`
"""

from motif_lib.checks.base import Case, Result, run

__all__ = ["Case", "Result", "run"]
