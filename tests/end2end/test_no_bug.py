"""No file is answered by "a bug of the studio": each ends in a result, or in one line that says what is wrong.

Files of every kind that people hand to the studio are damaged by a fixed seed and opened as the studio opens them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import StudioError
from sdstudio.core.events import ImageMade
from sdstudio.core.models.model import ModelLayout
from sdstudio.core.models.work import ConvertOrder, MergeInput, MergeOrder
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.prompts.styles import read_styles
from sdstudio.core.prompts.templates import picked
from sdstudio.core.prompts.wildcards import Wildcards
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine
from sdstudio.engine.model_files.convert import convert
from sdstudio.engine.model_files.merge import merge
from sdstudio.history.exchange.export import ExportOptions, export_folder
from sdstudio.history.exchange.importing import import_pictures
from sdstudio.history.store import Entry, History
from sdstudio.history.verdict import judged
from sdstudio.jobs.queue import JobQueue
from sdstudio.jobs.redrawing import Redrawer
from sdstudio.library.library import Library
from sdstudio.library.recall import recalled
from sdstudio.library.remarks import Remark, Remarks
from sdstudio.library.resolving import RequestResolver
from sdstudio.ui.entries.recipe_text import every_fact, recipe_html
from tests import hostile, tiny_adapters, tiny_upscalers
from tests.unit.history.foreign import graphs, pictures

A1111 = (
    "a (red:1.2) heart <lora:glow:0.8>\nNegative prompt: fog\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, "
    'CFG scale: 7, Seed: 5, Size: 64x64, Model: tiny, VAE: x.pt, Clip skip: 2, Lora hashes: "glow: abc", '
    'Civitai resources: [{"type":"lora","weight":0.8}], Version: v1.10.1'
)
MADE_WITH: Mapping[str, Any] = MappingProxyType({
    "device": "CPU", "dtype": "float32", "memory": {"offload": "none"}, "versions": {"torch": "2.9"},
    "scheduler": {"class": "Euler", "config": {"a": None}}, "batch": {"size": 1, "index": 0},
    "adapters": [{"kind": "lora", "name": "glow", "hash": "abcdef0123", "weight": 0.5}],
})  # fmt: skip
SIDECARS: Mapping[str, Any] = MappingProxyType({
    ".json": {"activation text": "a, b"}, ".civitai.info": {"trainedWords": ["a"]},
    ".cm-info.json": {"TrainedWords": ["a"]}, ".metadata.json": {"civitai": {"trainedWords": ["a"]}},
})  # fmt: skip
LISTS = "comfyui:\n  base_path: .\n  checkpoints: models/checkpoints\n  loras: |\n    models/loras\n  vae: [a, b]\n"


class Drawn:
    """An engine that answers at once; what it would have drawn is not asked here."""

    def configure(self, settings: Settings) -> None:
        Settings.model_validate(settings.model_dump())

    def record(self, on: bool) -> None:
        pass

    def status(self) -> Any:
        return type("Status", (), {"device": "CPU"})

    def generate(self, resolved: Any, seeds: Any, size: int, on_event: Any, cancel: Any) -> None:
        made = Recipe(app="sdstudio", request=resolved.request, made_with=dict(MADE_WITH))
        on_event(ImageMade(0, Image.new("RGB", (64, 64)), made))


@dataclass
class Bench:
    """Where files are damaged and opened."""

    folder: Path
    paths: StudioPaths
    models: Mapping[str, Path]
    random: Random
    engine: Engine
    made: dict[str, Path]

    def base(self, name: str, make: Callable[[Path], Any]) -> Path:
        """Return a whole file of the folder, made when it is first asked for."""
        if name not in self.made:
            self.made[name] = self.folder / name
            make(self.made[name])
        return self.made[name]

    def single(self, family: str = "sd1") -> Path:
        return self.base(f"{family}.safetensors", lambda path: write_single(self.models[family], path))

    def draw(self, model: Path, **values: Any) -> None:
        request = GenerationRequest.checked(
            {"prompt": "a red heart", "width": 64, "height": 64, "steps": 1, "scheduler": "euler", "seed": 1, **values}
        )
        library = Library(self.paths, (), True)
        resolved = RequestResolver(library).resolve(request, library.find(str(model)))
        self.engine.generate(resolved, (1,), 1, lambda event: None, threading.Event())

    def asset(self, folder: str, name: str) -> Path:
        path = self.paths.models / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def write_single(source: Path, target: Path) -> None:
    convert(ConvertOrder(source, target, ModelLayout.SINGLE_FILE), lambda share: None, threading.Event())


Case = Iterator[tuple[str, Callable[[], Any]]]
"""What was done to a file, and how the studio opens it then."""


def texts(random: Random) -> tuple[dict[str, str], str]:
    """Return the texts of a picture of some program, damaged."""
    recipe = Recipe(app="sdstudio", request=GenerationRequest(prompt="a <lora:glow:1>", seed=5), model_name="Starter")
    own = json.loads(recipe.model_dump_json()) | {"made_with": dict(MADE_WITH)}
    taken = own | {"made_with": {IMPORTED: {"program": "ComfyUI", "not_mapped": {"ENSD": "1"}, "assumed": ["Steps"]}}}
    kinds = (
        ("sdstudio", own), ("sdstudio", taken), ("prompt", pictures.comfy_nodes()), ("prompt", pictures.COMFY_CUSTOM),
        ("prompt", graphs.plain()), ("prompt", graphs.custom()), ("invokeai_metadata", pictures.INVOKE_4),
        ("parameters", pictures.FOOOCUS), ("parameters", pictures.SWARM), ("Comment", pictures.NOVEL),
        ("XML:com.adobe.xmp", pictures.DRAW),
    )  # fmt: skip
    if random.random() < 0.25:
        raw, done = hostile.changed_bytes(A1111.encode(), random)
        return {"parameters": raw.decode("utf-8", "replace").replace("\0", " ")}, f"A1111 {done}"
    key, value = random.choice(kinds)
    damaged, done = hostile.changed_json(value, random)
    if key.startswith("XML"):
        return {key: pictures.xmp(damaged if isinstance(damaged, dict) else {"x": 1})}, f"{key}: {done}"
    beside = {"Software": "NovelAI", "Source": "NAI", "Description": "a"} if key == "Comment" else {}
    return {key: json.dumps(damaged), **beside}, f"{key}: {done}"


def use(paths: StudioPaths, library: Library, history: History, entry: Entry, folder: Path) -> None:
    """Do with a picture what the studio does: tell of it, export it, draw it again and compare."""
    recipe_html(entry)
    every_fact(entry.recipe)
    history.lineage.of(entry)
    for kind in ("png", "jpeg"):
        export_folder([entry], folder, ExportOptions.checked(format=kind))
    recipe = recalled(library, entry.recipe)
    request = recipe.request.model_copy(update={"model": "starter", "loras": (), "prompt": "a"})
    redrawer = Redrawer(Drawn(), Settings(), library.find, RequestResolver(library).resolve, library.hash_of)
    made = redrawer.draw(recipe.model_copy(update={"request": request}), lambda event: None, threading.Event())
    str(judged(entry.path, entry.recipe, made.pixels, made.recipe))


def damaged_pictures(bench: Bench) -> Case:
    paths = StudioPaths(bench.folder / "pictures").create()
    library = Library(paths)
    while True:
        told, done = texts(bench.random)
        raw = pictures.png(told)
        if bench.random.random() < 0.2:
            raw, how = hostile.changed_bytes(pictures.with_comment("JPEG", A1111), bench.random)
            done = f"JPEG {how}"
        path = bench.folder / f"picture{'.jpg' if done.startswith('JPEG') else '.png'}"
        path.write_bytes(raw)

        def opened(path: Path = path) -> None:
            history = History(paths, lambda file: None)
            try:
                for taken in import_pictures(history, [path]).taken:
                    use(paths, library, history, history.get(taken.entry.id), bench.folder / "out")
            finally:
                history.close()

        yield done, opened


def damaged_rows(bench: Bench) -> Case:
    """Rows of the history, of the queue and of the remarks."""
    paths = StudioPaths(bench.folder / "rows").create()
    whole = Recipe(app="sdstudio", request=GenerationRequest(prompt="a", seed=1), made_with=dict(MADE_WITH))
    history, queue = History(paths, lambda file: None), JobQueue(paths)
    history.save(Image.new("RGB", (64, 64)), whole)
    queue.submit(whole.request, [1])
    history.close()
    queue.close()
    Remarks(paths).keep(Path("/a"), "ab", Remark("mine", None, {"steps": 5}))
    rows = (
        (paths.database, "entries", "recipe", whole.model_dump_json()),
        (paths.database, "jobs", "request", whole.request.model_dump_json()),
        (paths.database, "jobs", "seeds", '["1"]'), (paths.remarks, "remarks", "defaults", '{"steps": 5}'),
    )  # fmt: skip
    while True:
        file, table, column, text = bench.random.choice(rows)
        value, done = hostile.changed_json(json.loads(text), bench.random)
        if "inf" in done or "nan" in done.casefold():
            continue  # the database refuses what is no JSON

        def opened() -> None:
            history, queue = History(paths, lambda file: None), JobQueue(paths)
            try:
                for entry in history.entries():
                    use(paths, Library(paths), history, entry, bench.folder / "out")
                history.entries("heart")
                history.care.check(True, False, lambda *told: None, lambda: False)
                queue.jobs()
                queue.next()
                Remarks(paths).everything()
            finally:
                history.close()
                queue.close()

        def damage_and_open(
            file: Path = file, table: str = table, column: str = column, text: str = text, value: Any = value
        ) -> None:
            with sqlite3.connect(file) as db:
                db.execute(f"UPDATE {table} SET {column} = ?", (json.dumps(value),))
            db.close()
            try:
                opened()
            finally:
                with sqlite3.connect(file) as db:
                    db.execute(f"UPDATE {table} SET {column} = ?", (text,))
                db.close()

        yield f"{table}.{column}: {done}", damage_and_open


def damaged_texts(bench: Bench) -> Case:
    """Styles, wildcards and settings."""
    paths = StudioPaths(bench.folder / "texts").create()
    paths.wildcards.mkdir(exist_ok=True)
    styles = b'name,prompt,negative_prompt\nA,"x, {prompt}",y\n"B ""q""",z,\n'
    words = b"red\nblue # dark\n{a|b}\n__other__\n2$$x\n"
    settings = json.loads(Settings().model_dump_json())
    file = bench.folder / "styles.csv"
    while True:
        raw, done = hostile.changed_bytes(styles, bench.random, (words,))
        file.write_bytes(raw)
        yield f"styles {done}", lambda: [style.applied("a", "b") for style in read_styles(file)]
        raw, done = hostile.changed_bytes(words, bench.random, (styles,))
        (paths.wildcards / "colour.txt").write_bytes(raw)
        yield f"wildcards {done}", lambda: picked("__colour__ {2$$__colour__}", Wildcards.read(paths), Random(1))
        value, done = hostile.changed_json(settings, bench.random)
        paths.settings.write_text(json.dumps(value))
        yield f"settings: {done}", lambda: Settings.load(paths.settings)[0].save(paths.settings)


