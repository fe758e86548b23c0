"""`Panel`: what every widget here is. Its state is the values of its controls, its picture a pure function of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as W

from motif_lib.widgets.cards import StaticCards
from motif_lib.widgets.markup import STYLE, StaticTable, safe


class Panel:
    """Controls above one picture; shows a plain table or cards where no widget can run.

    Args:
        controls: name -> widget with a `value`.
        draw: the values of the controls, by name -> HTML of the picture.
        table: the same values -> the table, or the cards, for places without a kernel.
        rows: how the controls are laid out, with buttons where needed; one row of all controls if not given.
    """

    def __init__(
        self,
        controls: dict[str, W.Widget],
        draw: Callable[..., str],
        table: Callable[..., StaticTable | StaticCards],
        rows: Sequence[W.Widget] | None = None,
    ):
        self.controls, self.draw, self.table = controls, draw, table
        self.picture = W.HTML(draw(**self.values))
        style = W.HTML(STYLE, layout=W.Layout(display="none"))
        self.widget = W.VBox([style, *(rows or [row(*controls.values())]), self.picture])
        self.widget.add_class("motif-panel")
        for name, control in controls.items():
            control.add_class(f"motif-{name}")
            control.observe(self.refresh, names="value")

    @property
    def values(self) -> dict[str, Any]:
        """Current value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def refresh(self, _change: object = None) -> None:
        """Draw again. An error is shown in the picture: raised in a callback, it would end in a log nobody sees."""
        try:
            self.picture.value = self.draw(**self.values)
        except Exception as error:
            self.show_error(error)

    def show_error(self, error: Exception) -> None:
        """Show one line in place of the picture."""
        line = safe(f"{type(error).__name__}: {error}")
        self.picture.value = f'<div class="motif" role="alert"><pre>{line}</pre></div>'

    def __repr__(self) -> str:
        return self.table(**self.values).text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **_: object) -> dict[str, Any]:
        """Widget for live front ends, table and text for all others. ipywidgets 7 has no such method to call."""
        table = self.table(**self.values)
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {
            "text/plain": table.text(),
            "text/html": table.html(),
            "application/vnd.jupyter.widget-view+json": view,
        }


def hint(control: W.Widget, text: str) -> W.Widget:
    """Give a control its tooltip, which ipywidgets 7 and 8 name differently; screen readers say it too."""
    setattr(control, "tooltip" if control.has_trait("tooltip") else "description_tooltip", text)
    return control


def slider(name: str, value: int, low: int, high: int, tip: str, step: int = 1) -> W.IntSlider:
    """An integer slider that draws when it is let go."""
    return hint(W.IntSlider(value, low, max(low, high), step, description=name, continuous_update=False), tip)


def button(name: str, tip: str, action: Callable[[], None]) -> W.Button:
    """A button with a tooltip."""
    made = hint(W.Button(description=name), tip)
    made.on_click(lambda _: action())
    return made


def row(*children: W.Widget) -> W.Box:
    """Children side by side, wrapping on a narrow page."""
    return W.Box(children, layout=W.Layout(display="flex", flex_flow="row wrap"))
