"""The bar of an evaluation: it moves with the tokens that are drawn, not only when a whole batch is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from motif_lib.samplers.progress import listening

FORMAT = "{l_bar}{bar}| {n:.1f}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class Bar:
    """Counts trajectories; of those under way, the replies and parts of replies that are done.

    Args:
        total: trajectories in all.
        done: how many of them an earlier run has left.
        rounds: most replies of a trajectory.
        name: what stands before the bar.
        show: without it nothing is shown, and nothing counted.
    """

    def __init__(self, total: int, done: int, rounds: int, name: str, show: bool):
        from tqdm.auto import tqdm

        self.rounds, self.show, self.done, self.tokens = rounds, show, done, 0
        self.bar = tqdm(
            total=total,
            initial=done,
            desc=name or None,
            disable=not show,
            miniters=0,  # else tqdm waits for whole trajectories
            smoothing=0,  # the speed so far tells the time left: a step gets cheaper as replies end
            bar_format=FORMAT,
        )

    @contextmanager
    def batch(self, size: int) -> Iterator[None]:
        """Within it so many trajectories are answered; after it they are done, whatever was reported."""
        self.done += size
        with listening(self._drawn) if self.show else nullcontext():
            yield
        self.bar.update(self.done - self.bar.n)

    def _drawn(self, tokens: int, replies: float) -> None:
        self.tokens += tokens
        seconds = self.bar.format_dict["elapsed"]
        self.bar.set_postfix_str(f"{self.tokens / seconds:.0f} tokens/s" if seconds else "", refresh=False)
        self.bar.update(min(replies / self.rounds, self.done - self.bar.n))
