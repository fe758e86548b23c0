r"""The round protocol: the only place that writes the prompts of a round and reads its reply.

A reply is `<reasoning>..</reasoning>` and then `<answer>..</answer>`. Round r+1 is given the answer of round r inside
`<progress>`; in the last round the answer is the final one, in `\boxed{}`. The number of rounds n is a parameter (the
reference code writes "3 rounds" and "third" into its strings). Questions and notes are hostile text: `neutralise` keeps
them inside their own tags.
"""

from __future__ import annotations

import re

SYSTEM = (
    "Think in rounds. In each round reply\n<reasoning>\n...\n</reasoning>\n<answer>\n...\n</answer>\n"
    "Only the answer is passed on: write your progress there, in the last round the final answer in \\boxed{}."
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
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


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
            models forget the last tag in every fourth note (docs/real_models.md).

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
