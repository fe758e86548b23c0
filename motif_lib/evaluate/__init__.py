"""Evaluation: accuracy with its interval, fair comparisons, and what the tokens bought."""

from motif_lib.evaluate.baselines import Budgets, budget_matched
from motif_lib.evaluate.compare import Comparison, compare
from motif_lib.evaluate.note_probe import Probe, carry_probe
from motif_lib.evaluate.report import Item, Report
from motif_lib.evaluate.run import evaluate, regrade
from motif_lib.tasks.ledger import ledger_note

__all__ = [
    "Budgets",
    "Comparison",
    "Item",
    "Probe",
    "Report",
    "budget_matched",
    "carry_probe",
    "compare",
    "evaluate",
    "ledger_note",
    "regrade",
]
