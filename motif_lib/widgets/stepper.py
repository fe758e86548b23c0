"""Round stepper: exactly what each round was asked, what it replied, and how much of that the next round will see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import ipywidgets as W

from motif_lib.carry import Carry, progress_note
from motif_lib.protocol import NO_NOTE, neutralise
from motif_lib.records import Question, Reply, Trace, Trajectory
from motif_lib.rounds import think
from motif_lib.samplers.base import Chat, Sampler
from motif_lib.show.colours import round_colour
from motif_lib.widgets.cards import Card, Passage, StaticCards
from motif_lib.widgets.data import Outcome
from motif_lib.widgets.markup import block, clean, one_line, safe, verdict
from motif_lib.widgets.meter import segment
from motif_lib.widgets.panel import Panel, button, hint, row, slider

Item = tuple[Trajectory, float | None]  # a trajectory and its outcome
Seen = Callable[[Chat], str]  # what a model sees of a chat, such as `ModelSampler.seen`

MAYBE = "if the model's chat template takes it (motif-tiny's leaves it out)"
UNKNOWN = "?"  # tokens of a prompt that nobody counted: a trainer's own prompt of the trained round, in its traces


def items_of(records: Iterable[Trajectory | Trace], outcome: Outcome | None = None) -> list[Item]:
    """Trajectories with their outcomes; `outcome` judges those that do not come with one."""
    items: list[Item] = []
    for record in records:
        if isinstance(record, Trace):
            items += zip(record.trajectories, record.outcomes, strict=True)
        else:
            items.append((record, outcome(record) if outcome else None))
    return items


def label(number: int, item: Item) -> str:
    """One line of the trajectory selector."""
    trajectory, outcome = item
    return f"{number}. {verdict(outcome)[0]} {one_line(trajectory.question.text)}"


def render_tokens(replies: Sequence[Reply], now: int) -> str:
    """Prompt and completion tokens of every round as bars; the round shown is outlined."""
    scale = max(1, *(reply.prompt_tokens + reply.tokens for reply in replies))
    rows = []
    for reply in replies:
        prompt = segment(reply.prompt_tokens, scale, "motif-fill", "prompt")
        tokens = segment(reply.tokens, scale, "motif-fill", "reply", round_colour(reply.round))
        said = f"prompt {reply.prompt_tokens or UNKNOWN} + reply {reply.tokens} tokens"
        bar = f'<div class="motif-bar" role="img" aria-label="{said}">{prompt}{tokens}</div>'
        current = " motif-now" if reply.round == now else ""
        rows.append(f'<div class="motif-row{current}"><b>round {reply.round}</b>{bar}<span>{said}</span></div>')
    return "".join(rows)


def note_in(previous: Reply | None) -> tuple[str, str]:
    """The note of the round before as a prompt holds it, and that round's colour."""
    return (neutralise(previous.carried.strip()), round_colour(previous.round)) if previous else ("", "")


def render_prompt(reply: Reply, previous: Reply | None, seen: Seen | None) -> str:
    """The prompt with the note of the round before marked in that round's colour: what the model sees of it, or, where
    nobody can tell, message by message as sent."""
    note, colour = note_in(previous)
    if seen:
        return block(seen(reply.prompt), None, note, colour)
    parts = []
    for message in reply.prompt:
        if message["role"] == "user":
            parts.append(block(message["content"], None, note, colour))
        else:
            name = f"{safe(message['role'])} message, {MAYBE}"
            parts.append(f"<details><summary>{name}</summary>{block(message['content'])}</details>")
    return "".join(parts)


def carried_text(reply: Reply, last: bool) -> str:
    """In words: how much of the reply the next round will see, and whether the budget cut it off."""
    cut = "" if reply.finished else f"✂ The token budget cut this reply off after {reply.tokens} tokens. "
    if last:
        return cut + "Last round: nothing is carried on, the answer in this reply is judged."
    if reply.carried in ("", NO_NOTE):
        return cut + "Nothing of this reply is carried on."
    if reply.carried in reply.text:
        return cut + f"{len(reply.carried):,} of {len(reply.text):,} characters are carried on; the rest is forgotten."
    return cut + f"The note has {len(reply.carried):,} characters; it is not a passage of this reply."


def render_round(item: Item, round: int, seen: Seen | None = None) -> str:
    """One round of one trajectory."""
    trajectory, outcome = item
    replies = trajectory.replies
    reply, last = replies[round - 1], round == len(replies)
    colour = round_colour(round)
    badges = [f"round {round} of {len(replies)}", verdict(outcome), f"gold: {clean(trajectory.question.gold, 60)}"]
    head = "".join(
        f'<span class="motif-badge" style="--c:{colour if not i else "currentColor"}">{safe(text)}</span>'
        for i, text in enumerate(badges)
    )
    prompt = render_prompt(reply, replies[round - 2] if round > 1 else None, seen)
    note = "" if last else f"<h4>Note: all that round {round + 1} will see of it</h4>{block(reply.carried, colour)}"
    return (
        f'<div class="motif" aria-live="polite"><p>{head}</p>{render_tokens(replies, round)}'
        f"<h4>Prompt, {reply.prompt_tokens or UNKNOWN} tokens</h4>{prompt}"
        f"<h4>Reply, {reply.tokens} tokens</h4>{block(reply.text, colour, reply.carried, colour)}"
        f"<p>{carried_text(reply, last)}</p>{note}</div>"
    )


