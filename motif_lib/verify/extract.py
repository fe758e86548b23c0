r"""What does a reply claim as its final answer?

The rule, the same for training and evaluation: a reply that uses the protocol's tags answers in its last complete
`<answer>` and nowhere else, so a box in the reasoning, or in a reply that was cut off, is no answer. A text without any
of the tags (a gold solution, a model that was never told of them) is read as a whole. There the last `\boxed{}` counts,
or else what follows the last `####` (as in GSM8K), or else what follows the last `answer:` or `the answer is`.
"""

from __future__ import annotations

import re

from motif_lib.protocol import REPLY_TAGS, read_answer

MAX_REPLY = 20_000  # characters read from the end of a reply: the final answer stands last
MAX_CLAIM = 1_000  # characters; the longest gold of GSM8K, MATH-500 and AIME 2024 has 53

_NAMED = r"\\{1,2}(?:boxed|fbox)"  # a second backslash comes from escaping twice
_BARE = r"-?\d+(?:,\d{3})*(?:\.\d+)?|\\[dt]?frac\{[^{}]*\}\{[^{}]*\}"
_BOX = re.compile(rf"{_NAMED}\s*\{{|{_NAMED}\s*(?P<bare>{_BARE})|\\[{{}}\\]|[{{}}]")
_HASHES = re.compile(r"^####[ \t]*(\S.*)$", re.MULTILINE)
_LABEL = re.compile(
    r"^\W*(?:(?:so|thus|hence|therefore)\W+)?(?:(?:the|my)\s+)?(?:final\s+)?answer\W*?(?::|\bis\b:?)\W*?(?=[\w$\\(\[.-])(.+)$",
    re.MULTILINE | re.IGNORECASE,
)


def boxes(text: str) -> list[str]:
    r"""Contents of every complete `\boxed{}`, in order; of nested ones only the innermost. Linear in the length."""
    found: list[str] = []
    open_braces: list[int | None] = []  # start of a box's content, None for an ordinary brace
    last_start = -1  # where the latest complete box began
    for token in _BOX.finditer(text):
        if token["bare"]:
            found.append(token["bare"])
            last_start = token.start()
        elif token[0] == "{" or len(token[0]) > 2:
            open_braces.append(None if token[0] == "{" else token.end())
        elif token[0] == "}" and open_braces:
            start = open_braces.pop()
            if start is not None and start > last_start:
                found.append(text[start : token.start()])
                last_start = start
    return found


def answer_text(reply: str) -> tuple[str | None, bool]:
    """The text in which the reply answers, and whether it stood in an answer tag; `(None, True)` if there is none."""
    if not any(tag in reply for tag in REPLY_TAGS):
        return reply[-MAX_REPLY:], False
    return read_answer(reply[-MAX_REPLY:]), True


def claims(reply: str) -> tuple[list[str], str]:
    r"""What the reply claims, and a sentence that says where it was read, or why there is nothing.

    Inside an answer tag every box is a claim: a reply cannot hedge by boxing several numbers. In a text without tags
    the boxes before the last one are taken for intermediate results. Without a box, the line after `####` or after a
    label such as `Answer:` counts; without any of these, the text itself is the claim.
    """
    text, tagged = answer_text(reply)
    if text is None:
        return [], "no complete <answer>: only what stands inside it counts"
    for read, where in _PLACES:
        if found := read(text):
            return (found if tagged else found[-1:]), where
    return [text], "no box: the whole answer text is the claim"


_PLACES = (
    (boxes, "read from the last box"),
    (_HASHES.findall, "read after the last ####"),  # how GSM8K's own solutions end
    (_LABEL.findall, "read after the last 'answer:'"),
)
