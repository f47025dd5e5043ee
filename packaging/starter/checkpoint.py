"""Training state that survives a kill: weights, running average, optimizer, step and seconds in one file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn


class TrainingState:
    """Weights under training with their optimizer and exponential moving average (EMA).

    Attributes:
        step: Optimizer steps done in all sessions.
        seconds: Wall seconds spent in all sessions.
        extra: Anything else worth keeping (sample counts, a log).
    """

    def __init__(
        self, modules: dict[str, nn.Module], rate: float, weight_decay: float, ema_decay: float,
        matrices: Sequence[nn.Parameter] = (),
    ) -> None:  # fmt: skip
        """Create the optimizers over every parameter that wants a gradient.

        Args:
            modules: The networks by name.
            rate: First learning rate; set `set_rate` every step.
            weight_decay: Of both optimizers.
            ema_decay: The largest decay of the running average; it warms up from 0.
            matrices: What Muon trains (Jordan et al. 2024), its updates scaled to AdamW's; AdamW, betas .9/.99, trains
                the rest.
        """
        self.modules = modules
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        taken = {id(p) for p in matrices}
        rest = [p for p in self.parameters if id(p) not in taken]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True)
        ]
        # Muon takes matrices only: each convolution is lent to it as a view of its own memory.
        self._lent = [(p, nn.Parameter(_as_matrix(p.detach()))) for p in matrices]
        if matrices:
            views = [view for _, view in self._lent]
            options = {"weight_decay": weight_decay, "adjust_lr_fn": "match_rms_adamw"}
            self.optimizers.append(torch.optim.Muon(views, lr=rate, momentum=0.95, **options))
        self.ema = [p.detach().clone() for p in self.parameters]
        self.ema_decay = ema_decay
        self.step = 0
        self.seconds = 0.0
        self.extra: dict[str, object] = {}

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the coming step."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def update(self, loss: torch.Tensor, clip: float = 1.0) -> None:
        """One optimizer step on `loss`, gradient norm clipped, then the running average."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, clip)
        if not torch.isfinite(norm):
            return
        for parameter, view in self._lent:
            view.grad = _as_matrix(parameter.grad).contiguous()
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        decay = min(self.ema_decay, 1 - 1 / (self.step / 4 + 1))
        with torch.no_grad():
            torch._foreach_lerp_(self.ema, self.parameters, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the running average into the networks for a while."""
        backup = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            for parameter, average in zip(self.parameters, self.ema, strict=True):
                parameter.copy_(average)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, backup, strict=True):
                    parameter.copy_(value)

    def save(self, path: Path) -> None:
        """Write everything to `path` through a temporary file and a rename."""
        temporary = path.with_suffix(".tmp")
        with self.averaged():
            averaged = {name: {k: v.clone() for k, v in m.state_dict().items()} for name, m in self.modules.items()}
        torch.save(
            {
                "weights": {name: m.state_dict() for name, m in self.modules.items()},
                "averaged": averaged,
                "ema": self.ema,
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "step": self.step,
                "seconds": self.seconds,
                "extra": self.extra,
            },
            temporary,
        )
        os.replace(temporary, path)

    def load(self, path: Path) -> bool:
        """Continue from `path`; False when there is none."""
        if not path.exists():
            return False
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(saved["weights"][name])
        with torch.no_grad():
            for mine, theirs in zip(self.ema, saved["ema"], strict=True):
                mine.copy_(theirs)
        for optimizer, kept in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.seconds, self.extra = saved["step"], saved["seconds"], saved["extra"]
        return True


def _as_matrix(weights: torch.Tensor) -> torch.Tensor:
    """A weight as a matrix (outputs, rest) over the same memory; a convolution's is channels-last."""
    return weights.permute(0, 2, 3, 1).flatten(1) if weights.ndim == 4 else weights


def load_averaged(path: Path, modules: dict[str, nn.Module]) -> dict[str, object]:
    """Put the averaged weights of a state file into `modules`; return its step, seconds and extra."""
    saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    for name, module in modules.items():
        module.load_state_dict(saved["averaged"][name])
    return {"step": saved["step"], "seconds": saved["seconds"], **saved["extra"]}


def read_counters(path: Path) -> dict[str, object]:
    """Step, seconds and extra of a state file."""
    return load_averaged(path, {})