def damaged_library(bench: Bench) -> Case:
    """What lies beside models, lists of folders, notes of models, and what is remembered about them."""
    paths = StudioPaths(bench.folder / "library").create()
    root = bench.folder / "comfyui"
    shutil.copytree(bench.models["sd1"], root / "models" / "diffusers" / "tiny")
    for name in ("main.py", "nodes.py"):
        (root / name).write_text("")
    lora, model = root / "models" / "loras" / "glow.safetensors", root / "models" / "checkpoints" / "m.safetensors"
    lists, notes = root / "extra_model_paths.yaml", root / "models" / "diffusers" / "tiny" / "sdstudio.json"
    whole_notes = notes.read_bytes()
    for path in (lora, model):
        path.parent.mkdir()

    def opened() -> None:
        library = Library(paths, [root], True)
        for asset in library.assets():
            library.hash_asset(asset)
        library.troubles()

    while True:
        done = hostile.changed_weights(bench.base("lora.safetensors", write_lora(bench)), lora, bench.random)
        yield f"LoRA {done}", opened
        done = hostile.changed_weights(bench.single(), model, bench.random)
        model.with_suffix(".yaml").write_bytes(hostile.changed_bytes(b"model: {params: {}}", bench.random)[0])
        yield f"checkpoint {done}", opened
        ending = bench.random.choice(sorted(SIDECARS))
        value, done = hostile.changed_json(SIDECARS[ending], bench.random)
        lora.with_suffix(ending).write_text(json.dumps(value))
        yield f"{ending}: {done}", opened
        raw, done = hostile.changed_bytes(LISTS.encode(), bench.random)
        lists.write_bytes(raw)
        yield f"{lists.name} {done}", opened
        value, done = hostile.changed_json(json.loads(whole_notes), bench.random)
        notes.write_text(json.dumps(value))
        yield f"notes: {done}", opened
        for cache in sorted(paths.cache.glob("*.json")):
            value, done = hostile.changed_json(json.loads(cache.read_text()), bench.random)
            cache.write_text(json.dumps(value))
            yield f"{cache.name}: {done}", opened


