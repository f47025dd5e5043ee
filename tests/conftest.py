"""What every test stands on: no display, no network, a data folder of its own, and no thread left behind."""

from __future__ import annotations

import atexit
import functools
import gc
import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_ROOM = Path(tempfile.mkdtemp(prefix="sdstudio-tests-"))
_ROOM.chmod(0o700)  # Qt warns about a runtime folder that others may read
atexit.register(shutil.rmtree, _ROOM, ignore_errors=True)

gc.disable()  # until all tests are collected, see `pytest_runtestloop`

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where no byte code is written, some hundred modules are compiled anew by each process that the tests start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Read when Qt, torch and huggingface_hub are imported, so they are set before anything else is.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that turn in circles while they wait slow the other tests
os.environ.update(
    HF_HOME=str(_ROOM / "hf"),
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    SDSTUDIO_HOME=str(_ROOM / "home"),
    XDG_RUNTIME_DIR=str(_ROOM),
    DBUS_SESSION_BUS_ADDRESS="disabled:",  # no test tells the desktop that it has ended
    XDG_CONFIG_HOME=str(_ROOM / "config"),
    XDG_DATA_HOME=str(_ROOM / "data"),
    XDG_CACHE_HOME=str(_ROOM / "cache"),
)

import pytest  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402

from sdstudio.core.paths import StudioPaths  # noqa: E402

hypothesis_settings.register_profile("studio", deadline=None, print_blob=True)
hypothesis_settings.load_profile("studio")

PATIENCE_MS = 20_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 200_000_000
OUR_THREADS = ("sdstudio", "QThread")
"""Beginnings of the names that the studio's own threads bear; torch's and Qt's pools live as long as the process."""
TASKS = Path("/proc/self/task")
LASTING: set[object] = set()
"""Threads that outlive a test on purpose, as Python and as the system name them: those of a window for many tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest file of tests/unit not come last: with two processes, one would wait for the other."""
    items.sort(key=lambda item: item.path.name != "test_house.py")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Look for garbage again, but not among the modules of torch, diffusers and the tests themselves.

    While they were read it was off (below): they are half a million objects, and none of them was garbage. From now
    on it is looked for after 10,000 new objects, not after 700: hypothesis measures each search, longer than most take.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process with pytest's verdict once everything has been told.

    What comes after it is the interpreter taking down torch, Qt and what thousands of tests left of both, in no order.
    A run that had passed every test once failed there. How the program itself ends is tested on processes of its own.
    """
    session = config.pluginmanager.get_plugin("session")
    if session is None:  # nothing was run: --help, --version
        return
    shutil.rmtree(_ROOM, ignore_errors=True)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(int(session.exitstatus))


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """The plugin's, but as patient as a machine that does something else besides needs: 5 seconds are its own."""
    for name in ("waitUntil", "waitSignal", "waitSignals"):
        setattr(qtbot, name, functools.partial(getattr(qtbot, name), timeout=PATIENCE_MS))
    return qtbot


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is room: a database that is written safely waits for a real disk all the time."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        with tempfile.TemporaryDirectory(prefix="sdstudio-test-", dir=MEMORY, ignore_cleanup_errors=True) as name:
            yield Path(name)
    else:
        yield tmp_path


@pytest.fixture
def home(quick_folder: Path) -> StudioPaths:
    """A data folder of this test alone, with its folders made."""
    return StudioPaths(quick_folder / "home").create()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a connection to anywhere but this machine fail."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise OSError(f"a test tried to reach {address[0]}: only loopback is allowed")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


class _Kept(logging.Handler):
    """Keeps the lines that are logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_stray_log_line(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which the studio logs a warning, unless it reads the log or is marked ``logs(pattern)``."""
    kept = _Kept()
    log = logging.getLogger("sdstudio")
    log.addHandler(kept)
    yield
    log.removeHandler(kept)
    if "caplog" in request.fixturenames:
        return
    expected = [pattern for mark in request.node.iter_markers("logs") for pattern in mark.args]
    stray = [line for line in kept.lines if not any(re.search(pattern, line) for pattern in expected)]
    assert stray == []


def native_threads() -> set[str]:
    """Return the ids of the system's threads of this process."""
    try:
        return set(os.listdir(TASKS))
    except OSError:  # another system than Linux
        return set()


def _native_name(thread: str) -> str:
    """Return the system's name of a thread (of a QThread its objectName, 15 bytes), "" for one that ended meanwhile."""
    try:
        return (TASKS / thread / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _running_qthreads() -> list[str]:
    core = sys.modules.get("PySide6.QtCore")
    if core is None:
        return []
    # By type: isinstance would ask lazy modules and proxies for their __class__.
    threads = [thing for thing in gc.get_objects() if issubclass(type(thing), core.QThread)]
    main = core.QCoreApplication.instance() and core.QCoreApplication.instance().thread()
    alive = [thread for thread in threads if sys.modules["shiboken6"].isValid(thread)]  # one that is deleted had ended
    ours = [thread for thread in alive if thread is not main and thread not in LASTING]
    return [thread.objectName() for thread in ours if thread.isRunning()]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread of the studio running."""
    python_before, native_before = set(threading.enumerate()), native_threads()
    yield

    def python_left() -> list[str]:
        new = set(threading.enumerate()) - python_before - LASTING
        return [thread.name for thread in new if thread.name.startswith(OUR_THREADS)]

    def native_left() -> bool:
        new = native_threads() - native_before - LASTING
        return any(_native_name(thread).startswith(OUR_THREADS) for thread in new)

    # The one place that waits: a thread told to stop may need a moment to end.
    for look, grace_s in ((native_left, 0.3), (lambda: python_left() or (native_left() and _running_qthreads()), 5.0)):
        deadline = time.monotonic() + grace_s
        while look() and time.monotonic() < deadline:
            time.sleep(0.01)
    # A thread that torch started from a thread of ours inherits its name, so a name alone proves nothing.
    names = python_left() + (_running_qthreads() if native_left() else [])
    assert not names, f"threads still running after the test: {names}"


class _TinyModels(Mapping[str, Path]):
    """Tiny random pipelines by family key, each built when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[str, Path] = {}

    def __getitem__(self, key: str) -> Path:
        from tests import tiny_models

        if key not in self._built:
            path = self._folder / f"tiny-{key}"
            getattr(tiny_models, f"tiny_{key}")(path)
            self._built[key] = path
        return self._built[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("sd1", "sd2", "sdxl"))

    def __len__(self) -> int:
        return 3


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Paths of tiny random diffusers folders: ``tiny_models["sd1"]``, ``"sd2"``, ``"sdxl"``. Read only."""
    return _TinyModels(tmp_path_factory.mktemp("tiny-models"))


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A `tests.loopback_hub.LoopbackHub` that huggingface_hub takes for the Hub."""
    import huggingface_hub.constants

    from tests.loopback_hub import LoopbackHub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with LoopbackHub() as server:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
        yield server
