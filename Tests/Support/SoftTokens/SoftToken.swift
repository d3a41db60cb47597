// A SoftHSM token that any process can use by its URI: the module in front of it knows where it is.

import CFaultControl

/// A token `prod` with nothing on it, behind the module that misbehaves as told.
public final class SoftToken: Sendable {
    /// Its user PIN.
    public static let pin = "pin-canary-4711"
    /// What the module is told, in whichever process.
    public let faults: Faults
    /// A file with the PIN.
    public let pinFile: String
    private let folder: TemporaryFolder

    /// Makes one.
    public init() throws {
        folder = try TemporaryFolder()
        pinFile = try folder.file("pin", Self.pin)
        let token = try SoftHSM(in: folder, label: "prod", pin: Self.pin)
        try folder.file("environment", "\(SoftHSM.variable)=\(token.configuration)")
        faults = try Faults(in: folder, real: try folder.copy(SoftHSM.library))
    }

    /// The URI of a key on it.
    public func uri(_ object: String) -> String {
        "pkcs11:token=prod;object=\(object)?module-path=\(faults.library)&pin-source=file:\(pinFile)"
    }

    /// Takes it out of its slot.
    public func goAway() {
        faults[fault_lose_sessions] = 1
        faults[fault_removed] = 1
    }

    /// Puts it back.
    public func comeBack() { faults[fault_removed] = 0 }
}