def damaged_folders(bench: Bench) -> Case:
    """Model folders: any file of them damaged, gone, or a folder."""
    target = bench.folder / "folder"
    while True:
        source = bench.models[bench.random.choice(("sd1", "sdxl"))]
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        file = bench.random.choice(sorted(path for path in target.rglob("*") if path.is_file()))
        kind = bench.random.random()
        if kind < 0.1:
            file.unlink()
            file.mkdir()
            done = "a folder"
        elif kind < 0.2:
            file.rename(file.with_name(f"x{file.name}"))
            done = "renamed"
        else:
            done = hostile.changed_file(file, file, bench.random)
        yield f"{source.name}/{file.relative_to(target)}: {done}", lambda: bench.draw(target)


def damaged_checkpoints(bench: Bench) -> Case:
    """Single files, drawn with, merged and made into folders; folders made into files; pickles converted."""
    path, made, folder = (bench.folder / name for name in ("m.safetensors", "made.safetensors", "made"))
    never, untold = threading.Event(), lambda share: None
    while True:
        family = bench.random.choice(("sd1", "sdxl"))
        source = bench.single(family)
        done = hostile.changed_weights(source, path, bench.random)
        yield f"draw {family} {done}", lambda: bench.draw(path)
        done = hostile.changed_weights(source, path, bench.random)
        order = MergeOrder((MergeInput(path), MergeInput(source)), made, replace=True)
        yield f"merge {family} {done}", lambda order=order: merge(order, untold, never)
        shutil.rmtree(folder, ignore_errors=True)
        to_folder = ConvertOrder(path, folder, ModelLayout.FOLDER)
        yield f"to a folder {family} {done}", lambda order=to_folder: convert(order, untold, never)
        pickled = bench.folder / "m.ckpt"
        done = hostile.changed_pickle(load_file(source), pickled, bench.random)
        made.unlink(missing_ok=True)
        to_file = ConvertOrder(pickled, made, ModelLayout.SINGLE_FILE)
        yield f"pickle {family} {done}", lambda order=to_file: convert(order, untold, never)


