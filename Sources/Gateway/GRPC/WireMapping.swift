// The one translation between the vocabulary and the wire messages.

import Foundation
import PosternCore
import PosternProtocol
import PosternWire
import SwiftProtobuf

extension Postern_V1_GetResponse {
    init(_ secret: SecretVersion, audit: Postern_V1_Audit, ifNoneMatch: String = "") {
        self.init()
        path = secret.path.text
        version = UInt64(secret.info.number)
        etag = secret.info.etag.text
        createdAt = Google_Protobuf_Timestamp(secret.info.createdAt)
        servedFrom = Postern_V1_ServedFrom(secret.freshness)
        ageMs = UInt64(max(0, secret.freshness.age / .milliseconds(1)))
        self.audit = audit
        if !ifNoneMatch.isEmpty, ifNoneMatch == secret.info.etag.text {
            notModified = true
            return
        }
        labels = secret.labels
        fields = secret.payload.fields.map(Postern_V1_Field.init)
    }
}

extension Postern_V1_Field {
    init(_ field: Payload.Field) {
        self.init()
        name = field.name
        value = field.value.withUnsafeBytes { Data($0) }
    }
}

extension Payload {
    init(_ fields: [Postern_V1_Field], maximumBytes: Int) throws(SecretError) {
        let mapped = fields.map { Field(name: $0.name, value: SecretBytes(copying: $0.value)) }
        try self.init(mapped, maximumBytes: maximumBytes)
    }
}

extension Postern_V1_ServedFrom {
    init(_ freshness: Freshness) {
        self =
            switch freshness {
            case .live: .backend
            case .cached: .cache
            case .stale: .stale
            }
    }
}

extension Postern_V1_Audit {
    init(index: UInt64, requestID: String) {
        self.init()
        self.index = index
        self.requestID = requestID
    }
}

extension Google_Protobuf_Timestamp {
    init(_ time: Timestamp) {
        var (seconds, fraction) = time.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        if fraction < 0 {
            fraction += 1_000_000
            seconds -= 1
        }
        self.init(seconds: seconds, nanos: Int32(fraction) * 1_000)
    }
}

extension Postern_V1_VersionInfo {
    init(_ info: VersionInfo) {
        self.init()
        version = UInt64(info.number)
        etag = info.etag.text
        createdAt = Google_Protobuf_Timestamp(info.createdAt)
        state =
            switch info.state {
            case .available: .available
            case .deleted: .deleted
            case .destroyed: .destroyed
            }
        if let time = info.deletesAt { deletesAt = Google_Protobuf_Timestamp(time) }
    }
}

extension Postern_V1_SecretDescription {
    init(_ secret: SecretDescription) {
        self.init()
        path = secret.path.text
        currentVersion = UInt64(secret.currentVersion)
        createdAt = Google_Protobuf_Timestamp(secret.createdAt)
        updatedAt = Google_Protobuf_Timestamp(secret.updatedAt)
        maxVersions = UInt32(clamping: secret.metadata.maxVersions)
        deleteVersionAfterSeconds = UInt64(secret.metadata.deleteVersionAfterSeconds)
        casRequired = secret.metadata.casRequired
        labels = secret.metadata.labels
        versions = secret.versions.map(Postern_V1_VersionInfo.init)
    }
}

extension Postern_V1_ListResponse.Entry {
    init(_ entry: SecretList.Entry) {
        self.init()
        key = entry.key
        if case .folder = entry { folder = true }
    }
}

extension MetadataChange {
    init(_ request: Postern_V1_UpdateMetadataRequest) throws(SecretError) {
        var labels: [String: String?] = [:]
        for (name, value) in request.setLabels { labels[name] = .some(value) }
        for name in request.removeLabels { labels[name] = .some(nil) }
        self.init(
            maxVersions: request.hasMaxVersions ? Int(request.maxVersions) : nil,
            deleteVersionAfterSeconds: request.hasDeleteVersionAfterSeconds
                ? Int(clamping: request.deleteVersionAfterSeconds) : nil,
            casRequired: request.hasCasRequired ? request.casRequired : nil, labels: labels)
    }
}

/// Version numbers as the wire has them, checked.
enum WireVersion {
    /// A version's number, or nil for 0, which stands for the current one.
    static func optional(_ number: UInt64) throws(SecretError) -> Int? {
        number == 0 ? nil : try expected(number)
    }

    /// A version's number, 0 included.
    static func expected(_ number: UInt64) throws(SecretError) -> Int {
        guard let version = Int(exactly: number) else {
            throw SecretError(.invalidArgument, "\(number) is not a version number.")
        }
        return version
    }

    /// Version numbers, each from 1.
    static func list(_ numbers: [UInt64]) throws(SecretError) -> [Int] {
        guard numbers.count <= 100_000 else {
            throw SecretError(.tooLarge, "At most 100000 versions can be named at once.")
        }
        var versions: [Int] = []
        for number in numbers {
            guard let version = try optional(number) else {
                throw SecretError(.invalidArgument, "Version numbers start at 1.")
            }
            versions.append(version)
        }
        return versions
    }
}
