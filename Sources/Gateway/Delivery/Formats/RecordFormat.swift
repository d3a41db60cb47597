// The forms in which records leave the log, one a line.

public import NIOCore

/// A form of records.
public enum RecordFormat: String, Sendable, CaseIterable {
    /// The record's canonical JSON, with its place in the log.
    case json
    /// An event of the Open Cybersecurity Schema Framework, as JSON.
    case ocsf
    /// ArcSight's Common Event Format.
    case cef

    /// Appends a record. No form has a line break in it.
    /// - Parameters:
    ///   - record: the record.
    ///   - product: what the event says made it.
    ///   - buffer: where to append.
    public func append(_ record: DeliveredRecord, from product: ProductName, to buffer: inout ByteBuffer) {
        switch self {
        case .json: NativeFormat.append(record, to: &buffer)
        case .ocsf: OCSFFormat.event(of: record, from: product).append(to: &buffer)
        case .cef: CEFFormat.append(record, from: product, to: &buffer)
        }
    }

    /// What HTTP calls lines of it.
    var isJSON: Bool { self != .cef }
}

/// What events say made them.
public struct ProductName: Sendable, Equatable {
    /// The maker and the product.
    public let name: String
    /// The product's version.
    public let version: String

    /// Names a product.
    public init(name: String = "Postern", version: String) {
        self.name = name
        self.version = version
    }
}
