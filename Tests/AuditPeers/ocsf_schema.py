"""The Open Cybersecurity Schema Framework's published class definitions, read from either form they come in.

A folder is the schema's source: categories.json, dictionary.json, events/, objects/, profiles/, in which a class has
only what it adds to the one it extends. A file is the schema server's export, in which everything is worked out. Both
become the same `Schema`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OBJECT_TYPE = "object_t"
OTHER = 99


class SchemaError(ValueError):
    """Definitions that cannot be understood."""


@dataclass(frozen=True)
class Attribute:
    """What an attribute of a class or object may be."""

    name: str
    type: str
    object_type: str | None = None
    is_array: bool = False
    requirement: str = "optional"
    enum: dict[str, str | None] = field(default_factory=dict)
    sibling: str | None = None
    profiles: tuple[str, ...] = ()
    deprecated: str | None = None


@dataclass(frozen=True)
class Definition:
    """A class or an object. The generic object, which has no attributes, may have any."""

    name: str
    caption: str
    attributes: dict[str, Attribute]
    at_least_one: tuple[str, ...] = ()
    just_one: tuple[str, ...] = ()
    uid: int | None = None
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScalarType:
    """A type that is not an object: what its values are in JSON, and what else is asked of them."""

    base: str
    regex: str | None = None
    most_length: int | None = None
    range: tuple[int, int] | None = None
    values: tuple[object, ...] | None = None


@dataclass(frozen=True)
class Schema:
    """All definitions of one version."""

    version: str
    classes: dict[int, Definition]
    objects: dict[str, Definition]
    types: dict[str, ScalarType]
    profiles: frozenset[str]


def load(path: str | Path) -> Schema:
    """The schema in a folder or an export."""
    path = Path(path)
    return Source(path).schema() if path.is_dir() else from_export(read(path))


def read(path: Path) -> dict:
    """A JSON file that holds an object."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SchemaError(f"cannot read {path}: {error}") from None
    if not isinstance(value, dict):
        raise SchemaError(f"{path} does not hold an object")
    return value


def merge(base: dict, over: dict) -> dict:
    """`base` with what `over` has laid over it, through all depths."""
    merged = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def scalar_types(definitions: dict) -> dict[str, ScalarType]:
    """The types of a dictionary."""
    found = {}
    for name, each in definitions.items():
        values, span = each.get("values"), each.get("range")
        found[name] = ScalarType(
            each.get("type", name), each.get("regex"), each.get("max_len"), tuple(span) if span else None,
            tuple(values) if values else None,
        )
    return found


def attribute(name: str, raw: dict, object_names: set[str] | frozenset[str] = frozenset()) -> Attribute:
    """An attribute from its definition, whichever form that has."""
    kind = raw.get("type")
    if kind is None:
        raise SchemaError(f"the attribute {name} has no type")
    object_type = raw.get("object_type")
    if kind in object_names:
        kind, object_type = OBJECT_TYPE, kind
    profiles = raw.get("profiles", raw.get("profile")) or ()
    deprecated = raw.get("@deprecated")
    return Attribute(
        name,
        kind,
        object_type,
        bool(raw.get("is_array")),
        raw.get("requirement") or "optional",
        {value: each.get("caption") for value, each in raw.get("enum", {}).items()},
        raw.get("sibling"),
        (profiles,) if isinstance(profiles, str) else tuple(profiles),
        deprecated and deprecated.get("message", "deprecated"),
    )


def definition(raw: dict, attributes: dict[str, Attribute], uid: int | None = None) -> Definition:
    """A class or object from its definition and its attributes."""
    constraints = raw.get("constraints") or {}
    unknown = set(constraints) - {"at_least_one", "just_one"}
    if unknown:
        raise SchemaError(f"{raw['name']} has constraints of unknown kinds: {sorted(unknown)}")
    return Definition(
        raw["name"],
        raw.get("caption", raw["name"]),
        attributes,
        tuple(constraints.get("at_least_one", ())),
        tuple(constraints.get("just_one", ())),
        uid,
        tuple(raw.get("profiles") or ()),
    )


def from_export(raw: dict) -> Schema:
    """The schema in an export: everything inherited, included and derived is there already."""
    try:
        types = scalar_types(raw["dictionary"]["types"]["attributes"] if "dictionary" in raw else raw["types"])

        def read_all(group: dict, with_uid: bool) -> Iterator[Definition]:
            for each in group.values():
                attributes = {name: attribute(name, a) for name, a in each["attributes"].items()}
                yield definition(each, attributes, each.get("uid") if with_uid else None)

        classes = {each.uid: each for each in read_all(raw["classes"], True) if each.uid is not None}
        objects = {each.name: each for each in read_all(raw["objects"], False)}
        return Schema(raw["version"], classes, objects, types, frozenset(raw.get("profiles", {})))
    except (KeyError, TypeError, AttributeError) as error:
        raise SchemaError(f"this is not a schema's export: {error!r}") from None


