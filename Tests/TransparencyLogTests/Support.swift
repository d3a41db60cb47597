// A tree in memory, and the published probes.

import Foundation
import TransparencyLog

/// Hashes of leaves, and whatever follows from them, worked out the slow way that RFC 6962 defines.
struct LeafHashes: HashReader {
    var leaves: [MerkleHash] = []

    func hash(level: Int, index: UInt64) throws(TransparencyLogError) -> MerkleHash {
        let start = Int(index) << level
        let end = Int(index + 1) << level
        guard end <= leaves.count else { throw TransparencyLogError(.unavailable, "beyond the end") }
        return Self.treeHash(leaves[start..<end])
    }

    /// MTH of RFC 6962 §2.1, word for word.
    static func treeHash(_ leaves: ArraySlice<MerkleHash>) -> MerkleHash {
        guard let first = leaves.first else { return .emptyTree }
        guard leaves.count > 1 else { return first }
        var k = 1
        while 2 * k < leaves.count { k *= 2 }
        let middle = leaves.startIndex + k
        return .node(treeHash(leaves[..<middle]), treeHash(leaves[middle...]))
    }
}

/// The test data of github.com/transparency-dev/merkle (folder testdata, in 2026), gathered in one file.
struct Probes: Decodable {
    struct Inclusion: Decodable {
        let leafIdx: UInt64
        let treeSize: UInt64
        let root: String
        let leafHash: String
        let proof: [String]?
        let wantErr: Bool
        let file: String
    }

    struct Consistency: Decodable {
        let size1: UInt64
        let size2: UInt64
        let root1: String?
        let root2: String?
        let proof: [String]?
        let wantErr: Bool
        let file: String
    }

    let inclusion: [Inclusion]
    let consistency: [Consistency]

    static func load() throws -> Probes {
        try JSONDecoder().decode(Probes.self, from: Data(PackageResources.merkle_probes_json))
    }

    /// A hash, or nil for the probes whose hash is not of 32 bytes.
    static func hash(_ text: String?) -> MerkleHash? {
        MerkleHash(Array(Data(base64Encoded: text ?? "") ?? Data()))
    }

    static func hashes(_ texts: [String]?) -> [MerkleHash]? {
        let hashes = (texts ?? []).map(hash)
        return hashes.contains(nil) ? nil : hashes.compactMap { $0 }
    }
}

func hex(_ text: String) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
}
