// Reading records here and there, as an index finds them.

import TransparencyLog

extension AuditLogReader {
    /// Records by their indexes.
    /// - Parameter indexes: which, in any order.
    /// - Returns: the records in the order that was asked for, without those that were pruned or are not there.
    /// - Throws: `corrupt`, `file_system`.
    public func entries(at indexes: [UInt64]) throws(AuditLogError) -> [Entry] {
        let wanted = Set(indexes).sorted()
        var found: [UInt64: Entry] = [:]
        var rest: [UInt64] = []
        var start = wanted.startIndex
        while start < wanted.endIndex {
            let number = wanted[start] / UInt64(Tile.fullWidth)
            let end = wanted[start...].firstIndex { $0 / UInt64(Tile.fullWidth) != number } ?? wanted.endIndex
            // Older records are in bundles that can be opened anywhere; the newest are only in segments.
            if let bundle = try bundle(number) {
                for index in wanted[start..<end] { found[index] = bundle[Int(index % UInt64(Tile.fullWidth))] }
            } else {
                rest += wanted[start..<end]
            }
            start = end
        }
        if let first = rest.first, let last = rest.last {
            let wanted = Set(rest)
            var cursor = entries(from: first)
            while let entry = try cursor.next(), entry.index <= last {
                if wanted.contains(entry.index) { found[entry.index] = entry }
            }
        }
        return indexes.compactMap { found[$0] }
    }

    /// The entries of a full bundle; nil if there is none.
    private func bundle(_ number: UInt64) throws(AuditLogError) -> [Entry]? {
        let path = LogDirectory(auditDirectory: directory).file(Tile(.entries, index: number))
        let start = number * UInt64(Tile.fullWidth)
        let bytes: [UInt8]
        do throws(AuditFileError) {
            guard let contents = try FileList.contents(path, limit: LogDirectory.maximumBundleBytes) else { return nil }
            bytes = contents
        } catch {
            throw AuditLogError(error)
        }
        do throws(TransparencyLogError) {
            return try EntryBundle.entries(in: bytes, width: Tile.fullWidth).enumerated().map {
                Entry(index: start + UInt64($0), json: Array(bytes[$1]))
            }
        } catch {
            throw .corrupt(path, offset: 0, index: start, error.message)
        }
    }
}
