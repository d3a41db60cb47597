// Where the PIN of a token is. It is read at each login and kept nowhere.

import Glibc
import PosternProtocol

/// Where the PIN of a token is.
public enum PINSource: Sendable, Hashable {
    /// In a file that others may not read. A newline at its end does not count.
    case file(String)
    /// In an environment variable.
    case environment(String)
    /// On the standard output of a program, given as its path and arguments. A newline at the end does not count.
    case command([String])

    /// Reads the value of `pin-source` in a URI (RFC 7512 §2.4): `file:/path`, `/path`, `env:NAME`, or `|program
    /// argument …`, split at spaces and run without a shell.
    /// - Throws: `invalid_argument` for anything else.
    init(uriValue text: String) throws(SecretError) {
        if text.hasPrefix("|") {
            let words = text.dropFirst().split(separator: " ").map(String.init)
            guard let program = words.first, program.hasPrefix("/") else {
                throw SecretError(
                    .invalidArgument, "In `pin-source`, `|` is followed by the absolute path of a program.")
            }
            self = .command(words)
        } else if text.hasPrefix("env:"), text.count > 4 {
            self = .environment(String(text.dropFirst(4)))
        } else {
            let path = text.hasPrefix("file:") ? String(text.dropFirst(5)) : text
            // An empty authority, as in file:///run/pin, is allowed.
            let trimmed = path.hasPrefix("///") ? String(path.dropFirst(2)) : path
            guard trimmed.hasPrefix("/"), !trimmed.hasPrefix("//") else {
                throw SecretError(
                    .invalidArgument,
                    "`pin-source` is `file:/path`, `env:NAME`, or `|` and a program that prints the PIN.")
            }
            self = .file(trimmed)
        }
    }

    /// Reads the PIN as it is now. Blocks.
    /// - Throws: `key_unavailable` saying what is wrong with the source; `deadline_exceeded`.
    func read(deadline: Deadline) throws(SecretError) -> SecretBytes {
        switch self {
        case .file(let path): try PINFile(path: path).read()
        case .environment(let name): try Self.variable(name)
        case .command(let arguments): try PINCommand(arguments: arguments).read(deadline: deadline)
        }
    }

    private static func variable(_ name: String) throws(SecretError) -> SecretBytes {
        guard let value = unsafe getenv(name), unsafe value[0] != 0 else {
            throw SecretError(
                .keyUnavailable, "The environment variable \(name), which should have the PIN, is not set.")
        }
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }
}

extension PINSource: CustomStringConvertible {
    /// As in `the file /run/secrets/pin`, for messages.
    public var description: String {
        switch self {
        case .file(let path): "the file \(path)"
        case .environment(let name): "the environment variable \(name)"
        case .command(let arguments): "the command \(arguments.first ?? "")"
        }
    }
}
