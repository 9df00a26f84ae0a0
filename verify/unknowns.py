"""What ``overparam certify --solve`` can solve for."""

from __future__ import annotations

from typing import Literal, get_args

Unknown = Literal["width", "output_scale", "label_scale"]
UNKNOWNS: tuple[Unknown, ...] = get_args(Unknown)
