"""`caudal export`: the topics of a stopped Caudal, for a real Apache Kafka."""

import subprocess
import sys
from pathlib import Path

import click


@click.command(name="export")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path("caudal-data"),
    show_default=True,
    help="Folder of all data, as for `caudal start`; nothing may be running on it.",
)
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
@click.option("--topics", metavar="A,B,…", help="Only these topics. [default: all but the internal ones]")
@click.option("--exclude", metavar="A,B,…", help="All topics but these.")
@click.option("--groups", metavar="A,B,…", help="Committed offsets of these groups only. [default: of all]")
def command(data_dir: Path, target: Path, topics: str | None, exclude: str | None, groups: str | None) -> None:
    """Copy topics to a folder from which a real Apache Kafka takes them over.

    Writes the segments as they are, and scripts for Kafka's own tools: topics with their configs, committed offsets,
    ACLs and quotas. README.txt in that folder says in which order to run them.
    """
    words = [sys.executable, "-m", "broker.export", "--data-dir", str(data_dir), "--to", str(target)]
    for flag, value in (("--topics", topics), ("--exclude", exclude), ("--groups", groups)):
        if value is not None:
            words += [flag, value]
    sys.exit(subprocess.run(words, check=False).returncode)
