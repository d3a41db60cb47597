// Each way of logging in, against a real mount of its own.

import Crypto
import Foundation
import PosternPKI
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite struct `Logging in` {
    @Test func `with a given token takes the token as it is`() async throws {
        let api = try await DevServer.shared.api
        let token = try await api.makeToken(policy: "# nothing")
        try await withSession(VaultSession(api, .token(.value(SecretBytes(token))))) { session in
            let own = try await session.ownToken()
            #expect(own["id"] as? String == token)
            let status = session.tokenStatus
            #expect(status.isUsable && status.lastError == nil && status.warning == nil)
            #expect(status.method == "a given token")
            #expect(own["accessor"] as? String == status.accessor)
        }
        // It belongs to whoever made it: the gateway's end is not its end.
        #expect(try await api.call("POST", "auth/token/lookup", #"{"token":"\#(token)"}"#).status == 200)
    }

    @Test func `with the root token has nothing to renew`() async throws {
        let api = try await DevServer.shared.api
        try await withSession(VaultSession(api, .token(.value(SecretBytes("root"))))) { session in
            let answer = try await session.get("sys/mounts")
            #expect(answer.status == 200)
            #expect(session.tokenStatus.isUsable && session.tokenStatus.expiresAt == nil)
            #expect(session.tokenStatus.warning == nil)
        }
    }

    @Test func `with a token that will end warns, in the log and in the status`() async throws {
        let api = try await DevServer.shared.api
        let token = try await api.makeToken(policy: "# nothing", options: #""ttl":"1h","renewable":false"#)
        let log = RecordingLog()
        try await withSession(VaultSession(api, .token(.value(SecretBytes(token))), log: log)) { session in
            #expect(try await session.get("auth/token/lookup-self").status == 200)
            let warning = try #require(session.tokenStatus.warning)
            #expect(warning.contains("cannot be renewed; start the gateway again with a new one"))
            let expiresAt = try #require(session.tokenStatus.expiresAt)
            let left = expiresAt.since(SystemWallClock().now())
            #expect(left > .seconds(3_000) && left <= .seconds(3_600))
            #expect(log.text.contains("warning The gateway's Vault token ends at"))
        }
    }

    @Test func `with a dead token says so, and does not hammer Vault`() async throws {
        let api = try await DevServer.shared.api
        try await withSession(VaultSession(api, .token(.value(SecretBytes("s.dead"))))) { session in
            for _ in 0..<3 {
                await expectError(.backendUnavailable, containing: "refuses the Vault token", "VAULT_TOKEN") {
                    try await session.get("sys/mounts")
                }
            }
            #expect(session.tokenStatus.lastError?.contains("refuses the Vault token") == true)
            #expect(!session.tokenStatus.isUsable)
        }
    }

    @Test func `with AppRole, and the token is revoked at the end`() async throws {
        let api = try await DevServer.shared.api
        let approle = try await AppRole(api)
        let secretID = try await approle.secretID()
        var accessor = ""
        try await withSession(VaultSession(api, approle.authentication(secretID))) { session in
            #expect(try await session.ownToken()["path"] as? String == "auth/\(approle.mount)/login")
            #expect(session.tokenStatus.method == "AppRole at auth/\(approle.mount)")
            accessor = try #require(session.tokenStatus.accessor)
        }
        #expect(try await approle.logins(secretID) == 1)
        #expect(
            try await api.call("POST", "auth/token/lookup-accessor", #"{"accessor":"\#(accessor)"}"#).status != 200)
    }

    @Test func `with AppRole takes IDs from files, and none where the role asks for none`() async throws {
        let api = try await DevServer.shared.api
        let folder = try Folder()
        let approle = try await AppRole(api)
        let roleID = try folder.write("role-id", approle.roleID + "\n")
        let secretID = try folder.write("secret-id", try await approle.secretID() + "\n")
        let files = VaultAuthentication.appRole(
            roleID: .file(roleID), secretID: .plain(.file(secretID)), mount: approle.mount)
        try await withSession(VaultSession(api, files)) { session in _ = try await session.ownToken() }

        let open = try await AppRole(
            api, settings: #""bind_secret_id":false,"token_bound_cidrs":"127.0.0.0/8","token_ttl":"1h""#)
        let without = VaultAuthentication.appRole(
            roleID: .value(SecretBytes(open.roleID)), secretID: nil, mount: open.mount)
        try await withSession(VaultSession(api, without)) { session in _ = try await session.ownToken() }
    }

    @Test func `with an expired secret ID says so in health, and takes up a new one at once`() async throws {
        let api = try await DevServer.shared.api
        let folder = try Folder()
        let approle = try await AppRole(api)
        let used = try await approle.secretID(#""num_uses":1"#)
        let file = try folder.write("secret-id", used)
        try await api.must(
            "POST", "auth/\(approle.mount)/login", #"{"role_id":"\#(approle.roleID)","secret_id":"\#(used)"}"#)
        let authentication = VaultAuthentication.appRole(
            roleID: .value(SecretBytes(approle.roleID)), secretID: .plain(.file(file)), mount: approle.mount)
        // A pause that no test could sit out.
        let timing = TokenTiming(firstRefusalPause: .seconds(7_200), longestRefusalPause: .seconds(7_200))
        try await withSession(VaultSession(api, authentication, timing: timing)) { session in
            await expectError(.backendUnavailable, containing: "expired or been used up; put a new one into \(file)") {
                try await session.get("sys/mounts")
            }
            #expect(session.tokenStatus.lastError?.contains("invalid role or secret ID") == true)
            try folder.write("secret-id", try await approle.secretID())
            try await eventually("the new secret ID is used") {
                do throws(SecretError) {
                    _ = try await session.tokens.token(deadline: soon)
                    return true
                } catch {
                    return false
                }
            }
            #expect(session.tokenStatus.lastError == nil)
        }
    }

    @Test func `applies to the namespace`() async throws {
        // HashiCorp's has namespaces in its Enterprise edition only.
        guard !VaultProcess.isHashiCorp else { return }
        var api = try await DevServer.shared.api
        let namespace = "team-\(UUID().uuidString.lowercased())"
        try await api.must("POST", "sys/namespaces/\(namespace)", "{}")
        api.namespace = namespace
        let approle = try await AppRole(api)
        let folder = try Folder()
        let file = try folder.write("wrapped", try await approle.wrappedSecretID())
        for secretID in [
            VaultSecretID.plain(.value(SecretBytes(try await approle.secretID()))),
            .wrapped(file: file, role: approle.role),
        ] {
            let authentication = VaultAuthentication.appRole(
                roleID: .value(SecretBytes(approle.roleID)), secretID: secretID, mount: approle.mount)
            try await withSession(VaultSession(api, authentication, timing: .early)) { session in
                #expect(try await session.ownToken()["namespace_path"] as? String == namespace + "/")
                try await eventually("the token is renewed") { try await session.ownToken().isRenewed }
            }
        }
    }

    @Test func `with Kubernetes has the cluster review the service account's token, read anew each time`() async throws
    {
        let api = try await DevServer.shared.api
        let folder = try Folder()
        let key = P256.Signing.PrivateKey()
        let account = ServiceAccount(namespace: "prod", name: "gateway", uid: UUID().uuidString)
        let first = try account.token(key, id: "first")
        let cluster = try await TokenReviewServer(accepting: first, of: account)
        let mount = "kubernetes-\(UUID().uuidString.lowercased())"
        try await api.must("POST", "sys/auth/\(mount)", #"{"type":"kubernetes"}"#)
        let authority = try CertificateAuthority.create(commonName: "Kubernetes CA").identity().certificatePEM
        let configuration = try JSONSerialization.data(withJSONObject: [
            "kubernetes_host": cluster.address, "kubernetes_ca_cert": authority,
            "token_reviewer_jwt": TokenReviewServer.reviewer, "disable_local_ca_jwt": true,
        ])
        try await api.must("POST", "auth/\(mount)/config", String(decoding: configuration, as: UTF8.self))
        try await api.must(
            "POST", "auth/\(mount)/role/gw",
            #"{"bound_service_account_names":"gateway","bound_service_account_namespaces":"prod","token_ttl":"1h"}"#)
        let file = try folder.write("token", first)
        let authentication = VaultAuthentication.kubernetes(role: "gw", tokenFile: file, mount: mount)
        try await withSession(VaultSession(api, authentication)) { session in
            let own = try await session.ownToken()
            #expect((own["meta"] as? [String: String])?["service_account_name"] == "gateway")

            // Kubernetes has replaced the token, and Vault has forgotten its own.
            let second = try account.token(key, id: "second")
            cluster.accept(second)
            try folder.write("token", second)
            try await api.must(
                "POST", "auth/token/revoke-accessor", #"{"accessor":"\#(#require(session.tokenStatus.accessor))"}"#)
            #expect(try await session.ownToken()["id"] as? String != own["id"] as? String)
        }
        try folder.write("token", try ServiceAccount(namespace: "test", name: "gateway", uid: "1").token(key, id: "x"))
        try await withSession(VaultSession(api, authentication)) { session in
            await expectError(.backendUnavailable, containing: "Kubernetes at auth/\(mount)", "Look at the role gw") {
                try await session.get("sys/mounts")
            }
        }
        try await cluster.close()
    }

    @Test func `with a JWT that a key of the mount's has signed`() async throws {
        let api = try await DevServer.shared.api
        let folder = try Folder()
        let key = P256.Signing.PrivateKey()
        let mount = "jwt-\(UUID().uuidString.lowercased())"
        try await api.must("POST", "sys/auth/\(mount)", #"{"type":"jwt"}"#)
        let configuration = try JSONSerialization.data(withJSONObject: [
            "jwt_validation_pubkeys": [key.publicKey.pemRepresentation], "default_role": "gw",
        ])
        try await api.must("POST", "auth/\(mount)/config", String(decoding: configuration, as: UTF8.self))
        try await api.must(
            "POST", "auth/\(mount)/role/gw",
            #"{"role_type":"jwt","user_claim":"sub","bound_audiences":["vault"],"bound_subject":"gateway","token_ttl":"1h"}"#
        )
        let expires = Int(Date().timeIntervalSince1970) + 3_600
        let good = try key.jwt([
            "sub": "gateway", "aud": "vault", "iat": expires - 3_660, "nbf": expires - 3_660, "exp": expires,
        ])
        let file = try folder.write("jwt", good + "\n")
        for (credential, role) in [(VaultCredential.value(SecretBytes(good)), "gw"), (.file(file), nil)] {
            let authentication = VaultAuthentication.jwt(credential, role: role, mount: mount)
            try await withSession(VaultSession(api, authentication)) { session in
                let own = try await session.ownToken()
                #expect(own["path"] as? String == "auth/\(mount)/login")
            }
        }
        let other = try P256.Signing.PrivateKey().jwt([
            "sub": "gateway", "aud": "vault", "iat": expires - 3_660, "nbf": expires - 3_660, "exp": expires,
        ])
        let forged = VaultAuthentication.jwt(.value(SecretBytes(other)), role: "gw", mount: mount)
        try await withSession(VaultSession(api, forged)) { session in
            let error = await expectError(.backendUnavailable, containing: "JWT at auth/\(mount)") {
                try await session.get("sys/mounts")
            }
            #expect(error?.message.contains(other) == false)
        }
    }

    @Test func `with the client certificate of the connection`() async throws {
        let cluster = try await Cluster(nodes: 1)
        defer { cluster.stop() }
        let api = cluster.api(0)
        let folder = try Folder()
        let authority = try CertificateAuthority.create(commonName: "Gateways CA")
        try authority.issueClient(dnsName: "gateway.example.org")
            .write(certificateFile: folder.path("client.pem"), keyFile: folder.path("client.key"))
        try await api.must("POST", "sys/auth/cert", #"{"type":"cert"}"#)
        let role = try JSONSerialization.data(withJSONObject: [
            "certificate": authority.identity().certificatePEM, "allowed_dns_sans": ["gateway.example.org"],
            "token_ttl": "1h",
        ])
        try await api.must("POST", "auth/cert/certs/gw", String(decoding: role, as: UTF8.self))
        var options = VaultOptions(addresses: [try VaultAddress(api.address)])
        options.tls.authorities = cluster.authority
        options.tls.clientCertificate = folder.path("client.pem")
        options.tls.clientKey = folder.path("client.key")
        for name in ["gw", nil] {
            try await withSession(VaultSession(options, .certificate(role: name))) { session in
                let meta = try await session.ownToken()["meta"] as? [String: String]
                #expect(meta?["cert_name"] == "gw")
            }
        }
        try await withSession(VaultSession(options, .certificate(role: "other"))) { session in
            await expectError(.backendUnavailable, containing: "a certificate at auth/cert") {
                try await session.get("sys/mounts")
            }
        }
    }

    @Test func `at a mount that is not there says where it looked`() async throws {
        let api = try await DevServer.shared.api
        let authentication = VaultAuthentication.jwt(.value(SecretBytes("x")), role: "gw", mount: "teams/nobody")
        try await withSession(VaultSession(api, authentication)) { session in
            await expectError(.backendUnavailable, containing: "JWT at auth/teams/nobody (status 403") {
                try await session.get("sys/mounts")
            }
        }
    }
}

extension [String: Any] {
    /// Whether a token that was looked up has been renewed.
    var isRenewed: Bool { self["last_renewal_time"] is Int }
}
