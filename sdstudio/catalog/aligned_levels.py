"""Tables of noise levels that others optimised, beside those of NVIDIA that stand in each family's row.

A1111's and Forge's ``Align Your Steps 32`` and ``Align Your Steps GITS`` (reForge ``modules/sd_schedulers.py``); which
table is whose is asked of the family there too: XL has one, all others share one. The 32 levels are from "Align Your
Steps" (Sabour et al. 2024), those of GITS from "On the Trajectory Regularity of ODE-based Diffusion Sampling" (Chen et
al. 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_SD1_32 = (
    14.615, 11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.5195609, 3.13490466, 2.79228788,
    2.48773628, 2.21663865, 1.97508351, 1.7793172, 1.61475335, 1.46540953, 1.314849, 1.16642497, 1.03475547, 0.91573744,
    0.80748169, 0.71202361, 0.621739, 0.53065202, 0.4529096, 0.37491455, 0.27461819, 0.2011529, 0.14105873, 0.06682881,
    0.03166121, 0.015,
)  # fmt: skip
_SDXL_32 = (
    14.615, 11.1491618, 8.50522127, 6.48827151, 5.43707402, 4.60398619, 3.89854704, 3.27407457, 2.74396527, 2.29968659,
    1.95448514, 1.67108715, 1.42878152, 1.23181009, 1.06789649, 0.92579443, 0.80290886, 0.69660121, 0.60436903,
    0.52852552, 0.46773344, 0.41393379, 0.36258186, 0.31008517, 0.26518925, 0.22326461, 0.17653877, 0.13959192,
    0.10587381, 0.05519369, 0.02877334, 0.015,
)  # fmt: skip
_SD1_GITS = (14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.240, 0.156, 0.104, 0.094, 0.029)
_SDXL_GITS = (14.615, 4.734, 2.567, 1.529, 0.987, 0.652, 0.418, 0.268, 0.179, 0.127, 0.029)

ALIGNED: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = MappingProxyType({
    "align_your_steps_32": {"sdxl": _SDXL_32, "": _SD1_32},
    "align_your_steps_gits": {"sdxl": _SDXL_GITS, "": _SD1_GITS},
})  # fmt: skip
"""Schedule -> family -> its levels, highest first; "" stands for every other family."""


def aligned_levels(schedule: str, family: str) -> tuple[float, ...]:
    """Return the table of a schedule for a family, both by their keys."""
    tables = ALIGNED[schedule]
    return tables.get(family, tables[""])
