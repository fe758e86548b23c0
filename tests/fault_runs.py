"""A training in a child process that is killed at random moments: `fault_runs.py FOLDER KILLS SEED` prints JSON.

The parent imports everything once and forks, so that a kill costs the training alone. It runs as a process of its own,
without pytest's threads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

STEPS = 4


def recipe(**changes):
    """Two questions a step, two replies each, one trajectory over two rounds; motif-tiny."""
    from motif_lib.training.recipe import Recipe

    train = dict(
        num_rounds=2, num_generations=2, num_trajectories=1, max_completion_length=40, per_device_train_batch_size=4,
        max_steps=STEPS, learning_rate=1e-3, use_cpu=True, bf16=False, report_to="none", save_steps=1,
        gradient_checkpointing=False, disable_tqdm=True, logging_steps=1, traced_questions=2,
    )  # fmt: skip
    return Recipe("motif-tiny", "ledger", questions=12, lora_rank=4, dial={"steps": [1, 3]}, train={**train, **changes})


def forked(work) -> int:
    """The id of a child that does `work` and ends without a word."""
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return child


def alive(child: int) -> bool:
    """Whether a child still runs; one that failed by itself ends this process too."""
    ended, status = os.waitpid(child, os.WNOHANG)
    if status:
        sys.exit(f"the training failed with status {status}")
    return not ended


def train_under_fire(out: Path, rng: random.Random, span: float, kills: int) -> list[float]:
    """Train to the end, killed up to `kills` times after up to `span` seconds each; the moments of the kills."""
    from motif_lib.training.runs import train_run

    moments = []
    while not (out / "adapter").exists():
        child, moment = forked(lambda: train_run(recipe(), out)), rng.uniform(0, span)
        deadline = time.monotonic() + (moment if len(moments) < kills else 600)
        while (running := alive(child)) and time.monotonic() < deadline:
            time.sleep(0.005)
        if running:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            moments.append(round(moment, 2))
    return moments


def main(folder: str, kills: int, seed: int) -> None:
    """Run once in peace, then until `kills` kills have hit; a folder that was completed is followed by a new one."""
    import torch

    import motif_lib.training.trainer  # noqa: F401  imported before the forks

    torch.set_num_threads(1)
    out, rng = Path(folder), random.Random(seed)
    started = time.monotonic()
    train_under_fire(out / "whole", rng, 0, 0)
    span, moments, runs = time.monotonic() - started, [], 0
    while len(moments) < kills:
        runs += 1
        moments += train_under_fire(out / f"killed{runs}", rng, span, kills - len(moments))
    print(json.dumps({"seconds": round(span, 2), "moments": moments, "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
