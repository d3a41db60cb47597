// What an operator says about a token.

public import PosternProtocol

/// Which token, through which module, with which PIN, and how hard it may be used.
public struct PKCS11TokenSettings: Sendable, Hashable {
    /// The module.
    public let module: PKCS11ModuleLocation
    /// The attributes that name the token.
    public let token: PKCS11URI
    /// Where the PIN is; nil for a token that wants none or asks for it itself.
    public let pin: PINSource?
    /// How many calls are made at a time, each on a session of its own. Never more than the token allows.
    public var maximumSessions = 30
    /// How many calls that do not return are put up with before no more are made.
    public var maximumStuckCalls = 8

    /// Describes a token by a URI and what the URI leaves out.
    /// - Parameters:
    ///   - uri: names the token; a key's name in it is left out. Its `module-path`, `module-name`, `x-init-args` and
    ///     `pin-source` count where the other parameters are nil.
    ///   - module: the module; nil if the URI names it.
    ///   - pin: where the PIN is; nil if the URI says so, or there is none.
    /// - Throws: `invalid_argument` if no module is named, or the URI does not say which token.
    public init(
        _ uri: PKCS11URI, module: PKCS11ModuleLocation? = nil, pin: PINSource? = nil
    ) throws(SecretError) {
        if let module {
            self.module = module
        } else if let path = uri.modulePath {
            self.module = PKCS11ModuleLocation(.path(path), initArguments: uri.initArguments)
        } else if let name = uri.moduleName {
            self.module = PKCS11ModuleLocation(.configured(name), initArguments: uri.initArguments)
        } else {
            throw SecretError(
                .invalidArgument,
                "\(uri) names no PKCS#11 module: add `?module-path=` with the path of the HSM's library.")
        }
        if case .path(let path) = self.module.name, !path.hasPrefix("/") {
            throw SecretError(.invalidArgument, "The path of a PKCS#11 module is absolute; \(path) is not.")
        }
        let token = uri.tokenPart
        guard token != PKCS11URI() else {
            throw SecretError(.invalidArgument, "\(uri) does not say which token: add `token=` or `serial=`.")
        }
        self.token = token
        self.pin = pin ?? uri.pinSource
    }
}
