"""Which models there are, in which order, under which keys, and what is said about one that is not there."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from sdstudio.catalog.built_in import DRAWINGS, STARTER, UPSCALER_FOLDER
from sdstudio.catalog.kinds import UPSCALER
from sdstudio.core.errors import Cancelled, ModelDamaged, ModelNotFound, ModelUnsupported
from sdstudio.core.paths import resources
from sdstudio.library import library as library_module
from sdstudio.library.library import Library
from sdstudio.library.scanning.identify import examine


@pytest.fixture
def stocked(home, tiny_models, monkeypatch, tmp_path):
    """Return a library with a starter (a tiny model in its place) and two models in the data folder."""
    shipped = tmp_path / "shipped"
    shutil.copytree(tiny_models["sd2"], shipped / "starter")
    monkeypatch.setattr(library_module, "resources", lambda: shipped)
    shutil.copytree(tiny_models["sdxl"], home.models / "zebra")
    shutil.copytree(tiny_models["sd1"], home.models / "nested" / "alpaca")
    return Library(home)


def test_the_starter_is_first_then_the_rest_by_name(stocked):
    assert [model.key for model in stocked.models()] == ["starter", "alpaca", "zebra"]


def test_the_shipped_starter_can_draw():
    if not (resources() / "starter" / "model_index.json").is_file():
        pytest.skip("the starter has not been trained yet")
    finding = examine(resources() / "starter")
    assert finding.info.problem == ""
    assert finding.info.warnings == ()
    assert finding.info.examples


def test_models_are_scanned_once_until_asked(stocked, home, tiny_models):
    before = stocked.models()
    shutil.copytree(tiny_models["sd1"], home.models / "new")
    assert stocked.models() == before
    assert "new" in [model.key for model in stocked.rescan()]


def test_folders_set_later_count_from_the_next_scan_on(stocked, tiny_models, tmp_path):
    stocked.models()
    shutil.copytree(tiny_models["sd1"], tmp_path / "more" / "late")
    stocked.set_folders([tmp_path / "more"])
    assert "late" not in [model.key for model in stocked.models()]
    assert "late" in [model.key for model in stocked.rescan()]
    assert stocked.find("late").key == "late"


@pytest.mark.parametrize("name", ["zebra", "ZEBRA", "Tiny SDXL", "tiny sdxl", " zebra "])
def test_a_model_is_found_by_key_and_name(stocked, name):
    assert stocked.find(name).key == "zebra"


def test_a_model_is_found_by_its_path_under_its_key(stocked, home, monkeypatch):
    assert stocked.find(str(home.models / "zebra")).key == "zebra"
    monkeypatch.chdir(home.models)
    assert stocked.find("./zebra").key == "zebra"
    assert stocked.find("nested/alpaca/model_index.json").family == "sd1"


def test_a_model_elsewhere_is_found_by_its_path_and_has_it_as_key(stocked, tiny_models):
    model = stocked.find(str(tiny_models["sd1"]))
    assert model.key == str(tiny_models["sd1"])
    assert stocked.find(model.key) == model


def test_an_unknown_name_is_answered_with_the_nearest(stocked):
    with pytest.raises(ModelNotFound, match="there is no such model") as caught:
        stocked.find("zebar")
    assert caught.value.hint == "Did you mean zebra?"
    with pytest.raises(ModelNotFound) as caught:
        stocked.find("qqqqqq")
    assert "models list" in caught.value.hint


@pytest.mark.parametrize("wanted", ["/no/such/folder", "no/such", "", "x" * 5000, "a\nb"])
def test_a_path_to_nothing_is_not_found(stocked, wanted):
    with pytest.raises(ModelNotFound) as caught:
        stocked.find(wanted)
    assert len(str(caught.value)) < 6000


def test_a_folder_that_is_no_model_is_unsupported(stocked, tmp_path):
    with pytest.raises(ModelUnsupported):
        stocked.find(str(tmp_path))


def test_a_damaged_model_is_listed_with_its_problem_and_cannot_be_found(stocked, home):
    (home.models / "zebra" / "unet" / "config.json").unlink()
    assert [bool(model.problem) for model in stocked.models()] == [False, False, True]
    for _ in range(2):
        with pytest.raises(ModelDamaged, match=r"lacks config\.json"):
            stocked.find("zebra")


def test_folders_of_other_programs_are_looked_through_but_for_what_is_no_model(home, tiny_models, tmp_path):
    root = tmp_path / "webui"
    for name in ("models/Stable-diffusion", "models/Lora", "models/VAE", ".hidden", "deep/1/2/3/4/5"):
        (root / name).mkdir(parents=True)
        (root / name / f"{Path(name).name}.safetensors").write_bytes(b"x" * 20)
    (root / "models/Stable-diffusion/a.vae.safetensors").write_bytes(b"x" * 20)
    cache = tmp_path / "huggingface"
    snapshot = cache / "hub" / "models--org--name" / "snapshots" / "abc123"
    shutil.copytree(tiny_models["sd1"], snapshot)
    (snapshot / "sdstudio.json").unlink()
    library = Library(home, [root, root, cache, tmp_path / "gone"])
    models = library.models()
    assert [model.name for model in models if model.key != STARTER] == ["org/name", "Stable-diffusion"]
    assert {asset.kind for asset in library.assets() if asset.root != resources()} == {"checkpoint", "lora", "vae"}
    assert [str(trouble) for trouble in library.troubles()] == [
        f"{tmp_path / 'gone'}: the folder is not there (unplugged, moved or deleted)."
    ]


def test_a_model_of_the_hub_cache_has_its_repositorys_name_as_key_and_its_older_snapshots_have_paths(
    home, tiny_models, tmp_path
):
    repository = tmp_path / "hub" / "models--org--name"
    for revision in "abc":
        shutil.copytree(tiny_models["sd1"], repository / "snapshots" / revision)
        (repository / "snapshots" / revision / "sdstudio.json").unlink()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("b")

    def paths() -> dict[str, str]:
        library = Library(home, [tmp_path / "hub"])
        assert library.find("c").path.name == "c"  # what was its key before 0.2
        return {model.key: model.path.name for model in library.models() if model.key != STARTER}

    others = {str(repository / "snapshots" / revision): revision for revision in "ac"}
    assert paths() == {"org/name": "b", **others}
    shutil.rmtree(repository / "snapshots" / "b" / "vae")  # the newest does not draw: the name goes to one that does
    assert paths()["org/name"] == "a"
    (repository / "refs" / "main").write_bytes(b"\xff\xfe")
    assert paths()["org/name"] == "a"


def test_two_models_of_one_name_have_two_keys(home, tiny_models, tmp_path):
    for folder in (home.models / "m", tmp_path / "more" / "m"):
        shutil.copytree(tiny_models["sd1"], folder)
    library = Library(home, [tmp_path / "more"])
    keys = [model.key for model in library.models() if model.key != STARTER]
    assert keys == ["m", str(tmp_path / "more" / "m")]
    assert library.find(keys[1]).path == tmp_path / "more" / "m"


def test_a_link_to_a_model_is_the_model_once(home, tiny_models):
    shutil.copytree(tiny_models["sd1"], home.models / "m")
    (home.models / "n").symlink_to(home.models / "m")
    (home.models / "loop").symlink_to(home.models)
    assert [model.key for model in Library(home).models() if model.key != STARTER] == ["m"]


def test_the_hash_covers_all_weights_and_is_known_afterwards(stocked, home):
    model = stocked.find("zebra")
    assert stocked.known_hash(model) == ""
    before = stocked.hash_of(model)
    assert len(before) == 64
    assert stocked.known_hash(model) == before
    weights = home.models / "zebra" / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert stocked.known_hash(model) == ""
    assert stocked.hash_of(model) != before


def test_the_hash_of_a_copy_is_the_same(home, tiny_models):
    for name in ("one", "two"):
        shutil.copytree(tiny_models["sd1"], home.models / name)
    library = Library(home)
    assert library.hash_of(library.find("one")) == library.hash_of(library.find("two"))


def test_hashing_can_be_cancelled(stocked):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        stocked.hash_of(stocked.find("zebra"), cancel=cancel)


def test_the_built_in_upscaler_keeps_its_name_beside_a_file_of_it_and_is_no_duplicate(home):
    own = home.models / "upscale_models" / f"{DRAWINGS}.safetensors"
    shipped = resources() / UPSCALER_FOLDER / own.name
    own.parent.mkdir()
    shutil.copyfile(shipped, own)
    library = Library(home)
    first, second = library.assets(UPSCALER)
    assert (first.key, first.path, first.network) == (DRAWINGS, shipped, "Compact Real-ESRGAN, 4x")
    assert (second.key, second.path) == (f"upscale_models/{DRAWINGS}", own)
    assert library.find_asset(UPSCALER, DRAWINGS).path == shipped
    assert library.duplicates() == ()
