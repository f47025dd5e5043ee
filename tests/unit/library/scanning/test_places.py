"""Which program a folder belongs to, where in it models lie, and what its own lists of folders add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdstudio.catalog.kinds import KIND_BY_KEY
from sdstudio.catalog.programs import FOLDER_KINDS, PROGRAMS
from sdstudio.library.scanning.places import Trouble, hint_of, places_of, program_of

SIGNS = [(program, sign) for program in PROGRAMS for sign in program.signs]


def _make(root: Path, sign: str) -> None:
    for part in sign.split("+"):
        path = root / part
        path.parent.mkdir(parents=True, exist_ok=True)
        if Path(part).suffix:
            path.touch()
        else:
            path.mkdir(exist_ok=True)


@pytest.mark.parametrize(("program", "sign"), SIGNS, ids=[f"{row.key}-{sign}" for row, sign in SIGNS])
class TestEverySignOfAProgram:
    def test_it_tells_the_program(self, tmp_path, program, sign):
        _make(tmp_path, sign)
        assert program_of(tmp_path) is program

    def test_its_folders_are_found_in_any_case_with_their_kinds(self, tmp_path, program, sign):
        _make(tmp_path, sign)
        for name in program.folders:
            if not (tmp_path / name).exists():
                folder = tmp_path / name
                folder.with_name(folder.name.upper()).mkdir(parents=True, exist_ok=True)
        places, troubles = places_of(tmp_path)
        assert [place.hint for place in places] == list(program.folders.values())
        assert all(place.folder.is_dir() for place in places)
        assert troubles == []


def test_every_folder_kind_is_a_kind():
    assert set(FOLDER_KINDS.values()) <= set(KIND_BY_KEY)
    assert all(name == name.lower() for name in FOLDER_KINDS)
    assert all(kind in {"", *KIND_BY_KEY} for program in PROGRAMS for kind in program.folders.values())


def test_any_other_folder_is_looked_through_as_a_whole(tmp_path):
    [place], troubles = places_of(tmp_path)
    assert (place.folder, place.hint, troubles) == (tmp_path, "", [])
    (tmp_path / "Lora").mkdir()
    [place], _ = places_of(tmp_path / "Lora")
    assert place.hint == "lora"
    assert hint_of("pictures") == ""


YAML = """
a111:
    base_path: {base}
    checkpoints: models/Stable-diffusion
    loras: |
        models/Lora
        models/LyCORIS
    configs: models/Stable-diffusion
    is_default: true
other:
    vae: relative-vae
    embeddings: {gone}
nothing: 3
"""


@pytest.fixture
def listed(tmp_path):
    """Return a ComfyUI folder with a list of another program's folders."""
    base = tmp_path / "webui"
    root = tmp_path / "ComfyUI"
    for folder in (base / "models/Stable-diffusion", base / "models/Lora", base / "models/LyCORIS",
                   root / "models/checkpoints", root / "relative-vae"):  # fmt: skip
        folder.mkdir(parents=True)
    (root / "extra_model_paths.yaml").write_text(YAML.format(base=base, gone=tmp_path / "gone"))
    return root


def test_comfyuis_list_of_folders_is_followed(listed, tmp_path):
    places, troubles = places_of(listed)
    assert [(place.folder.relative_to(tmp_path).as_posix(), place.hint) for place in places] == [
        ("ComfyUI/models/checkpoints", "checkpoint"),
        ("webui/models/Stable-diffusion", "checkpoint"),
        ("webui/models/Lora", "lora"),
        ("webui/models/LyCORIS", "lora"),
        ("ComfyUI/relative-vae", "vae"),
    ]
    assert [str(trouble) for trouble in troubles] == [
        f"{tmp_path / 'gone'}: the folder is not there; extra_model_paths.yaml names it."
    ]


def test_a_list_of_folders_may_be_a_list_in_its_yaml_too(tmp_path):
    for name in ("a/loras", "a/more", "b/vae"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "extra_model_paths.yaml").write_text(
        f"one:\n  base_path: {tmp_path}/a\n  loras:\n    - loras\n    - more\n    - 3\n    - [more]\n"
        f"two:\n  vae: [{tmp_path}/b/vae]\n  embeddings: []\n"
    )
    places, troubles = places_of(tmp_path / "extra_model_paths.yaml")
    assert [(place.folder.relative_to(tmp_path).as_posix(), place.hint) for place in places] == [
        ("a/loras", "lora"),
        ("a/more", "lora"),
        ("b/vae", "vae"),
    ]
    assert troubles == []


def test_the_list_may_be_named_itself(listed):
    places, _ = places_of(listed / "extra_model_paths.yaml")
    assert [place.hint for place in places] == ["checkpoint", "lora", "lora", "vae"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00", b"a: [", b"- a\n- b\n", b"!!python/object/apply:os.system ['touch executed']",
        b"a: &a [*a]\n", b"[" * 100_000, b"x" * (2**20 + 1), b"a:\n  base_path: 3\n  loras: [1, 2]\n",
        b"a:\n  base_path: /\n  loras: 'no\x00body'\n", b"a:\n  loras: " + b"x" * 4000,
    ],
)  # fmt: skip
def test_a_list_from_a_stranger_is_data_and_at_worst_one_line(listed, content, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (listed / "extra_model_paths.yaml").write_bytes(content)
    places, troubles = places_of(listed)
    assert [place.hint for place in places] == ["checkpoint"]
    assert all("\n" not in str(trouble) and len(str(trouble)) < 700 for trouble in troubles)
    assert not (tmp_path / "executed").exists()


def test_fooocus_and_invokeai_name_their_folders(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("fooocus", "invoke"):
        (tmp_path / name).mkdir()
    (tmp_path / "fooocus/fooocus_version.py").touch()
    (tmp_path / "fooocus/config.txt").write_text(
        json.dumps({"path_checkpoints": [str(tmp_path / "a")], "path_loras": str(tmp_path / "b"), "path_vae": 3})
    )
    places, troubles = places_of(tmp_path / "fooocus")
    assert [(place.folder.name, place.hint) for place in places] == [("a", "checkpoint"), ("b", "lora")]
    assert troubles == []
    (tmp_path / "invoke/invokeai.yaml").write_text("schema_version: 4.0.2\nmodels_dir: ../a\n")
    places, _ = places_of(tmp_path / "invoke")
    assert [place.folder.resolve() for place in places] == [tmp_path / "a"]


def test_a_trouble_is_one_printable_line_however_it_is_named():
    said = str(Trouble.of("/models/\udcff" + "x" * 4000 + "\n\x1b[31m.safetensors", "it is damaged."))
    assert said.isprintable()
    assert "\\xff" in said
    assert len(said) < 400
