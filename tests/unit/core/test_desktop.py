"""What a window needs of the system, asked for before Qt is touched."""

from __future__ import annotations

import sys

import pytest

from sdstudio.core import desktop
from sdstudio.core.desktop import SYSTEM_LIBRARIES, has_display, install_line, missing_libraries

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems bring all this")


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


@linux_only
def test_without_a_display_there_is_none():
    assert not has_display()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISPLAY", ":0"), ("WAYLAND_DISPLAY", "wayland-0"),
        ("QT_QPA_PLATFORM", "offscreen"), ("QT_QPA_PLATFORM", "vnc:size=9x9"),
    ],
)  # fmt: skip
def test_a_display_or_a_platform_without_one_will_do(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert has_display()


@linux_only
def test_xcb_needs_a_display(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    assert not has_display()


@linux_only
def test_what_cannot_be_loaded_is_missing(monkeypatch):
    lost = {"libEGL.so.1", "libxcb-cursor0.so", "libxcb-cursor.so.0"}
    monkeypatch.setattr(desktop, "loads", lambda soname: soname not in lost)
    missing = missing_libraries()
    assert [library.package for library in missing] == ["libegl1", "libxcb-cursor0"]
    assert install_line(missing) == "sudo apt install libegl1 libxcb-cursor0"
    assert [library.package for library in missing_libraries(x11=False)] == ["libegl1"]


@linux_only
def test_a_library_that_is_there_loads_and_another_does_not():
    assert desktop.loads("libc.so.6")
    assert not desktop.loads("libnothing-at-all.so.9")


def test_each_library_stands_once():
    assert len({library.soname for library in SYSTEM_LIBRARIES}) == len(SYSTEM_LIBRARIES)


@pytest.mark.parametrize("name", ["libxcb-icccm4", "libxcb-keysyms1", "libxcb-cursor0", "libegl1"])
def test_the_packages_that_bare_systems_lack_are_known(name):
    assert name in [library.package for library in SYSTEM_LIBRARIES]
