"""`python -m friendshore.cli`: the command line without its script."""

from friendshore.cli import main

main()
