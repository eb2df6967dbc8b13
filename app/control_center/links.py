"""Every URL of the Control Center in one place. Names are percent-encoded once, whatever they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode

from starlette.convertors import CONVERTOR_TYPES, Convertor, register_url_convertor

# A path segment that is exactly one of these is removed by every browser before it is sent, even percent-encoded.
_UNSENDABLE = {".", ".."}


class NameConvertor(Convertor[str]):
    """One path segment holding a name: any text, also empty. Paths are matched before they are decoded (see app.py)."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        return unquote(value, errors="replace")

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


if "name" not in CONVERTOR_TYPES:
    register_url_convertor("name", NameConvertor())


def query(parameters: Mapping[str, object]) -> str:
    """'?a=1&b=2' without the empty ones, or '' when nothing is left."""
    kept = {name: value for name, value in parameters.items() if value not in (None, "")}
    return "?" + urlencode(kept) if kept else ""


@dataclass(frozen=True, slots=True)
class Links:
    """base: the path at which the Control Center is mounted, '/ui'; cluster: its name, '' on pages above clusters."""

    base: str
    cluster_name: str = ""
    static_base: str = ""

    @property
    def home(self) -> str:
        return f"{self.base}/"

    def asset(self, path: str) -> str:
        """A static file, under a path that changes with its content."""
        return f"{self.static_base}/{path}"

    def of_cluster(self, name: str) -> str:
        return f"{self.base}/clusters/{quote(name, safe='')}"

    @property
    def cluster(self) -> str:
        return self.of_cluster(self.cluster_name)

    def below(self, path: str) -> str:
        """A path below the cluster's page, already encoded (a finding's link)."""
        return f"{self.cluster}/{path}" if path else self.cluster

    def find(self) -> str:
        return f"{self.cluster}/find"

    def report(self) -> str:
        return f"{self.cluster}/report"

    def topics(self, **parameters: object) -> str:
        return f"{self.cluster}/topics{query(parameters)}"

    def new_topic(self, **parameters: object) -> str:
        return f"{self.cluster}/topics/new{query(parameters)}"

    def topic(self, name: str, tab: str = "", **parameters: object) -> str:
        if name == "new" and not tab:
            tab = "overview"  # a topic may be called new, but /topics/new is the form
        path = f"{self.cluster}/topics/{quote(name, safe='')}"
        return f"{path}/{tab}{query(parameters)}" if tab else f"{path}{query(parameters)}"

    def subjects(self, **parameters: object) -> str:
        return f"{self.cluster}/schemas{query(parameters)}"

    def new_subject(self, **parameters: object) -> str:
        return f"{self.cluster}/schemas/new{query(parameters)}"

    def schema_settings(self, **parameters: object) -> str:
        return f"{self.cluster}/schemas/settings{query(parameters)}"

    def subject(self, name: str, tab: str = "", **parameters: object) -> str:
        if name in ("new", "settings") and not tab:
            tab = "schema"  # subjects may be called so, but these are addresses of forms
        path = f"{self.cluster}/schemas/{quote(name, safe='')}"
        if name in _UNSENDABLE:
            path, parameters = f"{self.cluster}/schemas/", {"name": name, **parameters}
        return f"{path}/{tab}{query(parameters)}" if tab else f"{path}{query(parameters)}"

    def groups(self, **parameters: object) -> str:
        return f"{self.cluster}/groups{query(parameters)}"

    def group(self, name: str, action: str = "", **parameters: object) -> str:
        path = f"{self.cluster}/groups/{quote(name, safe='')}"
        if name in _UNSENDABLE:
            path, parameters = f"{self.cluster}/groups/", {"name": name, **parameters}
        return f"{path}/{action}{query(parameters)}" if action else f"{path}{query(parameters)}"

    def brokers(self, **parameters: object) -> str:
        return f"{self.cluster}/brokers{query(parameters)}"

    def broker(self, broker_id: int, **parameters: object) -> str:
        return f"{self.cluster}/brokers/{broker_id}{query(parameters)}"
