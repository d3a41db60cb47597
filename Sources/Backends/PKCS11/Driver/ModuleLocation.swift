// Where a PKCS#11 module is, and how it wants to be started.

/// A PKCS#11 module: a vendor's library for its HSM.
public struct PKCS11ModuleLocation: Sendable, Hashable {
    /// How the module is named.
    public enum Name: Sendable, Hashable {
        /// The absolute path of the library.
        case path(String)
        /// The name under which the system's p11-kit configuration knows it.
        case configured(String)
    }

    /// How the module is named.
    public let name: Name
    /// What the module wants to be told when it is initialised (`pReserved`), as NSS softokn does; nil for nothing.
    public let initArguments: String?
    /// Whether p11-kit stands between, which lets other users of p11-kit in this process share the module. Not
    /// where there are init arguments: p11-kit passes none on.
    public let isManaged: Bool

    /// Names a module.
    /// - Parameters:
    ///   - name: how it is named.
    ///   - initArguments: what it wants to be told when it is initialised; nil for nothing.
    ///   - isManaged: whether p11-kit stands between; without effect where there are init arguments.
    public init(_ name: Name, initArguments: String? = nil, isManaged: Bool = true) {
        self.name = name
        self.initArguments = initArguments
        self.isManaged = isManaged && initArguments == nil
    }
}

extension PKCS11ModuleLocation: CustomStringConvertible {
    /// The path or name, for messages.
    public var description: String {
        switch name {
        case .path(let path): path
        case .configured(let name): "\(name) (of p11-kit's configuration)"
        }
    }
}
