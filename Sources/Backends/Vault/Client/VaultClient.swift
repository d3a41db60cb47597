// Requests to Vault that reach a server that can answer, or fail in time saying why.

import NIOCore
import PosternCoding
import PosternConcurrency
import PosternProtocol
import Synchronization

/// Asks Vault. Knows its servers and the gateway's own token; knows nothing of secrets.
final class VaultClient: Sendable {
    /// How old the knowledge of which server is the active one may be.
    private static let checkInterval: Duration = .seconds(10)
    /// How long one server has to answer where there are others; doubled at each further attempt.
    private static let firstAttempt: Duration = .seconds(2)
    private static let maximumHops = 3

    let nodes: VaultNodes
    let gate: OutageGate
    private let namespace: String?
    private let tokens: any TokenSource
    private let random: @Sendable () -> Double
    private let index = ReplicationIndex()
    private let check = Mutex<SharedResult<Void>?>(nil)

    /// Makes a client.
    /// - Parameters:
    ///   - tokens: where the gateway's own token comes from.
    ///   - random: 0 up to 1, for jitter.
    init(
        nodes: VaultNodes, namespace: String?, patience: Duration, tokens: any TokenSource,
        random: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
    ) {
        self.nodes = nodes
        self.namespace = namespace
        self.tokens = tokens
        self.random = random
        gate = OutageGate(patience: patience)
    }

    /// Asks, at another server or again where that is safe, until there is an answer or no time for another attempt.
    /// - Returns: what Vault answered to the request itself: success, or a refusal of it (400, 403, 404, 405, 413, and
    ///   500 where storage does not take what is too large).
    /// - Throws: `backend_unavailable`, `backend_sealed`, `rate_limited`, `deadline_exceeded`, `cancelled`.
    func send(_ request: VaultRequest, deadline: Deadline) async throws(VaultFailure) -> VaultAnswer {
        var call = Call(deadline: deadline)
        var token = try await token(for: request, deadline: deadline)
        while true {
            let node = try await nextNode(for: &call)
            let outcome = await attempt(request, at: node, token: token, call)
            switch outcome {
            case .answer(let answer):
                gate.succeeded()
                if answer.status == 403, case .own = request.token, let refused = token, !call.hasNewToken {
                    call.hasNewToken = true
                    if let new = try await replacement(for: refused, deadline: deadline) {
                        token = new
                        continue
                    }
                }
                return answer
            case .elsewhere(let target):
                guard call.hops < Self.maximumHops else {
                    throw VaultFailure(
                        error: SecretError(.backendUnavailable, "Vault's servers redirect to one another endlessly."),
                        mayHaveHappened: false)
                }
                call.hops += 1
                call.target = target
            case .failure(let failure, let mayBeRetried):
                if failure.mayHaveHappened && !request.isRepeatable || !mayBeRetried { throw failure }
                call.attempts += 1
                call.note(failure)
                try await pause(&call)
            }
        }
    }

    /// One call's way through servers and attempts.
    struct Call {
        let deadline: Deadline
        var attempts = 0
        var hops = 0
        var hasNewToken = false
        /// The server that a redirect leads to.
        var target: VaultNode?
        var last: VaultFailure?

        /// When attempts end.
        let answerBy: Deadline

        init(deadline: Deadline) {
            self.deadline = deadline
            answerBy = deadline.answerBy
        }

        /// An attempt failed. What a server said before is worth more than that the last attempt ran out of time.
        mutating func note(_ failure: VaultFailure) {
            let isOutOfTime = answerBy.hasPassed
            last = VaultFailure(
                error: isOutOfTime ? last?.error ?? failure.error : failure.error,
                mayHaveHappened: failure.mayHaveHappened || last?.mayHaveHappened == true)
        }
    }

    private func token(for request: VaultRequest, deadline: Deadline) async throws(VaultFailure) -> SecretBytes? {
        switch request.token {
        case .none: return nil
        case .given(let token): return token
        case .own:
            do throws(SecretError) {
                return try await tokens.token(deadline: deadline)
            } catch {
                throw VaultFailure(error: error, mayHaveHappened: false)
            }
        }
    }

    private func replacement(
        for token: SecretBytes, deadline: Deadline
    ) async throws(VaultFailure) -> SecretBytes? {
        do throws(SecretError) {
            return try await tokens.replacement(for: token, deadline: deadline)
        } catch {
            throw VaultFailure(error: error, mayHaveHappened: false)
        }
    }

