// Everything that is wrong with a configuration, told at once.

/// The problems that keep a configuration from being used; prints one a line.
public struct ConfigurationProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// One problem.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// Where it is: `FILE:LINE`, an environment variable's name, `--set`, or empty for the whole.
        public let place: String
        /// The key it is about, as in `grpc.listen`; empty if it is about none.
        public let key: String
        /// What is wrong and what is allowed; never a secret.
        public let message: String

        /// `PLACE: KEY: MESSAGE`, without what is empty.
        public var description: String {
            [place, key, message].filter { !$0.isEmpty }.joined(separator: ": ")
        }
    }

    /// The problems, in the order of the command line, the environment, the file, then the whole.
    public let problems: [Problem]

    /// One problem a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
