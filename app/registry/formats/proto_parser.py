"""Reads .proto texts of proto2, proto3 and the editions.

By hand: the parsers to be had take 4 ms for ten lines (ANTLR in Python) or a megabyte of wheel and a process (protoc),
and both keep what a registry does not want, and no limit that it does.
"""

import re

from app.registry.errors import InvalidSchema
from app.registry.formats.proto_model import (
    Enum,
    EnumValue,
    Extend,
    Extensions,
    Field,
    File,
    Message,
    OneOf,
    Option,
    Reserved,
    Rpc,
    Service,
    Value,
)
from app.registry.limits import NESTING_MAX

MESSAGE_NESTING_MAX = 32  # as protoc has it
LOOK_AHEAD = 6  # tokens; so many ends stand after the last one
FIELD_NUMBER_MAX = 536_870_911
ENUM_NUMBER_MAX = 2**31 - 1
LABELS = frozenset({"optional", "required", "repeated"})
MAP_KEYS = frozenset(
    {
        "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool",
        "string",
    }
)  # fmt: skip
_TOKEN = re.compile(
    r"""[\s\ufeff]+|//[^\n]*|/\*.*?(?:\*/|\Z)
    |(?P<word>\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<symbol>[{}\[\]()<>;:,=+/-])
    |(?P<wrong>.)""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def parse_proto(text: str) -> File:
    """Read one file. Raises InvalidSchema with `line N` as the path."""
    return _Parser(text).file()


def parse_value(text: str) -> Value:
    """Read the value of an option. Raises InvalidSchema."""
    return _Parser(text).value()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup
            if kind == "wrong":
                raise InvalidSchema(f"unexpected character {match[0]!r}", self._line(match.start()))
            if kind is not None:
                self._tokens.append((kind, match[0], match.start()))
        self._tokens += [("end", "", len(text))] * LOOK_AHEAD
        self._at = 0
        self._is_proto3 = False
        self._needs_labels = True

    def _line(self, offset: int) -> str:
        return f"line {self._text.count(chr(10), 0, offset) + 1}"

    def _fail(self, message: str) -> InvalidSchema:
        return InvalidSchema(message, self._line(self._tokens[self._at][2]))

    def _peek(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        token = self._tokens[self._at][1]
        if self._tokens[self._at][0] == "end":
            raise self._fail("the text ends too early")
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        """Whether the next token is this symbol or word; if so it is consumed."""
        if self._tokens[self._at][1] != token or self._tokens[self._at][0] == "string":
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._fail(f"expected {token!r}, found {self._peek()!r}")

    def _word(self, what: str = "a name") -> str:
        kind, token, _ = self._tokens[self._at]
        if kind != "word":
            raise self._fail(f"expected {what}, found {token!r}")
        self._at += 1
        return token

    def _name(self) -> str:
        name = self._word()
        if "." in name:
            raise self._fail(f"{name!r} is no simple name")
        return name

    def _integer(self, lowest: int, highest: int) -> int:
        is_negative = self._take("-")
        kind, token, _ = self._tokens[self._at]
        if kind != "number" or len(token) > 20:
            raise self._fail(f"expected a whole number, found {token!r}")
        try:
            if token[0] == "0" and token.isdigit():
                number = int(token, 8)
            else:
                number = int(token, 16 if token[:2] in ("0x", "0X") else 10)
        except ValueError:
            raise self._fail(f"expected a whole number, found {token!r}") from None
        number = -number if is_negative else number
        if not lowest <= number <= highest:
            raise self._fail(f"{number} is not between {lowest} and {highest}")
        self._at += 1
        return number

    def _string(self) -> str:
        parts = []
        while self._tokens[self._at][0] == "string":
            parts.append(unescape(self._next()[1:-1]))
        if not parts:
            raise self._fail(f"expected a string, found {self._peek()!r}")
        return "".join(parts)

    def file(self) -> File:
        file = File()
        if self._peek() in ("syntax", "edition"):
            self._read_syntax(file)
        self._is_proto3 = file.syntax == "proto3"
        self._needs_labels = not self._is_proto3 and not file.edition
        while self._tokens[self._at][0] != "end":
            if self._take(";"):
                continue
            match self._word("a declaration"):
                case "package":
                    if file.package:
                        raise self._fail("a second package")
                    file.package = self._word().removeprefix(".")
                    self._expect(";")
                case "import":
                    self._read_import(file)
                case "option":
                    file.options.append(self._option_statement())
                case "message":
                    file.messages.append(self._message(0))
                case "enum":
                    file.enums.append(self._enum())
                case "extend":
                    self._extend(file.extends, file.messages, 0)
                case "service":
                    file.services.append(self._service())
                case other:
                    self._at -= 1
                    raise self._fail(f"expected a declaration, found {other!r}")
        return file

    def _read_syntax(self, file: File) -> None:
        keyword = self._next()
        self._expect("=")
        value = self._string()
        self._expect(";")
        if keyword == "edition":
            if value not in ("2023", "2024"):
                raise self._fail(f"unknown edition {value!r}")
            file.edition = value
        elif value in ("proto2", "proto3"):
            file.syntax = value
        else:
            raise self._fail(f"unknown syntax {value!r}")

    def _read_import(self, file: File) -> None:
        is_public = self._take("public")
        if not is_public:
            self._take("weak")
            self._take("option")
        (file.public_imports if is_public else file.imports).append(self._string())
        self._expect(";")

    def _message(self, depth: int) -> Message:
        message = Message(self._name())
        self._message_body(message, depth)
        return message

    def _message_body(self, message: Message, depth: int) -> None:
        if depth >= MESSAGE_NESTING_MAX:
            raise self._fail(f"messages are nested more than {MESSAGE_NESTING_MAX} levels deep")
        self._expect("{")
        while not self._take("}"):
            if self._take(";"):
                continue
            if not self._read_member(message, depth):
                message.fields.append(self._field(message.messages, depth))

    def _read_member(self, message: Message, depth: int) -> bool:
        """Read what is no field. A field's type may be called like a keyword: the next token tells them apart."""
        token, (following_kind, following, _) = self._peek(), self._tokens[self._at + 1]
        if token == "oneof" and following_kind == "word":
            self._at += 1
            message.oneofs.append(self._oneof(message, depth))
        elif token == "message" and self._is_block():
            self._at += 1
            message.messages.append(self._message(depth + 1))
        elif token == "enum" and self._is_block():
            self._at += 1
            message.enums.append(self._enum())
        elif token == "option" and (following == "(" or (following_kind == "word" and not self._is_field())):
            self._at += 1
            message.options.append(self._option_statement())
        elif token == "reserved" and not self._is_field():
            self._at += 1
            message.reserved.append(self._reserved(FIELD_NUMBER_MAX, 1))
        elif token == "extensions" and following_kind == "number":
            self._at += 1
            message.extensions.append(self._extensions())
        elif token == "extend" and not self._is_field():
            self._at += 1
            self._extend(message.extends, message.messages, depth)
        else:
            return False
        return True

    def _is_block(self) -> bool:
        return self._tokens[self._at + 1][0] == "word" and self._tokens[self._at + 2][1] == "{"

    def _is_field(self) -> bool:
        """Whether a field follows whose type is called like the keyword: `word word = number` and its end."""
        (name, _, _), (_, equals, _), (number, _, _), (_, end, _) = self._tokens[self._at + 1 : self._at + 5]
        is_like_one = name == "word" and equals == "=" and number == "number" and end in ("[", ";")
        return is_like_one and self._peek() != "option"

    def _field(self, nested: list[Message], depth: int, *, in_oneof: bool = False) -> Field:
        label = self._next() if self._peek() in LABELS and self._tokens[self._at + 1][0] == "word" else ""
        if label and in_oneof:
            raise self._fail("a field of a oneof has no label")
        if label == "required" and not self._needs_labels:
            raise self._fail("'required' is of proto2")
        if self._peek() == "map" and self._tokens[self._at + 1][1] == "<":
            return self._map_field(label)
        if self._peek() == "group" and self._tokens[self._at + 2][1] == "=":
            return self._group(label, depth)
        kind = self._word("a type")
        if not label and self._needs_labels and not in_oneof:
            raise self._fail(f"expected optional, required or repeated before {kind!r}")
        return self._end_field(Field(label, kind, "", 0))

    def _map_field(self, label: str) -> Field:
        if label:
            raise self._fail("a map field has no label")
        self._at += 2
        key = self._word("a type")
        if key not in MAP_KEYS:
            raise self._fail(f"{key!r} cannot be the key of a map")
        self._expect(",")
        value = self._word("a type")
        self._expect(">")
        return self._end_field(Field("", value, "", 0, map_key=key))

    def _end_field(self, field: Field) -> Field:
        field.name = self._name()
        self._expect("=")
        field.number = self._field_number()
        field.options = self._bracketed_options()
        self._expect(";")
        return field

    def _field_number(self) -> int:
        number = self._integer(1, FIELD_NUMBER_MAX)
        if 19_000 <= number <= 19_999:
            raise self._fail(f"field number {number} is kept by Protobuf for itself")
        return number

    def _group(self, label: str, depth: int) -> Field:
        self._at += 1
        name = self._name()
        self._expect("=")
        number = self._field_number()
        options = self._bracketed_options()
        group = Message(name)
        self._message_body(group, depth + 1)
        return Field(label, name, name.lower(), number, options, group=group)

    def _oneof(self, message: Message, depth: int) -> OneOf:
        oneof = OneOf(self._name())
        self._expect("{")
        while not self._take("}"):
            if self._take(";"):
                continue
            if self._peek() == "option" and not self._is_field():
                self._at += 1
                oneof.options.append(self._option_statement())
            else:
                oneof.fields.append(self._field(message.messages, depth, in_oneof=True))
        if not oneof.fields:
            raise self._fail(f"oneof {oneof.name!r} has no fields")
        return oneof

    def _enum(self) -> Enum:
        enum = Enum(self._name())
        self._expect("{")
        while not self._take("}"):
            if self._take(";"):
                continue
            is_value = self._tokens[self._at + 1][1] == "="
            if self._peek() == "option" and not is_value:
                self._at += 1
                enum.options.append(self._option_statement())
            elif self._peek() == "reserved" and not is_value:
                self._at += 1
                enum.reserved.append(self._reserved(ENUM_NUMBER_MAX, -ENUM_NUMBER_MAX - 1))
            else:
                name = self._name()
                self._expect("=")
                number = self._integer(-ENUM_NUMBER_MAX - 1, ENUM_NUMBER_MAX)
                enum.values.append(EnumValue(name, number, self._bracketed_options()))
                self._expect(";")
        return enum

    def _reserved(self, highest: int, lowest: int) -> Reserved:
        if self._tokens[self._at][0] == "string":
            names = [self._string()]
            while self._take(","):
                names.append(self._string())
            self._expect(";")
            return Reserved(names=names)
        if self._tokens[self._at][0] == "word":  # the editions name them without quotes
            names = [self._name()]
            while self._take(","):
                names.append(self._name())
            self._expect(";")
            return Reserved(names=names)
        ranges = self._ranges(highest, lowest)
        self._expect(";")
        return Reserved(ranges=ranges)

    def _ranges(self, highest: int, lowest: int) -> list[tuple[int, int]]:
        ranges = []
        while True:
            start = end = self._integer(lowest, highest)
            if self._take("to"):
                end = highest if self._take("max") else self._integer(start, highest)
            ranges.append((start, end))
            if not self._take(","):
                return ranges

    def _extensions(self) -> Extensions:
        ranges = self._ranges(FIELD_NUMBER_MAX, 1)
        options = self._bracketed_options()
        self._expect(";")
        return Extensions(ranges, options)

    def _extend(self, extends: list[Extend], nested: list[Message], depth: int) -> None:
        extend = Extend(self._word("a type"))
        self._expect("{")
        while not self._take("}"):
            if not self._take(";"):
                extend.fields.append(self._field(nested, depth))
        extends.append(extend)

    def _service(self) -> Service:
        service = Service(self._name())
        self._expect("{")
        while not self._take("}"):
            if self._take(";"):
                continue
            if self._take("option"):
                service.options.append(self._option_statement())
            else:
                self._expect("rpc")
                service.rpcs.append(self._rpc())
        return service

    def _rpc(self) -> Rpc:
        rpc = Rpc(self._name(), "", "")
        rpc.is_request_stream, rpc.request = self._rpc_type()
        self._expect("returns")
        rpc.is_response_stream, rpc.response = self._rpc_type()
        if self._take("{"):
            while not self._take("}"):
                if not self._take(";"):
                    self._expect("option")
                    rpc.options.append(self._option_statement())
        else:
            self._expect(";")
        return rpc

    def _rpc_type(self) -> tuple[bool, str]:
        self._expect("(")
        is_stream = self._tokens[self._at + 1][0] == "word" and self._take("stream")
        kind = self._word("a type")
        self._expect(")")
        return is_stream, kind

    def _option_statement(self) -> Option:
        option = self._option()
        self._expect(";")
        return option

    def _bracketed_options(self) -> list[Option]:
        options: list[Option] = []
        if self._take("["):
            while True:
                options.append(self._option())
                if self._take("]"):
                    break
                self._expect(",")
        return options

    def _option(self) -> Option:
        parts: list[str] = []
        while not self._take("="):
            if self._take("("):
                parts.append(f"({self._word()})")
                self._expect(")")
            else:
                parts.append(self._word("an option"))
        if not parts:
            raise self._fail("an option without a name")
        name = parts[0] + "".join(part if part[0] == "." else f".{part}" for part in parts[1:])
        return Option(name, self.value(0))

    def value(self, depth: int = 0) -> Value:
        if depth > NESTING_MAX:
            raise self._fail(f"values are nested more than {NESTING_MAX} levels deep")
        kind, token, _ = self._tokens[self._at]
        if kind == "string":
            return Value("string", self._string())
        if self._take("{"):
            return Value("map", items=self._aggregate("}", depth))
        if self._take("["):
            items: list[tuple[str, Value]] = []
            while not self._take("]"):
                items.append(("", self.value(depth + 1)))
                if not self._take(",") and self._peek() != "]":
                    raise self._fail(f"expected ',' or ']', found {self._peek()!r}")
            return Value("list", items=items)
        sign = "-" if self._take("-") else ""
        if not sign:
            self._take("+")
        kind, token, _ = self._tokens[self._at]
        if kind not in ("word", "number"):
            raise self._fail(f"expected a value, found {token!r}")
        self._at += 1
        return Value("word", sign + token)

    def _aggregate(self, closing: str, depth: int) -> list[tuple[str, Value]]:
        if depth > NESTING_MAX:
            raise self._fail(f"values are nested more than {NESTING_MAX} levels deep")
        items: list[tuple[str, Value]] = []
        while not self._take(closing):
            if self._take("["):
                name = self._word()
                while self._take("/"):
                    name += "/" + self._word()
                self._expect("]")
                name = f"[{name}]"
            else:
                name = self._word("a name")
            has_colon = self._take(":")
            if self._take("<"):  # the text format knows both brackets
                items.append((name, Value("map", items=self._aggregate(">", depth + 1))))
            elif not has_colon and self._peek() not in ("{", "["):
                raise self._fail(f"expected ':', found {self._peek()!r}")
            else:
                items.append((name, self.value(depth + 1)))
            if not self._take(","):
                self._take(";")
        return items


def unescape(text: str) -> str:
    """What a string's text between the quotes stands for."""
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    octal, hexadecimal, short, long, letter = match.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    code = int(octal, 8) if octal is not None else int(hexadecimal or short or long, 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"
