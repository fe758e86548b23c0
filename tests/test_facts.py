"""Every number that a document claims has its source in `facts.yaml`.

A claim is a number in the README or in the prose of a notebook that has a unit (%, x, MB, s, minutes, tokens, ...), a
decimal point, three digits or more, or an exponent, that is one of "N of M", or that stands in a row of a table. Code,
links, years, arXiv ids, issue numbers and the stated difficulty of an exercise are none.
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
    r"`[^`]*`|\]\([^)]*\)|(?<=\[)[\w-]+ \d+(?=\])|\*Difficulty \d of 5, \d+ minutes\.\*|\b[Rr]ounds? \d+\b"
    r"|\barXiv[ :]\d{4}\.\d{5}|\b(?:AIME|al\.) 20\d\d\b|\b(?:19|20)\d\d(?=[.,;)](?!\d)|$)"
)
NUMBER = r"(?<![\w.])(?<!\w-)\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?"
UNITS = r"%|x|×|times|[km]?s|seconds?|minutes?|hours?|[kKMGT]i?B|bytes|tokens?|points?|parameters|[mb]illion|k|M|B"
IN_TABLE = re.compile(NUMBER)
IN_PROSE = re.compile(
    rf"{NUMBER}(?: of (?:the |its )?{NUMBER}|[ -]?(?:{UNITS})(?!\w))"
    r"|(?<![\w.])(?<!\w-)(?:\d{1,3}(?:,\d{3})+|\d{3,}|\d+(?=\.\d|e-?\d))(?:\.\d+)?(?:e-?\d+)?"
)


def units(markdown: str) -> list[str]:
    """Paragraphs, list items and rows of tables, each on one line; blocks of code are left out."""
    text = re.sub(r"^( *)```.*?^\1```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:\||[-*] |\d+\. |#))|(?<=\|)\n", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


def unsourced(markdown: str, snippets: list[str]) -> list[str]:
    """The numbers claimed in a text that lie in none of the snippets, each with its surroundings."""
    found = []
    for unit in units(markdown):
        masked = NO_CLAIM.sub(lambda match: "`" * len(match[0]), unit)
        known = [match.span() for snippet in snippets for match in re.finditer(re.escape(snippet), unit)]
        for match in (IN_TABLE if unit.startswith("|") else IN_PROSE).finditer(masked):
            if not any(start <= match.start() and match.end() <= end for start, end in known):
                found.append(f"{match[0]!r} in: ...{unit[max(0, match.start() - 50) : match.end() + 50]}...")
    return found


def documents() -> dict[str, str]:
    """The README and the markdown cells of every notebook's source."""
    texts = {"README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
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
        ("seen 515 one at a time, 8,371 at once, lr 5e-6", 3),
        ("28 of 64 and 0 of the 30", 2),
        ("| base | 31 | [25, 37] |", 3),
        ("Text.\n| base | 31 |\nText.", 1),
        ("- first\n- 97 % of them", 1),
        ("round 2 of section 3, m = 8, k = 4, problems of 4 to 12 steps, GSM8K, MATH-500, Qwen2.5-3B", 0),
        ("AIME 2024 (Wang et al. 2022), arXiv 2507.02851, 2025, [trl 3857](https://x.org/1234), `x = 0.5`", 0),
        ("48 % in 2025, of 2025 tokens", 2),
        ("*Difficulty 2 of 5, 10 minutes.* Write it", 0),
        ("```\n48.6 %\n```\nand 48.6 %", 1),
        ("GRPO needs 20 minutes", 0),  # the snippet below
        ("GRPO needs 20 minutes and 200 questions", 1),
        ("MOTIF needs 20 minutes", 1),
    ],
)
def test_what_counts_as_a_claim(text, numbers):
    assert len(unsourced(text, ["GRPO needs 20 minutes"])) == numbers
