"""Every number that a document claims has its source in `facts.yaml`.

A claim is a number that somebody measured or published: one with a unit (%, x, MB, s, minutes, points, tokens a
second), one of "N of M", or one in a cell of a table that begins with a number. Settings and definitions ("60 tokens",
"95 % intervals", "lr 5e-6"), code, links, and the time and difficulty stated for a notebook or an exercise are none.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from motif_lib.classroom.build_notebooks import read_source

ROOT = Path(__file__).resolve().parents[1]
FACTS = yaml.safe_load((ROOT / "tests" / "facts.yaml").read_text(encoding="utf-8"))
SOURCES = {"paper", "reference code", "results table", "published", "definition", "setting", "estimate", "our run"}

NO_CLAIM = re.compile(
    r"`[^`]*`|\]\([^)]*\)|(?<=\[)[\w-]+ \d+(?=\])|\*Difficulty \d of 5, \d+ minutes\.\*|\b95 %(?= (?:Wilson )?interval)"
    r"|^About \d+ minutes? on two CPU cores.* take about \d+ minutes\."
)
NUMBER = r"(?<![\w.])(?<!\w-)\d+(?:,\d{3})*(?:\.\d+)?"
UNITS = r"%|x|×|times|[km]?s|seconds?|minutes?|hours?|[kMGT]i?B|bytes|points?|tokens a second|[mb]illion"
MEASURED = re.compile(rf"{NUMBER}(?: of (?:the |its )?{NUMBER}|[ -]?(?:{UNITS})(?!\w))")
CELL = re.compile(rf"(?<=\|) \[?{NUMBER}[^|]*")


def units(markdown: str) -> list[str]:
    """Paragraphs, list items and rows of tables, each on one line; blocks of code are left out."""
    text = re.sub(r"^( *)```.*?^\1```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:\||[-*] |\d+\. |#))|(?<=\|)\n", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


def claims(unit: str) -> list[tuple[int, int]]:
    """Where the claims of a paragraph or of a row of a table stand."""
    masked = NO_CLAIM.sub(lambda match: "`" * len(match[0]), unit)
    found = [match.span() for match in MEASURED.finditer(masked)]
    cells = [match.span() for match in CELL.finditer(masked)] if unit.startswith("|") else []
    numbers = [match.span() for match in re.finditer(NUMBER, masked)]
    return found + [(start, end) for start, end in numbers if any(a <= start and end <= b for a, b in cells)]


def unsourced(markdown: str, snippets: list[str]) -> list[str]:
    """The numbers claimed in a text that lie in none of the snippets, each with its surroundings."""
    found = []
    for unit in units(markdown):
        known = [match.span() for snippet in snippets for match in re.finditer(re.escape(snippet), unit)]
        for a, b in sorted(set(claims(unit))):
            if not any(start <= a and b <= end for start, end in known):
                found.append(f"{unit[a:b]!r} in: ...{unit[max(0, a - 50) : b + 50]}...")
    return found


def documents() -> dict[str, str]:
    """The README, the pages, and the markdown cells of every notebook's source."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = {path.name: path.read_text(encoding="utf-8") for path in pages}
    for path in sorted((ROOT / "notebooks").glob("*.py")):
        cells = [cell.source for cell in read_source(path).cells if cell.cell_type == "markdown"]
        texts[path.name] = "\n\n".join(cells)
    return texts


DOCUMENTS = documents()
SNIPPETS = [" ".join(text.split()) for fact in FACTS for text in fact["texts"]]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_number_has_its_source(name):
    missing = unsourced(DOCUMENTS[name], SNIPPETS)
    assert not missing, f"{name}: add the words around these numbers to tests/facts.yaml:\n" + "\n".join(missing)


def test_every_entry_names_its_source_and_still_stands_in_a_document():
    lines = [line for text in DOCUMENTS.values() for line in units(text)]
    for fact in FACTS:
        needed = {"command", "commit", "seed"} if fact["source"] == "our run" else {"where"}
        assert fact["source"] in SOURCES and set(fact) == {"source", "texts"} | needed, fact
        assert all(str(fact[key]).strip() for key in needed), fact
        assert re.fullmatch(r"[0-9a-f]{7,40}", str(fact.get("commit", "0" * 7))), f"not a commit, or not quoted: {fact}"
    assert len(SNIPPETS) == len(set(SNIPPETS)), "the same text twice"
    for snippet in SNIPPETS:
        assert any(snippet in line for line in lines), f"stands in no document any more: {snippet}"
        assert len(snippet.split()) >= 3, f"too short to name one claim: {snippet}"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("MOTIF solves 48.6 % of them", 1),
        ("it is 3x faster, 12-minutes runs, 40 MB, -5 points and +6 points", 5),
        ("515 tokens a second, 60 tokens a round, 400 questions, lr 5e-6, a budget of 8,371", 1),
        ("28 of 64 and 0 of the 30", 2),
        ("| base | 31 | [25, 37] |", 3),
        ("Text.\n| base of 12 steps | 31 |\nText.", 1),
        ("- first\n- 97 % of them", 1),
        ("round 2 of section 3, m = 8, k = 4, problems of 4 to 12 steps, GSM8K, MATH-500, Qwen2.5-3B", 0),
        ("AIME 2024 (Wang et al. 2022), arXiv 2507.02851, 2025, [trl 3857](https://x.org/1234), `x = 0.5`", 0),
        ("a 95 % interval, the 95 % Wilson interval, 95 % of them", 1),
        ("*Difficulty 2 of 5, 10 minutes.* Write it", 0),
        ("About 1 minute on two CPU cores, no GPU needed; the two exercises take about 9 minutes. It takes 3 s.", 1),
        ("```\n48.6 %\n```\nand 48.6 %", 1),
        ("GRPO needs 20 minutes", 0),  # the snippet below
        ("GRPO needs 20 minutes and 200 MB", 1),
        ("MOTIF needs 20 minutes", 1),
    ],
)
def test_what_counts_as_a_claim(text, numbers):
    assert len(unsourced(text, ["GRPO needs 20 minutes"])) == numbers