    /// The server for the next attempt, once one may be made.
    private func nextNode(for call: inout Call) async throws(VaultFailure) -> VaultNode {
        while true {
            do throws(SecretError) {
                try call.deadline.check("Vault was asked")
            } catch {
                throw call.last ?? VaultFailure(error: error, mayHaveHappened: false)
            }
            switch gate.admit(at: .now, jitter: 0.5 + random()) {
            case .pass:
                if let target = call.target {
                    call.target = nil
                    return target
                }
                await checkRolesIfDue(deadline: call.answerBy)
                if let node = nodes.best() { return node }
                // An election, perhaps: there will be one that serves.
                gate.failed(at: .now, jitter: 0.5 + random())
                call.attempts += 1
                call.last = VaultFailure(error: outage(), mayHaveHappened: call.last?.mayHaveHappened ?? false)
                try await pause(&call)
            case .refuse:
                throw call.last ?? VaultFailure(error: outage(), mayHaveHappened: false)
            case .wait(let until):
                guard until < call.answerBy.instant else {
                    throw call.last ?? VaultFailure(error: outage(), mayHaveHappened: false)
                }
                try await sleep(until: until)
            }
        }
    }

    private func pause(_ call: inout Call) async throws(VaultFailure) {
        let longest = Duration.milliseconds(20) * (1 << min(call.attempts, 6))
        let until = ContinuousClock.now + min(longest, .seconds(1)) * (0.5 + random() / 2)
        guard until < call.answerBy.instant else {
            throw call.last ?? VaultFailure(error: outage(), mayHaveHappened: false)
        }
        try await sleep(until: until)
    }

    private func sleep(until: ContinuousClock.Instant) async throws(VaultFailure) {
        do {
            try await Task.sleep(until: until, clock: .continuous)
        } catch {
            let cancelled = SecretError(.cancelled, "The caller gave up while waiting for Vault.")
            throw VaultFailure(error: cancelled, mayHaveHappened: false)
        }
    }

    /// What to say of an outage that is known: which server has which problem.
    private func outage() -> SecretError {
        let problems = nodes.statuses.map { "\($0.address): \($0.problem ?? $0.role.rawValue)" }
        let code: SecretError.Code = nodes.areAllSealed ? .backendSealed : .backendUnavailable
        return SecretError(code, "Vault cannot be reached (\(problems.joined(separator: "; "))).", retryAfterSeconds: 1)
    }
}

// One attempt.
extension VaultClient {
    enum Outcome {
        case answer(VaultAnswer)
        case elsewhere(VaultNode)
        case failure(VaultFailure, mayBeRetried: Bool)
    }

    private func attempt(
        _ request: VaultRequest, at node: VaultNode, token: SecretBytes?, _ call: Call
    ) async -> Outcome {
        var deadline = call.answerBy
        if nodes.all.count > 1 {
            deadline = min(deadline, .after(Self.firstAttempt * (1 << min(call.attempts, 6))))
        }
        let answer: VaultAnswer
        do throws(VaultNode.Failure) {
            answer = try await node.exchange(
                request, token: token, namespace: namespace, index: index.header, deadline: deadline)
        } catch {
            return failure(of: node, error)
        }
        return judge(answer, of: node)
    }

    private func failure(of node: VaultNode, _ failure: VaultNode.Failure) -> Outcome {
        let (problem, mayHaveHappened): (String, Bool)
        switch failure {
        case .cancelled:
            let error = SecretError(.cancelled, "The caller gave up while Vault was asked.")
            return .failure(VaultFailure(error: error, mayHaveHappened: true), mayBeRetried: false)
        case .notSent(let text): (problem, mayHaveHappened) = (text, false)
        case .brokenOff(let text): (problem, mayHaveHappened) = (text, true)
        }
        nodes.note(node, .unreachable, problem: problem)
        gate.failed(at: .now, jitter: 0.5 + random())
        let error = SecretError(
            .backendUnavailable, "Vault at \(node.address): \(problem).", retryAfterSeconds: 1)
        return .failure(VaultFailure(error: error, mayHaveHappened: mayHaveHappened), mayBeRetried: true)
    }

    /// What an answer means for the call: an answer to the request, or word of the server's own state.
    private func judge(_ answer: VaultAnswer, of node: VaultNode) -> Outcome {
        func retry(_ code: SecretError.Code, _ text: String, mayHaveHappened: Bool) -> Outcome {
            let error = SecretError(code, "Vault at \(node.address) \(text).", retryAfterSeconds: 1)
            return .failure(VaultFailure(error: error, mayHaveHappened: mayHaveHappened), mayBeRetried: true)
        }
        switch answer.status {
        case 307, 308:
            guard let location = answer.location, let target = nodes.target(of: location, from: node) else {
                return retry(
                    .backendUnavailable,
                    "redirects to an address that is not followed: it must be https like the others",
                    mayHaveHappened: false)
            }
            if nodes.role(of: node) == .active { nodes.note(node, .standby) }
            nodes.note(target, .active)
            return .elsewhere(target)
        case 412:
            if nodes.role(of: node) == .active { index.forget() }
            return retry(.backendUnavailable, "has not caught up yet", mayHaveHappened: false)
        case 429:
            return retry(.rateLimited, "limits the gateway's rate: \(answer.complaint)", mayHaveHappened: false)
        case 503 where answer.errors.contains { $0.contains("sealed") }:
            nodes.note(node, .sealed, problem: "sealed")
            let error = SecretError(
                .backendSealed, "Vault at \(node.address) is sealed; unseal it.", retryAfterSeconds: 5)
            return .failure(VaultFailure(error: error, mayHaveHappened: false), mayBeRetried: !nodes.areAllSealed)
        case 500...599 where !answer.isTooLarge:
            let hasNoLeader = answer.errors.contains {
                $0.contains("active cluster node not found") || $0.contains("node is not the leader")
            }
            nodes.note(node, hasNoLeader ? .standby : .unreachable, problem: answer.complaint)
            gate.failed(at: .now, jitter: 0.5 + random())
            return retry(.backendUnavailable, "answered \(answer.complaint)", mayHaveHappened: !hasNoLeader)
        default:
            if let index = answer.index { self.index.note(index) }
            nodes.noteAnswer(of: node)
            return .answer(answer)
        }
    }
}

