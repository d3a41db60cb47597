// What a check works with: a fresh backend, and short words for what checks do all the time.

import PosternProtocol

/// A backend under test.
struct Subject: Sendable {
    let backend: any SecretBackend
    let clock: ManualClock
    let supportsClock: Bool
    let scale: Int
    let reopen: (@Sendable () async throws -> any SecretBackend)?

    /// Long enough for any call that is expected to answer.
    var deadline: Deadline { .after(.seconds(120)) }

    @discardableResult
    func write(_ path: String, _ value: String = "v", expecting: Int? = nil) async throws -> VersionInfo {
        try await backend.write(
            SecretPath(path), Payload(value: SecretBytes(value)), expecting: expecting, deadline: deadline)
    }

    func read(_ path: String, _ version: Int? = nil) async throws -> SecretVersion {
        try await backend.read(SecretPath(path), version: version, deadline: deadline)
    }

    func delete(_ path: String, _ versions: [Int] = []) async throws {
        try await backend.delete(SecretPath(path), versions: versions, deadline: deadline)
    }

    func undelete(_ path: String, _ versions: [Int]) async throws {
        try await backend.undelete(SecretPath(path), versions: versions, deadline: deadline)
    }

    func destroy(_ path: String, _ versions: [Int]) async throws {
        try await backend.destroy(SecretPath(path), versions: versions, deadline: deadline)
    }

    func remove(_ path: String) async throws {
        try await backend.remove(SecretPath(path), deadline: deadline)
    }

    func describe(_ path: String) async throws -> SecretDescription {
        try await backend.describe(SecretPath(path), deadline: deadline)
    }

    @discardableResult
    func update(_ path: String, _ change: MetadataChange) async throws -> SecretDescription {
        try await backend.updateMetadata(SecretPath(path), change, deadline: deadline)
    }

    /// All entries' keys, page by page; checks what every page promises.
    func keys(
        _ prefix: String = "", recursive: Bool = false, after: String? = nil, limit: Int = 100
    ) async throws -> [String] {
        var keys: [String] = []
        var next = after
        repeat {
            let page = try await backend.list(
                ListQuery(prefix: PathPrefix(prefix), recursive: recursive, after: next, limit: limit),
                deadline: deadline)
            try expect(page.entries.count <= limit, "a page of \(page.entries.count), the limit is \(limit)")
            try expect(page.next == nil || !page.entries.isEmpty, "an empty page that has a next")
            try expect(next == after || !page.entries.isEmpty, "an empty page behind one that had a next")
            if let from = next, let to = page.next {
                try expect(from.utf8.lexicographicallyPrecedes(to.utf8), "next goes from \(from) back to \(to)")
            }
            keys += page.entries.map(\.key)
            next = page.next
        } while next != nil
        // A stack may keep records of its own under the reserved prefix; they are not what is tried.
        return keys.filter { !$0.hasPrefix(SecretPath.reservedPrefix) }
    }

    /// The states of the versions that are kept, by number.
    func states(_ path: String) async throws -> [Int: VersionInfo.State] {
        let versions = try await describe(path).versions
        return Dictionary(versions.map { ($0.number, $0.state) }) { first, _ in first }
    }
}

/// Fails the check unless a condition holds.
func expect(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
    if !condition { throw ConformanceFailure(otherwise()) }
}

/// Fails the check unless two values are equal.
func expectEqual<T: Equatable>(_ seen: T, _ expected: T, _ what: @autoclosure () -> String) throws {
    try expect(seen == expected, "\(what()): \(seen) instead of \(expected)")
}

/// Fails the check unless a call throws an error of one of these codes.
@discardableResult
func expectError(
    _ codes: SecretError.Code..., from what: String, _ body: () async throws -> some Any
) async throws -> SecretError {
    do {
        _ = try await body()
    } catch let error as SecretError {
        try expect(codes.contains(error.code), "\(what) threw \(error) instead of \(codes.map(\.rawValue))")
        return error
    }
    throw ConformanceFailure("\(what) did not throw \(codes.map(\.rawValue))")
}
