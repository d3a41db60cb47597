// A token in a file, which somebody else replaces.

import Foundation
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `A token in a file` {
    let folder: Folder

    init() throws {
        folder = try Folder()
    }

    @Test func `is taken up within a second of being replaced`() async throws {
        let api = try await DevServer.shared.api
        let (first, second) = (try await api.makeToken(policy: "# 1"), try await api.makeToken(policy: "# 2"))
        let file = try folder.write("token", first + "\n")
        try await withSession(VaultSession(api, .token(.file(file)))) { session in
            let own = try await session.ownToken()
            #expect(own["id"] as? String == first)
            try folder.write("token", second + "\n")
            try await eventually("the new one is used") {
                try await session.tokens.token(deadline: soon) == SecretBytes(second)
            }
        }
    }

    @Test func `is taken up at once when the old one is refused`() async throws {
        let api = try await DevServer.shared.api
        let (first, second) = (try await api.makeToken(policy: "# 1"), try await api.makeToken(policy: "# 2"))
        let file = try folder.write("token", first)
        // Refusals are the only reason to look.
        let timing = TokenTiming(checkInterval: .seconds(7_200))
        try await withSession(VaultSession(api, .token(.file(file)), timing: timing)) { session in
            _ = try await session.ownToken()
            try folder.write("token", second)
            try await api.must("POST", "auth/token/revoke", #"{"token":"\#(first)"}"#)
            let own = try await session.ownToken()
            #expect(own["id"] as? String == second)
        }
    }

    @Test func `is taken up at once when it is for a right that the old one lacks`() async throws {
        let api = try await DevServer.shared.api
        let first = try await api.makeToken(policy: "# 1")
        let second = try await api.makeToken(policy: #"path "sys/mounts" { capabilities = ["read"] }"#)
        let file = try folder.write("token", first)
        let timing = TokenTiming(checkInterval: .seconds(7_200))
        try await withSession(VaultSession(api, .token(.file(file)), timing: timing)) { session in
            let before = try await session.get("sys/mounts")
            #expect(before.status == 403)
            try folder.write("token", second)
            let after = try await session.get("sys/mounts")
            #expect(after.status == 200)
        }
    }

    @Test func `that is replaced by something else leaves the old one in use, and tells why`() async throws {
        let api = try await DevServer.shared.api
        let first = try await api.makeToken(policy: "# 1")
        let file = try folder.write("token", first)
        try await withSession(VaultSession(api, .token(.file(file)), timing: .never)) { session in
            _ = try await session.ownToken()
            try folder.write("token", "s.dead")
            try await eventually("the new one is tried") {
                _ = try await session.tokens.token(deadline: soon)
                return session.tokenStatus.lastError?.contains("put a good one in its place") == true
            }
            #expect(try await session.tokens.token(deadline: soon) == SecretBytes(first))
            try FileManager.default.removeItem(atPath: file)
            try await eventually("it is missed") {
                _ = try await session.tokens.token(deadline: soon)
                return session.tokenStatus.lastError?.contains("No such file") == true
            }
            #expect(try await session.tokens.token(deadline: soon) == SecretBytes(first))
        }
    }

    @Test func `that was dead works as soon as a good one is in its place`() async throws {
        let api = try await DevServer.shared.api
        let file = folder.path("token")
        let timing = TokenTiming(firstRefusalPause: .seconds(7_200), longestRefusalPause: .seconds(7_200))
        try await withSession(VaultSession(api, .token(.file(file)), timing: timing)) { session in
            await expectError(.backendUnavailable, containing: "the Vault token in \(file)", "No such file") {
                try await session.get("auth/token/lookup-self")
            }
            try folder.write("token", try await api.makeToken(policy: "# 1"))
            try await eventually("it is used") {
                do throws(SecretError) {
                    _ = try await session.tokens.token(deadline: soon)
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    @Test func `that can be renewed is renewed`() async throws {
        let api = try await DevServer.shared.api
        let file = try folder.write("token", try await api.makeToken(policy: "# 1", options: #""period":"1h""#))
        try await withSession(VaultSession(api, .token(.file(file)), timing: .early)) { session in
            _ = try await session.ownToken()
            try await eventually("it is renewed", within: .seconds(120)) { try await session.ownToken().isRenewed }
            #expect(session.tokenStatus.warning == nil)
        }
    }

    @Test func `that has reached its longest life is warned of, and serves to the last`() async throws {
        let api = try await DevServer.shared.api
        let token = try await api.makeToken(policy: "# 1", options: #""ttl":"30s","explicit_max_ttl":"30s""#)
        let file = try folder.write("token", token)
        let log = RecordingLog()
        try await withSession(
            VaultSession(api, .token(.file(file)), timing: TokenTiming(renewal: 0.125), log: log)
        ) { session in
            _ = try await session.ownToken()
            #expect(session.tokenStatus.warning == nil)
            try await eventually("there is a warning", within: .seconds(120)) {
                session.tokenStatus.warning?.contains("cannot be renewed; put a new one into \(file)") == true
            }
            try await eventually("it is in the log") { log.text.contains("warning The gateway's Vault token ends at") }
            #expect(session.tokenStatus.isUsable)
        }
    }
}
