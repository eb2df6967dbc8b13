"""The version of this distribution, as its metadata says."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("caudal")
except PackageNotFoundError:  # a checkout that was never installed
    VERSION = "0.1.0"
