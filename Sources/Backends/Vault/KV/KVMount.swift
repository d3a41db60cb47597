// One KV v2 mount as its HTTP API: the paths of what is asked of it, and what its answers mean.

import NIOCore
import NIOHTTP1
import PosternCoding
import PosternProtocol

/// A KV v2 secrets engine at its mount, asked with one token.
struct KVMount: Sendable {
    /// What a mount said.
    enum Reply: Sendable {
        /// It did what was asked, or answers with what was asked for.
        case success(VaultAnswer)
        /// What was asked for is not there, or is deleted: then the answer says so.
        case absent(VaultAnswer)
        /// A check-and-set found another version than it was told to expect.
        case mismatch
        /// A change of metadata must say which version of it is expected (OpenBao's `metadata_cas_required`).
        case metadataCASRequired
    }

    /// How long a mount that is still making itself ready is left alone between two attempts.
    private static let pauseForUpgrade: Duration = .milliseconds(100)

    let client: VaultClient
    /// Where it is mounted, without slashes around it, as in `secret` or `team/kv`.
    let name: String
    let token: VaultRequest.Token
    private let root: String

    init(client: VaultClient, name: String, token: VaultRequest.Token) {
        self.client = client
        self.name = name.split(separator: "/").joined(separator: "/")
        self.token = token
        root = self.name.split(separator: "/").map { URLText.encode($0) }.joined(separator: "/")
    }

    /// The same mount, asked with another token.
    func with(_ token: VaultRequest.Token) -> KVMount { KVMount(client: client, name: name, token: token) }

    /// The path of something about a secret: `data`, `metadata`, `delete`, `undelete` or `destroy`.
    func url(_ part: String, _ path: SecretPath) -> String { "\(root)/\(part)/\(path)" }

    /// The path of a folder's names.
    /// - Parameters:
    ///   - stem: the folder: empty, or ending with a slash.
    ///   - after: only names behind this one; servers that do not know how to page ignore it, and the limit too.
    func url(listing stem: String, after: String, limit: Int) -> String {
        "\(root)/metadata/\(stem)?after=\(URLText.encode(after))&limit=\(limit)"
    }

    /// The path of the mount's settings.
    var settingsURL: String { "\(root)/config" }

    /// Asks. Waits while a new mount makes itself ready.
    /// - Throws: what the client throws; for refusals, `permission_denied`, `too_large`, `backend_unavailable`, `internal`,
    ///   and then it is known that nothing has happened.
    func send(_ request: VaultRequest, deadline: Deadline) async throws(VaultFailure) -> Reply {
        while true {
            let answer = try await client.send(request.with(token), deadline: deadline)
            guard answer.isUpgrading else { return try reply(answer, to: request) }
            do {
                try deadline.check("the KV store \"\(name)\" was ready")
                try await Task.sleep(
                    until: min(.now + Self.pauseForUpgrade, deadline.instant), clock: .continuous)
            } catch let error as SecretError {
                throw VaultFailure(error: error, mayHaveHappened: false)
            } catch {
                let cancelled = SecretError(.cancelled, "The caller gave up before the KV store \"\(name)\" was ready.")
                throw VaultFailure(error: cancelled, mayHaveHappened: false)
            }
        }
    }

    /// Asks for something that may be asked twice, without a check-and-set.
    /// - Returns: the answer, of success or, with status 404, that it is not there.
    func ask(_ request: VaultRequest, deadline: Deadline) async throws(SecretError) -> VaultAnswer {
        let reply: Reply
        do throws(VaultFailure) {
            reply = try await send(request, deadline: deadline)
        } catch {
            throw error.error
        }
        switch reply {
        case .success(let answer), .absent(let answer): return answer
        case .mismatch, .metadataCASRequired: throw unexpected(request)
        }
    }

    /// Asks for something that is there if the mount is.
    func need(_ request: VaultRequest, deadline: Deadline) async throws(SecretError) -> VaultAnswer {
        let answer = try await ask(request, deadline: deadline)
        guard answer.isSuccess else { throw missing(answer) }
        return answer
    }