def write_lora(bench: Bench, family: str = "sd1", spelling: str = "kohya") -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        pipe = DiffusionPipeline.from_pretrained(str(bench.models[family]), local_files_only=True)
        writers = {
            "kohya": tiny_adapters.write_kohya, "comfyui": tiny_adapters.write_comfyui,
            "diffusers": tiny_adapters.write_diffusers,
        }  # fmt: skip
        writers[spelling](tiny_adapters.change_of(pipe), path)

    return write


def damaged_adapters(bench: Bench) -> Case:
    """LoRA of every spelling, PEFT's folders, embeddings and VAEs."""
    tiny = bench.models["sd1"]
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 1, "alpha_pattern": {"to_k": 2}, "use_rslora": True}
    lora, embedding = bench.asset("loras", "glow.safetensors"), bench.asset("embeddings", "leaf.safetensors")
    old, vae = bench.asset("embeddings", "old.pt"), bench.asset("vae", "soft.safetensors")
    peft = bench.asset("loras", "peft/adapter_model.safetensors")
    while True:
        spelling = bench.random.choice(("kohya", "comfyui", "diffusers"))
        source = bench.base(f"{spelling}.safetensors", write_lora(bench, "sd1", spelling))
        done = hostile.changed_weights(source, lora, bench.random)
        yield f"{spelling} LoRA {done}", lambda: bench.draw(tiny, loras=(("glow", 0.7),))
        source = bench.base("diffusers.safetensors", write_lora(bench, "sd1", "diffusers"))
        inside = {name: value for name, value in load_file(source).items() if name.startswith("unet.")}
        save_file({f"base_model.model.{name[5:]}": value for name, value in inside.items()}, peft)
        value, done = hostile.changed_json(config, bench.random)
        (peft.parent / "adapter_config.json").write_text(json.dumps(value))
        yield f"PEFT {done}", lambda: bench.draw(tiny, loras=(("peft", 0.7),))
        whole = {"emb_params": torch.ones(2, 32)}
        source = bench.base("leaf.safetensors", lambda path, whole=whole: save_file(whole, path))
        done = hostile.changed_weights(source, embedding, bench.random)
        yield f"embedding {done}", lambda: bench.draw(tiny, prompt="a leaf")
        done = hostile.changed_pickle({"*": torch.ones(2, 32)}, old, bench.random)
        yield f"old embedding {done}", lambda: bench.draw(tiny, prompt="an embedding:old")
        source = tiny / "vae" / "diffusion_pytorch_model.safetensors"
        done = hostile.changed_weights(source, vae, bench.random)
        yield f"VAE {done}", lambda: bench.draw(tiny, vae="soft")


