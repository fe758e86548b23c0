"""Question sets, each through `load_task`."""

from motif_lib.tasks.load import BENCHMARKS, Benchmark, load_task

__all__ = ["BENCHMARKS", "Benchmark", "load_task"]
