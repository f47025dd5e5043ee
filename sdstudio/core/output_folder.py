"""Whether a folder can take new pictures, in words for the settings and for the first picture that would go there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.files import is_utf8

_SETTING: Final = "output_folder"
_CHOOSE: Final = "Choose another folder."


def check_output_folder(folder: Path | None) -> None:
    """Refuse a folder that cannot take pictures now; ``None`` is the data folder's own. Raises: InvalidRequest.

    It is never made: a folder that is not there may lie on a disk that is not plugged in.
    """
    if folder is None:
        return
    shown = str(folder).encode("utf-8", "replace").decode("utf-8")
    reason = hint = ""
    if not is_utf8(str(folder)) or "\0" in str(folder):
        reason, hint = "its name is not UTF-8", "Rename the folder, then choose it."
    elif not folder.is_absolute():
        reason, hint = "the whole path of a folder is wanted, from the root on", _CHOOSE
    elif not os.path.exists(folder):
        reason, hint = "it is not there", "Plug in its disk, make the folder, or choose another."
    elif not os.path.isdir(folder):
        reason, hint = "it is a file, no folder", _CHOOSE
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason, hint = "it is not writable", "Allow writing to it, or choose another folder."
    if reason:
        raise InvalidRequest(_SETTING, f"Output folder = {shown}: {reason}.", hint)