def damaged_upscalers(bench: Bench) -> Case:
    picture = bench.base("small.png", lambda path: Image.new("RGB", (32, 32), "red").save(path))
    kept = InputPictures(bench.paths).keep(picture).id
    whole = (tiny_upscalers.dense_weights(), tiny_upscalers.compact_weights())
    more = (*whole, tiny_upscalers.as_esrgan(whole[0]), tiny_upscalers.as_bsrgan(whole[0]))
    while True:
        place = bench.random.randrange(len(more))
        name = f"up{place}.safetensors" if bench.random.random() < 0.6 else f"up{place}.pth"
        target = bench.asset("upscale_models", name)
        if target.suffix == ".pth":
            done = hostile.changed_pickle(more[place], target, bench.random)
        else:
            base = bench.base(f"up{place}", lambda path, place=place: save_file(more[place], path))
            done = hostile.changed_weights(base, target, bench.random)
        yield (
            f"upscaler {done}",
            lambda name=name: bench.draw(bench.models["sd1"], init_image=kept, upscaler=name, strength=0.0),
        )
        target.unlink()


KINDS: Mapping[str, tuple[Callable[[Bench], Case], int]] = MappingProxyType({
    "pictures": (damaged_pictures, 60), "rows": (damaged_rows, 25), "texts": (damaged_texts, 90),
    "library": (damaged_library, 60), "folders": (damaged_folders, 20), "checkpoints": (damaged_checkpoints, 16),
    "adapters": (damaged_adapters, 25), "upscalers": (damaged_upscalers, 10),
})  # fmt: skip
"""What is damaged, and how many times."""
SLOW_TO_OPEN = {"folders", "checkpoints", "adapters", "upscalers"}
"""Kinds whose files are loaded and drawn with, a fifth of a second each; the others take a hundredth."""


@pytest.fixture
def bench(tmp_path, home, tiny_models):
    def made(seed: int) -> Bench:
        engine = Engine(Settings(previews=False, open_pickles=True), {})
        return Bench(tmp_path, home, tiny_models, Random(seed), engine, {})

    return made


def bugs_of(bench: Bench, turns: int) -> list[str]:
    """Open damaged files of every kind; return what ended as neither a result nor an error for the user.

    Of every kind some are to be used and some refused: else nothing got as far as what is to be tried.
    """
    bugs: list[str] = []
    used: set[str] = set()
    refused: set[str] = set()
    for kind, (cases, count) in KINDS.items():
        stream = cases(bench)
        for _ in range(count * (1 if kind in SLOW_TO_OPEN else turns)):
            done, opened = next(stream)
            try:
                opened()
                used.add(kind)
            except StudioError as error:
                refused.add(kind)
                if not error.message.strip() or "\n" in error.message:
                    bugs.append(f"{kind}: {done[:300]}: not one line: {error.message[:200]!r}")
            except Exception as error:  # noqa: BLE001 (collected: this is what is looked for)
                where = traceback.extract_tb(error.__traceback__)[-1]
                broke = f"{type(error).__name__} {str(error)[:120]!r} at {Path(where.filename).name}:{where.lineno}"
                bugs.append(f"{kind}: {done[:300]}: {broke}")
    assert used == KINDS.keys()
    assert refused >= KINDS.keys() - {"library"}  # which lists what is wrong
    return bugs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.logs("")
def test_no_damaged_file_ends_in_a_bug(bench):
    assert bugs_of(bench(7), 1) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.logs("")
def test_no_damaged_file_of_many_ends_in_a_bug(bench):
    assert bugs_of(bench(11), 3) == []
