// What is wrong with a policy file, and where.

/// One thing to correct in a policy file.
public struct PolicyProblem: Sendable, Hashable, CustomStringConvertible {
    /// The file, as it was named to ``Policy/parse(_:file:)``.
    public let file: String
    /// The line, from 1.
    public let line: Int
    /// The column, from 1, counted in Unicode scalars.
    public let column: Int
    /// What is wrong and what to do about it.
    public let message: String

    /// Makes a problem.
    public init(file: String, line: Int, column: Int, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    /// `file:line:column: message`, which editors can jump to.
    public var description: String { "\(file):\(line):\(column): \(message)" }
}

/// Everything that is wrong with a policy file, in the order of the lines.
public struct PolicyProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// The problems, at least one.
    public let problems: [PolicyProblem]

    /// Makes an error of problems.
    public init(_ problems: [PolicyProblem]) {
        self.problems = problems
    }

    /// The problems, one a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
