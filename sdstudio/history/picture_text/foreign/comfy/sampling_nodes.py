"""How a sampler steps: nodes that choose the sampler, make its noise levels, its noise and its guidance.

A node that makes noise levels is taken for one of ComfyUI's schedules where it makes the same levels as that, and
reported as what it is where it does not. Source: ComfyUI ``comfy_extras/nodes_custom_sampler.py``,
``nodes_align_your_steps.py``, ``nodes_gits.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sdstudio.catalog.names import from_comfyui
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import SIGMAS, Graph, Node
from sdstudio.history.picture_text.foreign.comfy.values import Values

SIGMA_MAXIMUM, SIGMA_MINIMUM = 14.614642, 0.0291675
"""Ends of the noise levels of Stable Diffusion 1, 2 and XL: ComfyUI's defaults, which are the model's own."""
_CLOSE: Final = 2e-3
"""How far a level may be from the model's own, as a part of it; people write 14.6 and 0.029."""
SGM: Final = "sgm_uniform"


@dataclass(frozen=True, slots=True)
class SigmaNode:
    """A kind of node that makes noise levels.

    Attributes:
        scheduler: ComfyUI's name of the schedule, or of the nearest to it.
        same: Inputs and the values with which it makes that schedule's levels; ``None`` when it never does.
    """

    scheduler: str
    same: Mapping[str, float] | None = None


_ENDS: Final = {"sigma_max": SIGMA_MAXIMUM, "sigma_min": SIGMA_MINIMUM}
SIGMA_NODES: Final[Mapping[str, SigmaNode]] = {
    "KarrasScheduler": SigmaNode("karras", {**_ENDS, "rho": 7.0}),
    "ExponentialScheduler": SigmaNode("exponential", _ENDS),
    "PolyexponentialScheduler": SigmaNode("exponential", {**_ENDS, "rho": 1.0}),
    "KLOptimalScheduler": SigmaNode("kl_optimal", _ENDS),
    "BetaSamplingScheduler": SigmaNode("beta", {"alpha": 0.6, "beta": 0.6}),
    "SDTurboScheduler": SigmaNode(SGM),
    "HyperSDXL1StepUnetScheduler": SigmaNode("from_800", {"steps": 1.0}),
    "AlignYourStepsScheduler": SigmaNode("ays"),
    "GITSScheduler": SigmaNode("ays"),
    "VPScheduler": SigmaNode("normal"),
    "LaplaceScheduler": SigmaNode("normal"),
}
"""``class_type`` -> the schedule; BasicScheduler names it itself."""


@dataclass(frozen=True, slots=True)
class SamplerNode:
    """A kind of node that is a sampler.

    Attributes:
        sampler: ComfyUI's ``sampler_name``.
        idle: Inputs and the values that the sampler has by itself.
    """

    sampler: str
    idle: Mapping[str, float | str] = field(default_factory=dict)


_NOISY: Final[Mapping[str, float | str]] = {"eta": 1.0, "s_noise": 1.0}
SAMPLER_NODES: Final[Mapping[str, SamplerNode]] = {
    "SamplerEulerAncestral": SamplerNode("euler_ancestral", _NOISY),
    "SamplerEulerAncestralCFGPP": SamplerNode("euler_ancestral_cfg_pp", _NOISY),
    "SamplerDPMPP_2S_Ancestral": SamplerNode("dpmpp_2s_ancestral", _NOISY),
    "SamplerDPMPP_2M_SDE": SamplerNode("dpmpp_2m_sde", {**_NOISY, "solver_type": "midpoint"}),
    "SamplerDPMPP_3M_SDE": SamplerNode("dpmpp_3m_sde", _NOISY),
    "SamplerDPMPP_SDE": SamplerNode("dpmpp_sde", {**_NOISY, "r": 0.5}),
    "SamplerLMS": SamplerNode("lms", {"order": 4}),
    "SamplerDPMAdaptative": SamplerNode("dpm_adaptive", {
        "order": 3, "rtol": 0.05, "atol": 0.0078, "h_init": 0.05, "pcoeff": 0.0, "icoeff": 1.0, "dcoeff": 0.0,
        "accept_safety": 0.81, "eta": 0.0, "s_noise": 1.0,
    }),
    "SamplerER_SDE": SamplerNode("er_sde", {"solver_type": "ER-SDE", "max_stage": 3, **_NOISY}),
}  # fmt: skip
"""``class_type`` -> the sampler; KSamplerSelect names it itself."""


def _takes_eta(sampler: str) -> bool:
    """Whether the studio's sampler of that name takes eta too."""
    sampling = from_comfyui(sampler)
    return sampling is not None and sampling.same_sampler and "eta" in SCHEDULER_BY_KEY[sampling.scheduler].takes


