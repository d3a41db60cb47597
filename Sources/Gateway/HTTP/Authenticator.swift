// Who is calling: admin keys out of headers, failures limited and recorded.

import HTTPTypes
import Hummingbird
import PosternCore
import PosternPolicy
import PosternProtocol

struct Authenticator: Sendable {
    let keys: AdminKeys
    let limiter: FailureLimiter
    let gateway: Gateway

    /// The name of the key that a request presents.
    /// - Returns: the caller, and the credential of the second person if one approves.
    /// - Throws: `unauthenticated`, `rate_limited`, each with its place in the audit log if it has one.
    func authenticate(
        _ request: Request, _ context: AdminContext
    ) async throws -> (caller: Caller, approver: Credential?) {
        let presented = Self.presentedKey(request)
        let name = presented.flatMap(keys.name(of:))
        let presentedApproval = request.headers[.posternApproverKey]
        let approver = presentedApproval.flatMap(keys.name(of:))
        let isRight = name != nil && (presentedApproval == nil || approver != nil)

        switch limiter.judge(Self.bucket(of: context.address), isRight: isRight) {
        case .admitted:
            break
        case .failed(let unrecorded):
            let message =
                if presented == nil {
                    "Give an admin key, as Authorization: Bearer or X-Admin-Key."
                } else if name == nil {
                    "The admin key is not known."
                } else {
                    "The approver's admin key is not known."
                }
            let detail = unrecorded == 0 ? [:] : ["unrecorded_before": String(unrecorded)]
            try await fail(SecretError(.unauthenticated, message), context, isRecorded: true, detail)
        case .limited(let seconds, let isFirst):
            try await fail(
                SecretError(
                    .rateLimited, "Too many failed authentications from this address; wait \(seconds) seconds.",
                    retryAfterSeconds: seconds), context, isRecorded: isFirst)
        }
        guard let name else { throw Problem(SecretError(.unauthenticated, "The admin key is not known.")) }
        guard approver != name else {
            throw SecretError(.invalidArgument, "The approver's key must be another than the caller's.")
        }
        context.notes.note { $0.key = name }
        return (
            Caller(credential: .adminKey(name: name), address: context.address),
            approver.map { .adminKey(name: $0) }
        )
    }

    private func fail(
        _ error: SecretError, _ context: AdminContext, isRecorded: Bool, _ detail: [String: String] = [:]
    ) async throws -> Never {
        guard isRecorded else { throw error }
        let index = try await gateway.recordAuthenticationFailure(
            error, of: Caller(unauthenticated: error, address: context.address), requestID: context.requestID,
            detail: detail)
        throw Problem(error, auditIndex: index)
    }

    /// The bearer token (RFC 6750 §2.1), or what `X-Admin-Key` says.
    private static func presentedKey(_ request: Request) -> String? {
        let scheme = "bearer "
        if let header = request.headers[.authorization], header.prefix(scheme.count).lowercased() == scheme {
            return String(header.dropFirst(scheme.count).drop { $0 == " " })
        }
        return request.headers[.xAdminKey]
    }

    /// What failures are counted by: an IPv4 address, or the /64 that an IPv6 host may choose addresses from.
    static func bucket(of address: String?) -> String {
        guard let address, address.contains(":") else { return address ?? "unknown" }
        var groups = address.prefix { $0 != "%" }.split(separator: ":", omittingEmptySubsequences: false)
        if let gap = groups.dropFirst().dropLast().firstIndex(of: "") {
            groups.replaceSubrange(gap...gap, with: Array(repeating: "0", count: max(0, 9 - groups.count)))
        }
        return groups.prefix(4).map { $0.isEmpty ? "0" : String($0) }.joined(separator: ":")
    }
}
