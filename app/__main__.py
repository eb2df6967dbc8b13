"""`python -m app` is the `caudal` command."""

from app.cli.main import main

main(prog_name="caudal")
