// The one owner of a module in this process: loads and initialises it when it is first needed, counts the calls in
// flight, and re-initialises it only when there are none.

import CP11Kit
import PosternProtocol

/// A module, and who is in it.
final class Module: Sendable {
    /// What a thread that has come in works with.
    struct Entry: Sendable {
        let functions: Functions
        /// How often the module has been initialised. Handles are worth nothing under another number.
        let generation: Int
    }

    private struct State {
        var functions: Functions?
        var generation = 0
        var isInitialized = false
        var isOwner = false
        var lastInitialized: ContinuousClock.Instant?
        /// The thread that initialises or waits to; nobody comes in meanwhile.
        var exclusive: CallTicket?
        var inFlight: [ObjectIdentifier: CallTicket] = [:]
        /// How many tokens are open in it.
        var users = 0

        var entry: Entry? {
            guard isInitialized, let functions else { return nil }
            return Entry(functions: functions, generation: generation)
        }
    }

    let location: PKCS11ModuleLocation
    /// PINs that its tokens have refused.
    let refusals = PINRefusals()
    private let loader: ModuleLoader
    private let reinitializeInterval: Duration
    private let state = Monitor(State())

    init(location: PKCS11ModuleLocation, reinitializeInterval: Duration) {
        self.location = location
        self.reinitializeInterval = reinitializeInterval
        self.loader = ModuleLoader(location: location)
    }

    /// Counts one more user.
    func retain() { state.change { $0.users += 1 } }

    /// Counts one user less; the last one stops the module, if this process started it and no call is in flight.
    func release(_ ticket: CallTicket) {
        let functions = state.change { state -> Functions? in
            state.users -= 1
            guard state.users == 0, state.isOwner, state.isInitialized, state.inFlight.isEmpty,
                state.exclusive == nil
            else { return nil }
            state.exclusive = ticket
            return state.functions
        }
        guard let functions else { return }
        // Whatever it answers, nobody is there any more to do something about it.
        try? loader.finalize(functions, ticket)
        state.change { state in
            state.isInitialized = false
            state.exclusive = nil
        }
    }

    /// Comes in; initialises the module first if need be. Every thread that has come in leaves again.
    /// - Throws: `key_unavailable` if it cannot be loaded or initialised, or if whoever initialises it is stuck;
    ///   `deadline_exceeded`.
    func enter(_ ticket: CallTicket) throws(SecretError) -> Entry {
        enum Step { case enter(Entry), initialize }
        while true {
            let step = try state.wait(until: ticket.deadline) { (state) throws(SecretError) -> Step? in
                guard try isFree(state) else { return nil }
                if let entry = state.entry {
                    state.inFlight[ObjectIdentifier(ticket)] = ticket
                    return .enter(entry)
                }
                state.exclusive = ticket
                return .initialize
            }
            switch step {
            case .enter(let entry): return entry
            case .initialize: try start(ticket)
            case nil: throw ticket.late("while the PKCS#11 module \(location) was being initialised")
            }
        }
    }

    /// Leaves.
    func leave(_ ticket: CallTicket) {
        state.change { _ = $0.inFlight.removeValue(forKey: ObjectIdentifier(ticket)) }
    }

    /// Initialises the module anew once every call in flight has returned. The caller must have left.
    /// - Parameters:
    ///   - generation: the one that is in trouble; if there is another already, nothing is done.
    ///   - cause: what it answered, for messages.
    /// - Throws: `key_unavailable` if a call does not return, if it was initialised just now, or if it fails;
    ///   `deadline_exceeded`.
    func reinitialize(
        after generation: Int, since cause: PKCS11Error, _ ticket: CallTicket
    ) throws(SecretError) {
        let mayStart = try state.wait(until: ticket.deadline) { (state) throws(SecretError) -> Bool? in
            guard try isFree(state) else { return nil }
            guard state.generation == generation, state.isInitialized else { return false }
            if let last = state.lastInitialized, last.advanced(by: reinitializeInterval) > .now {
                throw SecretError(
                    .keyUnavailable,
                    "The PKCS#11 module \(location) is in trouble (\(cause)) just after it was initialised; that is not "
                        + "repeated before \(reinitializeInterval) have passed. Look at the HSM.",
                    retryAfterSeconds: 5)
            }
            state.exclusive = ticket
            return true
        }
        guard let mayStart else { throw ticket.late("before the PKCS#11 module \(location) was re-initialised") }
        guard mayStart else { return }
        try waitForOthers(cause, ticket)
        if let functions = state.read({ $0.isOwner ? $0.functions : nil }) {
            // A library that is in trouble may say so here too; what counts is whether it starts again.
            try? loader.finalize(functions, ticket)
        }
        try start(ticket)
    }

    private func waitForOthers(_ cause: PKCS11Error, _ ticket: CallTicket) throws(SecretError) {
        do throws(SecretError) {
            let alone = try state.wait(until: ticket.deadline) { (state) throws(SecretError) -> Bool? in
                if let stuck = state.inFlight.values.first(where: \.isStuck) {
                    throw SecretError(
                        .keyUnavailable,
                        "The PKCS#11 module \(location) must be re-initialised (\(cause)), but cannot be while a call "
                            + "(\(stuck.function?.rawValue ?? "unknown")) does not return. Look at the HSM.",
                        retryAfterSeconds: 5)
                }
                return state.inFlight.isEmpty ? true : nil
            }
            if alone == nil { throw ticket.late("before the PKCS#11 module \(location) was free") }
        } catch {
            state.change { $0.exclusive = nil }
            throw error
        }
    }

    /// Loads and initialises. The caller has the module to itself, and has not after this.
    private func start(_ ticket: CallTicket) throws(SecretError) {
        do throws(SecretError) {
            let functions: Functions
            if let loaded = state.read(\.functions) {
                functions = loaded
            } else {
                functions = try loader.load(ticket)
            }
            let isOwner: Bool
            do throws(PKCS11Error) {
                isOwner = try loader.initialize(functions, ticket)
            } catch {
                throw SecretError(
                    .keyUnavailable, "The PKCS#11 module \(location) cannot be initialised: \(error).",
                    retryAfterSeconds: 5)
            }
            state.change { state in
                state.functions = functions
                state.isOwner = isOwner || state.isOwner
                state.isInitialized = true
                state.generation += 1
                state.lastInitialized = .now
                state.exclusive = nil
            }
        } catch {
            state.change { state in
                state.isInitialized = false
                state.exclusive = nil
            }
            throw error
        }
    }

    private func isFree(_ state: State) throws(SecretError) -> Bool {
        guard let holder = state.exclusive else { return true }
        guard !holder.isStuck else {
            throw SecretError(
                .keyUnavailable,
                "The PKCS#11 module \(location) does not answer: \(holder.function?.rawValue ?? "a call") has not "
                    + "returned although its deadline has passed. Look at the HSM and the way to it.",
                retryAfterSeconds: 5)
        }
        return false
    }
}
