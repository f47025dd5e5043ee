"""Build the starter model with one command: fetch, render, tokenise, train, export, evaluate.

Every step is skipped when its result is there already, and training continues where it was, so that a killed build
is started again with the same command. With the weights of an earlier build in resources/starter and no state, the
VAE, the tokenizer and the networks are taken from there and trained on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from dataset import load_pictures, unpack_zip
from export import TOKENIZER_FILES
from latents import FOLDED
from tokenizer import write_tokenizer

HERE = Path(__file__).parent


def run(script: str, state: Path, *options: object) -> None:
    """Run one script of this folder in its own process, so that each has its own thread count."""
    command = [sys.executable, str(HERE / script), "--state", str(state), *map(str, options)]
    print("+", " ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


def provide_pictures(state: Path, archive: Path | None) -> None:
    """Rendered pictures: from the zip if one is given, else fetched and rendered."""
    if (state / "pictures" / "concepts.json").exists():
        return
    if archive is not None:
        unpack_zip(archive, state / "pictures")
    else:
        run("fetch_and_render.py", state)


def provide_vae_and_tokenizer(state: Path, model: Path, minutes: float, threads: int) -> None:
    """Tokenizer and VAE never change once made: the earlier model's if there is one, else new ones."""
    if not (state / "tokenizer" / "vocab.json").exists():
        if (model / "tokenizer" / "vocab.json").exists():
            (state / "tokenizer").mkdir(parents=True, exist_ok=True)
            for name in TOKENIZER_FILES:
                shutil.copyfile(model / "tokenizer" / name, state / "tokenizer" / name)
        else:
            write_tokenizer(load_pictures(state / "pictures").concepts, state / "tokenizer")
    if not (state / FOLDED).exists() and not (state / "vae.pt").exists() and (model / "vae").exists():
        shutil.copytree(model / "vae", state / FOLDED)
    if not (state / FOLDED).exists():
        run("train_vae.py", state, "--minutes", minutes, "--threads", threads)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=HERE / "state", help="everything that is kept between runs")
    parser.add_argument("--model", type=Path, default=HERE.parents[1] / "resources" / "starter")
    parser.add_argument("--zip", type=Path, help="already rendered pictures instead of fetching them")
    parser.add_argument("--concepts", type=int, default=204, help="how many of popular.POPULAR to train")
    parser.add_argument("--vae-minutes", type=float, default=17)
    parser.add_argument("--unet-minutes", type=float, default=105, help="length of this sitting; 0 trains no more")
    parser.add_argument("--decoder-minutes", type=float, default=25)
    parser.add_argument("--judge-minutes", type=float, default=25)
    parser.add_argument("--threads", type=int, default=1, help="1 unless the machine is yours alone")
    options = parser.parse_args()
    state = options.state
    state.mkdir(parents=True, exist_ok=True)
    provide_pictures(state, options.zip)
    provide_vae_and_tokenizer(state, options.model, options.vae_minutes, options.threads)
    run("latents.py", state, "--concepts", options.concepts, "--threads", options.threads)
    if options.unet_minutes > 0:
        minutes = ["--minutes", options.unet_minutes, "--threads", options.threads]
        run("train_unet.py", state, *minutes, "--model", options.model)
    minutes = ["--minutes", options.decoder_minutes, "--threads", options.threads]
    run("train_decoder.py", state, "--concepts", options.concepts, *minutes)
    run("judge.py", state, "--minutes", options.judge_minutes, "--threads", options.threads)
    run("export.py", state, "--destination", options.model)
    run("evaluate.py", state, "--model", options.model, "--threads", options.threads)
    run("export.py", state, "--destination", options.model)


if __name__ == "__main__":
    main()
