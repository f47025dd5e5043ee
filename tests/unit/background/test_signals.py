"""What a signal carries arrives as it was emitted, and mypy knows what it is at both ends."""

from __future__ import annotations

from pathlib import Path

from mypy import api
from PySide6.QtCore import QObject, Qt, Signal

from sdstudio.background.signals import TypedSignal

ROOT = Path(__file__).parents[3]

CHECKED = """
from PySide6.QtCore import QObject, Signal
from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner

class Sender(QObject):
    named = TypedSignal[str, int]()
    maybe = TypedSignal[int | None]()
    plain = Signal()

def take(name: str, count: int) -> None: ...
def take_nothing() -> None: ...
def take_count(count: int) -> None: ...

sender, runner = Sender(), TaskRunner()
sender.named.connect(take)
sender.named.connect(take_nothing)
sender.named.connect(lambda name, count: take(name, count))
sender.maybe.connect(sender.plain)
sender.named.emit("steps", 1)
sender.maybe.emit(None)
runner.run("Counting", lambda _task: 1, take_count)
"""
WRONG = (
    'sender.named.emit("steps", "one")',
    'sender.named.emit("steps")',
    "sender.named.connect(take_count)",
    "sender.maybe.connect(take_count)",
    "sender.maybe.connect(sender.named)",
    'runner.run("Counting", lambda _task: "one", take_count)',
)


class _Sender(QObject):
    sent = TypedSignal[dict[int, object]]()
    named = TypedSignal[str, object]()
    done = Signal()


def test_values_arrive_as_they_were_emitted(qtbot):
    sender, taken = _Sender(), []
    values = {1: object()}
    sender.sent.connect(taken.append)
    sender.named.connect(lambda name, value: taken.append((name, value)))
    sender.sent.emit(values)
    sender.named.emit("steps", values)
    assert taken[0] is values
    assert taken[1][1] is values
    with qtbot.waitSignal(sender.done):
        sender.sent.connect(sender.done, Qt.ConnectionType.QueuedConnection)
        sender.sent.emit(values)


def test_mypy_reports_each_wrong_value_and_each_slot_that_expects_another(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    source = tmp_path / "signals_checked.py"
    source.write_text(CHECKED + "\n".join(WRONG))
    report, failure, _status = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(source)])
    reported = {int(line.split(":")[1]) for line in report.splitlines() if ": error:" in line}
    first = CHECKED.count("\n") + 1
    assert reported == set(range(first, first + len(WRONG))), report + failure
