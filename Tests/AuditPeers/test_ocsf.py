"""Events against a small schema that has every mechanism of OCSF's, and against the published ones.

The published ones are the exports in the package ocsf-json-schema, and the source in the folder that OCSF_SCHEMA names
or that lies beside the repository.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from ocsf import Validator, find_schema
from ocsf_schema import SchemaError, load

HERE = Path(__file__).parent
SOURCE = Path(os.environ.get("OCSF_SCHEMA", HERE.parents[1].parent / "shared" / "ocsf"))
EXPORT = find_schema("1.8.0")

# A schema of our own in the form of OCSF's source: a base, a class, inheritance, profiles, includes, all types.
SMALL = {
    "version.json": {"version": "9.9.9"},
    "categories.json": {"attributes": {"doors": {"uid": 7, "caption": "Doors"}}},
    "dictionary.json": {
        "attributes": {
            "activity_id": {"type": "integer_t", "sibling": "activity_name",
                            "enum": {"0": {"caption": "Unknown"}, "99": {"caption": "Other"}}},
            "activity_name": {"type": "string_t"},
            "badge": {"type": "string_t"},
            "category_name": {"type": "string_t"},
            "category_uid": {"type": "integer_t", "sibling": "category_name"},
            "class_name": {"type": "string_t"},
            "class_uid": {"type": "integer_t", "sibling": "class_name"},
            "color": {"type": "string_t", "enum": {"red": {"caption": "Red"}, "blue": {"caption": "Blue"}}},
            "data": {"type": "json_t"},
            "door": {"type": "door"},
            "entries": {"type": "door", "is_array": True},
            "flag": {"type": "boolean_t"},
            "height": {"type": "float_t"},
            "ip": {"type": "ip_t"},
            "metadata": {"type": "metadata"},
            "name": {"type": "string_t", "observable": 12},
            "observables": {"type": "observable", "is_array": True},
            "old": {"type": "string_t", "@deprecated": {"message": "gone", "since": "1"}},
            "port": {"type": "port_t"},
            "profiles": {"type": "string_t", "is_array": True},
            "time": {"type": "timestamp_t"},
            "type_id": {"type": "integer_t"},
            "type_name": {"type": "string_t"},
            "type_uid": {"type": "long_t", "sibling": "type_name"},
            "uid": {"type": "string_t"},
            "unmapped": {"type": "object"},
            "version": {"type": "string_t"},
        },
        "types": {
            "attributes": {
                "boolean_t": {"values": [False, True]},
                "datetime_t": {"type": "string_t", "regex": r"^\d{4}-\d{2}-\d{2}T"},
                "float_t": {},
                "integer_t": {},
                "ip_t": {"type": "string_t", "regex": r"^[0-9.]+$", "max_len": 15, "observable": 2, "caption": "IP"},
                "json_t": {},
                "long_t": {},
                "port_t": {"type": "integer_t", "range": [0, 65535]},
                "string_t": {},
                "timestamp_t": {"type": "long_t"},
            }
        },
    },
    "events/base_event.json": {
        "name": "base_event", "caption": "Base",
        "attributes": {
            "$include": ["profiles/badges.json", "profiles/datetime.json"],
            "activity_id": {"requirement": "required"},
            "activity_name": {},
            "category_name": {},
            "category_uid": {"requirement": "required", "enum": {"0": {"caption": "None"}}},
            "class_name": {},
            "class_uid": {"requirement": "required"},
            "metadata": {"requirement": "required"},
            "observables": {"requirement": "recommended"},
            "time": {"requirement": "required"},
            "type_name": {},
            "type_uid": {"requirement": "required"},
            "unmapped": {},
        },
        "profiles": ["badges", "datetime"],
    },
    "events/doors/doors.json": {
        "name": "doors", "caption": "Doors", "category": "doors", "extends": "base_event", "attributes": {},
    },
    "events/doors/passage.json": {
        "name": "passage", "caption": "Passage", "extends": "doors", "uid": 3,
        "attributes": {
            "activity_id": {"enum": {"1": {"caption": "Enter"}, "2": {"caption": "Leave"}}},
            "color": {}, "data": {}, "flag": {}, "height": {}, "ip": {}, "old": {}, "port": {},
            "door": {"requirement": "required"},
            "entries": {"requirement": "recommended"},
        },
        "constraints": {"just_one": ["ip", "port"]},
    },
    "objects/object.json": {"name": "object", "caption": "Object", "attributes": {}},
    "objects/_thing.json": {
        "name": "_thing", "caption": "Thing", "extends": "object",
        "attributes": {"name": {"requirement": "recommended"}, "uid": {"observable": 13}},
        "constraints": {"at_least_one": ["name", "uid"]},
    },
    "objects/door.json": {
        "name": "door", "caption": "Door", "extends": "_thing",
        "attributes": {"badge": {"profile": "badges"}, "door": {}, "time": {}},
    },
    "objects/metadata.json": {
        "name": "metadata", "caption": "Metadata", "extends": "object",
        "attributes": {"profiles": {}, "version": {"requirement": "required"}},
    },
    "objects/observable.json": {
        "name": "observable", "caption": "Observable", "extends": "object",
        "attributes": {"name": {}, "type_id": {"requirement": "required", "enum": {"0": {"caption": "Unknown"}}}},
    },
    "profiles/badges.json": {
        "name": "badges", "caption": "Badges", "meta": "profile", "annotations": {"requirement": "required"},
        "attributes": {"badge": {}},
    },
    "profiles/datetime.json": {"name": "datetime", "caption": "Date", "meta": "profile", "attributes": {}},
}
PASSAGE = {
    "activity_id": 1,
    "activity_name": "Enter",
    "category_name": "Doors",
    "category_uid": 7,
    "class_name": "Passage",
    "class_uid": 7003,
    "door": {"name": "north"},
    "entries": [{"name": "1"}, {"name": "2", "door": {"name": "inner", "uid": "3"}}],
    "metadata": {"version": "9.9.9"},
    "observables": [{"name": "entries[].door.uid", "type_id": 13}, {"name": "door.name", "type_id": 12}],
    "port": 443,
    "time": 1_700_000_000_000,
    "type_name": "Passage: Enter",
    "type_uid": 700301,
}


def changed(event: dict, **changes: object) -> dict:
    """The event with other members: a name's __ is a dot, and what becomes `...` is left out."""
    event = copy.deepcopy(event)
    for path, value in changes.items():
        holder, *steps = event, *path.split("__")
        for step in steps[:-1]:
            holder = holder.setdefault(step, {})
        if value is ...:
            del holder[steps[-1]]
        else:
            holder[steps[-1]] = value
    return event


class SmallSchemaTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        write_schema(cls.folder / "small", SMALL)
        cls.validator = Validator(load(cls.folder / "small"))

    def errors(self, event: object) -> list[str]:
        return self.validator.validate(event).errors

    def test_a_right_event_is_valid_and_could_not_be_better(self):
        verdict = self.validator.validate(PASSAGE)
        self.assertEqual((verdict.errors, verdict.warnings), ([], []))

    def test_right_variations_are_valid(self):
        for changes in (
            {"activity_id": 99, "activity_name": "Jump", "type_uid": 700399, "type_name": ...},
            {"activity_name": ..., "type_name": ..., "class_name": ..., "category_name": ...},
            {"port": ..., "ip": "10.0.0.1"},
            {"color": "red", "data": [None, {"x": 1}], "flag": False, "height": 1, "unmapped": {"any": {"x": None}}},
            {"height": 1.5, "old": "x"},
            {"badge": "b", "metadata__profiles": ["badges"], "door__badge": "c"},
            {"time_dt": "2023-11-14T22:13:20Z", "door__time": 1, "door__time_dt": "2023-11-14T22:13:20Z",
             "metadata__profiles": ["datetime"]},
            {"observables": [{"type_id": 2}]},
        ):
            self.assertEqual(self.errors(changed(PASSAGE, **changes)), [], changes)

    def test_what_is_wrong_is_named_with_its_path(self):
        for changes, expected in (
            ({"door": ...}, "door: it is required"),
            ({"metadata__version": ...}, "metadata.version: it is required"),
            ({"metadata": ...}, "metadata: it is required"),
            ({"extra": 1}, "extra: passage has no such attribute"),
            ({"door__extra": 1}, "door.extra: door has no such attribute"),
            ({"entries": [{"name": "a"}, {}]}, "entries[1]: it needs at least one of name, uid"),
            ({"entries": {"name": "a"}}, "entries: it is an object, not an array"),
            ({"door": "north"}, "door: it is a string, not an object"),
            ({"door": None}, "door: it is null, not an object"),
            ({"ip": "10.0.0.1"}, "the event: it needs just one of ip, port, and has ip, port"),
            ({"port": ...}, "the event: it needs just one of ip, port, and has none"),
            ({"port": 65536}, "port: 65536 is not between 0 and 65535"),
            ({"port": "443"}, "port: '443' is a string, not of type port_t"),
            ({"port": True}, "port: True is a boolean, not of type port_t"),
            ({"port": 1.0}, "port: 1.0 is a number, not of type port_t"),
            ({"time": 1 << 63}, f"time: {1 << 63} is a number, not of type timestamp_t"),
            ({"flag": 1}, "flag: 1 is a number, not of type boolean_t"),
            ({"flag": None}, "flag: None is null, not of type boolean_t"),
            ({"height": "1"}, "height: '1' is a string, not of type float_t"),
            ({"port": ..., "ip": "north"}, "ip: 'north' is not of type ip_t"),
            ({"port": ..., "ip": "1.1.1.1.1.1.1.1.1"}, "ip: it has 17 characters, more than ip_t's 15"),
            ({"color": "green"}, "color: 'green' is not one of red, blue"),
            ({"activity_id": 3, "type_uid": 700303}, "activity_id: 3 is not one of 0, 99, 1, 2"),
            ({"activity_name": "Leave"}, "activity_id: activity_name is 'Leave', not 'Enter' as 1 is called"),
            ({"class_name": "Doors"}, "class_uid: class_name is 'Doors', not 'Passage' as 7003 is called"),
            ({"category_uid": 0}, "category_uid: 0 is not one of 7"),
            ({"type_uid": 700302}, "type_uid: 700302 is not class_uid * 100 + activity_id = 700301"),
            ({"type_name": "Passage"}, "type_uid: type_name is 'Passage', not 'Passage: Enter' as 700301 is called"),
            ({"activity_id": 99, "activity_name": ..., "type_uid": 700399},
             "activity_id: 99 (Other) needs activity_name to say what it is"),
            ({"class_uid": 7004}, "class_uid: 7004 is no class of OCSF 9.9.9"),
            ({"class_uid": "7003"}, "class_uid: '7003' is no class of OCSF 9.9.9"),
            ({"class_uid": ...}, "class_uid: None is no class of OCSF 9.9.9"),
            ({"badge": "b"}, "badge: it is of the profile badges, which metadata.profiles does not name"),
            ({"metadata__profiles": ["badges"]}, "badge: it is required"),
            ({"door__badge": "b"}, "door.badge: it is of the profile badges, which metadata.profiles does not name"),
            ({"time_dt": "2023-11-14T22:13:20Z"},
             "time_dt: it is of the profile datetime, which metadata.profiles does not name"),
            ({"metadata__profiles": ["datetime"], "time_dt": "yesterday"},
             "time_dt: 'yesterday' is not of type datetime_t"),
            ({"metadata__profiles": ["nonsense"]}, "metadata.profiles: there is no profile 'nonsense'"),
            ({"metadata__profiles": ["datetime", "datetime"]}, "metadata.profiles: a profile is named twice"),
            ({"metadata__version": "9.9"}, "metadata.version: '9.9' is not a semantic version"),
            ({"observables": [{"name": "door.uid", "type_id": 13}]},
             "observables[0].name: the event has no 'door.uid'"),
            ({"observables": [{"name": "entries[2]", "type_id": 0}]},
             "observables[0].name: the event has no 'entries[2]'"),
            ({"observables": [{"name": "door.name", "type_id": 14}]},
             "observables[0].type_id: 14 is not one of 2, 12, 13, 0"),
        ):
            self.assertIn(expected, self.errors(changed(PASSAGE, **changes)))
        for event in (None, [], "x", 1):
            self.assertEqual(self.errors(event), ["the event is not an object"])

    def test_what_could_be_better_is_only_warned_of(self):
        for changes, expected in (
            ({"entries": ..., "observables": []}, "entries: it is recommended"),
            ({"door": {"uid": "4"}, "observables": []}, "door.name: it is recommended"),
            ({"old": "x"}, "old: it is deprecated: gone"),
            ({"metadata__version": "9.9.8"}, "metadata.version: 9.9.8 is not the schema's 9.9.9"),
        ):
            verdict = self.validator.validate(changed(PASSAGE, **changes))
            self.assertEqual(verdict.errors, [])
            self.assertIn(expected, verdict.warnings)
        bare = changed(PASSAGE, entries=..., observables=...)
        self.assertIn("observables: it is recommended", self.validator.validate(bare).warnings)

    def test_names_newer_than_the_schema_are_passed_over_when_told(self):
        event = changed(PASSAGE, seal={"x": 1}, metadata__profiles=["seals"])
        self.assertEqual(len(self.errors(event)), 2)
        self.assertEqual(Validator(self.validator.schema, ["seal", "seals"]).validate(event).errors, [])

    def test_definitions_that_make_no_sense_are_refused(self):
        for number, (path, change) in enumerate(
            (
                ("events/doors/passage.json", {"extends": "nothing"}),
                ("events/doors/passage.json", {"attributes": {"unheard_of": {}}}),
                ("events/doors/passage.json", {"constraints": {"at_most_one": ["ip"]}}),
                ("objects/_thing.json", {"extends": "door"}),
                ("categories.json", {"attributes": 1}),
            )
        ):
            folder = self.folder / f"broken-{number}"
            write_schema(folder, SMALL | {path: SMALL[path] | change})
            with self.subTest(path), self.assertRaises(SchemaError):
                load(folder)
        for text in ("", "[]", "{}", '{"classes":{},"objects":{}}',
                     '{"version":"1","types":{},"classes":1,"objects":{}}'):
            (self.folder / "export.json").write_text(text)
            with self.subTest(text), self.assertRaises(SchemaError):
                load(self.folder / "export.json")

    def test_the_command_answers_for_every_line(self):
        def run(lines: list[str], *arguments: str) -> subprocess.CompletedProcess:
            command = [sys.executable, HERE / "ocsf.py", "--schema", self.folder / "small", *arguments]
            return subprocess.run(command, input="".join(lines), capture_output=True, text=True)

        good, bad = json.dumps(PASSAGE) + "\n", json.dumps(changed(PASSAGE, port=-1)) + "\n"
        self.assertEqual(run([good, good]).returncode, 0)
        done = run([good, bad, "{\n", '{"a":1,"a":2}\n', "[" * 99_999 + "\n", "\n", "x" * (1 << 21) + "\n", good[:-1]])
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 2: port: -1 is not between 0 and 65535", done.stdout)
        self.assertIn("line 4: the line is an object has a name twice", done.stdout)
        done = run([bad, good], "--format", "json")
        self.assertEqual([json.loads(line)["valid"] for line in done.stdout.splitlines()], [False, True])
        self.assertIn("warning: observables", run([json.dumps(changed(PASSAGE, observables=...))], "--warnings").stdout)
        self.assertEqual(run([], str(self.folder / "none")).returncode, 2)
        self.assertEqual(run([good], "--schema", str(self.folder / "none")).returncode, 2)


