"""Generated cases are the same on every run and machine, and leave nothing behind."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("friendshore", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("friendshore")