class Source:
    """The schema's source, in the folder `path`."""

    def __init__(self, path: Path):
        self.path = path
        self.dictionary = read(path / "dictionary.json")
        self.categories = read(path / "categories.json")["attributes"]
        self.raw = {"events": self.by_name("events"), "objects": self.by_name("objects")}
        self.profiles = {each["name"] for each in self.by_name("profiles").values()}
        self.object_names = frozenset(self.raw["objects"])
        self.resolved: dict[tuple[str, str], dict] = {}

    def by_name(self, folder: str) -> dict[str, dict]:
        """The definitions under a folder."""
        found = [read(file) for file in sorted((self.path / folder).rglob("*.json"))]
        return {each["name"]: each for each in found}

    def include(self, attributes: dict) -> dict:
        """The attributes with those of the files that `$include` names beneath them."""
        own = {name: each for name, each in attributes.items() if name != "$include"}
        files = attributes.get("$include", [])
        for file in [files] if isinstance(files, str) else files:
            own = merge(self.included(self.path / file), own)
        return own

    def included(self, file: Path) -> dict:
        """The attributes of an included file; a profile's are marked as its, and its annotations are their defaults."""
        raw = read(file)
        defaults = dict(raw.get("annotations", {}))
        if raw.get("meta") == "profile":
            defaults["profile"] = raw["name"]
        return {name: merge(defaults, each) for name, each in self.include(raw.get("attributes", {})).items()}

    def resolve(self, group: str, name: str, below: tuple[str, ...] = ()) -> dict:
        """A class or object with all that it inherits and includes."""
        if (group, name) in self.resolved:
            return self.resolved[group, name]
        if name in below:
            raise SchemaError(f"{name} extends itself")
        try:
            raw = self.raw[group][name]
        except KeyError:
            raise SchemaError(f"{below[-1] if below else 'the schema'} extends {name}, which is not there") from None
        raw = raw | {"attributes": self.include(raw.get("attributes", {}))}
        parent = raw.get("extends")
        if parent and parent != name:
            base = self.resolve(group, parent, (*below, name))
            profiles = list(dict.fromkeys([*base.get("profiles", []), *raw.get("profiles", [])]))
            attributes = merge(base["attributes"], raw["attributes"])
            # What tells a class from the one it extends is not inherited.
            inherited = {key: value for key, value in base.items() if key not in ("uid", "@deprecated", "observable")}
            raw = inherited | raw | {"profiles": profiles, "attributes": attributes}
        self.resolved[group, name] = raw
        return raw

    def attributes(self, raw: dict) -> dict[str, Attribute]:
        """The attributes of a class or object, with what the dictionary says of each, and their dates' siblings."""
        found = {}
        for name, each in raw["attributes"].items():
            if name not in self.dictionary["attributes"]:
                raise SchemaError(f"{raw['name']} has the attribute {name}, which the dictionary has not")
            found[name] = attribute(name, merge(self.dictionary["attributes"][name], each), self.object_names)
        for name, each in list(found.items()):
            if each.type == "timestamp_t":
                dated = f"{name}_dt"
                found[dated] = Attribute(dated, "datetime_t", is_array=each.is_array, profiles=("datetime",))
        return found

    def event_class(self, raw: dict) -> Definition:
        """A class: its uid has its category's in front, and the identifying attributes have one value each."""
        attributes = self.attributes(raw)
        category = self.categories.get(raw.get("category"), {"uid": 0, "caption": "Uncategorized"})
        uid = category["uid"] * 1000 + raw["uid"]
        activities = attributes["activity_id"].enum

        def fixed(name: str, enum: dict[str, str]) -> None:
            attributes[name] = Attribute(**vars(attributes[name]) | {"enum": enum})

        fixed("class_uid", {str(uid): raw["caption"]})
        fixed("category_uid", {str(category["uid"]): category["caption"]})
        fixed("type_uid", {str(uid * 100 + int(a)): f"{raw['caption']}: {c}" for a, c in activities.items()})
        return definition(raw, attributes, uid)

    def observable_types(self) -> dict[str, str | None]:
        """What numbers an observable's type may have, which are spread over all definitions."""
        found = {}
        for group in (self.dictionary["types"]["attributes"], self.dictionary["attributes"], self.raw["objects"]):
            found |= {str(each["observable"]): each.get("caption") for each in group.values() if "observable" in each}
        for raw in self.raw["objects"].values():
            for name, each in raw.get("attributes", {}).items():
                if isinstance(each, dict) and "observable" in each:
                    found[str(each["observable"])] = f"{raw['caption']} Object: {name}"
        return found

    def schema(self) -> Schema:
        """All of it."""
        try:
            raws = {name: self.resolve("objects", name) for name in self.raw["objects"]}
            objects = {name: definition(raw, self.attributes(raw)) for name, raw in raws.items()}
            if "observable" in objects:
                kinds = objects["observable"].attributes["type_id"]
                enum = self.observable_types() | kinds.enum
                objects["observable"].attributes["type_id"] = Attribute(**vars(kinds) | {"enum": enum})
            classes = [self.resolve("events", name) for name in self.raw["events"]]
            classes = {each.uid: each for each in (self.event_class(raw) for raw in classes if "uid" in raw)}
            types = scalar_types(self.dictionary["types"]["attributes"])
            version = read(self.path / "version.json")["version"]
            return Schema(version, classes, objects, types, frozenset(self.profiles))
        except (KeyError, TypeError, AttributeError) as error:
            raise SchemaError(f"{self.path} is not a schema's source: {error!r}") from None
