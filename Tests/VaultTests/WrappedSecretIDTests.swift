// A response-wrapped secret ID: unwrapped once by whom it was meant for, or a theft comes to light.

import Foundation
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `A wrapped secret ID` {
    let folder: Folder
    let api: VaultAPI
    let approle: AppRole

    init() async throws {
        folder = try Folder()
        api = try await DevServer.shared.api
        approle = try await AppRole(api)
    }

    /// A session whose wrapping token is in a file.
    func session(_ token: String, role: String? = nil, timing: TokenTiming = TokenTiming()) throws -> VaultSession {
        let file = try folder.write("wrapped", token + "\n")
        let authentication = VaultAuthentication.appRole(
            roleID: .value(SecretBytes(approle.roleID)), secretID: .wrapped(file: file, role: role ?? approle.role),
            mount: approle.mount)
        return try VaultSession(api, authentication, timing: timing)
    }

    func revoke(_ session: VaultSession) async throws {
        let accessor = try #require(session.tokenStatus.accessor)
        try await api.must("POST", "auth/token/revoke-accessor", #"{"accessor":"\#(accessor)"}"#)
    }

    @Test func `is unwrapped once, and serves for further logins, with the file or without`() async throws {
        try await withSession(session(try await approle.wrappedSecretID())) { session in
            let first = try await session.ownToken()
            try await revoke(session)
            let second = try await session.ownToken()
            try FileManager.default.removeItem(atPath: folder.path("wrapped"))
            try await revoke(session)
            let third = try await session.ownToken()
            #expect(Set([first, second, third].compactMap { $0["id"] as? String }).count == 3)
        }
    }

    @Test func `is replaced by a new one that is put into the file`() async throws {
        try await withSession(session(try await approle.wrappedSecretID())) { session in
            _ = try await session.ownToken()
            let new = try await approle.wrappedSecretID()
            try folder.write("wrapped", new)
            try await revoke(session)
            _ = try await session.ownToken()
            let lookup = try await api.call("POST", "sys/wrapping/lookup", #"{"token":"\#(new)"}"#)
            #expect(lookup.status == 400)
        }
    }

    @Test func `that somebody else has unwrapped is reported as perhaps intercepted`() async throws {
        let token = try await approle.wrappedSecretID()
        var thief = api
        thief.token = token
        try await thief.must("POST", "sys/wrapping/unwrap")
        try await withSession(session(token)) { session in
            let error = await expectError(.backendUnavailable, containing: "may have been intercepted") {
                try await session.get("sys/mounts")
            }
            #expect(error?.message.contains(token) == false)
            #expect(session.tokenStatus.lastError?.contains("may have been intercepted") == true)
        }
    }

    @Test func `of another role, or no secret ID at all, is not even unwrapped`() async throws {
        let other = try await approle.wrappedSecretID()
        let anything = try await api.wrapping("POST", "sys/wrapping/wrap", #"{"secret_id":"forged"}"#)
        for (token, role, path) in [
            (other, "another", "auth/\(approle.mount)/role/gateway/secret-id"),
            (anything, "gateway", "sys/wrapping/wrap"),
        ] {
            try await withSession(session(token, role: role)) { session in
                await expectError(
                    .backendUnavailable, containing: "was not made by", path.prefix(40).description,
                    "has not been unwrapped"
                ) {
                    try await session.get("sys/mounts")
                }
            }
            // It is still there for whoever looks into the matter.
            try await api.must("POST", "sys/wrapping/lookup", #"{"token":"\#(token)"}"#)
        }
    }
}
