"""What `tests.same_results` runs, as a table: every command line with its name, in the order in which they are run.

``{out}`` in a command line is a folder for results, ``{pictures}`` the folder of input pictures. Samplers and schedules
are asked of the program, so that new rows are drawn as well.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PROMPT = "a red heart on a blue background"
FAMILIES = ("sd1", "sd2", "sdxl")
STARTER = ("a red heart on a blue background", "a frog", "a cat face, a slice of pizza")


@dataclass(frozen=True)
class Run:
    """One command.

    Attributes:
        name: Stable name of its results.
        argv: What stands behind ``sdstudio``.
        threads: With how many threads of torch it is run.
        hidden: Fields of its JSON that differ from run to run.
    """

    name: str
    argv: tuple[str, ...]
    threads: tuple[int, ...] = (1,)
    hidden: tuple[str, ...] = ()


def drawing_runs(samplers: Iterable[str], schedules: Iterable[str]) -> Iterator[Run]:
    """Return what draws pictures into files, for these samplers and schedules."""
    families = 2 * FAMILIES
    for number, sampler in enumerate(samplers):
        for family in families[number % 3 : number % 3 + 2]:
            yield _drawn(f"sampler/{sampler}/{family}", f"--model {family} --sampler {sampler} --seed {number}")
    for number, schedule in enumerate(schedules):
        sampler = ("euler", "dpmpp_2m", "dpmpp_2m_sde")[number % 3]
        flags = f"--model {FAMILIES[number // 3 % 3]} --sampler {sampler} --schedule {schedule} --steps 5 --seed 3"
        yield _drawn(f"schedule/{schedule}/{sampler}", flags)
    for number, prompt in enumerate(STARTER):
        yield _drawn(f"starter/{number}", f"--seed {number + 1}", prompt, threads=(1, 2))
    yield _drawn("starter/euler_a", "--sampler euler_a --steps 6 --count 3 --batch-size 3 --seed 9", threads=(1, 2))
    yield _drawn("starter/begin", "--init-image {pictures}/wide.png --strength 0.6 --seed 4", "a blue heart", (1, 2))
    for family in (*FAMILIES, "sd3"):
        flags = f"--model {family} --count 3 --batch-size 2 --seed 11"
        yield _drawn(f"batch/{family}", flags, threads=(1, 2))
    for name, flags in _FLAGS.items():
        yield _drawn(name, flags)
    for name, (prompt, flags) in _PROMPTS.items():
        yield _drawn(f"prompt/{name}", flags, prompt)


def _drawn(name: str, flags: str, prompt: str = PROMPT, threads: tuple[int, ...] = (1,)) -> Run:
    file = "{out}/" + name.replace("/", "-") + ".png"
    return Run(name, ("generate", prompt, *shlex.split(flags), "--out", file, "--json", "--quiet"), threads)


_FLAGS = {
    **{f"seed/{seed}": f"--model sd1 --seed {seed}" for seed in (0, 2**32 + 5, 2**63, 2**64 - 1)},
    "seed/nvidia": f"--model sd1 --rng nvidia --seed {2**33 + 1}",
    "seed/nvidia-batch": "--model sdxl --rng nvidia --seed 5 --count 2 --batch-size 2 --sampler euler_a",
    "size/wide": "--model sd1 --width 128 --height 64 --seed 1",
    "size/high": "--model sdxl --width 64 --height 96 --seed 1",
    "guidance/one": "--model sd1 --guidance-scale 1 --seed 1",
    "guidance/part": "--model sd1 --guidance-start 0.25 --guidance-end 0.75 --steps 8 --seed 1",
    "guidance/rescale": "--model sd2 --guidance-rescale 0.7 --guidance-scale 12 --seed 1",
    "clip-skip/sd1": "--model sd1 --clip-skip 2 --negative-prompt frog --seed 1",
    "clip-skip/sdxl": "--model sdxl --clip-skip 2 --negative-prompt frog --seed 1",
    "eta/euler_a": "--model sd1 --sampler euler_a --eta 0.5 --seed 1",
    "eta/ddim": "--model sd1 --sampler ddim --eta-ddim 0.5 --seed 1",
    "churn": "--model sd1 --sampler euler --s-churn 10 --seed 1",
    "last-level/kept": "--model sd1 --sampler dpm2 --last-level kept --seed 1",
    "last-level/left-out": "--model sd1 --sampler euler --last-level left_out --seed 1",
    "prediction/v": "--model sd1 --prediction v_prediction --seed 1",
    "prediction/zero-snr": "--model sd2 --zero-snr --seed 1",
    "compatibility/0.1": "--model sd1 --compatibility 0.1 --clip-skip 2 --sampler dpmpp_2m_sde --seed 1",
    **{
        f"begin/{strength}": f"--model sd1 --init-image {{pictures}}/wide.png --strength {strength} --seed 2"
        for strength in (0, 0.3, 0.75, 1)
    },
    "begin/pad": "--model sd1 --init-image {pictures}/wide.png --init-fit pad --width 64 --height 64 --seed 2",
    "begin/stretch": "--model sd1 --init-image {pictures}/wide.png --init-fit stretch --width 64 --height 64 --seed 2",
    "begin/sd2": "--model sd2 --init-image {pictures}/wide.png --strength 0.5 --count 2 --batch-size 2 --seed 2",
    "begin/sdxl": "--model sdxl --init-image {pictures}/wide.png --strength 0.5 --sampler ddim --seed 2",
    "begin/upscaled": "--model sd1 --init-image {pictures}/small.png --upscaler dense-x4 --width 160 --height 160 "
    "--strength 0.4 --seed 2",
    "lora/kohya": "--model sd1 --lora sd1-5:1 --seed 6",
    "lora/half": "--model sd1 --lora sd1-5:0.5 --seed 6",
    "lora/negative": "--model sd1 --lora sd1-6:-0.7 --seed 6",
    "lora/two": "--model sd1 --lora sd1-6:0.8 --lora sd1-7:0.4 --count 2 --batch-size 2 --seed 6",
    "lora/sd2": "--model sd2 --lora sd2-8:0.9 --seed 6",
    "lora/sdxl": "--model sdxl --lora sdxl-9:0.9 --seed 6",
    "vae/other": "--model sd1 --vae other-vae --seed 7",
    "vae/begin": "--model sd1 --vae other-vae --init-image {pictures}/wide.png --strength 0.5 --seed 7",
    "settings/attention-slicing": "--model sd1 --attention-slicing --seed 8",
    "settings/vae-slicing": "--model sd1 --vae-slicing --count 2 --batch-size 2 --seed 8",
    "settings/vae-tiling": "--model sd1 --vae-tiling --width 256 --height 256 --steps 2 --seed 8",
    "settings/channels-last": "--model sdxl --channels-last --seed 8",
    "settings/bfloat16": "--model sd1 --precision bfloat16 --seed 8",
    "settings/float16": "--model sd1 --precision float16 --steps 2 --seed 8",
    "settings/autocast": "--model sd1 --autocast --seed 8",
    "settings/checked": "--model checked --seed 8",
    "settings/unchecked": "--model checked --no-safety-checker --seed 8",
    "preset/draft": "--preset Draft --seed 13",
    "style/two": "--model sd1 --style Ink --style Soft --seed 13",
}

_PROMPTS = {
    "empty": ("", "--model sd1 --seed 1"),
    "negative": ("a cat", "--model sd1 --negative-prompt 'a red (frog:1.3)' --seed 1"),
    "emphasis": ("a (red:1.4) [heart] ((frog))", "--model sd1 --seed 1"),
    "no-norm": ("a (red:1.4) [heart] ((frog))", "--model sdxl --emphasis no_norm --seed 1"),
    "comfyui": ("a (red:1.4) (heart) on (the cat:0.6)", "--model sd1 --prompt-syntax comfyui --seed 1"),
    "compel": ("a red++ heart- and (the cat)1.3", "--model sd1 --prompt-syntax compel --seed 1"),
    "compel-blend": ('("a red heart", "a blue frog").blend(0.7, 0.3)', "--model sd1 --prompt-syntax compel --seed 1"),
    "change": ("a [cat:frog:0.5] on red", "--model sd1 --steps 6 --seed 1"),
    "change-batch": ("a [cat:frog:2] on red", "--model sdxl --steps 5 --count 2 --batch-size 2 --seed 1"),
    "turns": ("a [cat|frog] on red", "--model sd2 --steps 5 --seed 1"),
    "break": ("a red cat BREAK a blue frog", "--model sd1 --seed 1"),
    "and": ("a red cat AND a blue frog :0.7", "--model sd1 --seed 1"),
    "long": (", ".join(["a red heart on the background"] * 25), "--model sd1 --seed 1"),
    "long-xl": (", ".join(["a red heart on the background"] * 25), "--model sdxl --seed 1"),
    "lora": ("a red heart <lora:sd1-5:0.8>", "--model sd1 --seed 1"),
    "lora-parts": ("a red heart <lora:sd1-7:te=0.5:unet=1>", "--model sd1 --seed 1"),
    "embedding": ("a (hearty:1.2) on a cat", "--model sd1 --negative-prompt hearty --seed 1"),
    "embedding-xl": ("a hearty-xl on a cat", "--model sdxl --seed 1"),
    "wildcard": ("a {cat|frog|pizza} on __tint__", "--model sd1 --count 3 --seed 1"),
    "every-wildcard": ("a {cat|frog} on __tint__", "--model sd1 --wildcards all --seed 1"),
    "unicode": ("🐸 قلب أحمر", "--model sd1 --seed 1"),
}

_ENLARGED = {
    "lanczos": "{pictures}/small.png --factor 3",
    "dense": "{pictures}/small.png --factor 4 --upscaler dense-x4",
    "compact": "{pictures}/small.png --factor 1.7 --upscaler compact-x2",
    "drawn-over": "{pictures}/small.png --factor 2 --upscaler compact-x2 --model sd1 --strength 0.4",
    "starter": "{pictures}/small.png --factor 2.4 --strength 0.5",
}


def _other(name: str, words: str, *hidden: str) -> Run:
    return Run(name, tuple(shlex.split(words)), hidden=hidden)


def other_runs() -> Iterator[Run]:
    """Return what is run after the drawing: every other command that prints JSON, and some words for people."""
    for name, words in _ENLARGED.items():
        yield _other(f"upscale/{name}", f"upscale {words} --seed 3 --out {{out}}/upscale-{name}.png --json --quiet")
    yield from _COMMANDS


_COMMANDS = (
    _other("history/drawn", "generate 'a red heart' --model sd1 --seed 1 --count 3 --batch-size 2 --json --quiet"),
    _other("history/begun", "generate 'a blue cat' --model sd1 --seed 5 --init-image 1 --json --quiet"),
    _other("history/upscaled", "upscale 1 --factor 2 --upscaler compact-x2 --strength 0.4 --json --quiet"),
    _other("history/detailed", "detail 1 --boxes 8,8,40,40 --prompt 'a blue cat' --steps 2 --json --quiet"),
    _other("history/import", "history import {pictures} --json --quiet"),
    _other("history/import-again", "history import {pictures}/foreign.png --json --quiet"),
    _other("history/mark", "history mark 1 2 --stars 4 --favourite --tag hearts --tag café --collect 'Best of' --json"),
    _other("history/unmark", "history mark 2 --stars 0 --no-favourite --untag hearts --uncollect 'Best of' --json"),
    _other("history/list", "history list --json"),
    _other("history/list-sorted", "history list --sort rating --limit 3 --json"),
    _other("history/list-tag", "history list --tag café --favourite --json"),
    _other("history/list-plain", "history list --limit 3"),
    _other("history/search", "history search red heart --json"),
    _other("history/show", "history show 1 --json"),
    _other("history/show-begun", "history show 4 --json"),
    _other("history/show-plain", "history show 5"),
    _other("history/show-imported", "history show 6 --json"),
    _other("history/rerun", "history rerun 2 --out {out}/rerun.png --json --quiet"),
    _other("history/verify", "history verify 1 2 3 4 5 --json --quiet"),
    _other("history/export", "history export 1 2 --out {out}/exported --format webp --strip seed --json --quiet"),
    _other("history/export-search", "history export --search heart --out {out}/bare --no-metadata --json --quiet"),
    _other("history/sheet", "history export 1 2 3 --contact-sheet {out}/sheet.png --columns 2 --json --quiet"),
    _other("history/backup", "history backup {out}/backup --json --quiet", "size_bytes"),
    _other("history/check", "history check --deep --json --quiet"),
    _other("models/list", "models list --json --quiet"),
    _other("models/list-plain", "models list --kind lora"),
    _other("models/info", "models info sd1 --json --quiet"),
    _other("models/info-lora", "models info sd1-5 --json --quiet"),
    _other("models/info-plain", "models info sdxl"),
    _other("models/hash", "models hash --json --quiet"),
    _other("models/scan", "models scan --json --quiet"),
    _other("models/space", "models space --json --quiet"),
    _other("models/convert", "models convert sd1 --layout file --out tiny-file --json --quiet"),
    _other("models/convert-half", "models convert sdxl --layout file --precision float16 --out half-xl --json --quiet"),
    _other("models/convert-other", "models convert checked --layout file --out other-file --json --quiet"),
    _other("models/merge", "models merge tiny-file other-file --alpha 0.3 --out merged --json --quiet"),
    _other("models/merge-folder", "models merge sd1 checked --out refused --json --quiet"),
    _other("models/openvino", "models openvino no-such-model --json --quiet"),
    _other("models/duplicates", "models space --duplicates --json --quiet"),
    _drawn("models/converted", "--model tiny-file --width 64 --height 64 --steps 3 --seed 3"),
    _drawn("models/converted-half", "--model half-xl --width 64 --height 64 --steps 3 --seed 3"),
    _drawn("models/merged", "--model merged --width 64 --height 64 --steps 3 --seed 3"),
    _other("models/import", "models import {pictures}/../models/sd2 --copy --json --quiet"),
    _other("models/add-folder", "models add-folder {pictures}/../models/loras --json --quiet"),
    _other("models/remove-folder", "models remove {pictures}/../models/loras --json --quiet"),
    _other("models/remove", "models remove merged --json --quiet"),
    _other("models/remove-built-in", "models remove starter --json --quiet"),
    _other("models/catalogue", "models catalogue --json --quiet"),
    _other("models/search", "models search tiny --json --quiet"),
    _other("models/download-plan", "models download owner/tiny --dry-run --json --quiet"),
    _other("models/download", "models download owner/tiny --json --quiet"),
    _other("models/downloads", "models downloads --json --quiet"),
    _other("styles/import", "styles import {pictures}/../styles.csv"),
    _other("styles/list", "styles list --json"),
    _other("wildcards/list", "wildcards list --json"),
    _other("presets/list", "presets list --json"),
    _other("schedulers", "schedulers --json"),
    _other("schedulers-plain", "schedulers"),
    _other("doctor", "doctor --json", "finding"),
    _other("bench/library", "bench library --entries 20 --quick --json", "value", "low", "high", "kept", "note"),
    _other("refused/size", "generate x --model sd1 --width 500"),
    _other("refused/model", "generate x --model nowhere"),
    _other("refused/sampler", "generate x --model sd1 --sampler 'eulr a'"),
    _other("refused/strength", "generate x --model sd1 --strength 0.5"),
    _other("refused/number", "history show 999"),
    _other("refused/flag", "generate x --no-such-flag"),
)
