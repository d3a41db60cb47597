// A refused PKCS#11 call, and what kind of recovery it calls for.

import PosternProtocol

/// A function that answered something other than `CKR_OK`.
struct PKCS11Error: Error, Equatable, Sendable, CustomStringConvertible {
    let function: CryptokiFunction
    let value: ReturnValue

    init(_ function: CryptokiFunction, _ value: ReturnValue) {
        self.function = function
        self.value = value
    }

    /// As in `C_Decrypt answered CKR_DEVICE_ERROR`.
    var description: String { "\(function.rawValue) answered \(value)" }
}

/// Who or what a refused call is about, which decides what is done about it.
enum ErrorClass: String, Sendable, CaseIterable {
    /// The call itself is wrong: nothing is tried again.
    case caller
    /// The handle of a key is no longer good: the key is found again by label and id.
    case key
    /// The session is gone: once more, on a fresh one.
    case session
    /// Nobody is logged in: log in again, once. A refused PIN is of this class too, and is never tried again.
    case login
    /// The token is gone: it is looked for again by its URI.
    case token
    /// The library or the device is in trouble: re-initialised once no call is in flight.
    case library
}

/// Why work on a token did not get done.
enum TokenFailure: Error, Sendable {
    /// A call was refused; whether something can be done about it is still open.
    case call(PKCS11Error)
    /// Nothing more to try: the answer for the caller.
    case answer(SecretError)
}

extension TokenFailure {
    /// The refused call, if that is what happened.
    /// - Throws: the answer, if it is one already.
    func refusedCall() throws(SecretError) -> PKCS11Error {
        switch self {
        case .call(let error): return error
        case .answer(let answer): throw answer
        }
    }
}

/// Makes calls whose failure is a ``TokenFailure``.
func tokenCall<R>(_ body: () throws(PKCS11Error) -> R) throws(TokenFailure) -> R {
    do throws(PKCS11Error) {
        return try body()
    } catch {
        throw .call(error)
    }
}
