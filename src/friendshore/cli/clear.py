"""The command `clear`: a network file, solved."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from friendshore.cli.groups import Command, app
from friendshore.cli.options import AsJson, OutFolder
from friendshore.cli.tell import Progress, out_folder, publish, release
from friendshore.errors import InputRefused

TEXTS = {"parties", "in_force", "agreement"}  # keys that agreements and scenarios have and network files have not


@app.command(cls=Command, short_help="Solve a network file.")
def clear(
    network: Annotated[
        Path, typer.Argument(metavar="NETWORK", help="A network file, YAML or JSON, or the folder of a built world.")
    ],
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", metavar="NAME", help="One of the file's experiments; its own policies if absent."),
    ] = None,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """$ friendshore clear examples/networks/two-country-tariff.yaml

    Solve a network file and print its prices, flows and accounts.

    Latent links that the file states are on. The folder of a built world is cleared as it is: its base year, replicated.
    """
    with out_folder(out) as stage, Progress() as progress:
        progress(f"reading {network}")
        from friendshore.run import Assumptions
        from friendshore.run import clear as solve
        from friendshore.world import network as files
        from friendshore.world.tables import World

        _check_no_agreement(network)
        built = network.is_dir() and experiment is None
        world = World.load(network) if built else files.read(network, experiment)
        latent = not built and bool(world.routes["latent"].any())
        progress("clearing")
        outcome = solve(world, assume=Assumptions(latent=latent), name=experiment or world.name)
        title = str(world.extras.get("title") or world.name) + (f": {experiment}" if experiment else "")
        from friendshore.report.cleared import cleared

        chosen = ["--experiment", experiment] if experiment is not None else []
        publish(
            stage,
            lambda: {name: getattr(outcome, name) for name in outcome.TABLES},
            {
                "command": shlex.join(["friendshore", "clear", str(network), *chosen]),
                "world": outcome.world,
                "friendshore": release(),
            },
            text=lambda written: cleared(outcome, title=title, written=written),
            document=outcome.document if as_json else None,
        )


def _check_no_agreement(network: Path) -> None:
    """Refuse a preset's name, an agreement or a scenario, with the command that runs it.

    Raises
    ------
    InputRefused   naming that command
    """
    from friendshore.agreement.document import shipped
    from friendshore.marked import noted

    named = not network.exists() and str(network) in shipped()
    held = noted(network).value if network.is_file() else None
    if named or (isinstance(held, dict) and not TEXTS.isdisjoint(held)):
        hint = f"run it: {shlex.join(['friendshore', 'run', str(network)])}"
        raise InputRefused.because("no-network", f"{network} is an agreement and no network file", hint=hint)
