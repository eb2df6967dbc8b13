"""One module per Kafka API; importing this package registers all of them in the served-API table of dispatch."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
