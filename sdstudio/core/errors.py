"""The tree of errors that can be shown to a user.

::

    StudioError                 message + one hint
      InvalidRequest            a field holds a value that is not allowed
      ModelError
        ModelNotFound           no such model, or its folder is gone
        ModelAmbiguous          several are called so, and nobody guesses
        ModelDamaged            a file is missing, truncated or not what its name shows
        ModelUnsupported        a model, but of a kind the studio cannot run
          ModelPickled          ... a pickle, which is opened only when a setting allows it
        ModelLoadFailed         anything else that stops a whole, supported model from loading
      DownloadError             something could not be fetched
        Unreachable             no network, a server that does not answer, or a connection that breaks again and again
        AccessRefused           the server wants a token, or a licence to be accepted
        NotOffered              no such repository, version or file
        ServerTroubled          the server is overloaded or out of order: ask again later
        DownloadDamaged         what came is not what was promised: contents, length or name
      BackendLost               what draws is gone: a process that ended, a connection that broke off
      OutOfMemory               the device's or the computer's memory did not suffice
      InvalidNumbers            NaN or infinity while sampling
      SaveFailed                disk full, read-only folder, impossible name
      HistoryError              the database cannot be used
        HistoryDamaged          ... because it is corrupt
        HistoryTooNew           ... because a newer version wrote it
      PictureUnreadable         a picture file from anywhere is damaged, too large or no picture
      TellsTooMuch              a copy would hold what is to be left out
      LockedByOther             another window of the studio has this data folder open
    Cancelled                   (BaseException) the user asked to stop

A message reads *what = value: what is allowed*; the hint is one thing to do.
"""

from __future__ import annotations

from pathlib import Path


class StudioError(Exception):
    """An error to show as it stands, never with a traceback.

    Args:
        message: One line: what, its value, what is allowed.
        hint: One thing to do about it, "" when there is none.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidRequest(StudioError):
    """A field of a request holds a value that is not allowed; ``field`` names it."""

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.field = field


class ModelError(StudioError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """There is no such model, or its files are gone."""


class ModelAmbiguous(ModelError):
    """Several models or files have the name."""


class ModelDamaged(ModelError):
    """A file of the model is missing, truncated or something else than its name shows."""


class ModelUnsupported(ModelError):
    """A model of a kind that the studio cannot run."""


class ModelPickled(ModelUnsupported):
    """A model in a format that can hold programs; the settings may allow to read the numbers in it."""

    @classmethod
    def weights_of(cls, model: Path, part: str = "") -> ModelPickled:
        """Return the error that a model's weights, or those of a ``part`` of it, are a pickle; it can be converted."""
        what = f": the weights of its {part} are there only as a pickle" if part else " is a pickle"
        return cls(
            f"{model.name}{what}, a format that can hold programs: such files are not drawn with.",
            f'Convert it: sdstudio models convert "{model}" (or Convert… on the Library page).',
        )


class ModelLoadFailed(ModelError):
    """A model that looks whole and supported would not load."""


class DownloadError(StudioError):
    """Something could not be fetched."""


class Unreachable(DownloadError):
    """No network, no answer, or a connection that broke off."""


class AccessRefused(DownloadError):
    """The server gives this only to those who bring a token, or have accepted its licence."""


class NotOffered(DownloadError):
    """The server has no such repository, version or file."""


class ServerTroubled(DownloadError):
    """The server is overloaded or out of order; ``after_s`` is how long it asks to wait, 0 when it does not ask."""

    def __init__(self, message: str, hint: str = "", after_s: float = 0.0) -> None:
        super().__init__(message, hint)
        self.after_s = after_s


class DownloadDamaged(DownloadError):
    """What came is not what was promised: its contents, its length or its name."""


class BackendLost(StudioError):
    """What draws is gone for good: a process that ended, a connection that broke off."""


class OutOfMemory(StudioError):
    """The memory of the device or of the computer did not suffice."""


class InvalidNumbers(StudioError):
    """The model produced NaN or infinity."""


class SaveFailed(StudioError):
    """A picture could not be written: disk full, folder read-only, name impossible."""


class HistoryError(StudioError):
    """The history's database cannot be used."""


class HistoryDamaged(HistoryError):
    """The history's database is corrupt."""


class HistoryTooNew(HistoryError):
    """The history's database was written by a newer version and stays untouched."""


class PictureUnreadable(StudioError):
    """A picture file is missing, damaged, larger than allowed, or no picture."""


class TellsTooMuch(StudioError):
    """A copy of a picture would hold what is to be left out of it; it was not written."""


class LockedByOther(StudioError):
    """Another window of the studio works on this data folder."""


class Cancelled(BaseException):
    """The user asked to stop. A BaseException so that no ``except Exception`` on the way swallows it."""
