"""Where everything is put together."""

from hoist.wiring.operators import Services, services

__all__ = ["Services", "services"]
