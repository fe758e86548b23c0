r"""Is the final answer of this reply right?

`verify` reads the claim (`extract`), compares numbers exactly and in this process (`numeric`), and leaves LaTeX to
math-verify in a worker process with a time and a memory limit (`pool`, `worker`). Nothing a model writes makes it raise
or hang. `lenient` reads the last number instead, whatever the format.
"""

from motif_lib.verify.core import Verdict, verify, verify_many

__all__ = ["Verdict", "verify", "verify_many"]
