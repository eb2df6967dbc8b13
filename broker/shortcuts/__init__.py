"""Answers straight from the bytes of a request: for what clients send again and again, only with other records in it.

A shortcut knows a request by its bytes, takes the same steps as the handler, and gives the same answer; what it does
not know it leaves to decoder, guard and handler. Importing this package registers all of them.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
