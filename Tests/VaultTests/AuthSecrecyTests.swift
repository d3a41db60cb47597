// Nothing that logs the gateway in, and no token, is shown by whatever prints or logs the things that hold it.

import Foundation
import NIOPosix
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `Secrets of the login` {
    /// How deep to look: down to the tokens, and not into the event loops, which change while they are looked at.
    private static let depth = 5

    /// Everything that printing, dumping and reflecting show.
    func shown(_ things: Any...) -> String {
        var text = ""
        for thing in things {
            dump(thing, to: &text, maxDepth: Self.depth)
            print(thing, to: &text)
            debugPrint(thing, to: &text)
        }
        return text
    }

    @Test func `are not shown by the session, its states, its options or its log`() async throws {
        let api = try await DevServer.shared.api
        let folder = try Folder()
        let approle = try await AppRole(api)
        let wrapper = try await approle.wrappedSecretID()
        let plain = try await approle.secretID()
        let file = try folder.write("wrapped", wrapper)
        let log = RecordingLog()
        let roleID = VaultCredential.value(SecretBytes(approle.roleID))
        var secrets = [approle.roleID, plain, wrapper]
        var text = ""
        for secretID in [
            VaultSecretID.plain(.value(SecretBytes(plain))), .wrapped(file: file, role: approle.role),
            .plain(.value(SecretBytes("not-a-secret-id"))),
        ] {
            let authentication = VaultAuthentication.appRole(roleID: roleID, secretID: secretID, mount: approle.mount)
            var options = VaultOptions(addresses: [try VaultAddress(api.address)])
            options.patience = .seconds(1)
            let method = try authentication.method(options)
            try await withSession(VaultSession(options, authentication, timing: .early, log: log)) { session in
                do {
                    secrets.append(try await session.tokens.token(deadline: soon).string)
                    try await eventually("it is renewed", within: .seconds(120)) {
                        try await session.ownToken().isRenewed
                    }
                } catch {
                    text += shown(error)
                }
                text += shown(session, session.tokens, session.tokenStatus, authentication, method, options)
            }
            let vault = VaultClient(
                nodes: try VaultNodes(options, group: MultiThreadedEventLoopGroup.singleton), namespace: nil,
                patience: .seconds(1), tokens: NoToken())
            do throws(LoginFailure) {
                let lease = try await method.logIn(vault, deadline: soon)
                secrets.append(lease.token.string)
                var schedule = TokenSchedule(timing: TokenTiming())
                schedule.granted(lease, at: .now, random: 0)
                schedule.renewalFailed(lease.token, .refused("no"), at: .now, random: 0)
                text += shown(lease, schedule, method, VaultRequest.get("x").with(.given(lease.token)))
            } catch {
                text += shown(error)
            }
            for node in vault.nodes.all { try await node.close() }
        }
        text += log.text
        #expect(text.contains("AppRole at auth/\(approle.mount)") && log.text.contains("logged in to Vault"))
        // Three to begin with, a token of each session that can log in, and one of the method on its own: a wrapping token is
        // spent by then.
        #expect(secrets.count == 6)
        for secret in secrets { #expect(!text.contains(secret)) }
        #expect(!text.contains("not-a-secret-id"))
    }
}
