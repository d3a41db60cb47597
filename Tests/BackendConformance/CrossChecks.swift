// Random calls to a backend and to the model: the answers, and in the end all that there is, must agree.

import PosternProtocol

let crossChecks = [
    BackendConformance.crossCheck(seed: 1, operations: 700),
    BackendConformance.crossCheck(seed: 2, operations: 700),
    BackendConformance.crossCheck(seed: .random(in: 0...UInt64.max), operations: 700),
]

extension BackendConformance {
    /// A check that makes random calls to a backend and to the model, and compares.
    /// - Parameters:
    ///   - seed: where the random numbers start; a failure prints it, so that it can be repeated.
    ///   - operations: how many calls to make.
    public static func crossCheck(seed: UInt64, operations: Int) -> ConformanceCheck {
        ConformanceCheck("random calls are answered as the model answers them (seed \(seed))") { subject in
            var duel = Duel(subject, seed: seed)
            for _ in 0..<operations { try await duel.step() }
            try await duel.compareAll()
        }
    }
}

/// A backend and the model, given the same calls.
struct Duel {
    let subject: Subject
    let model: InMemoryBackend
    var random: SeededGenerator
    private(set) var log: [String] = []
    private var modelAnswers: Normaliser
    private var backendAnswers: Normaliser

    init(_ subject: Subject, seed: UInt64) {
        self.subject = subject
        self.model = InMemoryBackend(clock: subject.clock)
        self.random = SeededGenerator(seed: seed)
        self.modelAnswers = Normaliser(comparesTime: subject.supportsClock)
        self.backendAnswers = Normaliser(comparesTime: subject.supportsClock)
    }

    /// Draws the next call.
    mutating func draw() async throws -> Operation {
        let (model, deadline) = (model, subject.deadline)
        return try await Operation.random(
            using: &random, current: { await Self.currentVersion(of: $0, in: model, deadline) },
            movesClock: subject.supportsClock)
    }

    /// The current version of a secret, 0 if there is none: the model has no other error.
    private static func currentVersion(of path: SecretPath, in model: InMemoryBackend, _ deadline: Deadline) async
        -> Int
    {
        do {
            return try await model.describe(path, deadline: deadline).currentVersion
        } catch {
            return 0
        }
    }

    /// Makes one call to both.
    mutating func step() async throws {
        let operation = try await draw()
        if case .advance(let duration) = operation { subject.clock.advance(by: duration) }
        try await compare(operation)
    }

    /// Makes a call to both, and fails if they answer otherwise.
    mutating func compare(_ operation: Operation) async throws {
        try await expectModel(toAnswer: answer(operation), to: operation)
    }

    /// Makes a call to the backend.
    mutating func answer(_ operation: Operation) async throws -> String {
        let (backend, deadline) = (subject.backend, subject.deadline)
        log.append("\(operation)")
        return try await backendAnswers.outcome { try await operation.run(on: backend, deadline: deadline) }
    }

    /// Makes a call that the backend has answered to the model too, and fails if it answers otherwise.
    mutating func expectModel(toAnswer seen: String, to operation: Operation) async throws {
        let expected = try await applyToModel(operation)
        guard seen == expected else {
            throw ConformanceFailure(
                "\(operation)\nanswered \(seen)\nthe model \(expected)\nafter these calls:\n\(log.joined(separator: "\n"))"
            )
        }
    }

    /// Makes a call to the model.
    @discardableResult
    mutating func applyToModel(_ operation: Operation) async throws -> String {
        let (model, deadline) = (model, subject.deadline)
        return try await modelAnswers.outcome { try await operation.run(on: model, deadline: deadline) }
    }

    /// Compares all that the two hold.
    mutating func compareAll() async throws {
        for text in Operation.paths { try await compare(text) }
        try await compare(.list(ListQuery(recursive: true, limit: ListQuery.maximumLimit)))
        log.removeLast()
    }

    /// Compares all that the two hold of one secret.
    mutating func compare(_ text: String) async throws {
        let path = try SecretPath(text)
        try await compare(.describe(path))
        let highest = await Self.currentVersion(of: path, in: model, subject.deadline)
        for number in 0...highest + 1 { try await compare(.read(path, number)) }
        log.removeLast(highest + 3)
    }
}
