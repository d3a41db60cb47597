// What is done about an error, and how a token is opened.

import CP11Kit
import PosternProtocol

extension PKCS11Token {
    /// Does work, mending once what each class of error calls for.
    func run<R: Sendable>(
        _ ticket: CallTicket, _ what: String, _ body: (Session, Connection) throws(TokenFailure) -> R
    ) throws(SecretError) -> R {
        var mended: Set<ErrorClass> = []
        while true {
            let entry = try module.enter(ticket)
            do throws(TokenFailure) {
                defer { module.leave(ticket) }
                return try attempt(entry, ticket, body)
            } catch {
                let error = try error.refusedCall()
                // Nobody waits for this thread any more where the deadline has passed: the next call does the mending,
                // and does not have to wait for this one to.
                guard error.errorClass != .caller, !ticket.deadline.hasPassed,
                    mended.insert(error.errorClass).inserted
                else { throw error.answer(token: "\(settings.token)", what: what) }
                if error.errorClass == .library {
                    try module.reinitialize(after: entry.generation, since: error, ticket)
                }
            }
        }
    }

    private func attempt<R: Sendable>(
        _ entry: Module.Entry, _ ticket: CallTicket, _ body: (Session, Connection) throws(TokenFailure) -> R
    ) throws(TokenFailure) -> R {
        let connection = try open(entry, ticket)
        do throws(TokenFailure) {
            return try connection.withSession(
                ticket,
                { (session) throws(TokenFailure) in
                    try login.perform(session, slot: connection.slot, name: connection.info.name)
                }
            ) { (session) throws(TokenFailure) in
                try body(session, connection)
            }
        } catch {
            if case .call(let refused) = error { distrust(connection, refused, ticket) }
            throw error
        }
    }

    /// Throws away what an error says is no longer good.
    private func distrust(_ connection: Connection, _ error: PKCS11Error, _ ticket: CallTicket) {
        switch error.errorClass {
        case .caller: return
        case .key: connection.forgetKeys()
        case .session, .login:
            connection.forgetKeys()
            connection.dropIdle(ticket)
            state.change { state in
                if case .open(let open) = state, open === connection { state = .suspect(connection) }
            }
        case .token, .library:
            let wasCurrent = state.change { state in
                guard state.connection === connection else { return false }
                if case .busy = state { return false }
                state = .closed
                return true
            }
            if wasCurrent { connection.retire(ticket, closing: !error.isAboutLostSession) }
        }
    }
}

// Opening.
extension PKCS11Token {
    /// The open token; opens or mends it first if need be. One thread does that, and the others wait.
    private func open(_ entry: Module.Entry, _ ticket: CallTicket) throws(TokenFailure) -> Connection {
        enum Step { case use(Connection), connect, mend(Connection) }
        let step = try state.wait(until: ticket.deadline) { (state) throws(TokenFailure) -> Step? in
            switch state {
            case .open(let connection) where connection.entry.generation == entry.generation:
                return .use(connection)
            case .suspect(let connection) where connection.entry.generation == entry.generation:
                state = .busy(ticket, connection)
                return .mend(connection)
            case .closed, .open, .suspect:
                state = .busy(ticket, nil)
                return .connect
            case .busy(let other, _):
                guard !other.isStuck else { throw .answer(stuck(other)) }
                return nil
            }
        }
        switch step {
        case .use(let connection): return connection
        case .connect: return try settle(ticket) { () throws(TokenFailure) in try connect(entry, ticket) }
        case .mend(let connection):
            return try settle(ticket) { () throws(TokenFailure) in try mend(connection, entry, ticket) }
        case nil: throw .answer(ticket.late("while the token \(settings.token) was being opened"))
        }
    }

    /// Notes how opening went, for those that wait for it.
    private func settle(
        _ ticket: CallTicket, _ body: () throws(TokenFailure) -> Connection
    ) throws(TokenFailure) -> Connection {
        do throws(TokenFailure) {
            let connection = try body()
            state.change { $0 = .open(connection) }
            return connection
        } catch {
            let connection = state.change { state in
                defer { state = .closed }
                return state.connection
            }
            connection?.retire(ticket, closing: true)
            throw error
        }
    }

    private func connect(_ entry: Module.Entry, _ ticket: CallTicket) throws(TokenFailure) -> Connection {
        let (slot, info) = try Slots(functions: entry.functions, ticket: ticket).find(settings.token)
        let connection = Connection(slot: slot, info: info, entry: entry, maximumSessions: settings.maximumSessions)
        do throws(TokenFailure) {
            try ensureLogin(connection, ticket)
        } catch {
            connection.retire(ticket, closing: true)
            throw error
        }
        threads.setLimit(connection.limit)
        return connection
    }

    /// Makes a connection good again: logs in where the login is gone, and opens it anew where its sessions are.
    private func mend(
        _ connection: Connection, _ entry: Module.Entry, _ ticket: CallTicket
    ) throws(TokenFailure) -> Connection {
        do throws(TokenFailure) {
            try ensureLogin(connection, ticket)
            return connection
        } catch {
            guard case .call(let refused) = error, refused.errorClass == .session || refused.errorClass == .token
            else { throw error }
            connection.retire(ticket, closing: !refused.isAboutLostSession)
            return try connect(entry, ticket)
        }
    }

    private func ensureLogin(_ connection: Connection, _ ticket: CallTicket) throws(TokenFailure) {
        try connection.ensureLogin(ticket) { (session) throws(TokenFailure) in
            try login.perform(session, slot: connection.slot, name: connection.info.name)
        }
    }

    private func stuck(_ other: CallTicket) -> SecretError {
        SecretError(
            .keyUnavailable,
            "The token \(settings.token) cannot be opened: \(other.function?.rawValue ?? "a call") has not returned "
                + "although its deadline has passed. Look at the HSM and the way to it.",
            retryAfterSeconds: 5)
    }
}
