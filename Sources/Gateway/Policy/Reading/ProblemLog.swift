// Collects what is wrong with a policy file, so that all of it can be told at once.

/// The problems found so far. Lives for one ``Policy/parse(_:file:)`` and is never shared.
final class ProblemLog {
    private let file: String
    private var problems: [PolicyProblem] = []

    init(file: String) {
        self.file = file
    }

    /// Adds a problem; one that concerns the whole file is put at its start.
    func add(_ place: Place, _ message: String) {
        problems.append(PolicyProblem(file: file, line: place.line, column: place.column, message: message))
    }

    /// Throws what was collected, if anything was.
    func throwIfAny() throws(PolicyProblems) {
        guard !problems.isEmpty else { return }
        // Stable: several problems at one place stay in the order in which they were found.
        let sorted = problems.enumerated().sorted { a, b in
            (a.element.line, a.element.column, a.offset) < (b.element.line, b.element.column, b.offset)
        }
        throw PolicyProblems(sorted.map(\.element))
    }
}
