"""Faults on purpose: ``python -m tests.chaos``, or make chaos."""
