// SIGHUP: policy, certificates and revocation lists are read again, and HSMs looked at anew. Each is validated first; what is not good
// leaves the old one in force. Every attempt is on record.

import Foundation
import Logging
import Envelope
import PosternCore
import PosternGRPC
import PosternIdentity
import PosternProtocol
import ServiceLifecycle
import UnixSignals

/// Reloads at SIGHUP; now and then forgets keys that nobody uses, and looks whether revocation lists are overdue.
struct ReloadService: Service {
    private static let upkeepInterval: Duration = .seconds(60)

    let assembly: Assembly

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
                    await reload()
                }
            }
            group.addTask { await upkeep() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Reads everything again, each part by itself: a bad certificate file must not keep a revocation from taking effect.
    private func reload() async {
        let (tls, frontEnd) = (assembly.tls, assembly.frontEnd)
        assembly.tokens.reload()
        await attempt("revocation lists", .reloadRevocation) { () throws(SecretError) in try reloadRevocation() }
        await attempt("gRPC TLS files", .reloadTLS) { () async throws(SecretError) in
            let trusted = tls.grpc.clientAuthorities?.der ?? []
            try await tls.grpc.reload()
            let now = tls.grpc.clientAuthorities?.der ?? []
            if !trusted.allSatisfy(now.contains) {
                // Somebody's authority is no longer trusted, and which connection came by it is not known.
                frontEnd.closeAllConnections()
            }
            // Lists are checked against the authorities in force, which are new now.
            try reloadRevocation()
            return ["listener": "grpc", "certificate_sha256": tls.grpc.certificateFingerprint]
        }
        await attempt("admin TLS files", .reloadTLS) { () async throws(SecretError) in
            try await tls.admin.reload()
            return ["listener": "admin", "certificate_sha256": tls.admin.certificateFingerprint]
        }
        do throws(AuditedError) {
            try await assembly.gateway.reloadPolicy(requestID: assembly.requestIDs.next())
            assembly.logger.info("reloaded the policy")
        } catch {
            assembly.logger.error("the policy was not reloaded", metadata: ["error": "\(error.error)"])
        }
    }

    @discardableResult
    private func reloadRevocation() throws(SecretError) -> [String: String] {
        let now = SystemWallClock().now()
        let checker = try Assembly.revocation(for: assembly.configuration, tls: assembly.tls, now: now)
        assembly.frontEnd.replaceRevocation(checker)
        assembly.revocation.replace(checker)
        assembly.revocation.look(now: now)
        return ["lists": String(checker.lists.count), "denied": String(checker.denyList.count)]
    }

    private func attempt(
        _ what: String, _ operation: PosternCore.Operation, _ body: () async throws(SecretError) -> [String: String]
    ) async {
        do throws(AuditedError) {
            try await assembly.gateway.performSystem(operation, requestID: assembly.requestIDs.next(), body)
            assembly.logger.info("reloaded \(what)")
        } catch {
            assembly.logger.error(
                "\(what) not reloaded: what was in force stays so", metadata: ["error": "\(error.error)"])
        }
    }

    private func upkeep() async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: Self.upkeepInterval)
            } catch {
                return
            }
            assembly.storage.envelope?.dropExpiredKeys()
            assembly.revocation.look(now: SystemWallClock().now())
        }
    }
}
