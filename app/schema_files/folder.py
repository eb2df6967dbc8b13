"""A registry as files:

    caudal-schemas.json                      what this folder is
    settings.json                            config and mode of the registry
    contexts/_default/                       the default context; another one `.eu` is contexts/eu/
        settings.json                        of the context
        orders-value/                        a subject; characters other than letters, digits, `_`, `-`, `.` as %2F
            settings.json                    of the subject
            v1.avsc, v1.meta.json            a version: its text, indented (.avsc, .json, .proto), and all else

Same registry, same bytes: keys have one order, and what did not change is not written.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from app.registry.contexts import DEFAULT_CONTEXT, GLOBAL_SUBJECT, qualify, split
from app.registry.errors import InvalidSchema
from app.registry.formats.json_text import print_json, read_json
from app.schema_files.snapshot import GLOBAL, Json, SchemaVersion, ScopeSettings, Snapshot, TransferError

MARKER = "caudal-schemas.json"
FORMAT = 1
SETTINGS = "settings.json"
DEFAULT_FOLDER = "_default"
EXTENSIONS = {"AVRO": "avsc", "JSON": "json", "PROTOBUF": "proto"}
OTHER_EXTENSION = "txt"
_TYPES = {extension: schema_type for schema_type, extension in EXTENSIONS.items()}
_META = re.compile(r"v([1-9][0-9]{0,9})\.meta\.json")
_OURS = re.compile(r"settings\.json|v[0-9]+\.(?:meta\.json|avsc|json|proto|txt)")


# --- writing ----------------------------------------------------------------------------------------------------------


def write_folder(folder: Path, snapshot: Snapshot) -> int:
    """Make the folder hold this and nothing older. Returns the number of files that changed.

    Raises TransferError for a folder that holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise TransferError(f"{folder} is no folder")
    if folder.is_dir() and not (folder / MARKER).exists() and any(not _is_hidden(one) for one in folder.iterdir()):
        raise TransferError(f"{folder} holds something else: give a new or empty folder, or one of an earlier export")
    files = dict(_files(snapshot))
    changed = 0
    old = {path.relative_to(folder).as_posix() for path in _ours(folder)}
    for name in sorted(old - files.keys()):
        (folder / name).unlink()
        changed += 1
    for name, content in files.items():
        path = folder / name
        if name in old and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        changed += name != MARKER or name not in old
    _drop_empty(folder / "contexts")
    return changed


