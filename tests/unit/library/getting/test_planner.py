"""From a key, a repository or an address to a plan."""

from __future__ import annotations

import json
import struct

import pytest

from sdstudio.core.errors import DownloadDamaged, DownloadError, InvalidRequest, ModelUnsupported, NotOffered
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.planner import DownloadOrder, Planner
from tests.loopback_hub import files_of
from tests.tiny_detectors import tiny_grounding_dino


def safetensors(*names: str, size: int = 3000) -> bytes:
    rows = {
        name: {"dtype": "U8", "shape": [size], "data_offsets": [at * size, at * size + size]}
        for at, name in enumerate(names)
    }
    header = json.dumps(rows).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size * len(names))


LORA = safetensors("lora_unet_a.lora_down.weight")
VAE = safetensors("decoder.conv_in.weight")


def plan(text: str, **more: object):
    return Planner(Hub()).plan(DownloadOrder(text, **more))


def test_a_catalogue_row_brings_its_name_licence_and_defaults(hub_server, tiny_models):
    hub_server.add("stabilityai/sd-turbo", files_of(tiny_models["sd1"]))
    made = plan("SD-Turbo")
    assert (made.title, made.target, made.kind, made.is_folder) == ("SD Turbo", "sd-turbo", "checkpoint", True)
    assert made.licence.startswith("Stability AI")
    assert made.notes["name"] == "SD Turbo"
    assert made.notes["steps"] == 2
    assert made.notes["scheduler"] == "euler_a"
    assert made.remark


def test_a_repository_brings_what_the_server_says(hub_server, tiny_models):
    repo = hub_server.add("org/tiny", files_of(tiny_models["sd1"]), licence="openrail")
    made = plan("org/tiny")
    assert (made.title, made.target, made.licence, made.revision) == ("tiny", "tiny", "openrail", repo.revision)
    assert made.notes == {}
    assert made.size_bytes == sum(file.size_bytes for file in made.files)
    assert all(repo.revision in file.url for file in made.files)


@pytest.mark.parametrize(
    ("data", "kind", "target"),
    [(LORA, "lora", "loras/thing.safetensors"), (VAE, "vae", "vae/thing.safetensors"),
     (safetensors("emb_params"), "embedding", "embeddings/thing.safetensors")],
)  # fmt: skip
def test_a_single_file_goes_where_its_kind_lies(hub_server, data, kind, target):
    hub_server.add("org/name", {"thing.safetensors": data})
    made = plan("org/name")
    assert (made.kind, made.target, made.is_folder) == (kind, target, False)


def test_a_file_that_everybody_calls_the_same_is_named_after_its_repository(hub_server):
    hub_server.add("org/my-style", {"pytorch_lora_weights.safetensors": LORA})
    assert plan("org/my-style").target == "loras/my-style.safetensors"


@pytest.mark.parametrize(
    "text",
    ["org/two/b.safetensors", "https://huggingface.co/org/two/blob/main/b.safetensors",
     "https://huggingface.co/org/two/resolve/main/b.safetensors?download=true", "org/two/b.safetensors@main"],
)  # fmt: skip
def test_one_file_of_several_can_be_named_in_many_ways(hub_server, text):
    hub_server.add("org/two", {"a.safetensors": VAE, "b.safetensors": LORA})
    assert plan(text).target == "loras/b.safetensors"


@pytest.mark.parametrize("text", ["https://huggingface.co/org/tiny", "https://huggingface.co/org/tiny/tree/main"])
def test_a_page_of_the_hub_stands_for_its_repository(hub_server, tiny_models, text):
    hub_server.add("org/tiny", files_of(tiny_models["sd1"]))
    assert plan(text).source == "org/tiny"


