"""The fields of a request that few ever touch, declared here; `GenerationRequest` names each with its default."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from sdstudio.core.params import Infotext, Ui

Noise = Annotated[
    Literal["cpu", "nvidia"],
    Field(
        title="Noise",
        description="Where the noise of a seed comes from: the CPU's numbers, as ComfyUI and InvokeAI take them, "
        "or an NVIDIA card's, as A1111 does unless told otherwise. Both are the same on every device.",
    ),
    Ui(group="Advanced", titles=("CPU", "NVIDIA")),
]

ClipSkip = Annotated[
    int,
    Field(
        title="Clip skip",
        description="Take the text encoder's output this many layers before its end; 1 uses all. "
        "Some anime fine-tunes want 2.",
        ge=1, le=12,
    ),
    Ui(group="Advanced"),
    Infotext("Clip skip", 60, optional=True),
]  # fmt: skip

Emphasis = Annotated[
    Literal["original", "no_norm"],
    Field(
        title="Prompt weighting",
        description="What becomes of a prompt with weights in A1111's syntax: scaled back to the mean it had, as A1111 "
        "does, or left as the weights make it, which often suits SDXL better. With the prompt syntax of ComfyUI or "
        "compel, weights act as they do there.",
    ),
    Ui(group="Advanced", titles=("A1111", "Without normalising")),
    Infotext("Emphasis", 62, optional=True, texts=("Original", "No norm")),
]  # fmt: skip

PromptSyntax = Annotated[
    Literal["a1111", "comfyui", "compel"],
    Field(
        title="Prompt syntax",
        description="How weights are written: (word:1.2) and [word] as in A1111, with BREAK, AND, [a:b:0.5] and "
        "[a|b]; (word:1.2) as in ComfyUI; or word++ and (two words)1.2 as in compel. Each is drawn as its program "
        "draws it.",
    ),
    Ui(group="Advanced", titles=("A1111", "ComfyUI", "Compel")),
    Infotext("Prompt syntax", 63, optional=True),
]  # fmt: skip

GuidanceRescale = Annotated[
    float,
    Field(
        title="Guidance rescale",
        description="How far the contrast that guidance adds is taken back; 0.7 suits models trained to zero "
        "terminal SNR and high guidance scales.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, group="Advanced"),
    Infotext("CFG rescale", 64, optional=True),
]  # fmt: skip

GuidanceStart = Annotated[
    float,
    Field(
        title="Guidance from",
        description="The part of all steps before which nothing is guided: variety, and half the time for those.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, group="Advanced"),
    Infotext("Skip Early CFG", 65, optional=True),
]  # fmt: skip

GuidanceEnd = Annotated[
    float,
    Field(
        title="Guidance until",
        description="The part of all steps after which nothing is guided: softer detail, and half the time for "
        "those.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, group="Advanced"),
    Infotext("Guidance end", 66, optional=True),
]  # fmt: skip

Eta = Annotated[
    float,
    Field(title="Eta", description="How much fresh noise the sampler adds at every step; 0 adds none.", ge=0, le=1),
    Ui(step=0.05, decimals=2, group="Advanced"),
    Infotext("Eta", 70, optional=True),
]  # fmt: skip

EtaDdim = Annotated[
    float,
    Field(
        title="Eta (DDIM)",
        description="How much fresh noise the sampler adds at every step: 0 none, 1 as much as DDPM.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, group="Advanced"),
    Infotext("Eta DDIM", 71, optional=True),
]  # fmt: skip

Churn = Annotated[
    float,
    Field(
        title="Churn",
        description="How far the sampler lifts the noise before each step down: 0 not at all; 5 to 40 adds variety "
        "and wants more steps.",
        ge=0, le=100,
    ),
    Ui(step=1, decimals=1, group="Advanced"),
    Infotext("Sigma churn", 72, optional=True),
]  # fmt: skip

LastLevel = Annotated[
    Literal["automatic", "kept", "left_out"],
    Field(
        title="Level before zero",
        description="Whether the sampler steps at the last noise level before zero, or one level more is computed and "
        "that one left out (A1111: discard penultimate sigma). Automatic is what A1111 and ComfyUI do for the sampler.",
    ),
    Ui(group="Advanced", titles=("As the sampler does", "Kept", "Left out")),
    Infotext("Discard penultimate sigma", 78, optional=True, texts=("", "False", "True")),
]  # fmt: skip

LEFT_OUT: Final = "left_out"

Prediction = Annotated[
    Literal["automatic", "epsilon", "v_prediction"],
    Field(
        title="Prediction",
        description="What the model was trained to predict. Automatic trusts its files; noise where a picture "
        "should be is a sign that they say it wrong.",
    ),
    Ui(group="Advanced", titles=("Automatic", "Epsilon (noise)", "V-prediction")),
    Infotext("Prediction", 73, optional=True),
]  # fmt: skip

ZeroSnr = Annotated[
    bool,
    Field(
        title="Zero terminal SNR",
        description="For models that were trained from pure noise and whose files do not say so: true blacks and "
        "whites instead of grey. Spoils other models.",
    ),
    Ui(group="Advanced"),
    Infotext("Zero terminal SNR", 74, optional=True),
]  # fmt: skip

Compatibility = Annotated[
    Literal["0.1", "0.2"],
    Field(
        title="Compatibility",
        description="Whose rules are followed where versions of the studio differ: how the weights of ComfyUI and "
        "compel act, and whether clip skip counts for the negative prompt. A picture made by an older version keeps "
        "that version's rules, so that it can be made again.",
    ),
    Ui(group="Advanced", titles=("Version 0.1", "Version 0.2")),
    Infotext("Compatibility", 77, optional=True),
]  # fmt: skip
