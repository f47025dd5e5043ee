"""What the user decides once for all pictures: memory, device, safety, previews and looks. Declared like a request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sdstudio.core.errors import InvalidRequest, SaveFailed
from sdstudio.core.files import is_utf8
from sdstudio.core.json_text import json_of
from sdstudio.core.name_pattern import ALLOWED_FIELDS, DEFAULT_PATTERN, check_pattern
from sdstudio.core.output_folder import check_output_folder
from sdstudio.core.params import Ui, parameters

MEMORY_GROUP: Final = "Speed and memory"
_ENDS: Final = ("Off", "When the queue is empty", "After each press of Generate")
PICKLES_TITLE: Final = "Open .ckpt and .pt files"
PICKLES_HINT: Final = f"Turn on “{PICKLES_TITLE}” in the settings, or get the .safetensors of it."


class Settings(BaseModel):
    """All settings. Frozen: a change is a new object, `load` and `save` keep it as JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    theme: Annotated[
        Literal["system", "dark", "light"],
        Field(title="Theme", description="Colours of the window; System follows the desktop."),
        Ui(group="Window"),
    ] = "system"
    font_size: Annotated[
        int,
        Field(ge=8, le=20, title="Font size", description="Of all that is read in the window."),
        Ui(group="Window", unit="pt"),
    ] = 10
    previews: Annotated[
        bool,
        Field(title="Live preview", description="Show the picture while it forms. Costs well under 3 % of the time."),
        Ui(group="Window"),
    ] = True
    preview_interval_ms: Annotated[
        int,
        Field(
            ge=0,
            le=5000,
            title="Preview interval",
            description="Show a new live preview at most once in so many milliseconds; 0 shows every step.",
        ),
        Ui(group="Window", unit="ms", step=50),
    ] = 100
    mask_colour: Annotated[
        Literal["red", "orange", "green", "blue", "violet", "white", "black"],
        Field(title="Mask colour", description="Of what is painted over a picture to be drawn anew."),
        Ui(group="Window"),
    ] = "red"
    mask_opacity: Annotated[
        int,
        Field(ge=10, le=100, title="Mask opacity", description="How much of the picture the mask's colour covers."),
        Ui(group="Window", unit="%", step=5, slider=True),
    ] = 50
    pen_pressure: Annotated[
        Literal["width", "opacity", "both"],
        Field(title="Pen pressure", description="What the pressure of a tablet's pen changes while a mask is painted."),
        Ui(group="Window", titles=("The brush's width", "The brush's opacity", "Both")),
    ] = "width"
    end_sound: Annotated[
        Literal["off", "last", "every"],
        Field(title="Sound", description="Play a sound when pictures are done."),
        Ui(group="End of work", titles=_ENDS),
    ] = "off"
    end_notification: Annotated[
        Literal["off", "last", "every"],
        Field(
            title="Notification",
            description="Let the desktop say that pictures are done, when another window has the focus.",
        ),
        Ui(group="End of work", titles=_ENDS),
    ] = "last"
    output_folder: Annotated[
        Path | None,
        Field(
            title="Output folder",
            description="Where new pictures are kept; blank for the data folder's own. Older ones stay where they are, "
            "in the history too. While it is not there or cannot be written, pictures go to the data folder.",
        ),
        Ui(group="Files", check=check_output_folder),
    ] = None
    name_pattern: Annotated[
        str,
        Field(
            title="Name pattern",
            description="What new pictures are called in the output folder, without the ending; what stands before a / "
            f"is a folder. Fields: {ALLOWED_FIELDS}. A name that is taken gets -2, -3 and so on behind it.",
        ),
        Ui(group="Files", check=check_pattern),
    ] = DEFAULT_PATTERN
    file_format: Annotated[
        Literal["png", "webp", "jpeg"],
        Field(
            title="File format",
            description="Of new pictures in the history; those there are stay as they are. PNG and WebP keep every "
            "pixel, WebP in less space. JPEG is the smallest and changes pixels: a picture kept as JPEG can be made "
            "again, but not be verified pixel by pixel. All hold the parameters. A picture that does not fit is kept "
            "as PNG: parameters above 64 kB in a JPEG, a side above 16,383 px in a WebP.",
        ),
        Ui(group="Files", titles=("PNG", "WebP, lossless", "JPEG")),
    ] = "png"
    jpeg_quality: Annotated[
        int,
        Field(
            title="JPEG quality",
            description="Of new pictures that are kept as JPEG: 100 changes the least and takes the most space.",
            ge=1,
            le=100,
        ),
        Ui(group="Files"),
    ] = 95
    copies_tell: Annotated[
        bool,
        Field(
            title="Keep parameters in saved and exported files",
            description="Prompt, seed, model and all other parameters stay in pictures that are saved, exported, "
            "copied or dragged out. Turned off, such a copy is pixels only, without text that other programs hide in "
            "them; the history's own pictures always keep theirs.",
        ),
        Ui(group="Privacy"),
    ] = True
    model_folders: Annotated[
        tuple[Path, ...],
        Field(title="Model folders", description="More folders to look for models in; nothing is copied."),
        Ui(group="Models"),
    ] = ()
    open_pickles: Annotated[
        bool,
        Field(
            title=PICKLES_TITLE,
            description="Draw with old checkpoints, embeddings and VAEs that are pickles (.bin too). Only numbers are "
            "read from them, and those that hold more are refused all the same; a .safetensors is safer and loads "
            "faster.",
        ),
        Ui(group="Models"),
    ] = False
    hash_in_background: Annotated[
        bool,
        Field(
            title="Hash in the background",
            description="Compute the hashes of LoRA, embeddings and VAEs as they are found, while nothing is drawn: "
            "pictures then name what they were made with. Checkpoints are hashed when they are first used.",
        ),
        Ui(group="Models"),
    ] = True
    free_after_min: Annotated[
        float,
        Field(
            ge=0,
            le=24 * 60,
            title="Free memory after",
            description="Let go of the model when nothing was drawn for so long; the next picture loads it again. 0 "
            "keeps it.",
        ),
        Ui(group="Models", unit="min", step=5, decimals=0),
    ] = 0.0
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps", "xpu", "openvino", "openvino-gpu", "openvino-npu"],
        Field(
            title="Device",
            description="Where pictures are computed; Automatic takes the fastest that torch knows. OpenVINO is faster "
            "on processors, and needs each model converted once.",
        ),
        Ui(
            group=MEMORY_GROUP,
            titles=(
                "Automatic",
                "CPU",
                "NVIDIA or AMD GPU",
                "Apple GPU",
                "Intel GPU",
                "OpenVINO on the CPU",
                "OpenVINO on an Intel GPU",
                "OpenVINO on an Intel NPU",
            ),
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "float16", "bfloat16"],
        Field(
            title="Precision",
            description="Number format of the weights: Automatic is float16 on a GPU, float32 on the CPU. "
            "Half precision takes half the memory; on a CPU it is slower.",
        ),
        Ui(group=MEMORY_GROUP, titles=("Automatic", "float32", "float16", "bfloat16")),
    ] = "auto"
    autocast: Annotated[
        bool,
        Field(
            title="Autocast",
            description="Mixed precision: compute in half precision where it is safe, keep the weights as they are.",
        ),
        Ui(group=MEMORY_GROUP),
    ] = False
    channels_last: Annotated[
        bool,
        Field(title="Channels last", description="Memory layout in which convolutions run faster on many devices."),
        Ui(group=MEMORY_GROUP),
    ] = False
    cudnn_benchmark: Annotated[
        bool,
        Field(
            title="cuDNN benchmark",
            description="Try out convolution kernels on the first picture of a size; later ones are faster (NVIDIA).",
        ),
        Ui(group=MEMORY_GROUP),
    ] = False
    attention_slicing: Annotated[
        bool,
        Field(
            title="Attention slicing",
            description="Compute attention in slices: less memory on Apple GPUs, more elsewhere; slower.",
        ),
        Ui(group=MEMORY_GROUP),
    ] = False
    vae_slicing: Annotated[
        bool,
        Field(title="VAE slicing", description="Decode the pictures of a batch one by one: less memory for batches."),
        Ui(group=MEMORY_GROUP),
    ] = False
    vae_tiling: Annotated[
        bool,
        Field(title="VAE tiling", description="Decode a picture in tiles: large pictures fit; seams may show faintly."),
        Ui(group=MEMORY_GROUP),
    ] = False
    offload: Annotated[
        Literal["none", "model", "sequential"],
        Field(
            title="CPU offload",
            description="Keep parts of the model in main memory until they are needed: Model is a little slower, "
            "Sequential much slower and needs the least. Acts on a GPU only.",
        ),
        Ui(group=MEMORY_GROUP, titles=("None", "Model", "Sequential")),
    ] = "none"
    safety_checker: Annotated[
        bool,
        Field(
            title="Safety checker",
            description="Run the model's own filter, when it ships one, and replace pictures it takes for explicit by "
            "a notice. Turned off, every picture is shown as the model drew it, explicit ones too.",
        ),
        Ui(group="Safety"),
    ] = True
    safety_filter: Annotated[
        str,
        Field(
            title="Custom filter (plug-in)",
            description="Name of an installed filter (entry point group sdstudio.safety_filters) that judges every "
            "picture; blank for none.",
        ),
        Ui(group="Safety"),
    ] = ""

    @field_validator("name_pattern")
    @classmethod
    def _names_pictures(cls, pattern: str) -> str:
        try:
            check_pattern(pattern)
        except InvalidRequest as error:
            raise ValueError(error.message) from error
        return pattern

    @property
    def preview_every_s(self) -> float | None:
        """At most one live preview in this time; ``None`` for none at all."""
        return self.preview_interval_ms / 1000 if self.previews else None

    def as_recorded(self, made_with: Mapping[str, Any], device: str) -> Settings:
        """Return these settings with the switches a picture was made with, so that a re-run gives its pixels.

        Args:
            made_with: From the picture's recipe.
            device: Title of the device in use. A picture's precision counts only on the device it was made on: another
                may not have it.
        """
        switches = [row for row in parameters(Settings) if row.ui.group == MEMORY_GROUP]
        memory = made_with.get("memory")
        recorded = memory if isinstance(memory, Mapping) else {}
        names = {row.name: row.default for row in switches if row.name not in ("device", "precision")}
        values = {name: recorded.get(name, default) for name, default in names.items()}
        if made_with.get("device") == device:
            values["precision"] = made_with.get("dtype", self.precision)
        try:
            type(self)(**values)
        except ValidationError as error:  # a picture of another version, or of nobody
            bad = {str(item["loc"][0]) for item in error.errors()}
            values = {name: value for name, value in values.items() if name not in bad} | {
                name: names[name] for name in bad & names.keys()
            }
        return self.model_copy(update=values)

    @classmethod
    def load(cls, path: Path) -> tuple[Settings, list[str]]:
        """Read the settings; a value that is not allowed becomes its default and is named in the second result."""
        try:
            stored: Any = json_of(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(), []
        except (OSError, ValueError) as error:
            return cls(), [f"{path.name} could not be read ({error}); all settings have their defaults."]
        if not isinstance(stored, dict):
            return cls(), [f"{path.name} holds no settings; all settings have their defaults."]
        try:
            return cls(**stored), []
        except ValidationError as error:
            bad = {str(item["loc"][0]): item["input"] for item in error.errors()}
            kept = {name: value for name, value in stored.items() if name not in bad}
            messages = [
                f"Setting {name} = {value!r} is not allowed; its default is used." for name, value in bad.items()
            ]
            return cls(**kept), messages

    def save(self, path: Path) -> None:
        """Write the settings, whole or not at all.

        Raises:
            SaveFailed: The file cannot be written.
        """
        named = [("Model folder", folder) for folder in self.model_folders]
        named += [("Output folder", self.output_folder)] if self.output_folder is not None else []
        for title, folder in named:
            if not is_utf8(str(folder)):
                name = str(folder).encode("utf-8", "replace").decode("utf-8")
                raise SaveFailed(f"{title} = {name}: its name is not UTF-8.", "Rename the folder, then choose it.")
        temporary = path.with_suffix(".tmp")
        try:
            temporary.write_text(self.model_dump_json(indent=2), encoding="utf-8")
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):  # a read-only disk refuses this, too
                temporary.unlink(missing_ok=True)
            message = f"The settings could not be saved to {path}: {error.strerror}."
            raise SaveFailed(message, "Free space or make the folder writable.") from error
