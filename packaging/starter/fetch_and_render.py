"""Fetch the emoji packages from npm and render every emoji of every style at 128 px.

Needs `npm` on the PATH and the Python packages `resvg-py`, `pillow` and `numpy`.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import resvg_py
from dataset import PICTURE_SIZE, save_style
from PIL import Image

# Style, licence and package: see licences/CREDITS.txt. The versions are those the first model was trained on.
RASTER = {"3d": "@lobehub/fluent-emoji-3d"}
VECTOR = {
    "flat": "@iconify-json/fluent-emoji-flat",
    "noto": "@iconify-json/noto",
    "twemoji": "@iconify-json/twemoji",
}
NAMES = "emojibase-data"
PACKAGES = {
    "@lobehub/fluent-emoji-3d": "1.1.0",
    "@iconify-json/fluent-emoji-flat": "1.2.6",
    "@iconify-json/noto": "1.2.9",
    "@iconify-json/twemoji": "1.2.5",
    NAMES: "17.0.0",
}
LEFT_OUT_GROUPS = frozenset({"component", "flags"})
VARIATION_SELECTORS = frozenset({"fe0f", "fe0e"})
Renderer = Callable[[str], Image.Image | None]


def fetch(folder: Path) -> Path:
    """Install the packages with npm below `folder`; return its node_modules."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm = not found: it fetches the emoji packages. Install Node.js, or pass --zip.")
    command = [npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    subprocess.run([*command, *wanted], check=True)
    return folder / "node_modules"


def plain_code(code: str) -> str:
    """A code point sequence without variation selectors: "2764-FE0F" becomes "2764"."""
    return "-".join(part for part in code.lower().split("-") if part not in VARIATION_SELECTORS)


def read_concepts(modules: Path) -> list[dict[str, object]]:
    """All emoji with label, tags and group, as concepts.json holds them."""
    entries = json.loads((modules / NAMES / "en" / "data.json").read_text(encoding="utf-8"))
    groups = json.loads((modules / NAMES / "meta" / "groups.json").read_text(encoding="utf-8"))
    concepts = []
    for entry in entries:
        group = groups["groups"].get(str(entry.get("group")))
        if group is None or group in LEFT_OUT_GROUPS:
            continue
        concepts.append(
            {
                "hex": plain_code(entry["hexcode"]),
                "label": entry["label"],
                "tags": entry.get("tags", []),
                "group": group,
                "sub": groups["subgroups"][str(entry["subgroup"])],
            }
        )
    return concepts


def vector_renderer(modules: Path, package: str, size: int = PICTURE_SIZE) -> Renderer:
    """Render emoji of an iconify package by code point, `size` px wide and high."""
    icons = json.loads((modules / package / "icons.json").read_text(encoding="utf-8"))
    characters = json.loads((modules / package / "chars.json").read_text(encoding="utf-8"))
    names = {plain_code(code): name for code, name in characters.items()}
    aliases = icons.get("aliases", {})

    def render(code: str) -> Image.Image | None:
        name = names.get(code)
        while name in aliases and name not in icons["icons"]:
            name = aliases[name]["parent"]
        if name not in icons["icons"]:
            return None
        icon = icons["icons"][name]
        width, height = icon.get("width", icons.get("width", 16)), icon.get("height", icons.get("height", 16))
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}" '
            f'width="{size}" height="{size}" color="#000">{icon["body"]}</svg>'
        )
        data = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size)
        return Image.open(io.BytesIO(bytes(data))).convert("RGBA")

    return render


def raster_renderer(modules: Path, package: str) -> Renderer:
    """Read emoji of a package of ready pictures by code point."""
    files = {plain_code(path.stem): path for path in (modules / package / "assets").iterdir()}
    return lambda code: Image.open(files[code]).convert("RGBA") if code in files else None


def to_square(picture: Image.Image) -> np.ndarray:
    """Pad to a square and shrink to 128 px, premultiplied so that hidden colours do not bleed in; uint8 RGBA."""
    if picture.size == (PICTURE_SIZE, PICTURE_SIZE):
        return np.asarray(picture)
    side = max(picture.size)
    square = Image.new("RGBA", (side, side))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    values = np.asarray(square).astype(np.float32) / 255
    values[..., :3] *= values[..., 3:]
    method = Image.Resampling.BOX if side % PICTURE_SIZE == 0 else Image.Resampling.LANCZOS
    channels = [
        np.asarray(Image.fromarray(values[..., k]).resize((PICTURE_SIZE, PICTURE_SIZE), method)) for k in range(4)
    ]
    small = np.stack(channels, -1).clip(0, 1)
    alpha = small[..., 3:]
    small[..., :3] = np.where(alpha > 1e-4, small[..., :3] / np.maximum(alpha, 1e-4), 0)
    return (small.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def render_all(modules: Path, destination: Path) -> None:
    """Render every style into `destination`, as `dataset.load_pictures` reads it."""
    destination.mkdir(parents=True, exist_ok=True)
    concepts = read_concepts(modules)
    renderers = {style: raster_renderer(modules, package) for style, package in RASTER.items()}
    renderers |= {style: vector_renderer(modules, package) for style, package in VECTOR.items()}
    for style, render in renderers.items():
        pixels = np.zeros((len(concepts), PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)
        present = np.zeros(len(concepts), bool)
        for index, concept in enumerate(concepts):
            picture = render(str(concept["hex"]))
            if picture is not None:
                pixels[index] = to_square(picture)
                present[index] = pixels[index, ..., 3].max() > 0
        save_style(destination, style, pixels, present)
        print(f"{style}: {present.sum()} of {len(concepts)} emoji", flush=True)
    (destination / "concepts.json").write_text(json.dumps(concepts), encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state")
    arguments = parser.parse_args()
    render_all(fetch(arguments.state / "packages"), arguments.state / "pictures")


if __name__ == "__main__":
    main()