def round_card(trajectory: Trajectory, round: int, seen: Seen | None) -> Card:
    """One round on a card."""
    replies, reply, last = trajectory.replies, trajectory.replies[round - 1], round == len(trajectory.replies)
    colour = round_colour(reply.round)
    prompt = seen(reply.prompt) if seen else reply.prompt[-1]["content"]
    what = "The model sees" if seen else "The question, as sent"
    passages = [
        Passage(
            f"{what} (prompt of {reply.prompt_tokens or UNKNOWN} tokens)",
            prompt,
            *note_in(replies[round - 2] if round > 1 else None),
        ),
        Passage(f"It writes ({reply.tokens} tokens)", reply.text, reply.carried, colour),
    ]
    if last:
        passages.append(Passage("Gold answer", trajectory.question.gold))
    foot = carried_text(reply, last)
    return Card(f"round {reply.round} of {len(replies)}", colour, passages, foot, None if last else reply.carried)


def stepper_cards(items: Sequence[Item], chosen: int | None = 0, seen: Seen | None = None) -> StaticCards:
    """The rounds of one trajectory on cards."""
    if not items or chosen is None:
        return StaticCards("Round stepper: no trajectories yet", [])
    trajectory, outcome = items[chosen]
    caption = f"Round stepper: trajectory {chosen + 1} of {len(items):,}, {verdict(outcome)}"
    cards = [round_card(trajectory, round, seen) for round in range(1, len(trajectory.replies) + 1)]
    return StaticCards(caption, cards)


class Stepper(Panel):
    """The panel of `round_stepper`; its state is the trajectory chosen and the round shown."""

    def __init__(self, items: list[Item], seen: Seen | None = None):
        self.items, self.seen = items, seen
        self.trajectory = W.Dropdown(description="trajectory", layout=W.Layout(width="min(100%, 640px)"))
        hint(self.trajectory, "which trajectory; ✓ right, ✗ wrong, ? not graded")
        self.round = slider("round", 1, 1, 1, "which round")
        self.back = button("◀ Prev", "previous round", lambda: self.go(-1))
        self.forth = button("Next ▶", "next round", lambda: self.go(+1))
        self.back.add_class("motif-prev")
        self.forth.add_class("motif-next")
        self.trajectory.observe(self._fit, names="value")  # before the panel draws: the round must exist
        self.round.observe(self._fit, names="value")
        self.select(0)
        controls = {"trajectory": self.trajectory, "round": self.round}
        rows = [self.trajectory, row(self.back, self.forth, self.round)]
        super().__init__(controls, self._draw, lambda trajectory, round: stepper_cards(items, trajectory, seen), rows)

    def go(self, rounds: int) -> None:
        """Move by some rounds, not beyond the ends."""
        self.round.value = min(self.round.max, max(1, self.round.value + rounds))

    def select(self, index: int) -> None:
        """List the trajectories, as their number may have changed, and show one from its first round."""
        self.trajectory.options = [(label(number, item), number - 1) for number, item in enumerate(self.items, 1)]
        if self.items:
            self.trajectory.value = index
        self.round.value = 1
        self._fit()

    def _fit(self, _change: object = None) -> None:
        chosen = self.trajectory.value
        self.round.max = 1 if chosen is None else max(1, len(self.items[chosen][0].replies))
        self.back.disabled, self.forth.disabled = self.round.value <= 1, self.round.value >= self.round.max

    def _draw(self, trajectory: int | None, round: int) -> str:
        if trajectory is None or not self.items[trajectory][0].replies:
            return '<div class="motif"><p>No replies yet.</p></div>'
        return render_round(self.items[trajectory], round, self.seen)


def ask_row(stepper: Stepper, answer: Callable[[Question], Item]) -> W.Widget:
    """A question, its gold answer and a button that adds the live trajectory to the stepper."""
    question = hint(
        W.Textarea(description="question", layout=W.Layout(width="min(100%, 480px)")), "the problem to solve"
    )
    gold = hint(W.Text(description="gold", layout=W.Layout(width="180px")), "the right answer, if you know it")

    def ask() -> None:
        start.disabled, start.description = True, "thinking …"
        try:
            stepper.items.append(answer(Question(question.value, gold.value)))
            stepper.select(len(stepper.items) - 1)
        except Exception as error:
            stepper.show_error(error)
        finally:
            start.disabled, start.description = False, "Ask"

    start = button("Ask", "answer this question in rounds", ask)
    for name, control in (("question", question), ("gold", gold), ("ask", start)):
        control.add_class(f"motif-{name}")
    return row(question, gold, start)


def round_stepper(
    records: Iterable[Trajectory | Trace] = (),
    *,
    sampler: Sampler | None = None,
    num_rounds: int | None = None,
    carry: Carry = progress_note,
    outcome: Outcome | None = None,
) -> Stepper:
    """Step through the rounds of trajectories: recorded ones, and live ones where a sampler is given.

    Args:
        records: trajectories or traces, for instance `records.read_traces(path)`.
        sampler: shows every prompt as its model sees it, and with `num_rounds` answers questions asked in the panel.
        num_rounds: rounds of a live answer.
        carry: what a live answer carries from round to round.
        outcome: judges trajectories that were recorded without an outcome, and live ones.

    Raises:
        ValueError: if there is nothing to show, or `num_rounds` is given without a sampler.
    """
    items = items_of(records, outcome)
    if sampler is None and num_rounds is not None:
        raise ValueError("round_stepper: num_rounds is for live answers, give a sampler with it")
    if not items and num_rounds is None:
        raise ValueError("round_stepper got no trajectories: give some, or a sampler and num_rounds to ask live")
    stepper = Stepper(items, getattr(sampler, "seen", None))
    if sampler is not None and num_rounds is not None:
        live = ask_row(stepper, lambda question: items_of(think([question], sampler, num_rounds, carry), outcome)[0])
        stepper.widget.children = (live, *stepper.widget.children)
    return stepper