def write_schema(folder: Path, files: dict[str, dict]) -> None:
    """Writes a schema's source."""
    for path, value in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(value))


# What the published definitions must accept, and what they must not.

METADATA = {"product": {"name": "Postern", "vendor_name": "Example"}, "version": "1.8.0", "uid": "41", "sequence": 41}
COMMON = {"category_uid": 6, "metadata": METADATA, "severity_id": 1, "status_id": 1, "time": 1_700_000_000_000}
READ = COMMON | {
    "activity_id": 2,
    "activity_name": "Read",
    "actor": {"user": {"name": "billing", "type_id": 4, "type": "Service", "uid": "spiffe://example.org/billing"}},
    "api": {"operation": "secret.read", "service": {"name": "postern"}, "response": {"code": 0}},
    "class_name": "API Activity",
    "class_uid": 6003,
    "resources": [{"name": "llm/openai/api_key", "type": "secret", "version": "3"}],
    "src_endpoint": {"ip": "10.1.2.3", "port": 51234},
    "type_name": "API Activity: Read",
    "type_uid": 600302,
}
LOGON = COMMON | {
    "activity_id": 1,
    "auth_protocol_id": 99,
    "auth_protocol": "mTLS",
    "category_uid": 3,
    "class_uid": 3002,
    "service": {"name": "postern"},
    "type_uid": 300201,
    "user": {"name": "operator", "type_id": 2, "type": "Admin"},
}
POLICY = COMMON | {
    "activity_id": 3,
    "category_uid": 3,
    "class_uid": 3004,
    "comment": "quarterly review",
    "entity": {"name": "policy.yaml", "type_id": 5, "type": "Policy", "version": "sha256:00"},
    "type_uid": 300403,
}
START = COMMON | {
    "activity_id": 3,
    "app": {"name": "postern", "vendor_name": "Example", "version": "1.0.0"},
    "class_uid": 6002,
    "type_uid": 600203,
}


