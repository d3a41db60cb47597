#!/usr/bin/env python3
"""Validates OCSF events, one JSON object a line, against the published class definitions of a version.

Wrong are: required attributes that are absent, unknown ones, values of another type or outside their enumeration,
captions that do not go with their number, constraints that do not hold, identifiers that do not go together, and
attributes of profiles that the event does not name. Recommended attributes that are absent, and deprecated ones that
are not, are only counted, or shown with --warnings.
Exit codes: 0 all events are valid, 1 not all are, 2 the events or the schema could not be read.
"""

import argparse
import json
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import jcs
from ocsf_schema import OBJECT_TYPE, OTHER, Attribute, Definition, ScalarType, Schema, SchemaError, load

MOST_LINE = 1 << 20
SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
LONG = range(-(1 << 63), 1 << 63)


@dataclass
class Verdict:
    """What is wrong with an event, and what could be better."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Validator:
    """Validates events against a schema. `newer` names attributes and profiles that the schema is too old to know."""

    def __init__(self, schema: Schema, newer: Collection[str] = ()):
        self.schema, self.newer = schema, frozenset(newer)
        self.regexes = {name: re.compile(t.regex) for name, t in schema.types.items() if t.regex}

    def validate(self, event: object) -> Verdict:
        """All that is wrong with an event, each with the path of what is wrong."""
        verdict = Verdict()
        if not isinstance(event, dict):
            verdict.errors.append("the event is not an object")
            return verdict
        uid = event.get("class_uid")
        definition = self.schema.classes.get(uid) if is_integer(uid) else None
        if definition is None:
            verdict.errors.append(f"class_uid: {uid!r} is no class of OCSF {self.schema.version}")
            return verdict
        run = Run(self, verdict, self.profiles(event, verdict))
        run.members(event, definition, "")
        self.identifiers(event, verdict)
        self.observables(event, verdict)
        return verdict

    def profiles(self, event: dict, verdict: Verdict) -> frozenset[str]:
        """The profiles that an event names."""
        metadata = event.get("metadata")
        named = metadata.get("profiles", []) if isinstance(metadata, dict) else []
        named = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
        for name in named:
            if name not in self.schema.profiles and name not in self.newer:
                verdict.errors.append(f"metadata.profiles: there is no profile {name!r}")
        if len(set(named)) != len(named):
            verdict.errors.append("metadata.profiles: a profile is named twice")
        return frozenset(named)

    def identifiers(self, event: dict, verdict: Verdict) -> None:
        """What holds between the identifying attributes."""
        ids = [event.get(name) for name in ("type_uid", "class_uid", "activity_id")]
        if all(map(is_integer, ids)) and ids[0] != ids[1] * 100 + ids[2]:
            verdict.errors.append(f"type_uid: {ids[0]} is not class_uid * 100 + activity_id = {ids[1] * 100 + ids[2]}")
        metadata = event.get("metadata")
        version = metadata.get("version") if isinstance(metadata, dict) else None
        if isinstance(version, str):
            if not SEMVER.fullmatch(version):
                verdict.errors.append(f"metadata.version: {version!r} is not a semantic version")
            elif version != self.schema.version:
                verdict.warnings.append(f"metadata.version: {version} is not the schema's {self.schema.version}")

    def observables(self, event: dict, verdict: Verdict) -> None:
        """That what observables refer to is in the event."""
        found = event.get("observables")
        for i, each in enumerate(found if isinstance(found, list) else []):
            name = each.get("name") if isinstance(each, dict) else None
            if isinstance(name, str) and not any(True for _ in self.referred(event, name)):
                verdict.errors.append(f"observables[{i}].name: the event has no {name!r}")

    def referred(self, event: dict, path: str) -> Iterator[object]:
        """The values at a path like resources[0].name, resources[].name or resources.name."""
        values: list[object] = [event]
        for step in path.split("."):
            match = re.fullmatch(r"(\w+)(?:\[(\d*)\])?", step, re.ASCII)
            if match is None:
                return
            values = [v[match[1]] for v in values if isinstance(v, dict) and match[1] in v]
            if match[2]:
                values = [v[int(match[2])] for v in values if isinstance(v, list) and int(match[2]) < len(v)]
            else:
                values = [w for v in values for w in (v if isinstance(v, list) else [v])]
        yield from values


class Run:
    """The validation of one event."""

    def __init__(self, validator: Validator, verdict: Verdict, profiles: frozenset[str]):
        self.schema, self.newer, self.regexes = validator.schema, validator.newer, validator.regexes
        self.verdict, self.profiles = verdict, profiles

    def wrong(self, path: str, message: str) -> None:
        self.verdict.errors.append(f"{path or 'the event'}: {message}")

    def applies(self, attribute: Attribute) -> bool:
        """Whether an attribute is there for this event's profiles."""
        return not attribute.profiles or any(name in self.profiles for name in attribute.profiles)

    def members(self, value: dict, definition: Definition, path: str) -> None:
        """Validates a class' or an object's members."""
        if definition.name == "object":
            return
        prefix = f"{path}." if path else ""
        for name in value:
            attribute = definition.attributes.get(name)
            if attribute is None:
                if name not in self.newer:
                    self.wrong(prefix + name, f"{definition.name} has no such attribute")
            elif not self.applies(attribute):
                self.wrong(prefix + name, f"it is of the profile {' or '.join(attribute.profiles)}, "
                                          "which metadata.profiles does not name")
            else:
                self.present(value, attribute, prefix + name)
        for name, attribute in definition.attributes.items():
            if name not in value and self.applies(attribute):
                if attribute.requirement == "required":
                    self.wrong(prefix + name, "it is required")
                elif attribute.requirement == "recommended":
                    self.verdict.warnings.append(f"{prefix}{name}: it is recommended")
        self.constraints(value, definition, path)

    def constraints(self, value: dict, definition: Definition, path: str) -> None:
        """Validates what must hold between an object's members."""
        if definition.at_least_one and not any(name in value for name in definition.at_least_one):
            self.wrong(path, f"it needs at least one of {', '.join(definition.at_least_one)}")
        if definition.just_one:
            present = [name for name in definition.just_one if name in value]
            if len(present) != 1:
                wanted = ", ".join(definition.just_one)
                self.wrong(path, f"it needs just one of {wanted}, and has {', '.join(present) or 'none'}")

    def present(self, holder: dict, attribute: Attribute, path: str) -> None:
        """Validates an attribute that is there."""
        value = holder[attribute.name]
        if attribute.deprecated:
            self.verdict.warnings.append(f"{path}: it is deprecated: {attribute.deprecated}")
        if not attribute.is_array:
            self.single(value, attribute, path)
        elif not isinstance(value, list):
            self.wrong(path, f"it is {kind_of(value)}, not an array")
        else:
            for i, each in enumerate(value):
                self.single(each, attribute, f"{path}[{i}]")
        self.sibling(holder, attribute, path)

    def single(self, value: object, attribute: Attribute, path: str) -> None:
        """Validates one value of an attribute."""
        if attribute.type == OBJECT_TYPE:
            definition = self.schema.objects.get(attribute.object_type)
            if definition is None:
                self.wrong(path, f"the schema has no object {attribute.object_type!r}")
            elif not isinstance(value, dict):
                self.wrong(path, f"it is {kind_of(value)}, not an object")
            else:
                self.members(value, definition, path)
            return
        kind = self.schema.types.get(attribute.type)
        if kind is None:
            self.wrong(path, f"the schema has no type {attribute.type!r}")
            return
        problem = self.scalar(value, attribute.type, kind)
        if problem:
            self.wrong(path, problem)
        elif attribute.enum and str(value) not in attribute.enum:
            self.wrong(path, f"{value!r} is not one of {', '.join(attribute.enum)}")

    def scalar(self, value: object, name: str, kind: ScalarType) -> str | None:
        """What is wrong with a value of a type that is no object."""
        base = kind.base
        fits = {
            "boolean_t": lambda: isinstance(value, bool),
            "integer_t": lambda: is_integer(value),
            "long_t": lambda: is_integer(value) and value in LONG,
            "float_t": lambda: is_integer(value) or isinstance(value, float),
            "string_t": lambda: isinstance(value, str),
            "json_t": lambda: True,
        }.get(base)
        if fits is None:
            return f"the schema's type {name} is of the unknown type {base}"
        if not fits():
            return f"{value!r} is {kind_of(value)}, not of type {name}"
        if name in self.regexes and not self.regexes[name].search(value):
            return f"{value!r} is not of type {name}"
        if kind.most_length is not None and len(value) > kind.most_length:
            return f"it has {len(value)} characters, more than {name}'s {kind.most_length}"
        if kind.range and not kind.range[0] <= value <= kind.range[1]:
            return f"{value} is not between {kind.range[0]} and {kind.range[1]}"
        if kind.values is not None and value not in kind.values:
            return f"{value!r} is not one of {name}'s values"
        return None

    def sibling(self, holder: dict, attribute: Attribute, path: str) -> None:
        """Validates the caption beside a number: the number's own, or any for Other, which needs one."""
        if not attribute.sibling or not attribute.enum:
            return
        value, caption = holder[attribute.name], holder.get(attribute.sibling)
        if value == OTHER and is_integer(value):
            if caption is None:
                self.wrong(path, f"99 (Other) needs {attribute.sibling} to say what it is")
            return
        wanted = attribute.enum.get(str(value)) if is_integer(value) else None
        if isinstance(caption, str) and wanted is not None and caption != wanted:
            self.wrong(path, f"{attribute.sibling} is {caption!r}, not {wanted!r} as {value} is called")


