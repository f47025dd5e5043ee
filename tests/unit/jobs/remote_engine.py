"""An engine in a process of its own, spoken to in lines of JSON over its standard input and output.

``generate`` draws flat pictures of the seed's colour; the prompt "endless" takes steps until it is cancelled.
"""

from __future__ import annotations

import base64
import io
import json
import queue
import sys
import threading
import time
from typing import Any

from PIL import Image


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    cancelled = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if message["do"] == "cancel":
                cancelled.set()
            else:
                asked.put(message)
        asked.put({"do": "end"})

    threading.Thread(target=listen, daemon=True).start()
    while (message := asked.get())["do"] == "generate":
        cancelled.clear()
        generate(message, cancelled)


def generate(message: dict[str, Any], cancelled: threading.Event) -> None:
    request = message["request"]
    for seed in message["seeds"]:
        step = 0
        while step < request["steps"] or request["prompt"] == "endless":
            if cancelled.is_set():
                say(told="cancelled")
                return
            step += 1
            say(told="step", step=step, total=request["steps"])
            time.sleep(0.005)
        pixels = io.BytesIO()
        Image.new("RGB", (request["width"], request["height"]), (seed % 256, 40, 90)).save(pixels, "PNG")
        say(told="image", seed=seed, png=base64.b64encode(pixels.getvalue()).decode())
    say(told="done")


if __name__ == "__main__":
    main()