class PublishedTests:
    """What holds in every version from 1.8.0 on."""

    path: Path

    @classmethod
    def setUpClass(cls):
        cls.validator = Validator(load(cls.path))

    def errors(self, event: dict) -> list[str]:
        return self.validator.validate(event).errors

    def test_right_events_of_the_four_classes_are_valid(self):
        for event in (READ, LOGON, POLICY, START):
            self.assertEqual(self.errors(event), [])

    def test_wrong_events_are_not(self):
        for event, changes, expected in (
            (READ, {"actor": ...}, "actor: it is required"),
            (READ, {"src_endpoint": ...}, "src_endpoint: it is required"),
            (READ, {"src_endpoint": {"port": 1}}, "src_endpoint: it needs at least one of "),
            (READ, {"api__operation": ...}, "api.operation: it is required"),
            (READ, {"actor": {}}, "actor: it needs at least one of "),
            (READ, {"activity_id": 5, "activity_name": ..., "type_uid": 600305}, "activity_id: 5 is not one of "),
            (READ, {"activity_name": "List"}, "activity_id: activity_name is 'List', not 'Read'"),
            (READ, {"type_uid": 600301}, "type_uid: 600301 is not class_uid * 100"),
            (READ, {"category_uid": 3}, "category_uid: 3 is not one of 6"),
            (READ, {"resources": {"name": "x"}}, "resources: it is an object, not an array"),
            (READ, {"src_endpoint__ip": "localhost"}, "src_endpoint.ip: 'localhost' is not of type ip_t"),
            (READ, {"src_endpoint__port": 70_000}, "src_endpoint.port: 70000 is not between"),
            (READ, {"time": "2023-11-14T22:13:20Z"}, "time: '2023-11-14T22:13:20Z' is a string"),
            (READ, {"time_dt": "2023-11-14T22:13:20Z"}, "time_dt: it is of the profile datetime"),
            (READ, {"secret": "x"}, "secret: api_activity has no such attribute"),
            (READ, {"metadata__product": ...}, "metadata.product: it is required"),
            (READ, {"metadata__profiles": ["cloud"]}, "cloud: it is required"),
            (READ, {"severity_id": ...}, "severity_id: it is required"),
            (READ, {"observables": [{"name": "actor.x", "type_id": 4}]}, "observables[0].name: the event has no"),
            (READ, {"actor__user__type": "Robot"}, "actor.user.type_id: type is 'Robot', not 'Service'"),
            (LOGON, {"service": ...}, "the event: it needs at least one of service, dst_endpoint"),
            (LOGON, {"user": ...}, "user: it is required"),
            (LOGON, {"auth_protocol": ...}, "auth_protocol_id: 99 (Other) needs auth_protocol"),
            (POLICY, {"entity": ...}, "entity: it is required"),
            (POLICY, {"entity__type": "Device"}, "entity.type_id: type is 'Device', not 'Policy'"),
            (START, {"app": ...}, "app: it is required"),
            (START, {"app": {"version": "1"}}, "app: it needs at least one of "),
        ):
            found = self.errors(changed(event, **changes))
            self.assertTrue(any(each.startswith(expected) for each in found), f"{expected}: {found}")

    def test_dates_and_traces_come_with_their_profiles(self):
        profiled = changed(
            READ, metadata__profiles=["datetime", "trace", "host"], time_dt="2023-11-14T22:13:20.5Z",
            trace={"uid": "0af7651916cd43dd8448eb211c80319c"},
        )
        self.assertEqual(self.errors(profiled), [])


