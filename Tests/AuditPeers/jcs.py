"""Canonical JSON by RFC 8785 (JCS): what a value's bytes must be, and whether an entry has them."""

import json
import math


class NotJSON(ValueError):
    """The bytes are not the I-JSON (RFC 7493) that RFC 8785 begins from."""


def number(value: float) -> str:
    """A double as ECMAScript writes it (RFC 8785 §3.2.2.3)."""
    if not math.isfinite(value):
        raise NotJSON("a number is not finite")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The decimal point is before the digit `point` places in.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if count > 1 else "") + f"e{point - 1:+d}"
    return ("-" if value < 0 else "") + text


def canonical(value: object) -> str:
    """The one spelling of a JSON value."""
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        try:
            return number(float(value))
        except OverflowError:
            raise NotJSON("a number is beyond a double") from None
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    raise NotJSON(f"{type(value).__name__} is not a JSON value")


def encode(value: object) -> bytes:
    """A JSON value's canonical bytes."""
    try:
        return canonical(value).encode("utf-8")
    except UnicodeEncodeError:
        raise NotJSON("a string has half a surrogate pair") from None


def parse(data: bytes) -> object:
    """A JSON text as I-JSON demands: UTF-8, no name twice in an object, no NaN or infinity."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise NotJSON("an object has a name twice")
        return value

    def refuse(constant: str) -> None:
        raise NotJSON(f"{constant} is not JSON")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise NotJSON(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotJSON(f"not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise NotJSON("nested too deep") from None
    except NotJSON:
        raise
    except ValueError as error:
        # Python reads no integer of more than some thousand digits.
        raise NotJSON(f"a number is too long: {error}") from None


def problem(entry: bytes) -> str | None:
    """Why an entry is not a canonical JSON object, or None when it is one."""
    try:
        value = parse(entry)
        if not isinstance(value, dict):
            return "JSON, but not an object"
        wanted = encode(value)
    except NotJSON as error:
        return str(error)
    if wanted == entry:
        return None
    at = next((i for i, (a, b) in enumerate(zip(wanted, entry)) if a != b), min(len(wanted), len(entry)))
    return f"JSON, but not in canonical form from byte {at} on"
