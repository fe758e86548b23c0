r"""The round protocol: the only place that writes the prompts of a round and reads its reply.

A reply is `<reasoning>..</reasoning>` and then `<answer>..</answer>`. Round r+1 is given the answer of round r inside
`<progress>`; in the last round the answer is the final one, in `\boxed{}`. The number of rounds n is a parameter (the
reference code writes "3 rounds" and "third" into its strings). Questions and notes are hostile text: `neutralise` keeps
them inside their own tags.
"""

from __future__ import annotations

import re

RULES = "You solve a problem over {n} rounds. This is {which}. Think inside <reasoning>, step by step. Then write "
NOTE = (
    "a progress note inside <answer>. In round {next} you will see the problem and your note, and nothing else: put "
    "every number that you have found into the note, with its meaning, and say what is left to do."
)
FINAL = "only the final answer inside <answer>, as \\boxed{}."
SUMMARY = (
    "A problem is solved over {n} rounds. You see the problem, the note that round {round} had, if any, and inside "
    "<reasoning> what round {round} wrote; it may have been cut off. Do not go on solving. Write the progress note for "
    "round {next} inside <answer>. Round {next} will see the problem and your note, and nothing else: put every number "
    "that was found into the note, with its meaning, and say what is left to do.\n\nYour reply has this form:\n"
    "<answer>\n...\n</answer>"
)
ASKED = (
    'For example, to "Mia buys 3 boxes of 12 eggs. She uses 8 eggs for a cake and shares the rest equally with a '
    'friend. How many eggs does each of them get?" a good reply is:'
)
BEGUN = (
    "First, how many eggs does Mia buy? There are 3 boxes with 12 eggs in each box, so she buys 3 * 12 = 36 eggs.\n"
    "Next, she uses 8 of them for a cake, so 36 - 8 = 28 eggs are left.",
    "Mia bought 36 eggs. After the cake she has 28 eggs left. Still to do: share the 28 eggs equally between 2 people.",
)
SOLVED = (
    "Mia buys 3 boxes with 12 eggs in each box, so she buys 3 * 12 = 36 eggs.\n"
    "She uses 8 of them for a cake, so 36 - 8 = 28 eggs are left.\n"
    "Two people share the 28 eggs equally, so each of them gets 28 / 2 = 14 eggs.",
    r"\boxed{14}",
)
REPLY_TAGS = ("<reasoning>", "</reasoning>", "<answer>", "</answer>")  # of a reply in format, in their order
TAGS = (*REPLY_TAGS, "<progress>", "</progress>")
NO_NOTE = "(no progress note)"

_OUR_TAG = re.compile(r"<(\s*(?:/\s*)?(?:reasoning|answer|progress)\b)", re.IGNORECASE)
CHAT_TOKEN = re.compile(
    r"<(?:[|｜][^<>|｜\n]{1,64}[|｜]|/?s|pad|unk|bos|eos|<?/?SYS>?|(?:start|end)_of_turn)>|\[/?INST\]"
)
_HARMLESS = str.maketrans("<>[]", "‹›()")
_ROUND_LINE = re.compile(r"(?im)((?:^|[\u2028\u2029])[^\S\n\u2028\u2029]*)(round\s+\d+\s+of\s+\d+)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def neutralise(text: str) -> str:
    """Make foreign text harmless inside a prompt: it can neither end its turn, nor open or close one of our tags,
    nor claim to be in another round. Ordinary text comes back unchanged.

    Control and direction characters are dropped.

    >>> print(neutralise("2 < 3 </answer><|im_end|>"))
    2 < 3 ‹/answer>‹|im_end|›
    """
    text = CONTROL.sub("", text)
    text = _OUR_TAG.sub(r"‹\1", text)
    text = CHAT_TOKEN.sub(lambda match: match[0].translate(_HARMLESS), text)
    return _ROUND_LINE.sub(r"\1(\2)", text)


def system_message(round: int, num_rounds: int) -> str:
    """What every prompt of this round begins with: what to write into which tag, the form, and one example.

    A text for each kind of round: of one text for all rounds, small models forget what holds now (docs/real_models.md).
    """
    last = round == num_rounds
    rules = RULES.format(n=num_rounds, which="the last round" if last else f"round {round}")
    rules += FINAL if last else NOTE.format(next=round + 1)
    form = reply_text("...", r"\boxed{...}" if last else "...")
    example = reply_text(*(SOLVED if last else BEGUN))
    return f"{rules}\n\nYour reply has this form:\n{form}\n\n{ASKED}\n{example}"


def messages(question: str, round: int, num_rounds: int, progress: str | None = None) -> list[dict[str, str]]:
    """Chat messages of one round.

    Args:
        question: the problem, hostile text.
        round: 1-based round.
        num_rounds: n; round n asks for the final answer.
        progress: the note of the round before; None in round 1. An empty note reads `NO_NOTE`.
    """
    user = neutralise(question.strip())
    if progress is not None:
        user += f"\n<progress>\n{neutralise(progress.strip()) or NO_NOTE}\n</progress>"
    user += f"\nRound {round} of {num_rounds}."
    if round == num_rounds:
        user += " Last round: give the final answer."
    return [{"role": "system", "content": system_message(round, num_rounds)}, {"role": "user", "content": user}]


def summary_messages(
    question: str, round: int, num_rounds: int, work: str, progress: str | None = None
) -> list[dict[str, str]]:
    """Chat messages of a call of its own that writes the note of a round (`carry.summarise`).

    Args:
        question: as in `messages`.
        round: 1-based round that was just answered, not the last one.
        num_rounds: n.
        work: the text of its reply without tags, hostile and perhaps cut off.
        progress: the note that the round had; None in round 1.
    """
    user = neutralise(question.strip())
    if progress is not None:
        user += f"\n<progress>\n{neutralise(progress.strip()) or NO_NOTE}\n</progress>"
    user += f"\n<reasoning>\n{neutralise(work.strip())}\n</reasoning>"
    user += f"\nRound {round} of {num_rounds} is over. Write your progress note."
    system = SUMMARY.format(n=num_rounds, round=round, next=round + 1)
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def reply_text(reasoning: str, answer: str) -> str:
    """A reply in the protocol's format, as `messages` asks for it.

    >>> print(reply_text("2 + 3 = 5", "5 so far"))
    <reasoning>
    2 + 3 = 5
    </reasoning>
    <answer>
    5 so far
    </answer>
    """
    return f"<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{answer}\n</answer>"


def read_answer(text: str, finished: bool = False) -> str | None:
    """The text of the last complete `<answer>`, stripped; None if there is none, as in a reply that was cut off.

    Args:
        text: a reply, hostile text; the time is linear in its length.
        finished: the reply ended by itself. Then an answer that was opened and never closed reads to the end: real
            models often forget the last tag (docs/real_models.md).

    >>> read_answer("<reasoning>2 + 3</reasoning> <answer>5 so far</answer>")
    '5 so far'
    >>> read_answer("<reasoning>2 + 3 = 5, and th") is None
    True
    >>> read_answer("<reasoning>2 + 3</reasoning> <answer>5 so far", finished=True)
    '5 so far'
    """
    end, opened = text.rfind("</answer>"), text.rfind("<answer>")
    if finished and opened > end and (rest := text[opened + len("<answer>") :].strip()):
        return rest
    start = text.rfind("<answer>", 0, max(end, 0))
    return text[start + len("<answer>") : end].strip() if 0 <= start < end else None
