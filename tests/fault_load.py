"""One load in a process of its own: `fault_load.py traces|evaluation|kernels COUNT FOLDER` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

REPLY = "<reasoning>\n" + "Day two: 12 + 5 = 17. " * 12 + "\n</reasoning>\n<answer>\nafter day two: {}\n</answer>"
QUESTION = "Ann has {} apples, " + "on day one buys 5, on day two eats 2, " * 4 + "how many apples does Ann have now?"


def traces(count: int, folder: Path) -> dict:
    """Write and read traces of `count` replies: 4 trajectories over 3 rounds each."""
    from motif_lib.protocol import messages
    from motif_lib.records import Question, Reply, Trace, Trajectory, read_traces, write_jsonl

    def trace(i: int) -> Trace:
        text = QUESTION.format(i)
        replies = [Reply(r, messages(text, r, 3, REPLY), REPLY.format(i * r), "note", True, 99, 60) for r in (1, 2, 3)]
        return Trace(tuple(Trajectory(Question(text, str(i)), tuple(replies)) for _ in range(4)), (2.0,) * 4, 2.0, i)

    path = folder / "traces.jsonl"
    for step in range(count // 12):
        write_jsonl(path, [trace(step)], append=True)
    written = peak()
    found = sum(len(t.replies) for trace in read_traces(path) for t in trace.trajectories)
    return {"replies": found, "MB file": size(path), "MB writing": written}


def evaluation(count: int, folder: Path) -> dict:
    """Evaluate `count` questions over 3 rounds and read the report again."""
    from motif_lib.evaluate import Report, evaluate
    from motif_lib.records import Question
    from motif_lib.samplers.base import ScriptedSampler

    questions = [Question(QUESTION.format(i), "17", "ledger", str(i), 4) for i in range(count)]
    sampler = ScriptedSampler(lambda chat: REPLY + r"\boxed{17}")
    report = evaluate(questions, sampler, path=folder / "items", progress=False)
    evaluated = peak()
    again = Report.load(folder / "items")
    return {"items": len(again.items), "same": again == report, "MB file": size(folder / "items" / "items.jsonl"),
            "MB evaluating": evaluated}  # fmt: skip


CELL = """
from motif_lib import LocalSampler, load_model, messages
model, tokenizer = load_model()
LocalSampler(model, tokenizer, 60)([messages("Ann has 3 eggs, on day one buys 2. How many?", 1, 3)])
"""


def kernels(count: int, folder: Path) -> dict:
    """Start notebook kernels, one after the other, that load motif-tiny and sample a reply; all stay to the end.

    The share of a kernel is Linux's PSS: a page that several processes map counts in equal parts in each of them.
    """
    from jupyter_client.manager import start_new_kernel

    started, grown = [], {}
    try:
        while len(started) < count:
            started.append(start_new_kernel())
            reply = started[-1][1].execute(CELL, reply=True, timeout=600)
            assert reply["content"]["status"] == "ok", reply["content"]
            pids = [manager.provisioner.process.pid for manager, _ in started]
            grown[len(pids)] = {name: sum(memory(pid, name) for pid in pids) for name in ("Pss", "Rss")}
            print(len(pids), grown[len(pids)], file=sys.stderr, flush=True)
    finally:
        for manager, client in started:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return {"kernels": count, "MB together": grown[count]["Pss"], "MB one alone": grown[1]["Pss"],
            "MB if nothing were shared": grown[count]["Rss"]}  # fmt: skip


def memory(pid: int, name: str) -> int:
    """A sum over the mappings of a process, in MiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return int(rollup.split(f"\n{name}:")[1].split()[0]) >> 10


def size(path: Path) -> int:
    return path.stat().st_size >> 20


def peak() -> int:
    """Most memory that this process held, in MiB. `getrusage` would count what its parent held when it forked."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


if __name__ == "__main__":
    started = time.monotonic()
    load = {"traces": traces, "evaluation": evaluation, "kernels": kernels}[sys.argv[1]]
    result = load(int(sys.argv[2]), Path(sys.argv[3]))
    print(json.dumps({**result, "MB peak": peak(), "seconds": round(time.monotonic() - started, 1)}))
