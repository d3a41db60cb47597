// Encrypts secrets in front of any other backend: the store behind it sees envelopes and wrapped keys only.

public import PosternProtocol

/// A backend that encrypts every version before another one stores it, under keys that a ``KeyWrapper`` guards.
///
/// Each domain (first path segment) has a key of its own, made with its first secret and stored, wrapped under
/// every configured key wrapper, under `.postern/keyring/` in the same store; any one of them opens it. From it
/// and a random salt comes a key for each version, which encrypts all fields as one AES-256-GCM ciphertext that
/// is bound to path and version. So whoever holds the store can read no value, move none to another path and
/// pass none off as another version. docs/envelope-format.md has the formats and their limits.
///
/// Paths, version numbers, times and labels are not encrypted. Reserved paths are hidden and refused.
public final class EnvelopeBackend: SecretBackend {
    /// `envelope(…)`, with the store's name inside.
    public let name: String

    let store: any SecretBackend
    let wrappers: [CountedKeyWrapper]
    let cache: DomainKeyCache
    let keyring: Keyring
    let options: EnvelopeOptions
    /// What the last check of the key-encryption keys found.
    let verification = VerificationState()
    let clock: any WallClock
    let random: RandomSource
    var jobStore: JobStore { JobStore(store: store) }
    /// Tells whoever works on jobs that there is one.
    let jobSignal = JobSignal()

    /// Makes an envelope in front of a store.
    /// - Parameters:
    ///   - store: where the envelopes and the wrapped domain keys are kept.
    ///   - keyWrappers: at least one; new domain keys are wrapped under each, and unwrapped by the first that can.
    ///   - options: how long domain keys live in memory.
    ///   - clock: tells the age of keys in memory and dates new ones.
    ///   - random: where keys, salts and nonces come from.
    /// - Throws: `invalid_argument` if there is no wrapper, or two have one id.
    public init(
        store: any SecretBackend, keyWrappers: [any KeyWrapper], options: EnvelopeOptions = EnvelopeOptions(),
        clock: any WallClock = SystemWallClock(), random: RandomSource = .system
    ) throws(SecretError) {
        guard !keyWrappers.isEmpty else {
            throw SecretError(.invalidArgument, "Envelope encryption needs a key wrapper; configure one.")
        }
        guard Set(keyWrappers.map(\.descriptor.id)).count == keyWrappers.count else {
            throw SecretError(.invalidArgument, "Two key wrappers have one key id; configure different keys.")
        }
        self.name = "envelope(\(store.name))"
        self.store = store
        let wrappers = keyWrappers.map { CountedKeyWrapper($0) }
        self.wrappers = wrappers
        self.cache = DomainKeyCache(options: options, clock: clock)
        self.keyring = Keyring(store: store, wrappers: wrappers, clock: clock, random: random)
        self.options = options
        self.clock = clock
        self.random = random
    }

    /// The same envelope in front of a view of its store. Domain keys, in memory and in the keyring, are still read with
    /// the gateway's own access: no caller needs any right to them.
    init(_ envelope: EnvelopeBackend, over view: any SecretBackend) {
        self.name = "envelope(\(view.name))"
        self.store = view
        self.wrappers = envelope.wrappers
        self.cache = envelope.cache
        self.keyring = envelope.keyring
        self.options = envelope.options
        self.clock = envelope.clock
        self.random = envelope.random
    }

    /// How often each key-encryption key was used since the start, by operation.
    public var keyUses: [KEKUse] { wrappers.flatMap(\.uses) }

    /// Wipes domain keys in memory that are past their lifetime and grace. Keys in use renew themselves; call
    /// this now and then for those that nobody asks for any more.
    public func dropExpiredKeys() {
        cache.dropExpired()
    }
}

