"""Pictures of strangers: as large as they are to be seen."""

from __future__ import annotations

import pytest
from PIL import ExifTags, Image

from sdstudio.core.pictures import opened_picture, upright_size


@pytest.mark.parametrize(("turn", "size"), [(1, (30, 20)), (3, (30, 20)), (6, (20, 30)), (8, (20, 30)), (99, (30, 20))])
def test_a_turned_camera_makes_wide_pictures_high(tmp_path, turn, size):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    with opened_picture(tmp_path / "a.jpg") as image:
        assert upright_size(image) == size
