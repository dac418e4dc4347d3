"""How long until a command says something, and what an import costs?

    python benchmarks/bench_start.py [repeats]

For each command the time to its first byte on standard output or standard error, and to its end: the least of so many
starts, each in a process of its own. Then `import friendshore`, and the heaviest modules that the slowest command loads.
"""

from __future__ import annotations

import re
import selectors
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(sys.executable).with_name("friendshore")
FIRST_OUTPUT_S, IMPORT_S = 1.0, 0.3
COMMANDS = (
    ("--version",),
    ("--help",),
    ("world", "goods"),
    ("world", "show", "cobalt"),
    ("world", "check"),
    ("world", "missing"),
    ("agreement", "list"),
    ("agreement", "check", "plurilateral-2026"),
    ("clear", str(ROOT / "examples" / "networks" / "two-country-tariff.yaml")),
    ("run", "plurilateral-2026", "--no-stability"),
)
IMPORTED = re.compile(r"import time:\s+\d+ \|\s+(\d+) \| (\s*)(\S+)")


def first_and_last(words: tuple[str, ...]) -> tuple[float, float]:
    """Seconds from the start of a process to its first byte on either stream, and to its end."""
    began = time.perf_counter()
    first = None
    with subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with selectors.DefaultSelector() as ready:
            for stream in (process.stdout, process.stderr):
                ready.register(stream, selectors.EVENT_READ)
            while ready.get_map():
                for key, _ in ready.select():
                    if key.fileobj.read1(65536):
                        first = first or time.perf_counter() - began
                    else:
                        ready.unregister(key.fileobj)
        process.wait()
    last = time.perf_counter() - began
    return first or last, last


def import_s() -> float:
    """Seconds that `import friendshore` takes in a fresh interpreter."""
    clock = "import time; start = time.perf_counter(); import friendshore; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", clock], capture_output=True, text=True, check=True).stdout)


def heaviest(words: tuple[str, ...], count: int = 8) -> list[tuple[str, float]]:
    """Top-level packages that a command imports, and the seconds each takes with all that it imports itself."""
    code = f"import sys; sys.argv = ['friendshore', *{list(words)!r}]; from friendshore.cli import main; main()"
    run = [sys.executable, "-X", "importtime", "-c", code]
    said = subprocess.run(run, capture_output=True, text=True, check=False).stderr
    worst: dict[str, float] = {}
    for microseconds, _, module in IMPORTED.findall(said):
        if "." not in module:
            worst[module] = max(worst.get(module, 0.0), float(microseconds) * 1e-6)
    return sorted(worst.items(), key=lambda item: -item[1])[:count]


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    least = min(import_s() for _ in range(repeats))
    print(f"import friendshore  {least:6.3f} s  (at most {IMPORT_S})")
    print(f"\n{'command':44} {'first output s':>14} {'end s':>8}  (first output at most {FIRST_OUTPUT_S:g})")
    for words in COMMANDS:
        times = [first_and_last(words) for _ in range(repeats)]
        name = " ".join(Path(word).name if "/" in word else word for word in words)
        first, last = min(t for t, _ in times), min(t for _, t in times)
        print(f"{name:44} {first:14.2f} {last:8.2f}{'  LATE' if first > FIRST_OUTPUT_S else ''}")
    print("\nwhat 'run' imports, with all below it")
    for module, seconds in heaviest(COMMANDS[-1]):
        print(f"  {module:24} {seconds:6.3f} s")


if __name__ == "__main__":
    main()
