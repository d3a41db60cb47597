// The policy in force, and its reload: validated first, swapped at once, audited with both hashes.

import Crypto
import Foundation
public import PosternPolicy
public import PosternProtocol
import Synchronization

/// Holds the policy in force. Reloading replaces it as a whole or not at all.
public final class PolicyStore: Sendable {
    /// A policy and the SHA-256 of the file it came from, in lower-case hex.
    public struct Loaded: Sendable {
        /// The compiled policy.
        public let policy: Policy
        /// SHA-256 of the file's bytes, lower-case hex.
        public let sha256: String
    }

    private let file: String
    private let state: Mutex<Loaded>

    /// Loads the policy file.
    /// - Parameter file: the file's path.
    /// - Throws: `invalid_argument` naming each problem with its line.
    public init(file: String) throws(SecretError) {
        self.file = file
        self.state = Mutex(try Self.load(file))
    }

    /// The policy in force.
    public var current: Policy { state.withLock { $0.policy } }

    /// The policy in force with its hash.
    public var loaded: Loaded { state.withLock { $0 } }

    /// Reads the file again, and changes nothing.
    /// - Throws: `invalid_argument` naming each problem with its line.
    public func read() throws(SecretError) -> Loaded {
        try Self.load(file)
    }

    /// Puts a policy in force.
    public func install(_ policy: Loaded) {
        state.withLock { $0 = policy }
    }

    private static func load(_ file: String) throws(SecretError) -> Loaded {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw SecretError(.invalidArgument, "The policy file \(file) cannot be read; check that it exists.")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw SecretError(.invalidArgument, "The policy file \(file) is not UTF-8 text.")
        }
        do {
            let policy = try Policy.parse(text, file: file)
            return Loaded(policy: policy, sha256: SHA256.hash(data: data).hexadecimal)
        } catch {
            throw SecretError(.invalidArgument, "The policy is not valid.\n\(error)")
        }
    }
}
