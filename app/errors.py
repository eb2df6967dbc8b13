"""Errors that end the program: one line a person can act on."""


class StartError(Exception):
    """Caudal cannot start. The message says what is wrong and what to do, in one line."""
