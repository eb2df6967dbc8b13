"""The `caudal` command. Its commands are imported when they are called, so that `--help` answers at once."""

import importlib

import click

COMMANDS = {
    "start": ("app.cli.start", "Start the platform: broker, REST Proxy and Control Center."),
    "demo": ("app.cli.demo", "Fill a running platform with a lively stream of orders, page views and payments."),
    "export": ("app.cli.export", "Copy topics to a folder from which a real Apache Kafka takes them over."),
    "users": ("app.cli.users", "Make what the REST Proxy's users file needs: password hashes and API keys."),
    "schemas": ("app.cli.schemas", "Move a whole Schema Registry as files, for git."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help lines, and imports a command when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from app.version import VERSION

        click.echo(f"caudal {VERSION}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, callback=_print_version, expose_value=False, is_eager=True)
def main() -> None:
    """Caudal: a Kafka-compatible broker, a REST Proxy and a Control Center in one command."""