@unittest.skipUnless(EXPORT.exists(), "the package ocsf-json-schema is not installed")
class ExportTests(PublishedTests, unittest.TestCase):
    path = EXPORT

    def test_record_integrity_is_newer_than_this_version(self):
        event = changed(READ, attestation_list=[{"fingerprint": {}}], metadata__profiles=["record_integrity"])
        self.assertEqual(len(self.errors(event)), 2)
        validator = Validator(self.validator.schema, ["attestation_list", "record_integrity"])
        self.assertEqual(validator.validate(event).errors, [])


@unittest.skipUnless(SOURCE.is_dir(), "the schema's source is not there")
class SourceTests(PublishedTests, unittest.TestCase):
    path = SOURCE

    def test_record_integrity_is_validated(self):
        attestation = {
            "authority_uid": "example.org/audit+96de02aa",
            "chain_uid": "example.org/audit",
            "fingerprint": {"algorithm_id": 3, "algorithm": "SHA-256", "value": "00" * 32},
        }
        event = changed(READ, attestation_list=[attestation], metadata__profiles=["record_integrity"])
        self.assertEqual(self.errors(event), [])
        del event["attestation_list"][0]["fingerprint"]
        self.assertIn("attestation_list[0]: it needs at least one of fingerprint, signatures", self.errors(event))
        event = changed(READ, attestation_list=[attestation])
        self.assertEqual(len(self.errors(event)), 1)

    @unittest.skipUnless(EXPORT.exists(), "the package ocsf-json-schema is not installed")
    def test_what_is_worked_out_from_the_source_is_what_the_schema_server_worked_out(self):
        here, there = self.validator.schema, load(EXPORT)
        for uid in (3002, 3004, 6002, 6003):
            one, other = here.classes[uid], there.classes[uid]
            self.assertEqual((one.at_least_one, one.just_one), (other.at_least_one, other.just_one))
            self.assertLessEqual(set(other.attributes), set(one.attributes))
            for name, attribute in other.attributes.items():
                # A later version may deprecate; nothing else of these classes has changed since.
                newer = vars(one.attributes[name]) | {"deprecated": None}
                self.assertEqual(newer, vars(attribute) | {"deprecated": None}, f"{one.name}.{name}")


if __name__ == "__main__":
    unittest.main()
