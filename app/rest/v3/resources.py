"""The common shape of v3: kind, metadata with the resource's own URL and name, and links to related resources."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from app.http.json_body import answer
from app.http.routing import Routes
from app.rest.http import Request, Response
from app.rest.negotiation import V3_CONSUMED, V3_OFFERS

Resource = dict[str, object]


def v3_routes(prefix: str) -> Routes:
    return Routes(consumes=V3_CONSUMED, offers=V3_OFFERS, prefix=prefix)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is: its URL, and its name as `crn://authority/kafka=…/topic=…`."""

    url: str
    name: str

    def child(self, collection: str, kind: str, value: str | int) -> "Place":
        """A member of a collection below: `place.child("topics", "topic", "orders")`."""
        return Place(f"{self.url}/{collection}/{quote(str(value), safe='')}", f"{self.name}/{kind}={value}")

    def related(self, *segments: str | int) -> dict[str, str]:
        """A link to what is below."""
        return {"related": "/".join((self.url, *(quote(str(segment), safe="") for segment in segments)))}

    def link(self) -> dict[str, str]:
        """A link to the resource itself."""
        return {"related": self.url}


def clusters_url(request: Request) -> str:
    return f"{request.base_url}/v3/clusters"


def place_of_cluster(request: Request, cluster_id: str) -> Place:
    authority = request.context.settings.resource_name_authority
    return Place(f"{clusters_url(request)}/{quote(cluster_id, safe='')}", f"crn://{authority}/kafka={cluster_id}")


async def find_cluster(request: Request, cluster_id: str) -> Place:
    """Turn the request to the cluster of that id, for all that its endpoint asks after this. Raises NotFound."""
    request.context = await request.context.at_cluster(cluster_id)
    return place_of_cluster(request, cluster_id)


def resource(kind: str, place: Place, **fields: object) -> Resource:
    return {"kind": kind, "metadata": {"self": place.url, "resource_name": place.name}, **fields}


def answer_list(request: Request, kind: str, url: str, resources: Iterable[Resource]) -> Response:
    """A complete list; v3 knows pages (`next`), but neither the original's server nor ours cuts any."""
    body = {"kind": f"{kind}List", "metadata": {"self": url, "next": None}, "data": list(resources)}
    return answer(request, body)