// Which server is the active one.
extension VaultClient {
    /// Asks every server what it is, if that has not been done for a while: waits for it where no active one is known.
    private func checkRolesIfDue(deadline: Deadline) async {
        guard nodes.isDue(at: .now, interval: Self.checkInterval) else { return }
        let isKnown = nodes.hasActive
        let flight = checkRoles()
        guard !isKnown else { return }
        // A check that takes too long leaves things as they are: some server is asked all the same.
        _ = try? await flight.value(deadline: min(deadline, .after(Self.firstAttempt)), what: "the servers' roles")
    }

    /// Asks every server what it is.
    /// - Returns: when all have answered or failed to.
    func checkRoles() -> SharedResult<Void> {
        let (flight, isNew) = check.withLock { current in
            if let current { return (current, false) }
            let new = SharedResult<Void>()
            current = new
            return (new, true)
        }
        guard isNew else { return flight }
        Task {
            await checkRoles(of: nodes.all, flight)
            if !nodes.hasActive {
                // The active one may be none of those that are configured: the others know its address.
                await checkRoles(of: nodes.all.filter { nodes.role(of: $0) == .unknown }, flight)
            }
            nodes.noteCheck(at: .now)
            check.withLock { $0 = nil }
            flight.complete(.success(()))
        }
        return flight
    }

    /// Asks servers what they are. Who waits for it need not wait for the last of them once the active one is found.
    private func checkRoles(of nodes: [VaultNode], _ flight: SharedResult<Void>) async {
        await withTaskGroup(of: Void.self) { group in
            for node in nodes {
                group.addTask {
                    await self.checkRole(of: node)
                    if self.nodes.role(of: node) == .active { flight.complete(.success(())) }
                }
            }
        }
    }

    /// Asks one server what it is.
    private func checkRole(of node: VaultNode) async {
        var request = VaultRequest.get("sys/health").with(.none)
        request.usesNamespace = false
        do throws(VaultNode.Failure) {
            let answer = try await node.exchange(
                request, token: nil, namespace: nil, deadline: .after(Self.firstAttempt))
            let role: VaultNodes.Role =
                switch answer.status {
                case 200: .active
                case 429: .standby
                case 473: .performanceStandby
                case 472: .standby
                case 501: .uninitialised
                case 503: .sealed
                default: .unreachable
                }
            nodes.note(
                node, role, version: answer.text("version"), problem: role == .unreachable ? answer.complaint : nil)
            if role == .standby { await findLeader(knownBy: node) }
        } catch {
            let problem: String =
                switch error {
                case .notSent(let text), .brokenOff(let text): text
                case .cancelled: "it was not asked to the end"
                }
            nodes.note(node, .unreachable, problem: problem)
        }
    }

    /// Asks a standby where the active server is, and remembers the address if it is new.
    private func findLeader(knownBy node: VaultNode) async {
        var request = VaultRequest.get("sys/leader").with(.none)
        request.usesNamespace = false
        do throws(VaultNode.Failure) {
            let answer = try await node.exchange(
                request, token: nil, namespace: nil, deadline: .after(Self.firstAttempt))
            if let address = answer.text("leader_address") { _ = nodes.target(of: address, from: node) }
        } catch {
            // Its health was told a moment ago; the next check asks again.
            return
        }
    }
}

extension VaultAnswer {
    /// A text of the answer's object, if it has one of that name.
    fileprivate func text(_ member: String) -> String? {
        var text: String?
        do throws(SecretError) {
            try read { (json, name) throws(SecretError) in
                if name == member, json.isAtString {
                    text = try json.string("The member")
                } else {
                    _ = try json.raw("A member")
                }
            }
        } catch {
            // Not Vault's own answer; its status has been noted, and more is not needed.
            return nil
        }
        return text
    }
}
