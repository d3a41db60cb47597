// What a refusal of Google Cloud KMS means, and what to do about it.

import PosternCoding
import PosternProtocol

/// An answer that is an error (google.rpc.Status in JSON, under `error`).
struct GCPRefusal {
    private let httpStatus: Int
    /// As in `PERMISSION_DENIED`; empty where the answer has none.
    private let status: String
    private let message: String
    private let operation: GCPKMSClient.Operation
    private let key: GCPKMSKeyName

    /// Reads an answer. Its words are looked at but not repeated.
    init(_ answer: CloudAnswer, operation: GCPKMSClient.Operation, key: GCPKMSKeyName) {
        var status = ""
        var message = ""
        do throws(SecretError) {
            try answer.read { (json, name) throws(SecretError) in
                guard name == "error", json.isAtObject else {
                    _ = try json.raw("A member")
                    return
                }
                try json.object(name) { (json, name) throws(SecretError) in
                    switch name {
                    case "status": status = try json.string(name)
                    case "message": message = try json.string(name)
                    default: _ = try json.raw("A member")
                    }
                }
            }
        } catch {
            // A body that is no JSON says nothing more: the status does.
            message = ""
        }
        let isWord = status.utf8.count <= 40 && status.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x5F }
        self.status = isWord ? status : ""
        self.message = message.lowercased()
        httpStatus = answer.status
        self.operation = operation
        self.key = key
    }

    /// What it means for an attempt.
    var failure: Attempts.Failure {
        if httpStatus == 400, status != "FAILED_PRECONDITION", operation == .decrypt {
            if message.contains("checksum") || message.contains("crc32c") {
                return .passing(unavailable("what was sent was damaged on the way"))
            }
            return .lasting(
                SecretError(
                    .integrityFailure,
                    "A key wrapped under \(key) does not open: it was changed, or was wrapped for something else "
                        + "(\(status))."))
        }
        switch httpStatus {
        case 400 where message.contains("checksum") || message.contains("crc32c"):
            return .passing(unavailable("what was sent was damaged on the way"))
        case 408, 429:
            return .passing(unavailable("Google limits the rate of calls; ask for a higher quota if that goes on"))
        case 500...:
            return .passing(unavailable("Google Cloud KMS cannot serve it at the moment"))
        default:
            return .lasting(unavailable(problem))
        }
    }

    /// What stands in the way until somebody does something.
    private var problem: String {
        switch (httpStatus, status) {
        case (401, _):
            "Google does not accept the gateway's access token; see whether its credentials are the right ones, and "
                + "this machine's clock"
        case (403, _):
            "the gateway may not; give its account the role roles/cloudkms.cryptoKeyEncrypterDecrypter on the key, and "
                + "see that the API is enabled in the project"
        case (404, _):
            "there is no such key"
        case (_, "FAILED_PRECONDITION"):
            "its version is disabled, destroyed or not there yet, or it is no key for symmetric encryption; see its "
                + "versions"
        default:
            "Google refuses with status \(httpStatus)"
        }
    }

    private func unavailable(_ why: String) -> SecretError {
        SecretError(
            .keyUnavailable,
            "Google Cloud KMS: \(key) cannot be used (\(operation.rawValue)): \(why) "
                + "(\(status.isEmpty ? "status \(httpStatus)" : status)).",
            retryAfterSeconds: 1)
    }
}
