// One call of a random sequence: how it is drawn, made, and printed.

import PosternProtocol

/// A call with its arguments.
enum Operation: Sendable {
    case read(SecretPath, Int?)
    case write(SecretPath, Payload, expecting: Int?)
    case delete(SecretPath, [Int])
    case undelete(SecretPath, [Int])
    case destroy(SecretPath, [Int])
    case remove(SecretPath)
    case list(ListQuery)
    case describe(SecretPath)
    case update(SecretPath, MetadataChange)
    case advance(Duration)

    /// The few names that random sequences work on.
    static let paths = ["a", "a/b", "a/b/c", "a-b", "ab", "b/x", "b/y"]

    /// The secret that the call is about, if it is about one.
    var path: SecretPath? {
        switch self {
        case .read(let path, _), .write(let path, _, _), .delete(let path, _), .undelete(let path, _),
            .destroy(let path, _), .remove(let path), .describe(let path), .update(let path, _):
            path
        case .list, .advance: nil
        }
    }

    /// Draws a call.
    /// - Parameters:
    ///   - random: where from.
    ///   - current: the current version of a secret, so that half of the expectations are right.
    ///   - movesClock: whether time may pass.
    static func random(
        using random: inout SeededGenerator, current: (SecretPath) async -> Int, movesClock: Bool
    ) async throws -> Operation {
        let path = try SecretPath(paths[Int.random(in: 0..<paths.count, using: &random)])
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30:
            let now = await current(path)
            var expecting: Int?
            if random.chance(60) { expecting = random.chance(70) ? now : Int.random(in: 0...now + 2, using: &random) }
            return .write(path, try payload(using: &random), expecting: expecting)
        case 30..<42:
            return .read(path, random.chance(40) ? nil : number(await current(path), &random))
        case 42..<52:
            return .delete(path, numbers(await current(path), &random))
        case 52..<62:
            return .undelete(path, numbers(await current(path), &random))
        case 62..<68:
            return .destroy(path, numbers(await current(path), &random))
        case 68..<72:
            return .remove(path)
        case 72..<82:
            return .list(try query(using: &random))
        case 82..<88:
            return .describe(path)
        case 88..<95 where movesClock:
            return .advance(.seconds(Int.random(in: 1...40, using: &random)))
        default:
            return .update(path, change(using: &random, movesClock: movesClock))
        }
    }

    /// Makes the call. Time is moved by whoever owns the clock.
    func run(on backend: any SecretBackend, deadline: Deadline) async throws -> Answer {
        switch self {
        case .read(let path, let version):
            return .read(try await backend.read(path, version: version, deadline: deadline))
        case .write(let path, let payload, let expecting):
            return .written(try await backend.write(path, payload, expecting: expecting, deadline: deadline))
        case .delete(let path, let versions): try await backend.delete(path, versions: versions, deadline: deadline)
        case .undelete(let path, let versions): try await backend.undelete(path, versions: versions, deadline: deadline)
        case .destroy(let path, let versions): try await backend.destroy(path, versions: versions, deadline: deadline)
        case .remove(let path): try await backend.remove(path, deadline: deadline)
        case .list(let query): return .listed(try await backend.list(query, deadline: deadline))
        case .describe(let path): return .described(try await backend.describe(path, deadline: deadline))
        case .update(let path, let change):
            return .described(try await backend.updateMetadata(path, change, deadline: deadline))
        case .advance: break
        }
        return .done
    }

    private static func payload(using random: inout SeededGenerator) throws -> Payload {
        let names = ["value", "user", "z", "é"].shuffled(using: &random)
        let fields = names.prefix(Int.random(in: 1...3, using: &random)).map { name in
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            return Payload.Field(name: name, value: SecretBytes(copying: bytes))
        }
        return try Payload(Array(fields))
    }

    private static func number(_ current: Int, _ random: inout SeededGenerator) -> Int {
        random.chance(85) && current > 0
            ? max(1, current - Int.random(in: 0...4, using: &random)) : Int.random(in: 0...current + 2, using: &random)
    }

    private static func numbers(_ current: Int, _ random: inout SeededGenerator) -> [Int] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in number(current, &random) }
    }

    private static func query(using random: inout SeededGenerator) throws -> ListQuery {
        let prefix = try PathPrefix(["", "a", "a/b", "b", "none"][Int.random(in: 0..<5, using: &random)])
        let after = random.chance(50) ? nil : paths[Int.random(in: 0..<paths.count, using: &random)]
        // A stack may have records of its own at the top, so only a whole list can be compared there.
        let limit = prefix == .root ? ListQuery.maximumLimit : Int.random(in: 1...4, using: &random)
        return try ListQuery(prefix: prefix, recursive: random.chance(50), after: after, limit: limit)
    }

    private static func change(using random: inout SeededGenerator, movesClock: Bool) -> MetadataChange {
        var change = MetadataChange()
        if random.chance(40) { change.maxVersions = Int.random(in: -1...5, using: &random) }
        if random.chance(40), movesClock { change.deleteVersionAfterSeconds = random.chance(40) ? 0 : 30 }
        if random.chance(25) { change.casRequired = random.chance(30) }
        if random.chance(40) {
            let name = ["k", "l", "é"][Int.random(in: 0..<3, using: &random)]
            change.labels[name] = .some(random.chance(60) ? "v\(Int.random(in: 0..<9, using: &random))" : nil)
        }
        return change
    }
}
