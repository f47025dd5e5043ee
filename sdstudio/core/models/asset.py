"""What one file or folder of the model library is to everyone who did not find it: a checkpoint, a LoRA, a VAE .."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.kinds import CHECKPOINT, KIND_BY_KEY, VARIANT_BY_KEY, AssetKind

MODEL_HASH_DIGITS: Final = 10
"""Digits of A1111's model hash, of the whole file's sha256."""

BODY_HASH_DIGITS: Final = 12
"""Digits of AutoV3, of the sha256 of what follows the header."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing in the library.

    Attributes:
        kind: Key in ``catalog.kinds``.
        key: Stable name within its kind: the name of its file without the ending, or of its folder; the absolute path
            when an earlier one of its kind has that name.
        name: What the user reads.
        path: Its file or folder.
        root: The folder it was found through: one of the user's, or the data folder's.
        family: Key in ``catalog.families``; "other" when it is known and not supported, "" when it is not recorded.
        variant: Key in ``catalog.kinds.VARIANTS``, "" for none; "v_prediction?" when the file does not record it.
        base: The model it was made for or from, as the file records it.
        alias: Another name prompts of other programs call it by (``ss_output_name``).
        triggers: Its trigger words, the most frequent first.
        size_bytes: Of its file, or the sum of its folder's.
        modified_s: Time of its last change, seconds since 1970.
        sha256: Of its file, or over its folder's weight files; "" while it is not known.
        body_sha256: Of what follows the header, "" when it is not known or its kind does not use it.
        problem: Why it cannot be used, "" when it can.
        pickled: Whether it is a pickle, which is used only where the settings allow it.
        network: What an upscaler or LoRA is, "Real-ESRGAN, 4x", "LoKr"; "" for a plain LoRA, for every other kind, and
            while that is not known.
        bundled: Names of the embeddings that a LoRA brings along: words for prompts, while it is used.
        not_drawn: What of it is not drawn with, a sentence each.
    """

    kind: str
    key: str
    name: str
    path: Path
    root: Path
    family: str = ""
    variant: str = ""
    base: str = ""
    alias: str = ""
    triggers: tuple[str, ...] = ()
    size_bytes: int = 0
    modified_s: float = 0.0
    sha256: str = ""
    body_sha256: str = ""
    problem: str = ""
    pickled: bool = False
    network: str = ""
    bundled: tuple[str, ...] = ()
    not_drawn: tuple[str, ...] = ()

    @property
    def kind_row(self) -> AssetKind:
        """Its kind's row."""
        return KIND_BY_KEY[self.kind]

    @property
    def family_title(self) -> str:
        """Its family as the user reads it, "" when it is not known; a checkpoint's other family is no family."""
        if self.family == "other":
            return "Other text-to-image" if self.kind == CHECKPOINT and not self.problem else "Not supported"
        return FAMILY_BY_KEY[self.family].title if self.family else ""

    @property
    def variant_title(self) -> str:
        """Its variant as the user reads it."""
        return VARIANT_BY_KEY[self.variant].title if self.variant else ""

    @property
    def short_hash(self) -> str:
        """The hash other programs write down: AutoV3 for LoRA and embeddings, else the first digits of the sha256."""
        if self.kind_row.body_hash:
            return self.body_sha256[:BODY_HASH_DIGITS]
        return self.sha256[:MODEL_HASH_DIGITS]
