"""One small table that shows itself in a terminal, a notebook and a plain `print`."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from motif_lib.show.terminal import printable


@dataclass(frozen=True)
class Table:
    """Text in rows and columns; the first column is a label. Cells are hostile: they are escaped where shown."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: Sequence[str] = ()

    def sides(self) -> list[Literal["left", "right"]]:
        """Where the cells of each column stand: "right" for numbers, "left" for labels and text."""
        numbers = [all(_is_number(row[i]) for row in self.rows) for i in range(1, len(self.columns))]
        return ["left", *("right" if number else "left" for number in numbers)]

    def __rich__(self):
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        def plain(text: str, **style: Any) -> Text:
            return Text(printable(text), **style)

        table = RichTable(title=plain(self.title, style="bold"), title_justify="left")
        for column, side in zip(self.columns, self.sides()):
            table.add_column(plain(column), justify=side, overflow="fold")
        for row in self.rows:
            table.add_row(*map(plain, row))
        return Group(table, *map(plain, self.notes))

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=120, color_system=None, force_jupyter=False).print(self)
        return text.getvalue().rstrip("\n")

    def _repr_html_(self) -> str:
        def safe(text: str) -> str:
            return html.escape(printable(text))

        styles = [f' style="text-align: {side}"' for side in self.sides()]

        def row(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}{s}>{safe(cell)}</{tag}>" for cell, s in zip(cells, styles)) + "</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        notes = "".join(f"<p>{safe(note)}</p>" for note in self.notes)
        caption = f"<caption>{safe(self.title)}</caption>"
        return f"<table>{caption}<thead>{row(self.columns, 'th')}</thead><tbody>{body}</tbody></table>{notes}"


def _is_number(cell: str) -> bool:
    """Also with an interval, a unit or a range: `96 [79, 99]`, `1.5 s`, `37.0 (30.0 to 44.0)`; and an empty cell."""
    return sum(map(str.isdigit, cell)) >= sum(map(str.isalpha, cell))


class Shown:
    """Mixin: whatever has a `table()` shows itself as that table."""

    def table(self) -> Table:
        raise NotImplementedError

    def __rich__(self):
        return self.table()

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
