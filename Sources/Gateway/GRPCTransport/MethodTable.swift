// Finds a method by the bytes of `:path`, without making a string for each call.

/// The methods a server has.
struct MethodTable: Sendable {
    /// One method.
    final class Entry: Sendable {
        let path: String
        let bytes: [UInt8]
        let method: RPCMethod

        init(path: String, method: RPCMethod) {
            self.path = path
            bytes = Array(path.utf8)
            self.method = method
        }
    }

    /// A power of two of buckets, at least twice as many as methods.
    private let buckets: [[Entry]]

    init(_ methods: [String: RPCMethod]) {
        var count = 16
        while count < methods.count * 2 { count *= 2 }
        var buckets = [[Entry]](repeating: [], count: count)
        for (path, method) in methods {
            let entry = Entry(path: path, method: method)
            let bytes = entry.bytes
            let index = Self.hash(bytes.span) & (count - 1)
            buckets[index].append(entry)
        }
        self.buckets = buckets
    }

    func find(_ path: Span<UInt8>) -> Entry? {
        for entry in buckets[Self.hash(path) & (buckets.count - 1)] where path.matches(entry.bytes) {
            return entry
        }
        return nil
    }

    /// FNV-1a. The table is fixed when the server is made, so nobody can fill a bucket.
    private static func hash(_ bytes: Span<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
