// What a refusal of AWS KMS means, and what to do about it.

import PosternCoding
import PosternProtocol

/// An answer of AWS KMS that is an error.
struct KMSRefusal {
    /// The error's name, as in `DisabledException`; empty where the answer has none.
    let type: String
    private let message: String
    private let status: Int
    private let requestID: String?
    private let operation: KMSClient.Operation
    private let key: String

    private static let credentialErrors: Set = [
        "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId",
        "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException",
        "MissingAuthenticationTokenException", "RequestExpired",
    ]
    private static let throttlingErrors: Set = [
        "ThrottlingException", "ThrottledException", "Throttling", "RequestThrottledException", "RequestThrottled",
        "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException", "SlowDown",
    ]
    private static let passingErrors: Set = [
        "KeyUnavailableException", "DependencyTimeoutException", "KMSInternalException", "InternalFailure",
        "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException",
    ]

    /// Reads an answer. Most of its words stay where they are: AWS repeats what it was sent in some, credentials
    /// among it.
    init(_ answer: CloudAnswer, operation: KMSClient.Operation, key: String) {
        var type = answer.header("x-amzn-ErrorType") ?? ""
        var message = ""
        do throws(SecretError) {
            try answer.read { (json, name) throws(SecretError) in
                switch name {
                case "__type": type = try json.string(name)
                case "message", "Message": message = json.isAtString ? try json.string(name) : ""
                default: _ = try json.raw("A member")
                }
            }
        } catch {
            // A body that is no JSON says nothing more: the status does.
            message = ""
        }
        // com.amazonaws.kms#DisabledException, DisabledException:http://…
        let name = type.split(separator: "#").last?.split(separator: ":").first ?? ""
        self.type = Self.isWord(name, "") ? String(name) : ""
        self.message = message
        status = answer.status
        requestID = answer.header("x-amzn-RequestId").flatMap { Self.isWord($0[...], "-") ? $0 : nil }
        self.operation = operation
        self.key = key
    }

    /// Whether it is the credentials that are refused, so that others may be accepted.
    var isOfCredentials: Bool { Self.credentialErrors.contains(type) }

    /// What it means for an attempt.
    var failure: Attempts.Failure {
        switch type {
        case "InvalidCiphertextException", "IncorrectKeyException":
            return .lasting(
                SecretError(
                    .integrityFailure,
                    "A key wrapped under \(key) does not open: it was changed, or was wrapped for something else "
                        + "\(details)."
                ))
        case _ where Self.throttlingErrors.contains(type) || status == 429:
            return .passing(unavailable("AWS limits the rate of calls; ask for a higher quota if that goes on"))
        case _ where Self.passingErrors.contains(type) || status >= 500:
            return .passing(unavailable("AWS KMS cannot serve it at the moment"))
        default:
            return .lasting(unavailable(problem))
        }
    }

    /// What stands in the way until somebody does something.
    private var problem: String {
        switch type {
        case "AccessDeniedException":
            "\(principal) may not; allow kms:\(operation.rawValue) in the key's policy, or in both it and IAM"
        case "NotFoundException", "InvalidArnException":
            "there is no such key in this account and region"
        case "DisabledException":
            "it is disabled; enable it"
        case "KMSInvalidStateException":
            "its state does not allow it, as when it waits to be deleted or its key store is not connected; see the "
                + "key's state"
        case "InvalidKeyUsageException":
            "it is no symmetric key for encryption; name one with KeySpec SYMMETRIC_DEFAULT"
        case _ where isOfCredentials:
            "AWS does not accept the gateway's credentials; see whether they are the right ones, and this machine's "
                + "clock"
        default:
            "AWS refuses with status \(status)"
        }
    }

    private func unavailable(_ why: String) -> SecretError {
        SecretError(
            .keyUnavailable, "AWS KMS: \(key) cannot be used (\(operation.rawValue)): \(why) \(details).",
            retryAfterSeconds: 1)
    }

    /// The error's name and the request's, by which CloudTrail and AWS's support find it.
    private var details: String {
        let parts = [type.isEmpty ? nil : type, requestID.map { "request \($0)" }].compactMap { $0 }
        return parts.isEmpty ? "(status \(status))" : "(\(parts.joined(separator: ", ")))"
    }

    /// Whom AWS takes the gateway for, where it says so: `User: arn:… is not authorized to perform …`.
    private var principal: String {
        let words = message.split(separator: " ").prefix(12)
        let arn = words.first { $0.hasPrefix("arn:aws") && Self.isWord($0, ":/+=,.@_-", most: 300) }
        return arn.map(String.init) ?? "the gateway"
    }

    /// Whether a text has only ASCII letters, digits and some more characters, and is no longer than a name.
    private static func isWord(_ text: Substring, _ more: String, most: Int = 64) -> Bool {
        (1...most).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || more.contains($0) }
    }
}
