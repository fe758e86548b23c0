"""Solutions of exercises from the library's own source, so that what a learner unfolds is what the library runs.

In a source of a notebook the line `source: MODULE.FUNCTION as NAME` stands for that function, under that name.
"""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module

_LINE = re.compile(r"^source: ([\w.]+)\.(\w+)(?: as (\w+))?$", re.MULTILINE)


def with_bodies(text: str) -> str:
    """The text of a cell with the function in place of each `source:` line.

    Raises:
        ImportError, AttributeError: if the library has no such function (any more).
    """
    return _LINE.sub(lambda line: body(*line.groups()), text)


def body(module: str, function: str, name: str | None = None) -> str:
    """A function of the library as a learner would write it: without annotations and docstring, comments kept."""
    source = inspect.getsource(getattr(import_module(module), function))
    (found,) = ast.parse(source).body
    assert isinstance(found, ast.FunctionDef)
    for argument in ast.walk(found.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    first = found.body[0]
    begin = first.end_lineno if ast.get_docstring(found) else first.lineno - 1
    lines = "\n".join(source.splitlines()[begin:]).strip("\n")
    return f"def {name or function}({ast.unparse(found.args)}):\n{lines}"
