// A Kubernetes API server, as far as Vault asks one: it reviews the tokens of service accounts.

import Crypto
import Foundation
import NIOHTTP1
import Synchronization

/// A service account of a Kubernetes cluster.
struct ServiceAccount: Sendable {
    let namespace: String
    let name: String
    let uid: String

    var user: String { "system:serviceaccount:\(namespace):\(name)" }

    /// A token of this account, as a cluster projects it into pods.
    func token(_ key: P256.Signing.PrivateKey, id: String) throws -> String {
        let now = Int(Date().timeIntervalSince1970)
        return try key.jwt([
            "iss": "https://kubernetes.default.svc.cluster.local", "sub": user, "jti": id, "iat": now - 60,
            "nbf": now - 60, "exp": now + 3_600,
            "kubernetes.io": ["namespace": namespace, "serviceaccount": ["name": name, "uid": uid]],
        ])
    }
}

extension P256.Signing.PrivateKey {
    /// Signs claims as a JSON Web Token with ES256 (RFC 7515, RFC 7518 §3.4).
    func jwt(_ claims: [String: Any]) throws -> String {
        func encode(_ data: Data) -> String {
            data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        }
        let header = encode(Data(#"{"alg":"ES256","typ":"JWT"}"#.utf8))
        let signed = try header + "." + encode(JSONSerialization.data(withJSONObject: claims))
        return try signed + "." + encode(signature(for: Data(signed.utf8)).rawRepresentation)
    }
}

/// The part of the Kubernetes API that Vault needs: answers TokenReview requests, and accepts one token only.
final class TokenReviewServer: Sendable {
    /// The token that the reviewer must show.
    static let reviewer = "reviewer-token"

    private let server: LocalHTTPServer
    private let accepted: Accepted

    var address: String { server.address }

    private final class Accepted: Sendable {
        let token: Mutex<String>

        init(_ token: String) {
            self.token = Mutex(token)
        }
    }

    init(accepting token: String, of account: ServiceAccount) async throws {
        let accepted = Accepted(token)
        self.accepted = accepted
        server = try await LocalHTTPServer { head, body in
            guard head.method == .POST, head.uri == "/apis/authentication.k8s.io/v1/tokenreviews",
                head.headers["authorization"] == ["Bearer \(Self.reviewer)"],
                let token = (body["spec"] as? [String: Any])?["token"] as? String
            else { return (.forbidden, ["kind": "Status", "status": "Failure", "code": 403]) }
            let user: [String: Any] = [
                "username": account.user, "uid": account.uid, "groups": ["system:serviceaccounts"],
            ]
            let status: [String: Any] =
                accepted.token.withLock { $0 == token }
                ? ["authenticated": true, "user": user] : ["authenticated": false, "error": "unknown token"]
            return (
                .created, ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status]
            )
        }
    }

    /// Accepts this token from now on, and no other.
    func accept(_ token: String) {
        accepted.token.withLock { $0 = token }
    }

    func close() async throws {
        try await server.close()
    }
}
