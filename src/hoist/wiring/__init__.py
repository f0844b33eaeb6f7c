"""Where everything is put together."""

from hoist.wiring.services import Services, services

__all__ = ["Services", "services"]
