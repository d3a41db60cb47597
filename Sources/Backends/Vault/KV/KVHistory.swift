// The dates that a secret and its versions had in another store, which Vault cannot be told: kept in custom metadata.
// docs/vault-format.md describes the form.

import PosternProtocol

/// What is kept of a secret's past elsewhere.
struct KVHistory: Sendable, Equatable {
    /// The names in custom metadata start so: labels may not.
    static let prefix = "postern.history."
    /// The longest value of custom metadata, in bytes.
    private static let maximumBytes = 512

    /// How a version's deletion date is known to be still right.
    enum Basis: Sendable, Equatable {
        /// As long as Vault has no deletion time for the version.
        case none
        /// As long as Vault's deletion time is this one.
        case vault(VaultTime)
        /// In any case: the version is undeleted for a moment, to be read.
        case recall
    }

    /// The dates of one version.
    struct Dates: Sendable, Equatable {
        var created: Timestamp
        /// When it was or will be soft-deleted.
        var deletes: Timestamp?
        var basis = Basis.none

        /// The deletion date, unless something else has happened to the version since.
        func deletion(whereVaultSays time: VaultTime?) -> Timestamp? {
            switch basis {
            case .none: time == nil ? deletes : nil
            case .vault(let known): time == known ? deletes : nil
            case .recall: deletes
            }
        }
    }

    /// When the secret was created.
    var created: Timestamp?
    /// Each version's dates.
    var versions: [Int: Dates] = [:]

    /// Whether custom metadata of this name is Postern's own.
    static func isKey(_ name: String) -> Bool { name.hasPrefix(prefix) }

    /// Takes over what is in one entry of custom metadata; what makes no sense is passed over.
    mutating func read(_ name: String, _ value: String) {
        for item in value.split(separator: " ") {
            let parts = item.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let number = Int(parts[0]), number >= 0 else { continue }
            let dates = parts[1].split(separator: ",")
            guard let created = dates.first.flatMap({ Timestamp(short: $0) }) else { continue }
            if number == 0 {
                self.created = created
                continue
            }
            var entry = Dates(created: created)
            if dates.count > 1 { entry.deletes = Timestamp(short: dates[1]) }
            if dates.count > 2 {
                entry.basis = dates[2] == "*" ? .recall : VaultTime(short: dates[2]).map { .vault($0) } ?? .none
            }
            versions[number] = entry
        }
    }

    /// The entries of custom metadata, in as many parts as are needed.
    var entries: [String: String] {
        var items = created.map { ["0=\($0.short)"] } ?? []
        for (number, dates) in versions.sorted(by: { $0.key < $1.key }) {
            var item = "\(number)=\(dates.created.short)"
            if let deletes = dates.deletes {
                item += ",\(deletes.short)"
                switch dates.basis {
                case .none: break
                case .vault(let time): item += ",\(time.short)"
                case .recall: item += ",*"
                }
            }
            items.append(item)
        }
        var texts: [String] = []
        for item in items {
            if let last = texts.last, last.utf8.count + 1 + item.utf8.count <= Self.maximumBytes {
                texts[texts.count - 1] = last + " " + item
            } else {
                texts.append(item)
            }
        }
        return Dictionary(
            texts.enumerated().map { ("\(Self.prefix)\($0)", $1) }, uniquingKeysWith: { first, _ in first })
    }

    /// The change of custom metadata that makes this of what was before.
    func change(from before: KVHistory) -> [String: String?] {
        let (old, new) = (before.entries, entries)
        var change: [String: String?] = [:]
        for name in old.keys where new[name] == nil { change.updateValue(nil, forKey: name) }
        for (name, value) in new where old[name] != value { change.updateValue(value, forKey: name) }
        return change
    }
}

extension Timestamp {
    fileprivate init?(short text: some StringProtocol) {
        guard let microseconds = Int64(text, radix: 36) else { return nil }
        self.init(microseconds: microseconds)
    }

    fileprivate var short: String { String(microseconds, radix: 36) }
}

extension VaultTime {
    fileprivate init?(short text: some StringProtocol) {
        let parts = text.split(separator: ".")
        guard parts.count == 2, let seconds = Int64(parts[0], radix: 36), let rest = Int64(parts[1], radix: 36),
            (0..<1_000_000_000).contains(rest)
        else { return nil }
        self.init(seconds: seconds, nanoseconds: rest)
    }

    fileprivate var short: String { "\(String(seconds, radix: 36)).\(String(nanoseconds, radix: 36))" }
}
