// Tokens over time, against real leases: renewed, ended, revoked, and Vault away.

import Foundation
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `The token's keeper` {
    @Test func `renews a lease of three seconds before it ends`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api, settings: #""token_ttl":"3s""#)
        let secretID = try await approle.secretID()
        try await withSession(VaultSession(api, approle.authentication(secretID))) { session in
            _ = try await session.ownToken()
            // On a machine that stalls for seconds a token may end first; then the next one shows it.
            try await eventually("a token is renewed", within: .seconds(120)) {
                guard let accessor = session.tokenStatus.accessor else { return false }
                return try await api.token(accessor)?.isRenewed == true
            }
            #expect(session.tokenStatus.lastError == nil)
        }
    }

    @Test func `logs in again when the longest life is reached`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api, settings: #""token_ttl":"2s","token_max_ttl":"4s""#)
        let secretID = try await approle.secretID()
        try await withSession(VaultSession(api, approle.authentication(secretID))) { session in
            let first = try await session.tokens.token(deadline: soon)
            try await eventually("there is another token", within: .seconds(120)) {
                try await session.tokens.token(deadline: soon) != first
            }
            try await eventually("it has happened thrice", within: .seconds(120)) {
                _ = try await session.ownToken()
                return try await approle.logins(secretID) >= 3
            }
        }
    }

    @Test func `prolongs one token for as long as Vault lets it, with a single login`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api, settings: #""token_period":"1h""#)
        let secretID = try await approle.secretID()
        try await withSession(VaultSession(api, approle.authentication(secretID), timing: .early)) { session in
            let first = try await session.ownToken()
            #expect(first["renewable"] as? Bool == true)
            var seen: Set<Int> = []
            try await eventually("it is renewed three times", within: .seconds(120)) {
                if let time = try await session.ownToken()["last_renewal_time"] as? Int { seen.insert(time) }
                return seen.count >= 3
            }
            let last = try await session.ownToken()
            #expect(last["id"] as? String == first["id"] as? String)
            #expect(try await approle.logins(secretID) == 1)
        }
    }

    @Test func `replaces a batch token, which cannot be renewed, before it ends`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api, settings: #""token_ttl":"1h","token_type":"batch""#)
        let secretID = try await approle.secretID()
        let session = try VaultSession(api, approle.authentication(secretID), timing: .early)
        try await withSession(session) { session in
            let first = try await session.tokens.token(deadline: soon)
            #expect(session.tokenStatus.accessor == nil && session.tokenStatus.expiresAt != nil)
            #expect(session.tokenStatus.warning == nil)
            try await eventually("there is another token", within: .seconds(120)) {
                try await session.tokens.token(deadline: soon) != first
            }
            // The first one was good to the last.
            let answer = try await session.client.send(
                .get("auth/token/lookup-self").with(.given(first)), deadline: soon)
            #expect(answer.status == 200)
        }
    }

    @Test func `logs in once for a thousand callers when a token has ended`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api, settings: #""token_ttl":"1s""#)
        let secretID = try await approle.secretID()
        let session = try VaultSession(api, approle.authentication(secretID), timing: .never)
        try await withSession(session) { session in
            let first = try await session.tokens.token(deadline: soon)
            try await eventually("it has ended") { !session.tokenStatus.isUsable }
            try await api.must("POST", "auth/\(approle.mount)/role/\(approle.role)", #"{"token_ttl":"1h"}"#)
            let tokens = try await session.tokens.many(1_000)
            #expect(tokens.count == 1 && !tokens.contains(first.string))
            #expect(try await approle.logins(secretID) == 2)
        }
    }

    @Test func `logs in once for two hundred requests when a token was revoked behind its back`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api)
        let secretID = try await approle.secretID()
        try await withSession(VaultSession(api, approle.authentication(secretID))) { session in
            _ = try await session.ownToken()
            let accessor = try #require(session.tokenStatus.accessor)
            try await api.must("POST", "auth/token/revoke-accessor", #"{"accessor":"\#(accessor)"}"#)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<200 {
                    group.addTask { try await session.get("auth/token/lookup-self").status }
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await approle.logins(secretID) == 2)
            #expect(session.tokenStatus.accessor != accessor)
        }
    }

    @Test func `keeps its token when Vault's policy forbids something`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api)
        let secretID = try await approle.secretID()
        try await withSession(VaultSession(api, approle.authentication(secretID))) { session in
            for _ in 0..<20 {
                let answer = try await session.get("sys/mounts")
                #expect(answer.status == 403)
            }
            #expect(try await approle.logins(secretID) == 1)
        }
    }

    @Test func `does not take every refusal for the end of a token that may not look itself up`() async throws {
        let api = try await DevServer.shared.api
        try await api.must("PUT", "sys/policies/acl/nothing", ##"{"policy":"# nothing"}"##)
        let approle = try await AppRole(
            api, settings: #""token_ttl":"1h","token_no_default_policy":true,"token_policies":["nothing"]"#)
        let secretID = try await approle.secretID()
        let log = RecordingLog()
        try await withSession(VaultSession(api, approle.authentication(secretID), log: log)) { session in
            for _ in 0..<5 {
                let answer = try await session.get("sys/mounts")
                #expect(answer.status == 403)
            }
            #expect(try await approle.logins(secretID) == 1)
            #expect(log.text.contains("lack auth/token/lookup-self"))
        }
    }

    @Test func `logs in again when a renewal is refused`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api)
        let secretID = try await approle.secretID()
        let session = try VaultSession(api, approle.authentication(secretID), timing: .early)
        try await withSession(session) { session in
            let first = try await session.tokens.token(deadline: soon)
            let accessor = try #require(session.tokenStatus.accessor)
            try await api.must("POST", "auth/token/revoke-accessor", #"{"accessor":"\#(accessor)"}"#)
            // Nobody asks for anything: the renewal finds out.
            try await eventually("there is another token", within: .seconds(120)) {
                guard let now = session.tokenStatus.accessor else { return false }
                return now != accessor
            }
            #expect(try await session.tokens.token(deadline: soon) != first)
        }
    }

    @Test func `keeps the token while Vault is away, and renews it when Vault is back`() async throws {
        let cluster = try await Cluster(nodes: 1)
        defer { cluster.stop() }
        let api = cluster.api(0)
        let approle = try await AppRole(api)
        let secretID = try await approle.secretID()
        let session = try VaultSession(api, approle.authentication(secretID), timing: .early)
        try await withSession(session) { session in
            let token = try await session.tokens.token(deadline: soon)
            cluster.nodes[0].kill()
            try await eventually("a renewal fails", within: .seconds(120)) {
                session.tokenStatus.lastError?.contains("refuses connections") == true
            }
            #expect(session.tokenStatus.isUsable)
            #expect(try await session.tokens.token(deadline: soon) == token)
            try cluster.nodes[0].start()
            try await cluster.unseal(cluster.nodes[0])
            try await eventually("it is renewed", within: .seconds(120)) {
                session.tokenStatus.lastError == nil
            }
            #expect(try await session.tokens.token(deadline: soon) == token)
            #expect(try await approle.logins(secretID) == 1)
        }
    }

    @Test func `gets a token by itself once Vault is there, after callers were told that it is not`() async throws {
        let cluster = try await Cluster(nodes: 1)
        defer { cluster.stop() }
        let api = cluster.api(0)
        let approle = try await AppRole(api)
        let secretID = try await approle.secretID()
        cluster.nodes[0].kill()
        var options = VaultOptions(addresses: [try VaultAddress(api.address)])
        options.tls.authorities = cluster.authority
        options.patience = .milliseconds(100)
        try await withSession(VaultSession(options, approle.authentication(secretID))) { session in
            await expectError(.backendUnavailable, containing: "refuses connections") {
                try await session.get("secret/config")
            }
            try cluster.nodes[0].start()
            try await eventually("it is known to be sealed", within: .seconds(120)) {
                session.tokenStatus.lastError?.contains("sealed") == true
            }
            await expectError(.backendSealed, containing: "unseal it") { try await session.get("secret/config") }
            try await cluster.unseal(cluster.nodes[0])
            try await eventually("there is a token", within: .seconds(120)) { session.tokenStatus.isUsable }
            #expect(session.tokenStatus.lastError == nil)
        }
    }

    @Test func `lets each caller wait no longer than its own deadline`() async throws {
        let server = try await DevServer()
        let approle = try await AppRole(server.api)
        let secretID = try await approle.secretID()
        let session = try VaultSession(server.api, approle.authentication(secretID))
        try await withSession(session) { session in
            try await server.process.freeze()
            await expectError(.deadlineExceeded, containing: "the gateway's login to Vault") {
                try await session.tokens.token(deadline: .after(.milliseconds(100)))
            }
            let waiting = Task { try await session.tokens.token(deadline: soon) }
            let cancelled = Task { try await session.tokens.token(deadline: soon) }
            cancelled.cancel()
            await expectError(.cancelled) { try await cancelled.value }
            server.process.signal(SIGCONT)
            _ = try await waiting.value
            #expect(try await approle.logins(secretID) == 1)
        }
    }

    @Test func `ends cleanly while it logs in, and gives out nothing afterwards`() async throws {
        let server = try await DevServer()
        let approle = try await AppRole(server.api)
        let secretID = try await approle.secretID()
        let session = try VaultSession(server.api, approle.authentication(secretID))
        try await server.process.freeze()
        let waiting = Task { try await session.tokens.token(deadline: soon) }
        await expectError(.deadlineExceeded) { try await session.tokens.token(deadline: .after(.milliseconds(100))) }
        await session.close()
        await #expect(throws: SecretError.self) { try await waiting.value }
        await expectError(.cancelled) { try await session.tokens.token(deadline: soon) }
        server.process.signal(SIGCONT)
    }

    @Test func `ends in time though Vault does not answer to the revocation`() async throws {
        let server = try await DevServer()
        let approle = try await AppRole(server.api)
        let log = RecordingLog()
        let session = try VaultSession(
            server.api, approle.authentication(try await approle.secretID()),
            timing: TokenTiming(revocationTimeout: .milliseconds(100)), log: log)
        _ = try await session.ownToken()
        try await server.process.freeze()
        await session.close()
        #expect(log.text.contains("debug the token was not revoked"))
        await expectError(.cancelled) { try await session.tokens.token(deadline: soon) }
        server.process.signal(SIGCONT)
    }
}

extension VaultAPI {
    /// What is known of a token, or nil if it is dead.
    func token(_ accessor: String) async throws -> [String: Any]? {
        let answer = try await call("POST", "auth/token/lookup-accessor", #"{"accessor":"\#(accessor)"}"#)
        return answer.status == 200 ? try answer.value("data") : nil
    }
}

extension TokenKeeper {
    /// The tokens that so many callers get at once.
    func many(_ count: Int) async throws -> Set<String> {
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<count { group.addTask { try await self.token(deadline: soon).string } }
            var tokens: Set<String> = []
            for try await token in group { tokens.insert(token) }
            return tokens
        }
    }
}
