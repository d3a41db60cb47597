// Requests to one key of Vault's Transit engine, and what its refusals mean.

import NIOCore
import PosternCoding
import PosternProtocol

/// One key of a Transit mount.
struct TransitEngine: Sendable {
    let vault: VaultClient
    let mount: MountPath
    let key: VaultName

    /// What the key is called in messages and key records.
    var id: String { "transit:\(mount)/\(key)" }

    /// Encrypts with the newest version.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    func encrypt(
        _ plaintext: SecretBytes, binding: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> TransitBlob {
        var body = JSONObject()
        plaintext.withUnsafeBytes { body.set("plaintext", base64: $0) }
        binding.withUnsafeBytes { body.set("associated_data", base64: $0) }
        let answer = try await ask(.post("\(mount)/encrypt/\(key)", body.body, isRepeatable: true), deadline)
        guard answer.isSuccess else { throw try await refusal(of: answer, to: "encrypt", nil, deadline) }
        let ciphertext = try member("ciphertext", of: answer)
        guard let blob = ciphertext.withUnsafeBytes({ TransitBlob(ciphertext: $0) }) else {
            throw unavailable("Vault answered with a ciphertext of a form that is not known")
        }
        return blob
    }

    /// Decrypts.
    /// - Throws: `integrity_failure`, `key_unavailable`, `deadline_exceeded`, `cancelled`.
    func decrypt(
        _ blob: TransitBlob, binding: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        var body = JSONObject()
        body.set("ciphertext", String(decoding: blob.ciphertext, as: UTF8.self))
        binding.withUnsafeBytes { body.set("associated_data", base64: $0) }
        let answer = try await ask(.post("\(mount)/decrypt/\(key)", body.body, isRepeatable: true), deadline)
        guard answer.isSuccess else { throw try await refusal(of: answer, to: "decrypt", blob, deadline) }
        let text = try member("plaintext", of: answer)
        do throws(SecretError) {
            return try Base64.decode(text, "The plaintext")
        } catch {
            throw unavailable("Vault answered with a plaintext that is not base64")
        }
    }

    /// The key, if it can be used.
    func usableKey(deadline: Deadline) async throws(SecretError) -> TransitKey {
        let answer = try await ask(.get("\(mount)/keys/\(key)"), deadline)
        guard answer.isSuccess else { throw try await refusal(of: answer, to: "read", nil, deadline) }
        let found: TransitKey
        do throws(SecretError) {
            found = try TransitKey(answer)
        } catch {
            throw unavailable(error.message)
        }
        if let problem = found.problem { throw unavailable(problem) }
        return found
    }

    private func ask(_ request: VaultRequest, _ deadline: Deadline) async throws(SecretError) -> VaultAnswer {
        do throws(VaultFailure) {
            return try await vault.send(request, deadline: deadline)
        } catch {
            switch error.error.code {
            case .deadlineExceeded, .cancelled, .internalError: throw error.error
            default:
                throw SecretError(
                    .keyUnavailable, "\(id) cannot be used: \(error.error.message)",
                    retryAfterSeconds: error.error.retryAfterSeconds)
            }
        }
    }

    private func member(_ member: String, of answer: VaultAnswer) throws(SecretError) -> SecretBytes {
        var found: SecretBytes?
        do throws(SecretError) {
            try answer.read(in: "data") { (json, name) throws(SecretError) in
                if name == member { found = try json.secret(name) } else { _ = try json.raw("A member") }
            }
        } catch {
            throw unavailable(error.message)
        }
        guard let found else { throw unavailable("Vault answered without \(member)") }
        return found
    }
}

// What a refusal means.
extension TransitEngine {
    private func refusal(
        of answer: VaultAnswer, to action: String, _ blob: TransitBlob?, _ deadline: Deadline
    ) async throws(SecretError) -> SecretError {
        let text = answer.errors.joined(separator: "; ")
        func says(_ parts: String...) -> Bool { parts.contains { text.contains($0) } }
        switch answer.status {
        case 403:
            let (path, capability) = action == "read" ? ("keys", "read") : (action, "update")
            return unavailable(
                "Vault does not let the gateway \(action) it; the policy of the gateway's token needs: "
                    + "path \"\(mount)/\(path)/\(key)\" { capabilities = [\"\(capability)\"] }")
        case 404 where says("no handler for route"):
            return unavailable("nothing is mounted at \(mount); enable Transit there, or correct the path")
        case _ where answer.status == 404 || says("encryption key not found"):
            return unavailable(
                "there is no such key in Vault. If it was deleted, restore it from its backup: a new one of this name does not "
                    + "open what the old one wrapped")
        case 400 where says("soft-deleted"):
            return unavailable("it is soft-deleted; restore it in Vault")
        case 400 where says("too old"):
            return try await tooOld(blob, deadline)
        case 400 where says("version is too new"):
            let version = blob.map { " (\($0.version))" } ?? ""
            return SecretError(
                .integrityFailure,
                "A wrapped key names a version\(version) that \(id) does not have: it was changed, or Vault's key "
                    + "was restored from before that version or made anew.")
        case 400 where says("message authentication failed", "invalid ciphertext", "unable to decrypt"):
            return SecretError(
                .integrityFailure,
                "A key wrapped under \(id) does not open: it was changed, or wrapped for something else, or Vault's "
                    + "key was deleted and made anew.")
        default:
            return unavailable("Vault refuses to \(action) with it (\(answer.complaint))")
        }
    }

    /// What to do about a wrapped key whose version may no longer be used.
    private func tooOld(_ blob: TransitBlob?, _ deadline: Deadline) async throws(SecretError) -> SecretError {
        guard let blob else { return unavailable("Vault no longer allows the version that it should be used with") }
        let found = try await usableKey(deadline: deadline)
        let problem =
            "the wrapped key was made with version \(blob.version), and Vault only takes versions from "
            + "\(found.minimumVersion) on"
        guard blob.version >= found.oldestVersion else {
            return unavailable(
                "\(problem); version \(blob.version) was trimmed away, so restore the key from a backup that has it")
        }
        return unavailable(
            "\(problem); lower min_decryption_version of \(mount)/keys/\(key) to \(blob.version), and wrap anew what is old "
                + "before raising it again")
    }

    /// The error of a key that cannot be used.
    func unavailable(_ why: String) -> SecretError {
        SecretError(.keyUnavailable, "\(id) cannot be used: \(why)\(why.hasSuffix(".") ? "" : ".")")
    }
}
