// A record on its way out of the log: its bytes as they lie there, what they say, and where they lie.

public import PosternAudit
public import PosternProtocol
public import TransparencyLog

/// One record of the log as sinks are given it.
public struct DeliveredRecord: Sendable, Equatable {
    /// Its place in the log, from 0.
    public let index: UInt64
    /// Which log: the name in its checkpoints.
    public let origin: String
    /// Its canonical JSON (RFC 8785), the bytes that the log's tree is made of.
    public let json: [UInt8]
    /// What it says.
    public let record: AuditRecord
    /// Its leaf hash (RFC 6962 §2.1).
    public let leafHash: MerkleHash
    /// The leaf hash of the record before it; nil for the first one and where that one is no longer kept.
    public let previousHash: MerkleHash?

    /// Reads a record.
    /// - Throws: `integrity_failure` if it is not a record.
    public init(
        index: UInt64, origin: String, json: [UInt8], previousHash: MerkleHash? = nil
    ) throws(SecretError) {
        self.index = index
        self.origin = origin
        self.json = json
        self.previousHash = previousHash
        leafHash = MerkleHash.leaf(json)
        do throws(SecretError) {
            record = try AuditRecord(json: json)
        } catch {
            throw SecretError(
                .integrityFailure,
                "Record \(index) of the audit log cannot be read; `postern audit verify` says more. (\(error.message))")
        }
    }
}

extension MerkleHash {
    /// The hash as OCSF has fingerprints: lower-case hex.
    var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
