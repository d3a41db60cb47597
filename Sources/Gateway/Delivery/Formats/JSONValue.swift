// JSON of nested objects and lists, with members in the order in which they are given.

import NIOCore
import PosternCoding

/// A JSON value (RFC 8259).
enum JSONValue {
    case text(String)
    case number(Int)
    case list([JSONValue])
    /// Members without a value are left out.
    case object([(name: String, value: JSONValue?)])

    /// A text, or nothing.
    init?(_ text: String?) {
        guard let text else { return nil }
        self = .text(text)
    }

    /// A number, or nothing.
    init?(_ number: Int?) {
        guard let number else { return nil }
        self = .number(number)
    }

    /// A text for each member, sorted by name as RFC 8785 does; nothing if there are none.
    init?(_ texts: [String: String]) {
        guard !texts.isEmpty else { return nil }
        self = .object(
            texts.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }.map { ($0.key, .text($0.value)) })
    }

    /// A list of texts; nothing if there are none.
    init?(_ texts: [String]) {
        guard !texts.isEmpty else { return nil }
        self = .list(texts.map { .text($0) })
    }

    /// Whether it is an object in which there is nothing.
    var isEmpty: Bool {
        guard case .object(let members) = self else { return false }
        return members.allSatisfy { $0.value == nil }
    }

    /// Appends the value's text, without white space.
    func append(to buffer: inout ByteBuffer) {
        switch self {
        case .text(let text): JSONStrings.append(text.utf8, to: &buffer)
        case .number(let number): buffer.writeString(String(number))
        case .list(let values):
            buffer.writeStaticString("[")
            for (place, value) in values.enumerated() {
                if place > 0 { buffer.writeStaticString(",") }
                value.append(to: &buffer)
            }
            buffer.writeStaticString("]")
        case .object(let members):
            var separator: StaticString = "{"
            for (name, value) in members {
                guard let value else { continue }
                buffer.writeStaticString(separator)
                JSONStrings.append(name.utf8, to: &buffer)
                buffer.writeStaticString(":")
                value.append(to: &buffer)
                separator = ","
            }
            buffer.writeStaticString(separator.utf8CodeUnitCount == 1 && isEmpty ? "{}" : "}")
        }
    }

    /// The value's text.
    var string: String {
        var buffer = ByteBuffer()
        append(to: &buffer)
        return String(buffer: buffer)
    }
}
