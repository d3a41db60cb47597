// What holds for every call: deadlines, cancellation; and health.

import PosternProtocol

let callChecks = [
    ConformanceCheck("a call whose deadline has passed throws and does not start") { subject in
        try await prepare(subject)
        let before = try await Snapshot(of: ["a", "b", "new"], in: subject)
        for (what, call) in calls {
            try await expectError(.deadlineExceeded, from: "\(what) past its deadline") {
                try await call(subject.backend, .after(.seconds(-1)))
            }
        }
        try expectEqual(try await Snapshot(of: ["a", "b", "new"], in: subject), before, "the state after late calls")
    },
    ConformanceCheck("a call in a cancelled task throws and does not start") { subject in
        try await prepare(subject)
        let before = try await Snapshot(of: ["a", "b", "new"], in: subject)
        for (what, call) in calls {
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                try await expectError(.cancelled, from: "\(what) in a cancelled task") {
                    try await call(subject.backend, subject.deadline)
                }
            }
            task.cancel()
            _ = try await task.value
        }
        try expectEqual(
            try await Snapshot(of: ["a", "b", "new"], in: subject), before, "the state after cancelled calls")
    },
    ConformanceCheck("a call that is cancelled while it runs is done whole or not at all") { subject in
        for round in 0..<50 {
            let task = Task { try await subject.write("a", "round \(round)", expecting: nil) }
            if round.isMultiple(of: 2) { await Task.yield() }
            task.cancel()
            let result = await task.result
            let state = try await Snapshot(of: ["a"], in: subject)
            if case .success(let info) = result {
                try expectEqual(try await subject.read("a", info.number).info, info, "an acknowledged version")
            }
            try expectEqual(state, try await Snapshot(of: ["a"], in: subject), "the state, once the call has returned")
        }
    },
    ConformanceCheck("a backend has a name and is ready, also while it works") { subject in
        try expect(!subject.backend.name.isEmpty, "it has no name")
        try await subject.write("a")
        let health = await subject.backend.health(deadline: subject.deadline)
        try expect(health.isReady, "not ready: \(health.detail)")
        // An answer is the point: past its deadline there is one too.
        _ = await subject.backend.health(deadline: .after(.seconds(-1)))
    },
]

private typealias Call = @Sendable (any SecretBackend, Deadline) async throws -> Void

/// Each method in a call that would succeed, and change something if it can.
private let calls: [(String, Call)] = [
    ("read", { _ = try await $0.read(SecretPath("a"), version: nil, deadline: $1) }),
    (
        "write",
        { _ = try await $0.write(SecretPath("a"), Payload(value: SecretBytes("x")), expecting: nil, deadline: $1) }
    ),
    (
        "create",
        { _ = try await $0.write(SecretPath("new"), Payload(value: SecretBytes("x")), expecting: 0, deadline: $1) }
    ),
    ("delete", { try await $0.delete(SecretPath("a"), versions: [], deadline: $1) }),
    ("undelete", { try await $0.undelete(SecretPath("a"), versions: [1], deadline: $1) }),
    ("destroy", { try await $0.destroy(SecretPath("a"), versions: [1], deadline: $1) }),
    ("remove", { try await $0.remove(SecretPath("b"), deadline: $1) }),
    ("list", { _ = try await $0.list(ListQuery(), deadline: $1) }),
    ("describe", { _ = try await $0.describe(SecretPath("a"), deadline: $1) }),
    (
        "updateMetadata",
        { _ = try await $0.updateMetadata(SecretPath("a"), MetadataChange(labels: ["k": "v"]), deadline: $1) }
    ),
]

private func prepare(_ subject: Subject) async throws {
    try await subject.write("a", "1")
    try await subject.write("a", "2")
    try await subject.delete("a", [1])
    try await subject.write("b")
}