def is_integer(value: object) -> bool:
    """Whether a JSON value is a whole number; in Python true and false are, too."""
    return isinstance(value, int) and not isinstance(value, bool)


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "an array", str: "a string", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def find_schema(text: str) -> Path:
    """Where a schema is: a path as it is, or the export of a version in the installed package of exports."""
    package = find_spec("ocsf_json_schema") if SEMVER.fullmatch(text) else None
    if package is None or not package.origin:
        return Path(text)
    return Path(package.origin).with_name("ocsf") / f"{text}.json"


def verdicts(lines: Iterator[bytes], validator: Validator) -> Iterator[Verdict]:
    """The verdict on each line."""
    for line in lines:
        line = line.removesuffix(b"\n")
        if len(line) > MOST_LINE:
            yield Verdict([f"the line is longer than {MOST_LINE} bytes"])
            continue
        try:
            yield validator.validate(jcs.parse(line))
        except jcs.NotJSON as error:
            yield Verdict([f"the line is {error}"])
        except RecursionError:
            yield Verdict(["the event is nested too deep"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default="-", help="the events; - is standard input")
    parser.add_argument("--schema", required=True,
                        help="the schema's source folder, the schema server's export, or a version: the export of that "
                        "version in the package ocsf-json-schema")
    parser.add_argument("--newer", action="append", default=[], metavar="NAME",
                        help="an attribute or profile that this schema is too old to know, which is passed over")
    parser.add_argument("--warnings", action="store_true", help="show warnings too")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
    options = parser.parse_args(arguments)
    try:
        validator = Validator(load(find_schema(options.schema)), options.newer)
        source = sys.stdin.buffer if options.file == "-" else open(options.file, "rb")
    except (SchemaError, OSError) as error:
        print(f"ocsf: {error}", file=sys.stderr)
        return 2
    count = bad = warnings = 0
    with source:
        lines = iter(lambda: source.readline(MOST_LINE + 2), b"")
        for count, verdict in enumerate(verdicts(lines, validator), 1):
            bad += bool(verdict.errors)
            warnings += len(verdict.warnings)
            if options.format == "json":
                print(json.dumps({"line": count, "valid": not verdict.errors} | vars(verdict)))
                continue
            for error in verdict.errors:
                print(f"line {count}: {error}")
            for warning in verdict.warnings if options.warnings else ():
                print(f"line {count}: warning: {warning}")
    if options.format == "text":
        print(f"{count} events, {bad} not valid, {warnings} warnings, by OCSF {validator.schema.version}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
