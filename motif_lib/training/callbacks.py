"""Trainer callbacks: stop cleanly on Ctrl-C or NaN, seal checkpoints, show the time left, say what a step cost."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback

from motif_lib.files import seal


class StopOnInterrupt(TrainerCallback):
    """The first Ctrl-C ends training after the step in flight and saves a checkpoint; a second one stops at once.

    It listens only inside `with`, so Ctrl-C works as before again, however training ends.
    """

    def __init__(self) -> None:
        self.interrupted = False

    def __enter__(self) -> None:
        self.interrupted = False
        self.main = threading.current_thread() is threading.main_thread()  # only there can a handler be set
        if self.main:
            self.previous = signal.signal(signal.SIGINT, self._handle)

    def __exit__(self, *error: Any) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.previous)

    def _handle(self, number: int, frame: Any) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        tqdm.write("Stopping after this step and saving; press Ctrl-C again to stop at once.")

    def on_step_end(self, args, state, control, **kwargs: Any) -> None:
        if self.interrupted:
            control.should_training_stop = True
            control.should_save = True
            tqdm.write(f"Stopped at step {state.global_step}; the same command goes on from there ({args.output_dir}).")


class SealCheckpoints(TrainerCallback):
    """Writes the checksums of every checkpoint once it is complete."""

    def on_save(self, args, state, control, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class StopOnNaN(TrainerCallback):
    """Stops before a NaN or infinite gradient reaches the weights, and so before it reaches a checkpoint.

    The Trainer would clip it, apply it and save it. With `fp16` the gradient scaler skips such steps by itself and
    halves its scale; but if no scale helps, it would skip every step, and that would still look like training.
    """

    MOST_SKIPPED = 20  # the scaler begins at 2^16: by then its scale is below 1

    def __init__(self) -> None:
        self.skipped = 0

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs: Any) -> None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        finite = all(gradient.isfinite().all() for gradient in gradients)
        self.skipped = 0 if finite else self.skipped + 1
        advice = "lower learning_rate, or reload the weights"
        if self.skipped and not args.fp16:
            step = state.global_step + 1
            raise FloatingPointError(f"the loss of step {step} gave a NaN or infinite gradient: {advice}")
        if self.skipped == self.MOST_SKIPPED:
            raise FloatingPointError(f"{self.skipped} steps in a row gave gradients beyond float16: {advice}")


class ProgressLine(TrainerCallback):
    """One tqdm bar with time left and the numbers that matter: reward, accuracy, entropy, what the step cost."""

    def __init__(self, title: str = "train"):
        self.title = title

    def on_train_begin(self, args, state, control, **kwargs: Any) -> None:
        most = args.questions_per_step * args.replies_per_question
        length = f"of {args.max_completion_length} tokens" if args.max_completion_length else "that may fill the window"
        tqdm.write(f"{self.title}: {args.questions_per_step} questions a step, at most {most} replies {length}")
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.title, unit="step")

    def on_log(self, args, state, control, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        logs = logs or {}
        if "reward" in logs:
            shown = {"reward": f"{logs['reward']:.2f}", "accuracy": f"{logs['motif/accuracy']:.2f}"}
            if logs.get("entropy") is not None:  # TRL's mean over the trained tokens, in nats
                shown["entropy"] = f"{logs['entropy']:.2f}"
            self.bar.set_postfix({**shown, "later replies": f"{logs['motif/later_replies']:.0f}"}, refresh=False)

    def on_step_end(self, args, state, control, **kwargs: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_train_end(self, args, state, control, **kwargs: Any) -> None:
        self.bar.close()
