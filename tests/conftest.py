"""Generated cases are the same on every run and machine, and leave nothing behind."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("friendshore", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("friendshore")


@pytest.fixture
def call(capsys):
    """A command as it is typed: its exit status, what it says, what it says aside."""
    from friendshore import cli

    def called(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(words))
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return called
