"""JSON Schema (2020-12, as OpenAPI 3.1 takes it) of the types that requests are decoded to and answers are made of.

Not msgspec's own generator: that one fails on a field whose default is `msgspec.Raw`, and names types by their class
alone, where two modules have a `_CreateRequest` each.
"""

from types import UnionType
from typing import Any, Final, TypeAlias, get_args

import msgspec
from msgspec import inspect

Schema: TypeAlias = dict[str, Any]

REFERENCE: Final = "#/components/schemas/"

_PLAIN: Final[dict[type[inspect.Type], Schema]] = {
    inspect.AnyType: {},
    inspect.RawType: {},
    inspect.NoneType: {"type": "null"},
    inspect.BoolType: {"type": "boolean"},
    inspect.FloatType: {"type": "number"},
    inspect.BytesType: {"type": "string", "contentEncoding": "base64"},
    inspect.DateTimeType: {"type": "string", "format": "date-time"},
}


class Components:
    """The schemas that others point at, found while `schema_of` is asked."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def schema_of(self, kind: object) -> Schema:
        """The schema of a type; of a struct a reference to it. A dict is a schema already."""
        if isinstance(kind, dict):
            return kind
        if isinstance(kind, UnionType):  # of structs, which msgspec could not tell apart and takes for a mistake
            return self._union([self.schema_of(one) for one in get_args(kind)])
        return self._translate(inspect.type_info(kind))

    def _translate(self, kind: inspect.Type) -> Schema:
        match kind:
            case inspect.IntType():
                bounds = {"minimum": kind.ge, "maximum": kind.le}
                return {"type": "integer", **{word: bound for word, bound in bounds.items() if bound is not None}}
            case inspect.StrType():
                return {"type": "string", **({"pattern": kind.pattern} if kind.pattern else {})}
            case inspect.LiteralType():
                return {"enum": list(kind.values)}
            case inspect.EnumType():
                return {"enum": [member.value for member in kind.cls]}
            case inspect.ListType():
                return {"type": "array", "items": self._translate(kind.item_type)}
            case inspect.DictType():
                return {"type": "object", "additionalProperties": self._translate(kind.value_type)}
            case inspect.UnionType():
                return self._union([self._translate(one) for one in kind.types])
            case inspect.StructType():
                return self._struct(kind)
        return dict(_PLAIN[type(kind)])

    @staticmethod
    def _union(choices: list[Schema]) -> Schema:
        if all(choice.keys() == {"type"} for choice in choices):
            return {"type": [choice["type"] for choice in choices]}
        return {"anyOf": choices}

    def _struct(self, kind: inspect.StructType) -> Schema:
        name = component_name(kind.cls)
        if name not in self.schemas:
            self.schemas[name] = {}  # holds the place of one that contains itself
            self.schemas[name] = {
                "title": kind.cls.__name__.removeprefix("_"),
                **({"description": text} if (text := _description(kind.cls)) else {}),
                "type": "object",
                "properties": {field.encode_name: self._translate(field.type) for field in kind.fields},
                "required": [field.encode_name for field in kind.fields if field.required],
            }
        return {"$ref": REFERENCE + name}


def component_name(cls: type) -> str:
    """`v3.topics.CreateRequest`: the module below app.rest, and the class."""
    module = cls.__module__.removeprefix("app.rest.").replace("openapi.answers_", "")
    return f"{module}.{cls.__name__.removeprefix('_')}"


def _description(cls: type[msgspec.Struct]) -> str:
    """The class's own docstring, its lines joined."""
    return " ".join((cls.__dict__.get("__doc__") or "").split())
