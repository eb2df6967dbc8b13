"""Settings of a subject: its level and mode, and what takes versions or the whole of it away."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.control_center import words
from app.control_center.schemas import words as schema_words
from app.control_center.schemas.head import Found, SubjectHead, build_head, find_subject
from app.control_center.schemas.scopes import ScopeForms, build_forms, set_level, set_mode
from app.control_center.schemas.subject import Link, using_topics
from app.control_center.visit import Asked, Visit
from app.registry.errors import SchemaError
from app.registry.refusals import RegistryError
from app.registry.view import Version

router = APIRouter()

REFERRERS_NAMED = 20


@dataclass(frozen=True, slots=True)
class VersionOption:
    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class SubjectSettingsPage:
    """errors by field: 'version', 'version_confirm', 'delete', 'delete_confirm', and those of the forms."""

    head: SubjectHead
    forms: ScopeForms
    versions: tuple[VersionOption, ...]
    version_href: str
    delete_href: str
    is_permanent: bool
    what_goes: str
    topics: tuple[Link, ...]
    referrers: tuple[Link, ...]
    referrers_left: int
    errors: Mapping[str, str]


@router.get("/clusters/{cluster:name}/schemas/{subject:name}/settings")
async def show_settings(visit: Asked) -> Response:
    return _answer(visit, await find_subject(visit), {})


@router.post("/clusters/{cluster:name}/schemas/{subject:name}/settings/level")
async def change_level(visit: Asked) -> Response:
    found = await find_subject(visit)
    if error := await set_level(found.desk, found.name, visit.form()):
        return _answer(visit, found, {"level": error}, status_code=422)
    return _done(
        visit, found, f"New versions of {found.name} must be {found.desk.level(found.name).value} from now on."
    )


@router.post("/clusters/{cluster:name}/schemas/{subject:name}/settings/mode")
async def change_mode(visit: Asked) -> Response:
    found = await find_subject(visit)
    if error := await set_mode(found.desk, found.name, visit.form()):
        return _answer(visit, found, {"mode": error}, status_code=422)
    return _done(visit, found, f"The mode of {found.name} is {found.desk.mode(found.name).value} now.")


@router.post("/clusters/{cluster:name}/schemas/{subject:name}/delete-version")
async def delete_version(visit: Asked) -> Response:
    """The field 'version' is N for the soft deletion of a live one, N! for a soft-deleted one's end."""
    found = await find_subject(visit)
    form = visit.form()
    chosen = form.get("version", "")
    permanent = chosen.endswith("!")
    one = next((one for one in found.versions if str(one.version) == chosen.removesuffix("!")), None)
    errors: dict[str, str] = {}
    if one is None:
        errors["version"] = "Choose a version."
    elif one.is_deleted is not permanent:
        errors["version"] = "It was deleted meanwhile. Look again." if one.is_deleted else "It is live. Look again."
    if form.get("confirm") != found.name:
        errors["version_confirm"] = "This is not the name of the subject."
    if errors or one is None:
        return _answer(visit, found, errors, chosen=chosen, status_code=422)
    try:
        await found.desk.changes.delete_version(found.name, one.version, permanent=permanent)
    except (RegistryError, SchemaError) as error:
        return _answer(visit, found, {"version": schema_words.explain(error)}, chosen=chosen, status_code=422)
    said = "was deleted for good" if permanent else "was soft-deleted: its id still answers"
    return _gone(visit, found, f"Version {one.version} of {found.name} {said}.")


@router.post("/clusters/{cluster:name}/schemas/{subject:name}/delete")
async def delete_subject(visit: Asked) -> Response:
    """The field 'permanent' says what the page offered: another state than that is looked at again first."""
    found = await find_subject(visit)
    form = visit.form()
    permanent = not found.live
    errors: dict[str, str] = {}
    if (form.get("permanent") == "yes") is not permanent:
        errors["delete"] = "The subject was changed meanwhile. Look again."
    if form.get("confirm") != found.name:
        errors["delete_confirm"] = "This is not the name of the subject."
    if errors:
        return _answer(visit, found, errors, status_code=422)
    try:
        await found.desk.changes.delete_subject(found.name, permanent=permanent)
    except (RegistryError, SchemaError) as error:
        return _answer(visit, found, {"delete": schema_words.explain(error)}, status_code=422)
    said = "was deleted for good" if permanent else "was soft-deleted: its ids still answer"
    return _gone(visit, found, f"Subject {found.name} {said}.")


# --- the answer -------------------------------------------------------------------------------------------------------


def _done(visit: Visit, found: Found, said: str) -> Response:
    return visit.done(visit.links.subject(found.name, "settings"), said)


def _gone(visit: Visit, found: Found, said: str) -> Response:
    """Back to the subject's settings, where deleting for good comes next; to the list when nothing is left."""
    left = found.desk.view.versions(found.name)
    return visit.done(visit.links.subject(found.name, "settings") if left else visit.links.subjects(), said)


def _answer(
    visit: Visit, found: Found, errors: Mapping[str, str], *, chosen: str = "", status_code: int = 200
) -> Response:
    return visit.page(
        "subject_settings/page.html",
        "subject_settings/_forms.html",
        title=f"Settings of {found.name}",
        section="schemas",
        view=_view(visit, found, errors, chosen),
        status_code=status_code,
    )


def _view(visit: Visit, found: Found, errors: Mapping[str, str], chosen: str) -> SubjectSettingsPage:
    links, name = visit.links, found.name
    going = found.live or list(found.versions)
    referrers = {
        (one.subject, one.version): one for version in going for one in found.desk.view.referrers(name, version.version)
    }
    shown = [referrers[key] for key in sorted(referrers)]
    return SubjectSettingsPage(
        head=build_head(visit, found, "settings"),
        forms=build_forms(
            found.desk,
            name,
            level_href=links.subject(name, "settings/level"),
            mode_href=links.subject(name, "settings/mode"),
            errors=errors,
        ),
        versions=tuple(_option(found, one, chosen) for one in reversed(found.versions)),
        version_href=links.subject(name, "delete-version"),
        delete_href=links.subject(name, "delete"),
        is_permanent=not found.live,
        what_goes=words.plural(len(going), "version"),
        topics=tuple(using_topics(visit, name)),
        referrers=tuple(
            Link(one.subject, links.subject(one.subject, f"v/{one.version}"), f"version {one.version}")
            for one in shown[:REFERRERS_NAMED]
        ),
        referrers_left=max(0, len(shown) - REFERRERS_NAMED),
        errors={key: errors.get(key, "") for key in ("version", "version_confirm", "delete", "delete_confirm")},
    )


def _option(found: Found, one: Version, chosen: str) -> VersionOption:
    value = f"{one.version}!" if one.is_deleted else str(one.version)
    if one.is_deleted:
        said = f"Version {one.version}, soft-deleted: delete it for good"
    else:
        said = f"Version {one.version}{', the latest' if one is found.latest else ''}"
    return VersionOption(value, said, value == chosen)