class SamplingNodes:
    """Reads what is linked to a sampler beside model, prompts and latents."""

    def __init__(self, graph: Graph, account: Account, values: Values) -> None:
        self._graph = graph
        self._account = account
        self._values = values

    def sampler(self, value: object) -> dict[str, Any]:
        """Return the name of the sampler, and eta where the studio has it."""
        link = self._graph.linked(value)
        if link is None:
            return {}
        node = link[0]
        seen: set[str] = set()
        while node.passes and node.key not in seen and self._graph.visit():
            seen.add(node.key)
            before = next((link for _, link in self._graph.links(node)), None)
            if before is None:
                return {}
            self._account.take(node)
            node = before[0]
        name = self._values.plain(node.inputs.get("sampler_name"), "sampler_name")
        row = SAMPLER_NODES.get(node.kind)
        if isinstance(name, str):
            self._account.take(node)
            return {"sampler_name": name}
        if row is None:
            self._account.take(node)
            return {"sampler_name": node.kind}  # a name that nobody knows, and that is therefore reported
        return self._of_row(node, row)

    def _of_row(self, node: Node, row: SamplerNode) -> dict[str, Any]:
        self._account.take(node)
        settings: dict[str, Any] = {"sampler_name": row.sampler}
        for name, idle in row.idle.items():
            value = self._values.plain(node.inputs.get(name), name)
            if value is None or value == idle:
                continue
            if name == "eta" and _takes_eta(row.sampler):
                settings["Eta"] = value
            elif name == "solver_type" and value == "heun":
                settings["sampler_name"] += "_heun"
            else:
                self._account.report(node.kind, f"{name} {str(value)[:80]}")
        if self._values.plain(node.inputs.get("noise_device"), "noise_device") == "gpu":
            settings["sampler_name"] += "_gpu"  # as ComfyUI names these
        return settings

    def sigmas(self, value: object) -> dict[str, Any]:
        """Return steps, schedule and denoise of a chain of nodes that make and change noise levels."""
        settings: dict[str, Any] = {}
        for node, output in self._graph.chain(self._graph.linked(value), SIGMAS):
            row = SIGMA_NODES.get(node.kind)
            if row is not None or "scheduler" in node.inputs:
                return settings | self._levels(node, row)
            if node.passes:
                self._account.take(node)
                continue
            if node.kind in ("SplitSigmas", "SplitSigmasDenoise"):
                self._account.report(node.kind, "the low part" if output == 1 else "the high part")
            self._account.report_node(node)
            if not self._graph.brings(node, SIGMAS):
                settings |= {"scheduler": node.kind}
                if "steps" in node.inputs:
                    settings["steps"] = self._values.plain(node.inputs["steps"], "steps")
        return settings

    def _levels(self, node: Node, row: SigmaNode | None) -> dict[str, Any]:
        values = {name: self._values.plain(node.inputs.get(name), name) for name in ("steps", "denoise", "scheduler")}
        settings = {name: value for name, value in values.items() if value is not None}
        self._account.take(node)
        if row is None:
            return settings
        settings["scheduler"] = row.scheduler
        differing = [name for name, same in (row.same or {}).items() if not self._close(node, name, same)]
        if row.same is None or differing:
            names = differing or [name for name in node.inputs if name not in ("model", "steps", "denoise")]
            parts = [f"{name} {self._values.plain(node.inputs.get(name), name)}" for name in names]
            settings["levels"] = ", ".join([node.kind, *parts])[:200]
        return settings

    def _close(self, node: Node, name: str, same: float) -> bool:
        value = self._values.number(node.inputs.get(name, same), name)
        return value is not None and abs(value - same) <= _CLOSE * same

    def noise(self, value: object) -> dict[str, Any]:
        """Return the seed of a node that makes noise."""
        link = self._graph.linked(value)
        if link is None:
            return {}
        node = link[0]
        name = next((name for name in ("noise_seed", "seed") if name in node.inputs), "")
        if node.kind == "RandomNoise" or (name and not node.kind):
            self._account.take(node)
        else:
            self._account.report_node(node, (name,))
        return {"seed": self._values.plain(node.inputs[name], name)} if name else {}

    def guider(self, value: object) -> dict[str, Any]:
        """Return model, prompts and guidance scale of a node that guides, as they stand in it."""
        link = self._graph.linked(value)
        if link is None:
            return {}
        node = link[0]
        inputs = dict(node.inputs)
        if node.kind == "BasicGuider":  # it does not guide
            self._account.take(node)
            return {"cfg": 1.0, "model": inputs.get("model"), "positive": inputs.get("conditioning")}
        if node.kind == "CFGGuider":
            self._account.take(node)
        else:
            self._account.report_node(node, ("model",))
        settings = {"cfg": inputs.get("cfg", inputs.get("cfg_conds")), "model": inputs.get("model")}
        settings["positive"] = inputs.get("positive", inputs.get("cond1", inputs.get("conditioning")))
        settings["negative"] = inputs.get("negative")
        return {name: value for name, value in settings.items() if value is not None}