// Reading and writing.
extension EnvelopeBackend {
    /// Reads a version and decrypts it.
    /// - Throws: beside the store's errors, `invalid_argument` for a reserved path, `key_unavailable` if the
    ///   domain key cannot be unwrapped, `integrity_failure` if what is stored was not made for this place.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        try refuseReserved(path)
        let stored = try await store.read(path, version: version, deadline: deadline)
        let place = EnvelopePlace(path: path, version: stored.info.number)
        guard stored.path == path, version == nil || version == stored.info.number else {
            throw SecretError(
                .integrityFailure, "The store was asked for \(path) and answered with another secret or version.")
        }
        let payload = try await open(stored.payload, at: place, deadline: deadline)
        return SecretVersion(
            path: path, info: stored.info, payload: payload, labels: stored.labels, freshness: stored.freshness)
    }

    /// Decrypts what is stored for a version.
    func open(_ stored: Payload, at place: EnvelopePlace, deadline: Deadline) async throws(SecretError) -> Payload {
        guard stored.fields.count == 1, let envelope = stored[EnvelopeHeader.fieldName] else {
            throw SecretError(
                .integrityFailure,
                "\(place.description) is not an envelope: something other than this gateway stored it without "
                    + "encryption. Write it again through the gateway, or remove it.")
        }
        let header = try envelope.withUnsafeBytes { (bytes) throws(SecretError) in
            try EnvelopeHeader(of: bytes, what: place.description)
        }
        let domain = String(place.path.domain)
        let key = try await cache.key(.named(domain: domain, header.key), deadline: deadline) {
            await self.load { (deadline) throws(SecretError) in
                try await self.keyring.key(header.key, domain: domain, deadline: deadline)
            }
        }
        return try EnvelopeCipher.open(envelope, header: header, at: place, domainKey: key)
    }

    /// Encrypts a payload and writes it as a new version.
    ///
    /// The ciphertext is bound to its version's number, so every write to the store is a compare-and-set. When
    /// the caller expects no version, the current one is looked up, and again if another write was first.
    /// - Throws: beside the store's errors, `invalid_argument` for a reserved path, `key_unavailable` if the
    ///   domain key cannot be unwrapped or made, `integrity_failure` if the domain's key record is gone.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try refuseReserved(path)
        try deadline.check("\(path) was written")
        let key = try await currentKey(of: path, deadline: deadline)
        if let expecting {
            return try await write(path, payload, key, after: expecting, deadline: deadline)
        }
        var current = try await currentVersion(path, deadline: deadline)
        while true {
            do {
                return try await write(path, payload, key, after: current, deadline: deadline)
            } catch  where error.code == .conflict {
                try deadline.check("\(path) was written: other writes came first")
                if let found = error.currentVersion {
                    current = found
                } else {
                    current = try await currentVersion(path, deadline: deadline)
                }
            }
        }
    }

    private func write(
        _ path: SecretPath, _ payload: Payload, _ key: DomainKey, after current: Int, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        // An absurd expectation must fail in the store, not overflow here.
        let place = EnvelopePlace(path: path, version: current &+ 1)
        let sealed = try seal(payload, for: place, under: key)
        let written = try await store.write(path, sealed, expecting: current, deadline: deadline)
        guard written.number == place.version else {
            throw SecretError(
                .integrityFailure,
                "The store wrote \(path) as version \(written.number) where \(place.version) was due; that version "
                    + "cannot be read. Write the secret again.")
        }
        return written
    }

    /// The key that new versions of a secret are encrypted under.
    func currentKey(of path: SecretPath, deadline: Deadline) async throws(SecretError) -> DomainKey {
        let domain = String(path.domain)
        return try await cache.key(.current(domain: domain), deadline: deadline) {
            await self.load { (deadline) throws(SecretError) in
                try await self.keyring.currentKey(domain: domain, deadline: deadline)
            }
        }
    }

    /// Encrypts a payload for its place.
    func seal(_ payload: Payload, for place: EnvelopePlace, under key: DomainKey) throws(SecretError) -> Payload {
        let fresh = try random.bytes(EnvelopeHeader.saltBytes + EnvelopeHeader.nonceBytes)
        let envelope = try EnvelopeCipher.seal(
            payload, for: place, domainKey: key, salt: Array(fresh.prefix(EnvelopeHeader.saltBytes)),
            nonce: Array(fresh.suffix(EnvelopeHeader.nonceBytes)))
        // The limit is on what the caller may store; the envelope's own bytes come on top of it.
        return try Payload([Payload.Field(name: EnvelopeHeader.fieldName, value: envelope)], maximumBytes: .max)
    }

    private func currentVersion(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> Int {
        do throws(SecretError) {
            let description = try await store.describe(path, deadline: deadline)
            guard !description.metadata.casRequired else {
                throw SecretError(
                    .invalidArgument, "\(path) requires every write to say which version it expects.")
            }
            return description.currentVersion
        } catch  where error.code == .notFound {
            return 0
        }
    }

    /// Runs the fetching of a domain key under its own time limit, not that of whoever happened to ask first.
    private func load(
        _ body: (Deadline) async throws(SecretError) -> DomainKey
    ) async -> Result<DomainKey, SecretError> {
        do {
            return .success(try await body(.after(options.keyTimeout)))
        } catch  where error.code == .deadlineExceeded {
            return .failure(
                SecretError(
                    .keyUnavailable, "A domain key was not there within \(options.keyTimeout): \(error.message)"))
        } catch {
            return .failure(error)
        }
    }

    func refuseReserved(_ path: SecretPath) throws(SecretError) {
        guard !path.isReserved else {
            throw SecretError(
                .invalidArgument, "\(path) is reserved for Postern's own records and cannot be used as a secret.")
        }
    }
}
