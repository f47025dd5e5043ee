"""What can be asked of model files: two or three merged into one, one written in another layout or number format.

The orders stand here so that the window and the command line can give them; who carries them out knows torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, Field

from sdstudio.core.errors import StudioError
from sdstudio.core.models.model import ModelLayout
from sdstudio.core.params import Ui

KEEP: Final = "keep"
"""The precision that leaves every weight in the format it has."""

Precision = Literal["keep", "float16", "bfloat16", "float32"]
_PRECISION_TITLES: Final = ("As it is", "Half (float16)", "Half (bfloat16)", "Full (float32)")

PRECISIONS: Final[tuple[str, ...]] = get_args(Precision)

OnProgress = Callable[[float], None]


class MergeOptions(BaseModel):
    """What is chosen about a merge besides its inputs; flags and widgets follow from it."""

    model_config = ConfigDict(frozen=True)

    mode: Annotated[
        Literal["weighted_sum", "add_difference"],
        Field(
            title="Mode",
            description="Weighted sum mixes A and B. Add difference gives A what B has learnt since C, from which it "
            "was trained.",
        ),
        Ui(group="Merge"),
    ] = "weighted_sum"
    alpha: Annotated[
        float,
        Field(ge=0, le=1, title="Alpha", description="How much of B, or of the difference, is taken: 0 is A alone."),
        Ui(group="Merge", step=0.05, decimals=2, slider=True),
    ] = 0.5
    precision: Annotated[
        Precision,
        Field(title="Precision", description="Number format of the result; half takes half the room."),
        Ui(group="Merge", titles=_PRECISION_TITLES),
    ] = KEEP


class ConvertOptions(BaseModel):
    """What is chosen about a conversion besides the model; flags and widgets follow from it."""

    model_config = ConfigDict(frozen=True)

    layout: Annotated[
        Literal["file", "folder"],
        Field(
            title="Layout",
            description="A single .safetensors file is what most programs read; a folder is the layout of diffusers.",
        ),
        Ui(group="Convert", titles=("Single file", "Folder")),
    ] = "file"
    precision: Annotated[
        Precision,
        Field(title="Precision", description="Number format of the result; half takes half the room."),
        Ui(group="Convert", titles=_PRECISION_TITLES),
    ] = KEEP

    @property
    def target_layout(self) -> ModelLayout:
        """The layout, as models have it."""
        return ModelLayout.SINGLE_FILE if self.layout == "file" else ModelLayout.FOLDER


class MergeMode(Enum):
    """How checkpoints are merged; the value is A1111's name, which stands in the result's header."""

    WEIGHTED_SUM = "Weighted sum"
    ADD_DIFFERENCE = "Add difference"

    @property
    def input_count(self) -> int:
        """How many checkpoints it takes."""
        return 2 if self is MergeMode.WEIGHTED_SUM else 3

    @property
    def formula(self) -> str:
        """What it computes for each weight."""
        if self is MergeMode.WEIGHTED_SUM:
            return "(1 − alpha) · A + alpha · B"
        return "A + alpha · (B − C)"


@dataclass(frozen=True, slots=True)
class MergeInput:
    """One checkpoint that goes in, and its sha256 for the recipe, "" when it is not known."""

    path: Path
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class MergeOrder:
    """Checkpoints to merge.

    Attributes:
        inputs: A, B and, to add a difference, C.
        target: The .safetensors file to write.
        mode: How.
        alpha: How much of B, or of the difference, 0..1.
        precision: Number format of the result's weights; A's own to keep it.
        replace: Whether a file that is there may be replaced.
    """

    inputs: tuple[MergeInput, ...]
    target: Path
    mode: MergeMode = MergeMode.WEIGHTED_SUM
    alpha: float = 0.5
    precision: Precision = KEEP
    replace: bool = False


@dataclass(frozen=True, slots=True)
class ConvertOrder:
    """A model to write anew.

    Attributes:
        source: A folder, a .safetensors or a .ckpt file.
        target: A folder or a .safetensors file.
        layout: Which of the two.
        precision: Number format to write weights in.
        replace: Whether a file that is there may be replaced; a folder never is.
    """

    source: Path
    target: Path
    layout: ModelLayout
    precision: Precision = KEEP
    replace: bool = False


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What was made.

    Attributes:
        path: The new file or folder.
        size_bytes: Its size.
        tensors: How many weights it holds.
        notes: What the user should know: for example weights that only one input has, with their names.
    """

    path: Path
    size_bytes: int
    tensors: int
    notes: tuple[str, ...] = ()


class ModelWorks(Protocol):
    """Who carries orders out; long work, on a thread of the caller's. Both raise StudioError and Cancelled."""

    def merge(self, order: MergeOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport: ...  # noqa: D102
    def convert(self, order: ConvertOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport: ...  # noqa: D102


def check_target(target: Path, replace: bool) -> None:
    """Check that something new can be written there.

    Raises:
        StudioError: There is something already, or no folder to write into.
    """
    if target.exists() and (target.is_dir() or not replace):
        raise StudioError(f"Result = {target}: there is something of that name already.", "Choose another name.")
    if not target.parent.is_dir():
        raise StudioError(f"Result = {target}: its folder is not there.", "Choose a folder that exists.")


def listed(names: list[str], limit: int = 5) -> str:
    """Return names as a sentence needs them: the first few, and how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
