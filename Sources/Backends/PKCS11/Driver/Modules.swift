// Which modules this process has.

import Glibc
import PosternProtocol
import Synchronization

/// The PKCS#11 modules of a process, each with one owner. Make one, and give it to every token.
public final class PKCS11Modules: Sendable {
    private let modules = Mutex<[PKCS11ModuleLocation.Name: Module]>([:])
    private let reinitializeInterval: Duration

    /// Makes a register of modules.
    /// - Parameter reinitializeInterval: how long after a module was initialised it is not initialised again.
    public init(reinitializeInterval: Duration = .seconds(5)) {
        self.reinitializeInterval = reinitializeInterval
    }

    /// The one owner of a module. Loads nothing yet.
    /// - Throws: `invalid_argument` if it is in use with other init arguments.
    func module(at location: PKCS11ModuleLocation) throws(SecretError) -> Module {
        let resolved = Self.resolve(location)
        let module = modules.withLock { modules in
            if let module = modules[resolved.name] { return module }
            let module = Module(location: resolved, reinitializeInterval: reinitializeInterval)
            modules[resolved.name] = module
            return module
        }
        guard module.location == resolved else {
            throw SecretError(
                .invalidArgument,
                "The PKCS#11 module \(location) is used twice with different init arguments or management; "
                    + "a process can initialise it only once. Make them the same.")
        }
        return module
    }

    /// The same module by its real path, so that two names of it have one owner.
    private static func resolve(_ location: PKCS11ModuleLocation) -> PKCS11ModuleLocation {
        guard case .path(let path) = location.name, let real = unsafe realpath(path, nil) else { return location }
        defer { unsafe free(real) }
        return PKCS11ModuleLocation(
            .path(unsafe String(cString: real)), initArguments: location.initArguments,
            isManaged: location.isManaged)
    }
}