def _files(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Paths and contents; the marker first, so that an export that was cut short can be made again."""
    yield MARKER, _json({"format": FORMAT})
    names = _Names([subject for subject, _ in snapshot.versions] + list(snapshot.settings))
    for scope in sorted(snapshot.settings):
        shown = {"config": snapshot.settings[scope].config, "mode": snapshot.settings[scope].mode}
        yield f"{names.folder(scope)}{SETTINGS}", _json({key: value for key, value in shown.items() if value})
    for key in sorted(snapshot.versions):
        one = snapshot.versions[key]
        base = f"{names.folder(one.subject)}v{one.version}"
        text, is_verbatim = _shown(one)
        extension = EXTENSIONS.get(one.schema_type, OTHER_EXTENSION)
        yield f"{base}.{extension}", text.encode("utf-8", "surrogatepass")
        meta: Json = {"id": one.id}
        if extension == OTHER_EXTENSION:
            meta["schemaType"] = one.schema_type
        if one.is_deleted:
            meta["deleted"] = True
        if is_verbatim:
            meta["verbatim"] = True
        if one.references:
            meta["references"] = list(one.references)
        meta |= {
            name: value for name, value in (("metadata", one.metadata), ("ruleSet", one.rule_set)) if value is not None
        }
        yield f"{base}.meta.json", _json(meta)


class _Names:
    """Folder names of scopes. Where two differ in nothing but case, capitals are written as %4F: not every file system
    tells them apart."""

    def __init__(self, scopes: list[str]) -> None:
        self._folded: dict[str, set[str]] = {}
        for scope in scopes:
            for name in split(scope):
                self._folded.setdefault(name.casefold(), set()).add(name)

    def folder(self, scope: str) -> str:
        """With a slash at its end."""
        if scope == GLOBAL:
            return ""
        context, subject = split(scope)
        place = DEFAULT_FOLDER if context == DEFAULT_CONTEXT else self._encoded(context.removeprefix("."))
        return f"contexts/{place}/{self._encoded(subject)}/" if subject else f"contexts/{place}/"

    def _encoded(self, name: str) -> str:
        encoded = quote(name, safe="")
        if len(self._folded.get(name.casefold(), ())) > 1:
            encoded = re.sub(r"(%..)|([A-Z])", lambda match: match[1] or f"%{ord(match[2]):02X}", encoded)
        if encoded[:1] in (".", "_"):  # no hidden folders, nor ours
            encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
        return encoded


def _shown(one: SchemaVersion) -> tuple[str, bool]:
    """A text as it is written into its file, and whether that is as it is and not laid out anew."""
    if one.schema_type == "PROTOBUF":
        return (one.text, False) if one.text.endswith("\n") else (f"{one.text}\n", True)
    if one.schema_type in EXTENSIONS:
        try:
            pretty = json.dumps(read_json(one.text), indent=2, ensure_ascii=False) + "\n"
            if _compact(pretty) == one.text:
                return pretty, False
        except InvalidSchema:
            pass
    return f"{one.text}\n", True


def _compact(text: str) -> str:
    return print_json(read_json(text))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _ours(folder: Path) -> Iterator[Path]:
    """Files that an export wrote."""
    for name in (MARKER, SETTINGS):
        if (folder / name).is_file():
            yield folder / name
    for path in (folder / "contexts").rglob("*"):
        if _OURS.fullmatch(path.name) and path.is_file():
            yield path


def _drop_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.upper().startswith(("README", "LICENSE"))


# --- reading ----------------------------------------------------------------------------------------------------------


def read_folder(folder: Path) -> Snapshot:
    """Raises TransferError with everything that is wrong."""
    marker = _read_json(folder / MARKER) if (folder / MARKER).is_file() else None
    if marker is None:
        raise TransferError(f"{folder} is no export of a registry: it has no {MARKER}")
    if marker.get("format") != FORMAT:
        raise TransferError(f"{folder} was written by a later Caudal (format {marker.get('format')})")
    found, wrong = Snapshot(), []
    for path in sorted(_ours(folder)):
        try:
            if path.name == SETTINGS:
                found.settings[_scope(path.parent, folder)] = _settings(path)
            elif _META.fullmatch(path.name):
                one = _read_version(path, _scope(path.parent, folder))
                found.versions[one.key] = one
            elif path.name != MARKER and not path.with_name(f"{path.stem}.meta.json").is_file():
                raise TransferError(f"{path} has no {path.stem}.meta.json beside it")
        except TransferError as error:
            wrong.append(str(error))
    if wrong:
        raise TransferError("\n".join(wrong))
    return found


def _scope(place: Path, folder: Path) -> str:
    parts = place.relative_to(folder).parts
    match parts:
        case ():
            return GLOBAL
        case ("contexts", context):
            name = DEFAULT_CONTEXT if context == DEFAULT_FOLDER else f".{unquote(context)}"
            return qualify(name, "")
        case ("contexts", context, subject):
            name = DEFAULT_CONTEXT if context == DEFAULT_FOLDER else f".{unquote(context)}"
            return qualify(name, unquote(subject))
        case _:
            raise TransferError(f"{place} is no folder of a context or subject")


def _settings(path: Path) -> ScopeSettings:
    value = _read_json(path)
    config, mode = value.get("config"), value.get("mode")
    if not isinstance(config, dict | None) or not isinstance(mode, str | None) or value.keys() - {"config", "mode"}:
        raise TransferError(f'{path} must be {{"config": {{…}}, "mode": "…"}}')
    return ScopeSettings(config, mode)


def _read_version(path: Path, subject: str) -> SchemaVersion:
    meta = _read_json(path)
    base = path.name.removesuffix(".meta.json")
    texts = [one for one in (*_TYPES, OTHER_EXTENSION) if path.with_name(f"{base}.{one}").is_file()]
    if len(texts) != 1 or not split(subject).subject or subject == GLOBAL_SUBJECT:
        raise TransferError(f"{path} needs one text beside it: {base}.avsc, {base}.json or {base}.proto")
    schema_id, references = meta.get("id"), meta.get("references") or ()
    if not isinstance(schema_id, int) or isinstance(schema_id, bool) or schema_id < 1:
        raise TransferError(f"{path} has no id")
    if not all(_is_reference(one) for one in references):
        raise TransferError(f"{path} has a reference without name, subject or version")
    return SchemaVersion(
        subject,
        int(base[1:]),
        schema_id,
        _TYPES.get(texts[0]) or str(meta.get("schemaType")),
        _text(path.with_name(f"{base}.{texts[0]}"), is_verbatim=bool(meta.get("verbatim"))),
        references,
        meta.get("metadata"),
        meta.get("ruleSet"),
        bool(meta.get("deleted")),
    )


def _is_reference(one: Any) -> bool:
    return isinstance(one, dict) and all(
        isinstance(one.get(name), kind) for name, kind in (("name", str), ("subject", str), ("version", int))
    )


def _text(path: Path, *, is_verbatim: bool) -> str:
    text = _read(path)
    if is_verbatim:
        return text.removesuffix("\n")
    if path.suffix == ".proto":
        return text
    try:
        return _compact(text)
    except InvalidSchema as error:
        raise TransferError(f"{path}: {error}") from None


def _read_json(path: Path) -> Json:
    try:
        value = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise TransferError(f"{path} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise TransferError(f"{path} is no JSON object")
    return value


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, UnicodeDecodeError) as error:
        raise TransferError(f"{path} cannot be read: {error}") from None