    /// What an answer means.
    private func reply(_ answer: VaultAnswer, to request: VaultRequest) throws(VaultFailure) -> Reply {
        if answer.isSuccess {
            guard answer.body.readableBytes == 0 || answer.isVaultsOwn else {
                throw VaultFailure(error: strange(answer), mayHaveHappened: true)
            }
            return .success(answer)
        }
        let errors = answer.errors
        func says(_ text: String) -> Bool { errors.contains { $0.contains(text) } }
        switch answer.status {
        case 404 where says("no handler for route"):
            throw VaultFailure(error: missing(answer), mayHaveHappened: false)
        case 404 where request.method == .PATCH && answer.body.readableBytes == 0 || answer.isVaultsOwn:
            return .absent(answer)
        case 400 where says("metadata check-and-set parameter required"):
            return .metadataCASRequired
        case 400 where says("check-and-set parameter d"):
            // "did not match" for data, "does not match" for metadata.
            return .mismatch
        default:
            throw VaultFailure(error: refusal(answer, of: request), mayHaveHappened: false)
        }
    }
}

// Refusals in words.
extension KVMount {
    /// The error of a refusal that no caller waits for.
    private func refusal(_ answer: VaultAnswer, of request: VaultRequest) -> SecretError {
        let path = request.shownPath
        let complaint = answer.complaint
        switch answer.status {
        case 403:
            let capability = capability(for: request)
            if case .own = token {
                return SecretError(
                    .backendUnavailable,
                    "Postern's own policy in Vault lacks the capability \(capability) on \"\(path)\"; add it there "
                        + "(init-vault.sh writes a policy that has all that is needed).")
            }
            return SecretError(
                .permissionDenied,
                "Vault does not let this token do that: it must be valid, and have the capability \(capability) on "
                    + "\"\(path)\".")
        case 405:
            return SecretError(
                .backendUnavailable,
                "Vault at \(answer.node) does not know the method \(request.method.rawValue) on \"\(path)\" (\(complaint)): "
                    + "it is too old. HashiCorp Vault 1.9 and every OpenBao know it.")
        case _ where answer.isTooLarge:
            return SecretError(
                .tooLarge,
                "Vault at \(answer.node) takes no secret of this size (\(complaint)). With integrated storage the limit is "
                    + "max_entry_size, 1 MiB if not set; values that are no text take a third more than their bytes.")
        case 404: return strange(answer)
        default:
            return SecretError(.internalError, "Vault at \(answer.node) refuses \"\(path)\" (\(complaint)).")
        }
    }

    /// The capability that a policy must give for a request.
    private func capability(for request: VaultRequest) -> String {
        switch request.method {
        case .GET: "\"read\""
        case .DELETE: "\"delete\""
        case .PATCH: "\"patch\""
        case .RAW(value: "LIST"): "\"list\""
        // One where there is no secret yet, and the other where there is one.
        case _ where request.path.hasPrefix("\(root)/data/"): "\"create\" and \"update\""
        default: "\"update\""
        }
    }

    /// The error of a mount that is not there, or is no KV v2.
    func missing(_ answer: VaultAnswer) -> SecretError {
        SecretError(
            .backendUnavailable,
            "Vault at \(answer.node) has no KV version 2 store at \"\(name)/\"; mount one there (init-vault.sh does), or "
                + "configure the mount and the namespace that there are.")
    }

    /// The error of an answer that is not Vault's.
    private func strange(_ answer: VaultAnswer) -> SecretError {
        SecretError(
            .backendUnavailable,
            "\(answer.node) answers with status \(answer.status) and something that is not Vault's. Is there a proxy in "
                + "between that has a word to say?")
    }

    /// The error of an answer that Vault gives only to other requests.
    func unexpected(_ request: VaultRequest) -> SecretError {
        SecretError(.internalError, "Vault refuses \"\(request.shownPath)\" by a check that was not asked for.")
    }
}

extension VaultAnswer {
    /// Whether a mount that was just made, or made a version 2, is not ready yet.
    fileprivate var isUpgrading: Bool {
        status == 400 && errors.contains { $0.contains("from non-versioned to versioned data") }
    }

    /// Whether the body is Vault's JSON, as every answer with a body has it.
    fileprivate var isVaultsOwn: Bool {
        var isOwn = false
        do throws(SecretError) {
            try read { (json, name) throws(SecretError) in
                if name == "errors" || name == "data" { isOwn = true }
                _ = try json.raw("A member")
            }
        } catch {
            // No JSON: somebody else's page.
            return false
        }
        return isOwn
    }
}

extension VaultRequest {
    /// The path without the query, for messages.
    fileprivate var shownPath: Substring { path.prefix { $0 != "?" } }
}