def test_a_file_that_is_nothing_for_the_studio_is_named_as_such_before(hub_server):
    hub_server.add("org/name", {"x.safetensors": safetensors("control_model.x")})
    made = plan("org/name")
    assert made.kind == "other"
    assert "a ControlNet" in made.remark


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"PK\x03\x04" + bytes(3000), ModelUnsupported, "no safetensors file"),
        (b"\x80\x04\x95" + b"\xff" * 3000, ModelUnsupported, "no safetensors file"),
        (b"<html>" + b" " * 3000, ModelUnsupported, "no safetensors file"),
        (struct.pack("<Q", 2**62) + bytes(3000), ModelUnsupported, "no safetensors file"),
        (LORA[:-1], DownloadDamaged, "bytes"),
        (LORA + b"x", DownloadDamaged, "bytes"),
        (struct.pack("<Q", 100) + b"{" * 3000, DownloadDamaged, "not JSON"),
        (b"short", ModelUnsupported, "no safetensors file"),
    ],
)
def test_what_is_no_whole_safetensors_file_is_refused_before_it_comes(hub_server, data, error, said):
    hub_server.plain["/x.safetensors"] = data
    hub_server.add("org/name", {"x.safetensors": data})
    for text in (f"{hub_server.url}/x.safetensors", "org/name"):
        with pytest.raises(error, match=said):
            plan(text)
    assert all(asked.headers.get("range", "x") for asked in hub_server.asked)


def test_an_address_with_a_name_from_the_server_is_made_harmless(hub_server):
    hub_server.plain["/api/download/models/1234"] = LORA
    address = f"{hub_server.url}/api/download/models/1234"
    made = plan(address)
    assert made.target == "loras/1234.safetensors"
    assert "Nobody names its hash" in made.remark
    hub_server.names["/api/download/models/1234"] = "../../Style.exe/../con"
    assert plan(address).target == "loras/model-con.safetensors"


def test_an_address_that_is_not_safe_is_refused(hub_server):
    with pytest.raises(DownloadError, match="https://"):
        plan("http://example.org/x.safetensors")
    hub_server.plain["/there"] = LORA
    hub_server.fault("/here", "redirect", url="http://example.org/x")
    with pytest.raises(DownloadError, match="https://"):
        plan(f"{hub_server.url}/here")


@pytest.mark.parametrize("text", ["", "nonsense", "no-such-key"])
def test_what_cannot_be_meant_is_refused(hub_server, text):
    with pytest.raises(InvalidRequest, match="owner/name"):
        plan(text)


def test_a_hash_that_is_none_is_refused(hub_server):
    hub_server.plain["/x"] = LORA
    with pytest.raises(InvalidRequest, match="64 hex digits"):
        plan(f"{hub_server.url}/x", sha256="abc")


def test_a_repository_of_pickles_is_refused(hub_server):
    hub_server.add("org/name", {"model.ckpt": b"x" * 2000})
    with pytest.raises(NotOffered, match=r"no \.safetensors file"):
        plan("org/name")


@pytest.mark.parametrize(
    ("pipeline", "comes"), [("StableDiffusionPipeline", False), ("LatentConsistencyModelPipeline", True)]
)
def test_a_pipeline_that_is_loaded_whole_gets_its_checker_too(hub_server, pipeline, comes):
    networks = ("safety_checker", "text_encoder", "unet", "vae")
    index = {
        "_class_name": pipeline,
        "safety_checker": ["stable_diffusion", "X"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    weights = {f"{part}/model.safetensors": VAE for part in networks}
    hub_server.add("org/name", {"model_index.json": json.dumps(index).encode(), **weights})
    assert ("safety_checker/model.safetensors" in {file.path for file in plan("org/name").files}) is comes


def test_a_detector_comes_as_a_folder_with_what_it_is_read_by(hub_server, tmp_path):
    files = files_of(tiny_grounding_dino(tmp_path / "dino"))
    more = {"pytorch_model.bin": b"pickle", "README.md": b"x", "onnx/model.onnx": b"x", "LICENSE": b"Apache"}
    hub_server.add("IDEA-Research/grounding-dino-tiny", {**files, **more})
    made = plan("grounding-dino-tiny")
    assert (made.kind, made.target, made.is_folder) == ("detector", "detectors/grounding-dino-tiny", True)
    assert made.licence == "Apache 2.0"
    assert {file.path for file in made.files} == {*files, "LICENSE"}
    assert plan("IDEA-Research/grounding-dino-tiny").target == "detectors/grounding-dino-tiny"
    hub_server.add("org/pickled", {"config.json": files["config.json"], "pytorch_model.bin": b"pickle"})
    with pytest.raises(ModelUnsupported, match=r"not there as model\.safetensors"):
        plan("org/pickled")
