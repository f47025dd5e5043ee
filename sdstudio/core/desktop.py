"""What a window needs from the system before Qt is touched: a display, and the shared libraries Qt links against.

Qt aborts the process when either is missing, so both are asked for first. The list is what ``readelf -d`` names in
PySide6 6.11's QtGui, QtWidgets, QtDBus and its xcb and offscreen plugins, with Debian's and Ubuntu's packages.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SystemLibrary:
    """A shared library, the Debian package that brings it, and whether only windows under X11 need it."""

    soname: str
    package: str
    x11_only: bool = False


SYSTEM_LIBRARIES: Final = (
    SystemLibrary("libEGL.so.1", "libegl1"),
    SystemLibrary("libGL.so.1", "libgl1"),
    SystemLibrary("libX11.so.6", "libx11-6"),
    SystemLibrary("libfontconfig.so.1", "libfontconfig1"),
    SystemLibrary("libfreetype.so.6", "libfreetype6"),
    SystemLibrary("libglib-2.0.so.0", "libglib2.0-0"),
    SystemLibrary("libxkbcommon.so.0", "libxkbcommon0"),
    SystemLibrary("libdbus-1.so.3", "libdbus-1-3"),
    SystemLibrary("libX11-xcb.so.1", "libx11-xcb1", x11_only=True),
    SystemLibrary("libxcb-cursor.so.0", "libxcb-cursor0", x11_only=True),
    SystemLibrary("libxcb-icccm.so.4", "libxcb-icccm4", x11_only=True),
    SystemLibrary("libxcb-image.so.0", "libxcb-image0", x11_only=True),
    SystemLibrary("libxcb-keysyms.so.1", "libxcb-keysyms1", x11_only=True),
    SystemLibrary("libxcb-randr.so.0", "libxcb-randr0", x11_only=True),
    SystemLibrary("libxcb-render.so.0", "libxcb-render0", x11_only=True),
    SystemLibrary("libxcb-render-util.so.0", "libxcb-render-util0", x11_only=True),
    SystemLibrary("libxcb-shape.so.0", "libxcb-shape0", x11_only=True),
    SystemLibrary("libxcb-shm.so.0", "libxcb-shm0", x11_only=True),
    SystemLibrary("libxcb-sync.so.1", "libxcb-sync1", x11_only=True),
    SystemLibrary("libxcb-util.so.1", "libxcb-util1", x11_only=True),
    SystemLibrary("libxcb-xfixes.so.0", "libxcb-xfixes0", x11_only=True),
    SystemLibrary("libxcb-xkb.so.1", "libxcb-xkb1", x11_only=True),
    SystemLibrary("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", x11_only=True),
)

# Platform plugins that draw into memory, or to a display of their own.
_NO_DISPLAY_NEEDED: Final = ("offscreen", "minimal", "vnc", "eglfs", "linuxfb", "vkkhrdisplay")


def has_display() -> bool:
    """Whether Qt can open a window, or is set to draw without one (``QT_QPA_PLATFORM=offscreen``)."""
    if not sys.platform.startswith("linux"):
        return True
    if os.environ.get("QT_QPA_PLATFORM", "").startswith(_NO_DISPLAY_NEEDED):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_libraries(x11: bool = True) -> tuple[SystemLibrary, ...]:
    """Return the libraries that cannot be loaded; without ``x11`` only those that drawing off screen needs too."""
    if not sys.platform.startswith("linux"):
        return ()
    wanted = (library for library in SYSTEM_LIBRARIES if x11 or not library.x11_only)
    return tuple(library for library in wanted if not loads(library.soname))


def install_line(libraries: tuple[SystemLibrary, ...]) -> str:
    """Return the command that installs these libraries on Debian and Ubuntu."""
    return "sudo apt install " + " ".join(library.package for library in libraries)


def loads(soname: str) -> bool:
    """Return whether the system finds a library of this name."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def display_problem() -> str:
    """Return why Qt could not open a window, "" when it can. Qt itself would abort the process."""
    instead = 'Without a window: `sdstudio generate "a red heart" --out heart.png`.'
    if not has_display():
        return f"No display: neither DISPLAY nor WAYLAND_DISPLAY is set. {instead}"
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    x11 = sys.platform.startswith("linux") and not platform.startswith(("offscreen", "minimal", "vnc", "wayland"))
    x11 = x11 and not (os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("DISPLAY"))
    missing = missing_libraries(x11)
    if missing:
        names = ", ".join(library.soname for library in missing)
        return f"Missing system libraries: {names}. Install them: {install_line(missing)}. {instead}"
    if x11 and not _x_server_answers():
        return f"No display: the X server DISPLAY = {os.environ.get('DISPLAY', '')!r} does not answer. {instead}"
    return ""


def _x_server_answers() -> bool:
    """Connect to the X server as Qt's plugin would, and let go again."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # Qt's plugin brings its own
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not failed or bool(os.environ.get("WAYLAND_DISPLAY"))
