// How far a cluster's servers have come, in the headers that OpenBao gives and takes.

import NIOCore
import PosternCoding
import PosternProtocol
import Synchronization

/// The newest replication index that any answer told. Sent with every request, it keeps a server that lags behind from answering
/// with what was true before: it passes the request on to the active one, or answers 412.
///
/// OpenBao's RFC "Support client-indicated minimum storage indices": `X-Vault-Index` is base64 of a JSON object with `cluster` and
/// `value`, which with raft storage is a whole number. HashiCorp's Enterprise edition has a header of the same name.
final class ReplicationIndex: Sendable {
    private struct State {
        var header: String?
        var position: UInt64?
    }

    private let state = Mutex(State())

    /// What to send, if anything is known.
    var header: String? { state.withLock { $0.header } }

    /// An answer told an index.
    func note(_ header: String) {
        guard header.utf8.count <= 4_096 else { return }
        let position = Self.position(of: header)
        state.withLock { state in
            // Answers overtake one another: an older one must not take the index back. One that cannot be ordered replaces.
            if let position, let known = state.position, position <= known { return }
            state = State(header: header, position: position)
        }
    }

    /// The active server itself has not reached the index: it comes from another life of the cluster.
    func forget() {
        state.withLock { $0 = State() }
    }

    private static func position(of header: String) -> UInt64? {
        var position: UInt64?
        do throws(SecretError) {
            try JSONReader.read(try Base64.decode(SecretBytes(padded(header)), "It")) {
                (json, name) throws(SecretError) in
                if name == "value", json.isAtString {
                    position = UInt64(try json.string("The index"))
                } else {
                    _ = try json.raw("A member")
                }
            }
        } catch {
            // The header is opaque: one of another form is passed back all the same.
            return nil
        }
        return position
    }

    private static func padded(_ text: String) -> String {
        text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    }
}
