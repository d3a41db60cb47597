// What two backends answer to the same call, brought into a form in which it must be equal.

import PosternProtocol

/// What a call returned.
enum Answer {
    case read(SecretVersion)
    case written(VersionInfo)
    case described(SecretDescription)
    case listed(SecretList)
    case done
}

/// Turns the answers of one backend into text without what may differ between backends: etags become numbers in
/// the order of their first appearance, messages are dropped, and so are times where the backend has its own clock.
struct Normaliser {
    let comparesTime: Bool
    private var etags: [ETag: Int] = [:]

    init(comparesTime: Bool) {
        self.comparesTime = comparesTime
    }

    /// The outcome of a call as comparable text. Values of secrets appear: they are random test data.
    mutating func outcome(of call: () async throws -> Answer) async throws -> String {
        do {
            return try await text(call())
        } catch let error as SecretError {
            let current = error.code == .conflict ? " over \(error.currentVersion.map(String.init) ?? "nothing")" : ""
            return error.code.rawValue + current
        }
    }

    private mutating func text(_ answer: Answer) -> String {
        switch answer {
        case .read(let read):
            let fields = read.payload.fields.map { field in
                let bytes = field.value.withUnsafeBytes { Array($0) }
                return "\(Array(field.name.utf8)) = \(bytes)"
            }
            return "\(read.path) \(text(read.info)) \(fields) \(text(read.labels))"
        case .written(let info): return text(info)
        case .described(let described):
            let metadata = described.metadata
            return """
                \(described.path) at \(described.currentVersion) \(time(described.createdAt)) \
                \(time(described.updatedAt)) keeps \(metadata.maxVersions) for \(metadata.deleteVersionAfterSeconds) \
                cas \(metadata.casRequired) \(text(metadata.labels)) \(described.versions.map { text($0) })
                """
        case .listed(let page):
            let entries = page.entries.filter { !$0.key.hasPrefix(SecretPath.reservedPrefix) }
            return "\(entries.map { "\($0)" }) \(page.next == nil ? "and no more" : "and more")"
        case .done: return "done"
        }
    }

    private mutating func text(_ info: VersionInfo) -> String {
        let etag = etags[info.etag] ?? etags.count + 1
        etags[info.etag] = etag
        // Of a destroyed version it does not matter any more when it was deleted.
        let deletesAt = info.state == .destroyed ? nil : info.deletesAt
        return "v\(info.number) etag \(etag) \(info.state) \(time(info.createdAt)) until \(time(deletesAt))"
    }

    private func text(_ labels: [String: String]) -> String {
        "\(labels.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { "\($0.key)=\($0.value)" })"
    }

    private func time(_ time: Timestamp?) -> String {
        comparesTime ? time?.description ?? "ever" : "-"
    }
}
