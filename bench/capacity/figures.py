"""A number that knows its unit and where it comes from."""

from __future__ import annotations

from types import ModuleType


class Figure(float):
    """Counts as the number it is."""

    unit: str
    source: str

    def __new__(cls, value: float, unit: str, source: str) -> Figure:
        figure = super().__new__(cls, value)
        figure.unit, figure.source = unit, source
        return figure


def figures(module: ModuleType) -> dict[str, Figure]:
    """Every figure of *module* by its name, in the order they are written."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Figure)}
