// JSON as tests look at it.

import Foundation
import TestPrograms

/// A JSON value.
enum JSON: Sendable, Equatable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    /// Reads a JSON text.
    init(parsing data: Data) throws {
        do {
            self = try JSONDecoder().decode(JSON.self, from: data)
        } catch {
            throw HarnessError(description: "This is not JSON: \(String(decoding: data, as: UTF8.self))")
        }
    }

    subscript(_ name: String) -> JSON? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    subscript(_ position: Int) -> JSON? {
        if case .array(let elements) = self, elements.indices.contains(position) { elements[position] } else { nil }
    }

    var text: String? { if case .string(let value) = self { value } else { nil } }
    var number: Int? { if case .number(let value) = self { Int(value) } else { nil } }
    var truth: Bool? { if case .bool(let value) = self { value } else { nil } }
    var elements: [JSON] { if case .array(let value) = self { value } else { [] } }
    var members: [String: JSON] { if case .object(let value) = self { value } else { [:] } }
}
