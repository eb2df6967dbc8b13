"""`caudal users`: what goes into the REST Proxy's users file. Secrets are shown once and kept nowhere."""

import secrets

import click

KEY_ID_BYTES = 5
PASSWORD_MIN_CHARS = 12
PASSWORD_MAX_CHARS = 128


@click.group()
def command() -> None:
    """Make passwords' hashes and API keys for the users file (setting rest.users_file)."""


@command.command()
@click.password_option(help="The password; asked for when left out.")
def password(password: str) -> None:
    """Print the hash of a password, for `password = "…"` of a user."""
    from argon2 import PasswordHasher

    if not PASSWORD_MIN_CHARS <= len(password) <= PASSWORD_MAX_CHARS:
        raise click.ClickException(f"a password has {PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters")
    click.echo(PasswordHasher().hash(password))


@command.command()
def key() -> None:
    """Make an API key: its secret, and the line for `keys` of a user."""
    import base64

    from app.rest.access.users_file import hash_of_secret

    name = base64.b32encode(secrets.token_bytes(KEY_ID_BYTES)).decode()
    secret = secrets.token_urlsafe(32)
    click.echo(f"key:     {name}")
    click.echo(f"secret:  {secret}")
    click.echo(f'line:    keys = {{ {name} = "{hash_of_secret(secret)}" }}')
