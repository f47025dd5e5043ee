from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from sdstudio.history.picture_text.foreign.reading import examine_picture, read_picture
from tests.unit.history.foreign.pictures import A1111, NOVEL, SWARM, hidden


def test_a1111s_hidden_text_is_read(tmp_path):
    (tmp_path / "x.png").write_bytes(hidden(A1111.format(sampler="Euler a", version="v1.10.1")))
    read = read_picture(tmp_path / "x.png")
    assert read is not None
    assert (read.program, read.recipe.request.seed, read.recipe.request.scheduler) == ("A1111 v1.10.1", 42, "euler_a")
    again, _small = examine_picture(tmp_path / "x.png")
    assert again == read


def test_novelais_hidden_texts_are_read():
    texts = {"Software": "NovelAI", "Description": "1girl", "Source": "V3", "Comment": json.dumps(NOVEL)}
    read = read_picture(io.BytesIO(hidden(json.dumps(texts), (96, 96))))
    assert read is not None
    assert (read.program, read.recipe.request.seed) == ("NovelAI", 3621354012)


def with_length(bits: int) -> bytes:
    data = b"stealth_pngcomp" + bits.to_bytes(4, "big")
    alpha = Image.new("L", (64, 64), 254)
    for at, bit in enumerate(byte >> place & 1 for byte in data for place in range(7, -1, -1)):
        alpha.putpixel((at // 64, at % 64), 254 + bit)
    pixels = Image.new("RGBA", (64, 64), "teal")
    pixels.putalpha(alpha)
    file = io.BytesIO()
    pixels.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("bits", [0, 8, 800, 2**32 - 1])
def test_a_mark_with_nonsense_behind_it_tells_nothing(bits):
    assert read_picture(io.BytesIO(with_length(bits))) is None


def test_a_hidden_bomb_is_unpacked_no_further_than_texts_may_be_long():
    assert read_picture(io.BytesIO(hidden("a" * 30_000_000, (512, 512)))) is None


def test_swarmuis_hidden_text_is_read():
    read = read_picture(io.BytesIO(hidden(json.dumps(SWARM), (96, 96), b"stealth_rgbcomp")))
    assert read is not None
    assert (read.program, read.recipe.request.seed) == ("SwarmUI 0.6.4.0", 77)


def test_text_is_found_in_a_picture_with_a_palette():
    data = io.BytesIO()
    Image.open(io.BytesIO(hidden(A1111.format(sampler="Euler", version="v1"), mark=b"stealth_rgbinfo"))).quantize(
        16, dither=Image.Dither.NONE
    ).save(data, "PNG")
    with Image.open(data) as image:
        assert image.mode == "P"
    read = read_picture(data)
    assert read is not None
    assert read.recipe.request.seed == 42
