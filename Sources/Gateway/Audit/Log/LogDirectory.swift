// Where the published log is under the audit directory, and what its files are called.

import TransparencyLog

/// Paths of a published log. `log` can be handed to any C2SP tlog-tiles client as it is.
struct LogDirectory: Sendable {
    /// The audit directory's part that is published.
    static let name = "log"
    /// The signed checkpoint.
    static let checkpointName = "checkpoint"
    /// The first key that signed checkpoints.
    static let firstKeyName = "keys/first.vkey"
    /// The receipt of the record that allowed pruning.
    static let prunedName = "pruned.tlog-proof"
    /// The largest entry bundle.
    static let maximumBundleBytes = Tile.fullWidth * (EntryBundle.maximumEntryBytes + 2)
    private static let handoverSuffix = ".tlog-proof"

    /// The published log's directory.
    let path: String

    /// The published log of an audit directory.
    init(auditDirectory: String) {
        path = auditDirectory + "/" + Self.name
    }

    /// A published log by itself.
    init(path: String) {
        self.path = path
    }

    func file(_ name: String) -> String { path + "/" + name }
    func file(_ tile: Tile) -> String { path + "/" + tile.path }

    /// The widths of the partial tiles that are there at a tile's place.
    func partialWidths(of tile: Tile) throws(AuditFileError) -> [Int] {
        try FileList.names(in: file(tile.full) + ".p").compactMap { name in
            guard let width = Int(name), (1..<Tile.fullWidth).contains(width), String(width) == name else { return nil }
            return width
        }
    }

    /// The receipt of a record that names a new key.
    static func handoverName(_ index: UInt64) -> String {
        let digits = String(index)
        return "keys/" + String(repeating: "0", count: 20 - digits.count) + digits + handoverSuffix
    }

    /// The indexes of the records that handed over to a new key, in order.
    func handovers() throws(AuditFileError) -> [UInt64] {
        try FileList.names(in: path + "/keys").compactMap { name in
            guard name.hasSuffix(Self.handoverSuffix), let index = UInt64(name.dropLast(Self.handoverSuffix.count)),
                Self.handoverName(index) == "keys/" + name
            else { return nil }
            return index
        }.sorted()
    }
}
