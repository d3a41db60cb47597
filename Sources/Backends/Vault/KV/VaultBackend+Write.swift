// Writing versions.

import NIOCore
import PosternCoding
public import PosternProtocol

extension VaultBackend {
    /// Writes a new version, and creates the secret with its first.
    /// - Throws: beside the contract's errors, `too_large` for what Vault's storage does not take. Where it is not known in the
    ///   end whether the version was written, the message says so and which version it would be.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try deadline.check("writing \(path)")
        return try await uninterrupted { [self] () throws(SecretError) in
            let data = PayloadEncoding.encode(payload)
            guard let expecting else { return try await writeInAnyCase(path, payload, data, deadline: deadline) }
            while true {
                let write = KVWrite(path: path, payload: payload, data: data, cas: expecting)
                if write.isPossible, case .written(let info) = try await make(write, deadline: deadline) { return info }
                let current = try await metadataIfThere(path, deadline: deadline)?.current ?? 0
                // A write that lost to a version that is gone again has nothing to lose to any more.
                guard write.isPossible, current == expecting else {
                    throw .conflict(path, expected: expecting, current: current)
                }
                try deadline.check("\(path) could be written: it comes and goes")
            }
        }
    }

    /// Writes over whichever version is current, again and again while others are faster.
    /// - Throws: `invalid_argument` if writes must say what they expect.
    private func writeInAnyCase(
        _ path: SecretPath, _ payload: Payload, _ data: ByteBuffer, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        let isRequiredOfAll = try await requiresCAS(deadline: deadline)
        while true {
            let metadata = try await metadataIfThere(path, deadline: deadline)
            guard !isRequiredOfAll, metadata?.settings.casRequired != true else {
                throw SecretError(
                    .invalidArgument, "\(path) requires that a write says which version it expects (cas_required).")
            }
            let write = KVWrite(path: path, payload: payload, data: data, cas: metadata?.current ?? 0)
            if case .written(let info) = try await make(write, deadline: deadline) { return info }
            try deadline.check("\(path) could be written: others keep writing it")
        }
    }

    /// Whether the mount requires compare-and-set of all writes. That is no caller's secret: the gateway asks for itself.
    private func requiresCAS(deadline: Deadline) async throws(SecretError) -> Bool {
        let own = mount.with(.own)
        let answer = try await own.need(.get(own.settingsURL), deadline: deadline)
        var isRequired = false
        try answer.readData { (json, name) throws(SecretError) in
            if name == "cas_required" { isRequired = try json.boolean(name) } else { _ = try json.raw(name) }
        }
        return isRequired
    }

    /// Makes a write, and finds out whether it happened if its answer is lost.
    private func make(_ write: KVWrite, deadline: Deadline) async throws(SecretError) -> KVWrite.Outcome {
        switch try await attempt(write, deadline: deadline) {
        case .settled(let outcome): return outcome
        case .unclear(let cause): return try await settle(write, cause, deadline: deadline)
        }
    }
}

/// A write of one version over another.
struct KVWrite: Sendable {
    /// How it ended.
    enum Outcome: Sendable {
        /// The version is there.
        case written(VersionInfo)
        /// It was not written: another version is current than it was to be written over.
        case mismatch
    }

    /// What sending it once has shown.
    enum Attempt: Sendable {
        case settled(Outcome)
        /// There is no answer, or none that makes sense; this is why.
        case unclear(SecretError)
    }

    let path: SecretPath
    let payload: Payload
    /// The payload as JSON.
    let data: ByteBuffer
    /// The version that must be current; 0 for none.
    let cas: Int

    /// Whether there can be such a version to write over.
    var isPossible: Bool { (0..<Int.max).contains(cas) }
    /// The number that the version will have.
    var number: Int { cas + 1 }

    /// The body of the request.
    var body: ByteBuffer {
        var body = ByteBuffer()
        body.reserveCapacity(data.readableBytes + 64)
        body.writeString("{\"options\":{\"cas\":\(cas)},\"data\":")
        body.writeImmutableBuffer(data)
        body.writeStaticString("}")
        return body
    }
}

extension VaultBackend {
    /// Sends a write once.
    /// - Throws: what is known not to have happened.
    func attempt(_ write: KVWrite, deadline: Deadline) async throws(SecretError) -> KVWrite.Attempt {
        let request = VaultRequest.post(mount.url("data", write.path), write.body, isRepeatable: false)
        let reply: KVMount.Reply
        do throws(VaultFailure) {
            reply = try await mount.send(request, deadline: deadline)
        } catch {
            guard error.mayHaveHappened else { throw error.error }
            return .unclear(error.error)
        }
        switch reply {
        case .mismatch: return .settled(.mismatch)
        // A store of version 1 takes whatever it is given, and has nothing to say.
        case .success(let answer) where answer.status == 204: throw mount.missing(answer)
        case .absent(let answer): throw mount.missing(answer)
        case .metadataCASRequired: throw mount.unexpected(request)
        case .success(let answer):
            do throws(SecretError) {
                return .settled(.written(try Self.version(write, answer)))
            } catch {
                return .unclear(error)
            }
        }
    }

    /// The version that the answer to a write describes.
    private static func version(_ write: KVWrite, _ answer: VaultAnswer) throws(SecretError) -> VersionInfo {
        var version: KVVersion?
        try answer.read { (json, name) throws(SecretError) in
            if name == "data" { version = try KVVersion(from: &json, name) } else { _ = try json.raw(name) }
        }
        guard let version, version.number == write.number else {
            throw SecretError(
                .backendUnavailable, "\(answer.node) answered the write of \(write.path) with another version.")
        }
        return try version.info(number: write.number, at: nil)
    }
}
