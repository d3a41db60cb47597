// An open token: the session that keeps the login, the sessions that are lent out, and the keys found so far.

import CP11Kit
import PosternProtocol

/// A token that was found, opened and logged in to. It is thrown away, with all its handles, when the token or the
/// module was.
final class Connection: Sendable {
    private struct Pool {
        var idle: [CK_SESSION_HANDLE] = []
        /// How many are open, lent ones with them; and how many may be.
        var open = 0
        var limit: Int
        /// Whether the sessions are no longer worth keeping.
        var isRetired = false
    }

    private struct Login {
        /// Stays open for as long as the connection: with an application's last session its login ends.
        var session: CK_SESSION_HANDLE?
    }

    let slot: CK_SLOT_ID
    let info: TokenInfo
    let entry: Module.Entry
    private let pool: Monitor<Pool>
    private let login = Monitor(Login())
    private let keys = Monitor<[KeyQuery: CK_OBJECT_HANDLE]>([:])

    /// - Parameter maximumSessions: how many sessions at most, whatever the token allows.
    init(slot: CK_SLOT_ID, info: TokenInfo, entry: Module.Entry, maximumSessions: Int) {
        self.slot = slot
        self.info = info
        self.entry = entry
        // One is for the login. Where a token has but one, it serves both.
        let allowed = info.sessionLimit.map { max($0 - 1, 1) } ?? maximumSessions
        self.pool = Monitor(Pool(limit: max(min(maximumSessions, allowed), 1)))
    }

    /// How many sessions are lent at most.
    var limit: Int { pool.read(\.limit) }

    /// Whether a session of its own can keep the login.
    private var keepsLogin: Bool { info.sessionLimit != 1 }
}

// The login.
extension Connection {
    /// Makes sure that the user is logged in, with a session of its own that keeps it so.
    /// - Parameter authenticate: logs in on the session, where the token asks for that.
    func ensureLogin(
        _ ticket: CallTicket, _ authenticate: (Session) throws(TokenFailure) -> Void
    ) throws(TokenFailure) {
        guard keepsLogin else { return }
        let session = try loginSession(ticket)
        do throws(TokenFailure) {
            if try tokenCall(session.isLoggedIn) { return }
            try authenticate(session)
        } catch {
            if case .call = error { forgetLoginSession(closing: session) }
            throw error
        }
    }

    private func loginSession(_ ticket: CallTicket) throws(TokenFailure) -> Session {
        if let handle = login.read(\.session) {
            return Session(functions: entry.functions, handle: handle, ticket: ticket)
        }
        let session = try tokenCall { () throws(PKCS11Error) in try Session.open(entry.functions, slot: slot, ticket) }
        login.change { $0.session = session.handle }
        return session
    }

    private func forgetLoginSession(closing session: Session) {
        login.change { $0.session = nil }
        // It is as good as closed: it was refused.
        try? session.close()
    }
}

// The sessions.
extension Connection {
    /// Lends a session. It is kept for the next one if the work succeeds, and closed after any error.
    func withSession<R: Sendable>(
        _ ticket: CallTicket, _ authenticate: (Session) throws(TokenFailure) -> Void,
        _ body: (Session) throws(TokenFailure) -> R
    ) throws(TokenFailure) -> R {
        let session = try take(ticket)
        ticket.isSpoiled = false
        do throws(TokenFailure) {
            if !keepsLogin, try !tokenCall(session.isLoggedIn) { try authenticate(session) }
            let result = try body(session)
            ticket.isSpoiled ? discard(session) : giveBack(session)
            return result
        } catch {
            // A handle that the module does not know any more may soon be another session's.
            if case .call(let refused) = error, refused.isAboutLostSession {
                pool.change { $0.open -= 1 }
            } else {
                discard(session)
            }
            throw error
        }
    }

