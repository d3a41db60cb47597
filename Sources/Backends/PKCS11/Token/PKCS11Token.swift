// A token in an HSM: opened when it is first needed, kept open, and opened again after whatever happened to it.

import CP11Kit
public import PosternProtocol

/// A token in an HSM. Share one among all keys on it: it bounds how many calls are made at a time.
///
/// Nothing is loaded or opened before the first call, so one can be made while the HSM is away.
public final class PKCS11Token: Sendable {
    /// What the operator said.
    public let settings: PKCS11TokenSettings

    enum State {
        case closed
        /// A thread is opening or mending it.
        case busy(CallTicket, Connection?)
        case open(Connection)
        /// The same, but something has gone wrong: to be looked at before it is used again.
        case suspect(Connection)

        var connection: Connection? {
            switch self {
            case .closed: nil
            case .busy(_, let connection): connection
            case .open(let connection), .suspect(let connection): connection
            }
        }
    }

    let module: Module
    let login: TokenLogin
    let threads: CallThreads
    let state = Monitor(State.closed)
    private let watch = DeadlineWatch()

    /// Makes a token, without contact to it.
    /// - Parameters:
    ///   - settings: which token, and how it may be used.
    ///   - modules: the modules of the process.
    /// - Throws: `invalid_argument` if the module is in use with other init arguments, or a limit is below 1.
    public init(_ settings: PKCS11TokenSettings, modules: PKCS11Modules) throws(SecretError) {
        guard settings.maximumSessions >= 1, settings.maximumStuckCalls >= 1 else {
            throw SecretError(
                .invalidArgument,
                "The token \(settings.token) needs at least one session, and one call at least that may be stuck.")
        }
        self.settings = settings
        self.module = try modules.module(at: settings.module)
        self.login = TokenLogin(source: settings.pin, refusals: module.refusals)
        self.threads = CallThreads(
            name: "The token \(settings.token)", limit: settings.maximumSessions,
            maximumStuck: settings.maximumStuckCalls)
        module.retain()
    }

    /// How many calls have not returned although nobody waits for them any more.
    public var stuckCalls: Int { threads.stuck.count }

    /// How many calls wait for a session.
    public var waitingCalls: Int { threads.waiting }

    /// Lets a PIN be tried again that the token has refused, since an operator says that the token was mended, and looks
    /// at the token anew before the next call.
    public func reload() {
        module.refusals.forgetAll()
        state.change { state in
            if case .open(let connection) = state { state = .suspect(connection) }
        }
    }

    /// Opens the token and says which it is.
    /// - Parameter deadline: when the caller stops waiting.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func describe(deadline: Deadline) async throws(SecretError) -> PKCS11TokenDescription {
        try await perform("opening the token \(settings.token)", deadline: deadline) {
            (_, connection) throws(TokenFailure) in
            PKCS11TokenDescription(connection.info, sessions: connection.limit)
        }
    }

    /// Closes all sessions; the module is stopped with its last token. The token must not be used after this.
    /// - Parameter deadline: when the caller stops waiting.
    /// - Throws: `key_unavailable` if the module is stuck; `deadline_exceeded`, `cancelled`.
    public func close(deadline: Deadline) async throws(SecretError) {
        try await onThread("closing the token \(settings.token)", deadline) { [self] (ticket) throws(SecretError) in
            let connection = state.change { state in
                defer { state = .closed }
                return state.connection
            }
            defer { module.release(ticket) }
            guard let connection else { return }
            let entry = try module.enter(ticket)
            connection.retire(ticket, closing: entry.generation == connection.entry.generation)
            module.leave(ticket)
        }
    }
}

// Work on the token.
extension PKCS11Token {
    /// Does work on a session, on a thread of its own, and again where an error can be mended.
    /// - Parameters:
    ///   - what: what is done, for messages.
    ///   - forWriting: whether objects are made.
    ///   - body: the work. It may be done more than once.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`; what `body` gives as its answer.
    func perform<R: Sendable>(
        _ what: String, deadline: Deadline,
        _ body: @escaping @Sendable (Session, Connection) throws(TokenFailure) -> R
    ) async throws(SecretError) -> R {
        try await onThread(what, deadline) { [self] (ticket) throws(SecretError) in
            try run(ticket, what, body)
        }
    }

    private func onThread<R: Sendable>(
        _ what: String, _ deadline: Deadline, _ body: @escaping @Sendable (CallTicket) throws(SecretError) -> R
    ) async throws(SecretError) -> R {
        try deadline.check(what)
        try threads.refuseIfStuck()
        let answer = CallAnswer<R>()
        let ticket = CallTicket(deadline: deadline)
        let job = threads.submit(ticket) { ticket in
            answer.complete(
                Result { () throws(SecretError) in
                    guard !deadline.hasPassed else { throw ticket.late("before \(what)") }
                    return try body(ticket)
                })
        }
        do throws(SecretError) {
            return try await answer.value(what, deadline: deadline, watch)
        } catch {
            threads.withdraw(job)
            guard error.code == .deadlineExceeded, let function = ticket.function else { throw error }
            throw SecretError(
                .deadlineExceeded,
                "The deadline passed while \(what): the token \(settings.token) has not answered \(function.rawValue).")
        }
    }
}
