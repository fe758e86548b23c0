"""Where the open questions (docs/switches.md) enter a training: what is refused, and three seams of `MotifTrainer`.

A switch is a field of `MotifConfig`, a module with its formula, and a line here. At their defaults nothing here acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from motif_lib.carry import chat_of
from motif_lib.records import Trajectory
from motif_lib.rewards.control import CONTROLS, controlled
from motif_lib.rewards.efficiency import efficient
from motif_lib.rewards.future import Outcomes
from motif_lib.rewards.note import NoteReward
from motif_lib.training.refusals import check
from motif_lib.training.trained_tokens import TRAINED, train_only

AGGREGATIONS = ("sum_then_normalize", "normalize_then_sum")  # of TRL; the second is GDPO


def check_switches(args: Any) -> None:
    """Refuse values and combinations of the open questions that mean nothing."""
    for refuse in (check_tokens, check_horizon, check_efficiency, check_control, check_note_reward, check_aggregation):
        refuse(args)


def check_tokens(args: Any) -> None:
    """`trained_tokens` needs notes to tell apart."""
    which = args.trained_tokens
    check(which in TRAINED, f"trained_tokens={which!r}: choose one of {', '.join(TRAINED)}")
    check(which == "all" or args.num_rounds > 1, f"trained_tokens={which!r}: one round has no note; set num_rounds > 1")


def check_horizon(args: Any) -> None:
    """`horizon` counts rounds that there are."""
    horizon, left = args.horizon, args.num_rounds - 1
    check(
        horizon is None or 0 <= horizon <= left,
        f"horizon={horizon}: num_rounds={left + 1} leaves {left} after the first; choose 0 to {left}, or None",
    )


def check_efficiency(args: Any) -> None:
    """`efficiency` needs rounds that can be saved, and a right answer that is worth something in the last of them."""
    phi, n = args.efficiency, args.num_rounds
    if phi is not None:
        check(args.early_stop and n > 1, "efficiency: no round can be saved; set early_stop=True and num_rounds > 1")
        check(phi > n - 1, f"efficiency={phi}: a right answer in round {n} would earn nothing; set it above {n - 1}")
        check(args.horizon is None, "efficiency with a horizon, which ends futures itself: leave one of them out")


def check_control(args: Any) -> None:
    """`control` is a known one, and stands alone."""
    control = args.control
    check(control in (None, *CONTROLS), f"control={control!r}: choose one of {', '.join(CONTROLS)}, or None")
    check(control is None or args.efficiency is None, "control with efficiency: leave one of them out")


def check_note_reward(args: Any) -> None:
    """`note_reward` needs a note that a round reads, and groups in which it can be told from the MOTIF reward."""
    weight = args.note_reward
    check(weight >= 0, f"note_reward={weight}: it is a weight, 0 or more")
    if weight:
        check(args.num_rounds > 1, "note_reward: one round has no note; set num_rounds > 1")
        check(args.horizon != 0, "note_reward with horizon=0: no round reads the note; set horizon=1 or more")
        check(args.credit != "first", "note_reward with credit='first' only adds to reward_weights: set credit='all'")
        check(
            args.control is None, "note_reward with a control: it would tell the true outcomes; leave one of them out"
        )


def check_aggregation(args: Any) -> None:
    """`scale_rewards` is read by one of TRL's two aggregations only."""
    how, scale = args.multi_objective_aggregation, args.scale_rewards
    check(how in AGGREGATIONS, f"multi_objective_aggregation={how!r}: choose one of {', '.join(AGGREGATIONS)}")
    check(
        how == AGGREGATIONS[0] or scale == "group",
        f"multi_objective_aggregation={how!r} divides each reward by its spread in the group, and would not read "
        f"scale_rewards={scale!r}: set scale_rewards='group'",
    )


def credited(trainer: Any, outcomes: Outcomes, futures: Sequence[Trajectory]) -> Outcomes:
    """First seam: what a reply is credited with for its futures, by default their outcomes."""
    args = trainer.args
    if args.efficiency is not None:
        return efficient(outcomes, futures, args.efficiency)
    if args.control is not None and trainer.traced:  # an evaluation is graded truly
        return controlled(args.control, outcomes, args.outcome_reward, trainer._rng())
    return outcomes


def add_rewards(trainer: Any) -> None:
    """Second seam: rewards whose weight is a setting of their own, added as TRL adds those of its environments."""
    import torch

    if weight := trainer.args.note_reward:
        reward = NoteReward(trainer.reward_funcs[0])
        trainer.reward_funcs.append(reward)
        trainer.reward_func_names.append(reward.__name__)
        trainer.reward_processing_classes.append(None)
        trainer.reward_weights = torch.cat([trainer.reward_weights, torch.tensor([weight])])


def mask_loss(trainer: Any, batch: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    """Third seam: the tokens of a batch that are trained, by default all of them."""
    if (which := trainer.args.trained_tokens) != "all" and not chat_of(trainer.carry):  # such notes are rows (`credit`)
        rounds = [len(row["start"].replies) + 1 if "start" in row else 1 for row in rows]
        handed_on = [round < trainer.args.num_rounds for round in rounds]
        train_only(which, batch, trainer.processing_class, handed_on, trainer.accelerator.gather)