    private func take(_ ticket: CallTicket) throws(TokenFailure) -> Session {
        enum Step { case use(CK_SESSION_HANDLE), open }
        /// Whether the token has said that it has no room for another session.
        var isFull = false
        while true {
            let step = pool.wait(until: ticket.deadline) { pool -> Step? in
                if let handle = pool.idle.popLast() { return .use(handle) }
                guard pool.open < pool.limit, !(isFull && pool.open > 0) else { return nil }
                pool.open += 1
                return .open
            }
            switch step {
            case .use(let handle): return Session(functions: entry.functions, handle: handle, ticket: ticket)
            case nil: throw .answer(ticket.late("while all sessions of the token \(info.name) were in use"))
            case .open: break
            }
            do throws(PKCS11Error) {
                return try Session.open(entry.functions, slot: slot, ticket)
            } catch {
                let others = pool.change { pool in
                    pool.open -= 1
                    return pool.open
                }
                guard error.isSessionLimit else { throw .call(error) }
                guard others > 0 else {
                    throw .answer(
                        SecretError(
                            .keyUnavailable,
                            "The token \(info.name) has no room for a session (\(error)). Other applications use all "
                                + "that it has; close some of theirs, or lower their limits.",
                            retryAfterSeconds: 1))
                }
                // One of this process's own will come back.
                isFull = true
            }
        }
    }

    private func giveBack(_ session: Session) {
        let isKept = pool.change { pool in
            guard !pool.isRetired else {
                pool.open -= 1
                return false
            }
            pool.idle.append(session.handle)
            return true
        }
        // Nobody waits for this one any more.
        if !isKept { try? session.close() }
    }

    private func discard(_ session: Session) {
        pool.change { $0.open -= 1 }
        // If that fails too, the session is gone.
        try? session.close()
    }

    /// Closes the sessions that wait to be lent: what one has told, the others would.
    func dropIdle(_ ticket: CallTicket) {
        let idle = pool.change { pool in
            defer { pool.idle = [] }
            pool.open -= pool.idle.count
            return pool.idle
        }
        for handle in idle {
            // Most are gone already.
            try? Session(functions: entry.functions, handle: handle, ticket: ticket).close()
        }
    }

    /// Ends the connection: closes what is idle now, and what is lent when it comes back.
    /// - Parameter closing: whether the module still knows the sessions.
    func retire(_ ticket: CallTicket, closing: Bool) {
        let idle = pool.change { pool in
            defer { pool.idle = [] }
            pool.isRetired = true
            pool.open -= pool.idle.count
            return pool.idle
        }
        let own = login.change { login in
            defer { login.session = nil }
            return login.session
        }
        guard closing else { return }
        for handle in idle + [own].compactMap(\.self) {
            // Where that fails, it is gone.
            try? Session(functions: entry.functions, handle: handle, ticket: ticket).close()
        }
    }
}

// The keys.
extension Connection {
    /// The one key that a query describes; known ones are not looked for again.
    /// - Throws: `key_unavailable` if there is none or more than one; what a call answered.
    func key(_ query: KeyQuery, _ session: Session) throws(TokenFailure) -> CK_OBJECT_HANDLE {
        if let known = keys.read({ $0[query] }) { return known }
        let found = try find(query, session)
        switch found.count {
        case 1:
            keys.change { $0[query] = found[0] }
            return found[0]
        case 0:
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    "The token \(info.name) does not have \(query). Make it or restore it, or mend the URI.",
                    retryAfterSeconds: 5))
        default:
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    "The token \(info.name) has \(found.count) keys that match: \(query). Say which by adding `id` to "
                        + "the URI, or remove those that should not be there."))
        }
    }

    /// The keys that a query describes, at most ten.
    func find(_ query: KeyQuery, _ session: Session) throws(TokenFailure) -> [CK_OBJECT_HANDLE] {
        try tokenCall { () throws(PKCS11Error) in
            let found = try session.find(query.template, limit: 10)
            // To a session without login, private objects are not there.
            if found.isEmpty && info.has(CKF_LOGIN_REQUIRED), try !session.isLoggedIn() {
                throw PKCS11Error(.findObjects, ReturnValue(rawValue: CKR_USER_NOT_LOGGED_IN))
            }
            return found
        }
    }

    /// Forgets where keys are: they are found again by label and id.
    func forgetKeys() { keys.change { $0 = [:] } }
}
